"""What extraction costs, beside a script that a person would write and beside JAX and XLA alone.

    python benchmarks/extraction.py [CONFIG] [PROGRAMS] [--json FILE]

Four ways through the same programs, the first three taking turns at each of them, so that whatever
else the machine does hits them alike:

- `naive`: `make_jaxpr`, then `lower().as_text()`, then `lower().compile().as_text()`, one process,
  default flags;
- `floor`: the calls of JAX and XLA that a row needs, made once, on the best route to the
  same bytes;
- `extraction`: this project's worker, its answer's transport included;
- `build`: the whole build of these rows with as many workers as there are cores, afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from jax_ir_pairs.build import build
from jax_ir_pairs.build.fingerprint import build_fingerprint
from jax_ir_pairs.build.layout import Folder, all_shards
from jax_ir_pairs.build.shard import read_rows, write_shard
from jax_ir_pairs.config import Config, Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import Extraction, ExtractionProcess
from jax_ir_pairs.extraction.environment import ENVIRONMENT, child_environment
from jax_ir_pairs.extraction.line_process import LineProcess
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.schema import LEVELS
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program

_WARM_UP = 5
_ROUTES = Path(__file__).parent / "routes" / "plain.py"


@dataclass
class Figures:
    """Seconds of each way, program by program, and how many texts agree with the naive ones."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    stages: dict[str, list[float]] = field(default_factory=dict)
    agreeing: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    peak_memory_bytes: int = 0

    def add(self, way: str, wall: float, cpu: float) -> None:
        """Adds what a program took on one way."""
        self.wall.setdefault(way, []).append(wall)
        self.cpu.setdefault(way, []).append(cpu)


