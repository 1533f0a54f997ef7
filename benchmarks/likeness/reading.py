"""The programs that are measured: rows of a build, whole or not, or Python sources alone."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq

from jax_ir_pairs.errors import UsageError

_T = TypeVar("_T")
_COLUMNS = ("python", "jaxpr", "inputs")


@dataclass(frozen=True, slots=True)
class Row:
    """A program; of sources alone there is no jaxpr and there are no inputs."""

    python: str
    jaxpr: str = ""
    inputs: str = ""


def build_rows(folder: Path, config: str | None, rows: int, seed: int) -> list[Row]:
    """Gives so many rows of the train split, drawn by seed, of the shards that are there.

    **Raises:** `UsageError` where there is none.
    """
    of_config = folder / config if config else folder
    shards = sorted(of_config.glob("train-*.parquet"))
    if not shards:
        raise UsageError(f"{of_config}: there is no shard of the train split.")
    places = [
        (shard, row) for shard in shards for row in range(pq.ParquetFile(shard).metadata.num_rows)
    ]
    wanted: dict[Path, list[tuple[int, int]]] = {}
    for turn, (shard, row) in enumerate(_drawn(places, rows, seed)):
        wanted.setdefault(shard, []).append((turn, row))
    found: dict[int, Row] = {}
    for shard, turns in wanted.items():
        table = pq.read_table(shard, columns=list(_COLUMNS)).take([row for _, row in turns])
        for (turn, _), values in zip(turns, table.to_pylist(), strict=True):
            found[turn] = Row(**values)
    return [found[turn] for turn in sorted(found)]


def source_rows(place: Path, rows: int, seed: int) -> list[Row]:
    """Gives so many programs, drawn by seed, of a folder of files or of lines of JSON.

    **Raises:** `UsageError` where there is none.
    """
    if place.is_dir():
        texts = [path.read_text(encoding="utf-8") for path in sorted(place.rglob("*.py"))]
    else:
        lines = place.read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["python"] for line in lines]
    if not texts:
        raise UsageError(f"{place}: there is no program.")
    return [Row(text) for text in _drawn(texts, rows, seed)]


def _drawn(found: Sequence[_T], count: int, seed: int) -> list[_T]:
    return random.Random(seed).sample(found, min(count, len(found)))
