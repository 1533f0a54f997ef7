"""A small real build that the tests of commands and views share."""

from __future__ import annotations

from pathlib import Path

import pytest

from jax_ir_pairs.build import build
from jax_ir_pairs.config import load_config
from jax_ir_pairs.hub.card import write_card

YAML = """\
extends: _standard
name: tiny
description: "for tests"
splits: {train: 7, validation: 2, test: 2}
rows_per_shard: 4
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset repository with the config `tiny`, and the config's YAML beside it."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "tiny.yaml").write_text(YAML, encoding="utf-8")
    out = folder / "out"
    build(load_config(folder / "tiny.yaml"), out, workers=2)
    write_card(out)
    return out