def _config(name: str, rows: int) -> Config:
    return load_config(
        name,
        splits=dict.fromkeys(("validation", "test"), 0) | {"train": rows},
        rows_per_shard=max(1, rows // 8),
    )


def _programs(config: Config, figures: Figures) -> Iterator[Program]:
    """Gives the programs of the build that follows, with the time that each takes to draw."""
    plan = make_plan(config)
    for shard in range(config.num_shards("train")):
        seeds = plan.candidates("train", shard)
        for seed in itertools.islice(seeds, config.shard_rows("train", shard)):
            started = time.perf_counter()
            program = draw(config.recipe, seed).program()
            figures.stages.setdefault("synthesis", []).append(time.perf_counter() - started)
            yield program


def open_route(name: str, environment: dict[str, str]) -> LineProcess:
    """Starts a process that answers on the route `naive` or `floor`, and waits until it can."""
    route = LineProcess([sys.executable, str(_ROUTES), name], environment)
    route.read(300)
    return route


def naive_environment() -> dict[str, str]:
    """That of a shell: only the devices, which programs of several need, and no x64, are set."""
    devices = "--xla_force_host_platform_device_count=8"
    paths = {"PYTHONPATH": child_environment()["PYTHONPATH"]}
    pinned = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    return {**pinned, **paths, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": devices}


def _hashes(extraction: Extraction) -> list[str]:
    texts = (extraction.jaxpr, extraction.stablehlo, extraction.hlo, extraction.optimized_hlo)
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


class _Answer(NamedTuple):
    wall: float
    cpu: float
    hashes: list[str]
    stages: dict[str, float]


class _OurWorker:
    """This project's worker, and the CPU time that it and we spend on a program."""

    def __init__(self, process: ExtractionProcess) -> None:
        process.start()
        children = psutil.Process().children()
        [self._child] = [c for c in children if "jax_ir_pairs.extraction.worker" in c.cmdline()]
        self._process = process

    def ask(self, program: Program) -> _Answer:
        cpu, started = self._cpu(), time.perf_counter()
        extraction = self._process.extract(program)
        wall = time.perf_counter() - started
        stages = dict(self._process.stage_seconds)
        stages["transport"] = wall - sum(stages.values())
        return _Answer(wall, self._cpu() - cpu, _hashes(extraction), stages)

    def _cpu(self) -> float:
        times = self._child.cpu_times()
        return float(times.user + times.system) + time.process_time()


def _ask_route(route: LineProcess, program: Program) -> _Answer:
    request = json.dumps([program.python, program.entry_point, program.inputs])
    route.write(request.encode() + b"\n")
    answer = json.loads(route.read(600))
    if "error" in answer:
        raise Rejected("compiler-error", answer["error"])
    wall, cpu = answer["seconds"]
    return _Answer(wall, cpu, answer["hashes"], {})


def measure(programs: Sequence[Program], figures: Figures) -> None:
    """Fills in what each way takes for each program that none of them refuses."""
    with contextlib.ExitStack() as stack:
        naive = stack.enter_context(contextlib.closing(open_route("naive", naive_environment())))
        floor = stack.enter_context(contextlib.closing(open_route("floor", child_environment())))
        process = stack.enter_context(ExtractionProcess(Limits(programs_per_process=10**6)))
        ways: dict[str, Callable[[Program], _Answer]] = {
            "naive": functools.partial(_ask_route, naive),
            "floor": functools.partial(_ask_route, floor),
            "extraction": _OurWorker(process).ask,
        }
        for number, program in enumerate(programs):
            # Each way is the first one as often: what runs second finds warm caches.
            turn = number % len(ways)
            order = [*ways][turn:] + [*ways][:turn]
            try:
                answers = {way: ways[way](program) for way in order}
            except Rejected as rejected:
                print(f"left out: {rejected}", file=sys.stderr)
                continue
            if number >= _WARM_UP:
                _add(answers, figures)
        figures.peak_memory_bytes = process.peak_memory_bytes


def _add(answers: dict[str, _Answer], figures: Figures) -> None:
    figures.compared += 1
    for way, answer in answers.items():
        figures.add(way, answer.wall, answer.cpu)
    ours = answers["extraction"]
    for stage, spent in ours.stages.items():
        figures.stages.setdefault(stage, []).append(spent)
    for level, *found in zip(
        LEVELS[1:], ours.hashes, answers["naive"].hashes, answers["floor"].hashes, strict=True
    ):
        for other, text in zip(("naive", "floor"), found[1:], strict=True):
            key = f"{level} as {other}"
            figures.agreeing[key] = figures.agreeing.get(key, 0) + (text == found[0])


def measure_build(config: Config, workers: int) -> tuple[float, list[float]]:
    """Gives the seconds of a row in a whole build, from cold workers, and those to write one.

    The plan is made beforehand. Rows are written once more, a shard at a time.
    """
    make_plan(config)
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        report = build(config, Path(out), workers=workers)
        seconds = time.perf_counter() - started
        assert report.sealed
        return seconds / config.splits.train, list(_writing(config, Path(out)))


def _writing(config: Config, out: Path) -> Iterator[float]:
    there, again = Folder(out / config.name), Folder(out / "again")
    again.sidecars.mkdir(parents=True)
    for shard in all_shards(config):
        rows = read_rows(there, shard)
        started = time.perf_counter()
        write_shard(
            again, shard, build_fingerprint(config), rows, [], plan=make_plan(config).counts
        )
        yield (time.perf_counter() - started) / len(rows)


def main() -> None:
    """Measures, and prints two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default="hlo-10k")
    parser.add_argument("programs", nargs="?", type=int, default=100)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    config = _config(asked.config, asked.programs + _WARM_UP)
    figures = Figures()
    programs = list(_programs(config, figures))
    measure(programs, figures)
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    row, figures.stages["write"] = measure_build(config, workers)
    naive = statistics.mean(figures.wall["naive"])
    ways = Table("way", "wall ms", "median", "CPU ms", "median", "rows/s", "times naive")
    for way, wall in figures.wall.items():
        used = figures.cpu[way]
        mean = statistics.mean(wall)
        ways.add_row(
            way,
            *(f"{1e3 * figure:.1f}" for figure in (mean, statistics.median(wall))),
            *(f"{1e3 * figure:.1f}" for figure in (statistics.mean(used), statistics.median(used))),
            f"{1 / mean:.2f}",
            f"{naive / mean:.2f}",
        )
    ways.add_row(
        f"build, {workers} workers",
        f"{1e3 * row:.1f}",
        "",
        "",
        "",
        f"{1 / row:.2f}",
        f"{naive / row:.2f}",
    )
    stages = Table("stage", "wall ms", "median", title="extraction, by stage")
    for stage, times in figures.stages.items():
        mean, median = statistics.mean(times), statistics.median(times)
        stages.add_row(stage, f"{1e3 * mean:.2f}", f"{1e3 * median:.2f}")
    console = Console(width=100)
    console.print(f"{figures.compared} programs of {asked.config}", ways, stages)
    ratios = [
        ours / least
        for ours, least in zip(figures.wall["extraction"], figures.wall["floor"], strict=True)
    ]
    console.print(
        f"extraction over floor, wall, median of the programs: {statistics.median(ratios):.3f}"
    )
    cpu = sum(figures.cpu["extraction"]) / sum(figures.cpu["floor"])
    console.print(f"extraction over floor, CPU time of all: {cpu:.3f}")
    console.print(f"texts that are the same: {figures.agreeing} of {figures.compared}")
    console.print(f"peak memory of the worker: {figures.peak_memory_bytes / 2**20:.0f} MiB")
    if asked.json:
        content = {"wall": figures.wall, "cpu": figures.cpu, "stages": figures.stages}
        asked.json.write_text(json.dumps({**content, "build_seconds_per_row": row}))


if __name__ == "__main__":
    main()
