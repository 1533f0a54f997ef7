"""Milliseconds per program that each further target takes, beside those of XLA and JAX alone.

    python benchmarks/targets.py [CONFIG] [PROGRAMS] [TARGET…]

The floor is what no way to a target's two texts can do without, by JAX's public functions: lower
the trace for the target, print the StableHLO, compile with the same options, print the optimized
HLO. Ours is the target's stage of `levels.extract`, the very call that a worker answers with.
Each runs in a process of its own with the pinned environment; they take turns at each program,
and at who is first. CPU time counts the process and its children, ptxas among them. Ratios are
medians of those of the programs, and those of the means. Ours compiles on one core, so where
others are free its wall time is over that of a floor whose ptxas children run beside each other.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.targets import TARGETS, require_installed

_WARM_UP = 3

_CHILD = """
import json, os, resource, sys, time
sys.stdout = open(os.dup(1), "w")
os.dup2(2, 1)
import jax
from jax_ir_pairs.extraction import levels
from jax_ir_pairs.extraction.environment import PLATFORM_OPTIONS
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.extraction.targets.gpu_callbacks import gpus_are_cuda, without_callbacks
from jax_ir_pairs.extraction.targets.parallel import running_on
from jax_ir_pairs.extraction.targets.topology import devices
from jax_ir_pairs.targets import TARGETS

way, target = sys.argv[1:]
platform = TARGETS[target].platform
options = dict(PLATFORM_OPTIONS[platform])
devices(target, 1)

def now():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in used)

def spent(begun, ended):
    return [end - begin for begin, end in zip(begun, ended)]

def trace(python, entry_point, inputs):
    jax.config.update("jax_enable_x64", False)
    return load(python, entry_point).trace(*abstract_arguments(inputs))

def ours(program, number):
    laps = [now()]
    extraction = levels.extract(*program, targets=(target,), lap=lambda stage: laps.append(now()))
    [found] = extraction.further
    if found.optimized_hlo is None:
        return None
    return spent(laps[-2], laps[-1])

def floor(program, number):
    jax.clear_caches()
    traced = trace(*program)
    again = number > 1 or "export.export(" in program[0]
    found = devices(target, number)[:number]
    begun = now()
    if again:
        with running_on(found, platform):
            traced = trace(*program)
    with jax.default_device(found[0]), gpus_are_cuda():
        lowered = traced.lower(lowering_platforms=(platform,))
    if platform == "cuda":
        without_callbacks(lowered)
    lowered.as_text()
    lowered.compile(compiler_options=options).as_text()
    return spent(begun, now())

for line in sys.stdin:
    *program, number = json.loads(line)
    try:
        reply = {"ours": ours, "floor": floor}[way](program, number)
    except Exception:
        reply = None
    print(json.dumps(reply), flush=True)
"""


class _Way:
    """A process that compiles programs one way, with a new one after each that ends it."""

    def __init__(self, way: str, target: str) -> None:
        self._command = [sys.executable, "-P", "-c", _CHILD, way, target]
        self._environment = child_environment(("cpu", target))
        self._child: LineProcess | None = None

    def seconds(self, program: Program, number: int) -> list[float] | None:
        """Gives wall and CPU seconds of `program`, or nothing where it does not compile."""
        if self._child is None:
            self._child = LineProcess(self._command, self._environment)
        request = json.dumps([program.python, program.entry_point, program.inputs, number])
        try:
            self._child.write(request.encode() + b"\n")
            seconds: list[float] | None = json.loads(self._child.read(seconds=600))
        except ChildDiedError:
            self.close()
            return None
        return seconds

    def close(self) -> None:
        """Ends the process."""
        if self._child is not None:
            self._child.close()
        self._child = None


def _measure(target: str, programs: Sequence[tuple[Program, int]]) -> list[tuple[float, ...]]:
    """Gives wall and CPU seconds, the floor's and then ours, of each program that compiles."""
    measured = []
    with (
        contextlib.closing(_Way("floor", target)) as floor,
        contextlib.closing(_Way("ours", target)) as ours,
    ):
        for turn, (program, number) in enumerate(programs):
            order = [floor, ours] if turn % 2 else [ours, floor]
            seconds = {way: way.seconds(program, number) for way in order}
            first, second = seconds[floor], seconds[ours]
            if first and second and turn >= _WARM_UP:
                measured.append((*first, *second))
    return measured


def _with_devices(programs: Iterable[Program]) -> list[tuple[Program, int]]:
    """Gives the programs that the CPU takes, and on how many devices each runs."""
    found = []
    with ExtractionProcess(Limits()) as process:
        for program in programs:
            with contextlib.suppress(Rejected):
                found.append((program, process.extract(program).num_devices))
    return found


def main(config: str = "hlo-10k", count: str = "60", *targets: str) -> None:
    """Draws `count` programs of `config`, measures each of `targets`, and prints a table."""
    targets = targets or tuple(name for name in list(TARGETS)[1:] if not TARGETS[name].missing())
    require_installed(targets)
    recipe = load_config(config).recipe
    programs = _with_devices(draw(recipe, seed).program() for seed in range(int(count) + _WARM_UP))
    titles = ("floor wall", "floor CPU", "ours wall", "ours CPU", "ratio wall", "ratio CPU")
    table = Table("target", "n", "", *titles, title=f"ms a program of {config}")
    for target in targets:
        measured = _measure(target, programs)
        ratios = [
            (ours / floor, our_cpu / floor_cpu) for floor, floor_cpu, ours, our_cpu in measured
        ]
        means = [statistics.fmean(column) for column in zip(*measured, strict=True)]
        rows = {
            "median": [statistics.median(column) for column in zip(*measured, strict=True)],
            "mean": means,
        }
        quotients = {
            "median": [statistics.median(column) for column in zip(*ratios, strict=True)],
            "mean": [means[2] / means[0], means[3] / means[1]],
        }
        for name, seconds in rows.items():
            shown = [f"{1e3 * value:.1f}" for value in seconds]
            of_floor = [f"{value:.3f}" for value in quotients[name]]
            table.add_row(target, f"{len(measured)}", name, *shown, *of_floor)
    Console().print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
