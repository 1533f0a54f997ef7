"""Milliseconds per program that each further target takes, beside those of XLA and JAX alone.

    python benchmarks/targets.py [CONFIG] [PROGRAMS] [TARGET…]

The floor is what no way to a target's two texts can do without, by JAX's public functions: lower
the trace for the target, print the StableHLO, compile with the same options, print the optimized
HLO. Ours is the target's stage of `levels.extract`, the very call that a worker answers with.
Each runs in a process of its own with the pinned environment; they take turns at each program,
and at who is first. CPU time counts the process and its children, ptxas among them.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.extraction.line_process import LineProcess
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


def _start(way: str, target: str) -> LineProcess:
    command = [sys.executable, "-P", "-c", _CHILD, way, target]
    return LineProcess(command, child_environment(("cpu", target)))


def _ask(child: LineProcess, program: Program, number: int) -> Any:
    request = json.dumps([program.python, program.entry_point, program.inputs, number])
    child.write(request.encode() + b"\n")
    return json.loads(child.read(seconds=600))


def _measure(target: str, programs: Sequence[tuple[Program, int]]) -> list[tuple[float, ...]]:
    """Gives wall and CPU seconds, the floor's and then ours, of each program that compiles."""
    measured = []
    with contextlib.ExitStack() as stack:
        floor, ours = (
            stack.enter_context(contextlib.closing(_start(way, target)))
            for way in ("floor", "ours")
        )
        for turn, (program, number) in enumerate(programs):
            order = [floor, ours] if turn % 2 else [ours, floor]
            spans = {child: _ask(child, program, number) for child in order}
            if spans[floor] and spans[ours] and turn >= _WARM_UP:
                measured.append((*spans[floor], *spans[ours]))
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
        columns = list(zip(*_measure(target, programs), strict=True))
        for name, figure in (("median", statistics.median), ("mean", statistics.fmean)):
            figures = [1e3 * figure(column) for column in columns]
            ratios = (f"{figures[2] / figures[0]:.3f}", f"{figures[3] / figures[1]:.3f}")
            shown = [f"{value:.1f}" for value in figures]
            table.add_row(target, f"{len(columns[0])}", name, *shown, *ratios)
    Console().print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
