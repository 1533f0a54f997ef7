"""How fast rows are read, and how soon the first one is there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.hub.card import write_card

_FIRST_ROW = Path(__file__).parents[1] / "routes" / "first_row.py"
_ROUNDS = 31
_ROWS_AT_ONCE = 100


def seconds_to_first_row(config: str) -> dict[str, float]:
    """Gives the seconds from the command's start, with and without a plan to be made."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for plan in ("with its plan", "planned before"):
            with tempfile.TemporaryDirectory() as out:
                found[plan] = _first_row([config, out], {"JAX_IR_PAIRS_CACHE": cache})
    return found


def _first_row(arguments: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, str(_FIRST_ROW), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "row\n"
        return time.perf_counter() - started


def reading(config: str, out: Path) -> dict[str, float]:
    """Gives the speed of `datasets` on what was built, as a share of that of pyarrow.

    Both read the same files, those that `load_dataset` keeps, or Parquet where it streams, and give
    them in batches of Python's own objects; the last figure is of a loop over single rows, for
    which `datasets` cuts each out of its table.
    """
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    write_card(out)
    named = {"path": str(out), "name": config, "split": "train"}
    loaded = load_dataset(**named, cache_dir=str(out / "loaded"))
    stream = load_dataset(**named, streaming=True)
    kept = [Path(file["filename"]) for file in loaded.cache_files]
    parquet = sorted((out / config).glob("*.parquet"))
    of_parquet = partial(_of_parquet, parquet)
    return {
        "load_dataset": _share(partial(_batches, loaded), partial(_of_arrow, kept)),
        "streaming": _share(partial(_batches, stream), of_parquet),
        "streaming row by row": _share(lambda: stream, of_parquet),
    }


def _batches(rows: Any) -> Iterable[Any]:
    found: Iterable[Any] = rows.iter(batch_size=_ROWS_AT_ONCE)
    return found


def _of_arrow(paths: Iterable[Path]) -> Iterator[Any]:
    for path in paths:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_stream(file).read_all()
            for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
                yield batch.to_pydict()


def _of_parquet(paths: Iterable[Path]) -> Iterator[Any]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield batch.to_pydict()


def _share(rows: Callable[[], Iterable[Any]], plain: Callable[[], Iterable[Any]]) -> float:
    """Gives the speed of one as a share of the other's: the median, each read by turns."""
    return median(_seconds(plain) / _seconds(rows) for _ in range(_ROUNDS))


def _seconds(rows: Callable[[], Iterable[Any]]) -> float:
    started = time.perf_counter()
    for _ in rows():
        pass
    return time.perf_counter() - started
