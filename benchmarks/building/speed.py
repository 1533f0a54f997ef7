"""Builds and the scripts that they are held against, timed by turns."""

from __future__ import annotations

import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

from building.figures import CHECKS, COSTED, Round, Speed, Way
from extraction import naive_environment, open_route
from jax_ir_pairs.build import Folder, all_shards, build
from jax_ir_pairs.build.engines import Engine, local
from jax_ir_pairs.build.shard import read_rows
from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.plan import make_plan

_MOST_WORKERS = 2
_WARM_UP = 3
_SHARDS = 8
_SCRIPTS: Mapping[str, Callable[[], dict[str, str]]] = {
    "naive": naive_environment,
    "floor": child_environment,
}

Place = TypeVar("Place")
Row = dict[str, Any]


def ways(*, with_ray: bool) -> tuple[Way, ...]:
    """Gives all that is measured: the scripts, then builds by checks and workers."""
    workers = range(1, _MOST_WORKERS + 1)
    scripts = [Way(name) for name in _SCRIPTS]
    locals_ = [Way("local", number, checks) for checks in CHECKS for number in workers]
    rays = [Way("ray", number, COSTED) for number in workers if with_ray]
    return (*scripts, *locals_, *rays)


def described(way: Way) -> str:
    """Gives a way as the progress tells it."""
    number = f"{way.workers} worker{'s' if way.workers > 1 else ''}"
    return f"{way.engine}, {way.checks}, {number}" if way.is_build else way.engine


def short_config(rows: int, checks: str) -> Config:
    """Gives `hlo-10k` with fewer rows, in eight shards."""
    splits = dict.fromkeys(("validation", "test", "test_ops", "test_compositions"), 0)
    return load_config(
        "hlo-10k",
        splits={**splits, "train": rows},
        rows_per_shard=max(1, -(-rows // _SHARDS)),
        checks=checks,
    )


def turns(places: Sequence[Place], rounds: int) -> Iterator[tuple[int, Place]]:
    """Gives all places once a round, with the round's number; each round begins elsewhere."""
    for number in range(rounds):
        shift = number * len(places) // rounds
        for place in (*places[shift:], *places[:shift]):
            yield number, place


def rows_to_measure(rows: int, out: Path) -> list[Row]:
    """Builds the rows once, untimed, into a folder: what comes after finds a warm machine."""
    config = short_config(rows, COSTED)
    make_plan(config)
    build(config, out, workers=_MOST_WORKERS)
    folder = Folder(out / config.name)
    return [row for shard in all_shards(config) for row in read_rows(folder, shard)]


def by_turns(
    measured: Sequence[Way], rows: Sequence[Row], rounds: int, tell: Callable[[str], object]
) -> tuple[Speed, ...]:
    """Gives the speed of each way, with `rows` or with builds of as many."""
    found: dict[Way, list[Round]] = {way: [] for way in measured}
    for number, way in turns(measured, rounds):
        once = _built(way, len(rows)) if way.is_build else _run(way, rows)
        found[way].append(once)
        cpu = "" if once.cpu is None else f", {1e3 * once.cpu:.0f} ms of CPU a row"
        tell(f"round {number + 1} of {rounds}: {described(way)}: {1 / once.wall:.2f} rows/s{cpu}")
    return tuple(Speed(way, tuple(all_rounds)) for way, all_rounds in found.items())


def _built(way: Way, rows: int) -> Round:
    """Times a whole build, its start and its seal included; its plan is there."""
    config = short_config(rows, way.checks)
    make_plan(config)
    with tempfile.TemporaryDirectory() as out:
        cpu, started = cpu_seconds(), time.perf_counter()
        report = build(config, Path(out), engine=_engine(way), workers=way.workers)
        wall, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    assert report.sealed
    made = sum(report.rows.values())
    return Round(wall / made, cpu / made if way.engine == "local" else None)


def _engine(way: Way) -> Engine:
    if way.engine == "local":
        return local.run
    from jax_ir_pairs.build.engines import ray

    return ray.run


def _run(way: Way, rows: Sequence[Row]) -> Round:
    """Times a script in a process of its own: what it takes for its programs, without its start."""
    found: list[tuple[float, float]] = []
    with contextlib.closing(open_route(way.engine, _SCRIPTS[way.engine]())) as route:
        for number, row in enumerate(rows):
            request = [row["python"], row["entry_point"], row["inputs"]]
            route.write(json.dumps(request).encode() + b"\n")
            answer = json.loads(route.read(600))
            if number >= _WARM_UP and "seconds" in answer:
                found.append(answer["seconds"])
    return Round(mean(wall for wall, _ in found), mean(cpu for _, cpu in found))


def cpu_seconds() -> float:
    """Gives the CPU time of this process and of all processes that it started and saw end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(who.ru_utime + who.ru_stime for who in used)
