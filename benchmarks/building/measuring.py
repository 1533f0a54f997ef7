"""Builds that are timed, and what they are held against."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from extraction import naive_environment, open_route
from jax_ir_pairs.build import Folder, all_shards, build
from jax_ir_pairs.build.engines import Engine
from jax_ir_pairs.build.shard import read_rows
from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.extraction import CheckRequest, Extraction
from jax_ir_pairs.hub.card import write_card
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.quality import CheckingProcess

COMPILER_STAGES = ("trace", "lower", "texts", "compile", "analysis")
"""Those of a worker that are calls of JAX and XLA, with little of ours around them."""
_FIRST_ROW = Path(__file__).parents[1] / "routes" / "first_row.py"
_ROUNDS = 31
_ROWS_AT_ONCE = 100
_WARM_UP = 3


def short_config(rows: int) -> Config:
    """Gives `hlo-10k` with fewer rows, in eight shards."""
    splits = dict.fromkeys(("validation", "test", "test_ops", "test_compositions"), 0)
    return load_config(
        "hlo-10k", splits={**splits, "train": rows}, rows_per_shard=max(1, -(-rows // 8))
    )


def rows_per_second(config: Config, out: Path, engine: Engine, workers: int) -> float:
    """Gives the rows a second of a whole build, its start and its seal included."""
    make_plan(config)
    started = time.perf_counter()
    report = build(config, out, engine=engine, workers=workers)
    assert report.sealed
    return sum(report.rows.values()) / (time.perf_counter() - started)


class _Timed(CheckingProcess):
    """Adds up the seconds of each stage, and those in which the child started."""

    def __init__(self, config: Config, stages: defaultdict[str, float]) -> None:
        super().__init__(config.limits, config.targets, passes=config.passes)
        self._stages = stages

    def extract(self, program: Any, check: CheckRequest | None = None) -> Extraction:
        first = self._answered == 0
        started = time.perf_counter()
        try:
            return super().extract(program, check)
        finally:
            spent = self.stage_seconds
            if first:
                self._stages["start"] += time.perf_counter() - started - sum(spent.values())
            for stage, seconds in spent.items():
                self._stages[stage] += seconds


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a row, without the start of the child, which is once in a thousand rows."""

    config: str
    rows: int
    cpu: float
    """CPU time of all processes."""
    plan: float
    """CPU time of the config's whole plan, for each of its rows."""
    compiler: float
    check: float
    other: float
    """All else: line map, transport, synthesis, Parquet, the driver."""
    bytes: float
    """Of Parquet files and sidecars."""


def cost(name: str, rows: int) -> Cost:
    """Builds the first shards of a config with one worker, which does one thing at a time."""
    config = load_config(name, rows_per_shard=min(rows, 100))
    before = _cpu_seconds()
    make_plan(config)
    plan = (_cpu_seconds() - before) / sum(map(config.splits.rows, config.splits.names))
    stages: defaultdict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as out:
        cpu, started = _cpu_seconds(), time.perf_counter()
        report = build(
            config,
            Path(out),
            shards=range(-(-rows // config.rows_per_shard)),
            open_process=lambda: _Timed(config, stages),
        )
        wall, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
        size = sum(path.stat().st_size for path in Path(out).rglob("*") if path.is_file())
    made = sum(report.rows.values())
    compiler = sum(stages[stage] for stage in COMPILER_STAGES)
    other = wall - stages["start"] - compiler - stages["check"]
    return Cost(
        config=name,
        rows=made,
        cpu=cpu * (1 - stages["start"] / wall) / made,
        plan=plan,
        compiler=compiler / made,
        check=stages["check"] / made,
        other=other / made,
        bytes=size / made,
    )


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(who.ru_utime + who.ru_stime for who in used)


def naive_rows_per_second(rows: Sequence[dict[str, Any]]) -> float:
    """Gives the rows a second of the script that a person writes first, for the same programs."""
    seconds: list[float] = []
    with contextlib.closing(open_route("naive", naive_environment())) as route:
        for row in rows:
            request = [row["python"], row["entry_point"], row["inputs"]]
            route.write(json.dumps(request).encode() + b"\n")
            seconds.append(json.loads(route.read(600)).get("seconds", [0.0])[0])
    taken = [second for second in seconds[_WARM_UP:] if second]
    return len(taken) / sum(taken)


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


def rows_of(config: Config, out: Path) -> list[dict[str, Any]]:
    """Gives the rows of a build."""
    folder = Folder(out / config.name)
    return [row for shard in all_shards(config) for row in read_rows(folder, shard)]


def reading(config: Config, out: Path) -> dict[str, float]:
    """Gives the speed of `datasets` on what was built, as a share of that of pyarrow.

    Both read the same files, those that `load_dataset` keeps, or Parquet where it streams, and give
    them in batches of Python's own objects; the last figure is of a loop over single rows, for
    which `datasets` cuts each out of its table.
    """
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    write_card(out)
    named = {"path": str(out), "name": config.name, "split": "train"}
    loaded = load_dataset(**named, cache_dir=str(out / "loaded"))
    stream = load_dataset(**named, streaming=True)
    kept = [Path(file["filename"]) for file in loaded.cache_files]
    parquet = sorted((out / config.name).glob("*.parquet"))
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
