"""What running every row costs, who confirms the rows, and how far apart the two are.

    python benchmarks/checks.py [CONFIG] [PROGRAMS] [--first N] [--json FILE]

Two workers take turns at each program, one that checks it and one that does not, so that whatever
else the machine does hits both alike. What a check rejects is shown with its numbers: it may be a
bug of a compiler.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from jax_ir_pairs.config import Recipe, load_config
from jax_ir_pairs.errors import CHECK_REASONS, REASONS, Rejected
from jax_ir_pairs.extraction import CheckRequest
from jax_ir_pairs.quality import CheckingProcess
from jax_ir_pairs.synthesis import draw

_WARM_UP = 10


class _Answer(NamedTuple):
    outcome: str
    relative_error: float
    wall: float
    cpu: float


class _Worker:
    """A process of its own, and the CPU time that it spends on programs."""

    def __init__(self, process: CheckingProcess, recipe: Recipe) -> None:
        before = set(psutil.Process().children())
        process.start()
        [self._child] = set(psutil.Process().children()) - before
        self._process, self._recipe = process, recipe

    def ask(self, seed: int, *, check: bool) -> _Answer:
        """Gives what became of a program, and what it took."""
        program = draw(self._recipe, seed).program()
        before, started = self._cpu(), time.perf_counter()
        try:
            request = CheckRequest(seed, executes=True) if check else None
            found = self._process.extract(program, request)
            outcome, relative = found.checked_by or "", found.max_rel_error or 0.0
        except Rejected as rejected:
            if rejected.reason in CHECK_REASONS:
                print(f"seed {seed}: {rejected.reason}: {rejected.detail}", flush=True)
            outcome, relative = rejected.reason, 0.0
        wall, cpu = time.perf_counter() - started, self._cpu() - before
        return _Answer(outcome, relative, wall, cpu)

    def _cpu(self) -> float:
        times = self._child.cpu_times()
        return float(times.user + times.system)


def _quantiles(values: list[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.5, 0.9, 0.99, 1.0)]


def main() -> None:
    """Prints the table of oracles, the rejections and the overhead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", default="hlo-10k")
    parser.add_argument("programs", nargs="?", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    config = load_config(asked.config)
    found: defaultdict[str, list[float]] = defaultdict(list)
    cost: defaultdict[str, float] = defaultdict(float)
    with CheckingProcess(config.limits) as one, CheckingProcess(config.limits) as other:
        checked, unchecked = _Worker(one, config.recipe), _Worker(other, config.recipe)
        pairs: list[tuple[_Answer, _Answer]] = []
        for seed in range(10**9, 10**9 + _WARM_UP):
            checked.ask(seed, check=True)
            unchecked.ask(seed, check=False)
        for seed in range(asked.first, asked.first + asked.programs):
            pair = checked.ask(seed, check=True), unchecked.ask(seed, check=False)
            found[pair[0].outcome].append(pair[0].relative_error)
            cost[pair[0].outcome] += dict(one.stage_seconds).get("check", 0.0)
            if pair[0].outcome not in REASONS:  # what both gave a row for
                pairs.append(pair)
    table = Table(
        "outcome", "programs", "share", "check ms", "equal", "p50", "p90", "p99", "largest"
    )
    total = sum(map(len, found.values()))
    figures = {}
    for outcome, errors in sorted(found.items(), key=lambda item: -len(item[1])):
        equal = sum(error == 0 for error in errors) / len(errors)
        cuts = _quantiles(errors)
        figures[outcome] = {"programs": len(errors), "equal": equal, "relative errors": cuts}
        table.add_row(
            *(outcome, str(len(errors)), f"{len(errors) / total:.1%}"),
            *(f"{1000 * cost[outcome] / len(errors):.0f}", f"{equal:.0%}"),
            *(f"{cut:.1e}" for cut in cuts),
        )
    overhead = {
        "cpu": sum(a.cpu for a, _ in pairs) / sum(b.cpu for _, b in pairs) - 1,
        "wall": sum(a.wall for a, _ in pairs) / sum(b.wall for _, b in pairs) - 1,
        "wall, median of programs": statistics.median(a.wall / b.wall for a, b in pairs) - 1,
    }
    console = Console()
    console.print(table)
    for name, share in overhead.items():
        console.print(f"overhead by {name}: {share:.1%}")
    if asked.json:
        asked.json.write_text(json.dumps({"outcomes": figures, "overhead": overhead}, indent=1))


if __name__ == "__main__":
    main()
