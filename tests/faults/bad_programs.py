"""A module of functions, one of which does what no program should, compiled by XLA."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jax_ir_pairs.build import Folder, all_shards, build, read_sidecar
from jax_ir_pairs.build.shard import read_rows
from jax_ir_pairs.config import Limits
from jax_ir_pairs.synthesis.functions import functions_config

LIMITS = Limits(seconds=5.0, memory_gib=1.0)

_MODULE = """\
import ctypes

import jax.numpy as jnp
import numpy as np

import jax_ir_pairs


@jax_ir_pairs.example_inputs("f32[4]")
def before(x):
    return jnp.sin(x)


@jax_ir_pairs.example_inputs("f32[4]")
def bad(x):
    {effect}
    return x


@jax_ir_pairs.example_inputs("f32[4]")
def after(x):
    return jnp.tanh(x) * 2
"""

Rows = dict[str, dict[str, Any]]


def build_with(effect: str, folder: Path) -> tuple[Rows, list[dict[str, Any]]]:
    """Builds the module whose bad function has this `effect`.

    Gives the rows by function, and the incidents of the sidecar, which are held against those of
    the manifest.
    """
    (folder / "functions.py").write_text(_MODULE.format(effect=effect), encoding="utf-8")
    config = functions_config(folder / "functions.py").model_copy(update={"limits": LIMITS})
    report = build(config, folder / "out")
    place = Folder(folder / "out" / config.name)
    [shard] = all_shards(config)
    sidecar = read_sidecar(place, shard)
    assert sidecar is not None
    assert report.manifest is not None
    incidents = [asdict(incident) for incident in sidecar.incidents]
    manifest = json.loads(report.manifest.read_text(encoding="utf-8"))
    assert manifest["incidents"] == [{"split": "train", "shard": 0, **one} for one in incidents]
    return {row["entry_point"]: row for row in read_rows(place, shard)}, incidents
