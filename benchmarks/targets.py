"""Milliseconds per program that each further target takes, beside those of XLA and JAX alone.

    python benchmarks/targets.py [CONFIG] [PROGRAMS] [TARGET…]

Plain is how to get a target's two texts by JAX's public functions: lower for the target what was
traced and lowered for the CPU, print the StableHLO, compile with the same options, which makes
machine code, and print the optimized HLO. Ours is the target's stage of `levels.extract`, the very
call that a worker answers with. Each runs in a process of its own with the pinned environment, and
compiles on one core; they take turns at each program, and at who is first. CPU time counts the
process and its children, ptxas among them. Ratios are medians of those of the programs, and those
of the means. How many of the texts are equal is said too.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.extraction.environment import child_environment, make_dumps_folder
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
from jax_ir_pairs.extraction import hlo_module, levels
from jax_ir_pairs.extraction.cores import on_one_core
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
    return [*spent(laps[-2], laps[-1]), found.optimized_hlo]

def plain(program, number):
    jax.clear_caches()
    traced = trace(*program)
    traced.lower()
    jax.clear_caches()
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
    with on_one_core():
        compiled = lowered.compile(compiler_options=options)
    compiled.as_text()
    seconds = spent(begun, now())
    return [*seconds, hlo_module.optimized_text(hlo_module.optimized_module(compiled))]

for line in sys.stdin:
    *program, number = json.loads(line)
    try:
        reply = {"ours": ours, "plain": plain}[way](program, number)
    except Exception:
        reply = None
    print(json.dumps(reply), flush=True)
"""


class _Answer(NamedTuple):
    wall: float
    cpu: float
    text: str


class _Way:
    """A process that compiles programs one way, with a new one after each that ends it."""

    def __init__(self, way: str, target: str) -> None:
        self._command = [sys.executable, "-P", "-c", _CHILD, way, target]
        self._dumps = make_dumps_folder()
        self._environment = child_environment(("cpu", target), self._dumps)
        self._child: LineProcess | None = None

    def answer(self, program: Program, number: int) -> _Answer | None:
        """Gives wall and CPU seconds of `program` and its text; nothing if it does not compile."""
        if self._child is None:
            self._child = LineProcess(self._command, self._environment)
        request = json.dumps([program.python, program.entry_point, program.inputs, number])
        try:
            self._child.write(request.encode() + b"\n")
            reply = json.loads(self._child.read(seconds=600))
        except ChildDiedError:
            self._end()
            return None
        return None if reply is None else _Answer(*reply)

    def _end(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child = None

    def close(self) -> None:
        """Ends the process."""
        self._end()
        shutil.rmtree(self._dumps)


def _measure(target: str, programs: Sequence[tuple[Program, int]]) -> list[tuple[_Answer, _Answer]]:
    """Gives the answers, the plain one and then ours, for each program that compiles."""
    measured = []
    with (
        contextlib.closing(_Way("plain", target)) as plain,
        contextlib.closing(_Way("ours", target)) as ours,
    ):
        for turn, (program, number) in enumerate(programs):
            order = [plain, ours] if turn % 2 else [ours, plain]
            answers = {way: way.answer(program, number) for way in order}
            first, second = answers[plain], answers[ours]
            if first and second and turn >= _WARM_UP:
                measured.append((first, second))
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
    titles = ("plain wall", "plain CPU", "ours wall", "ours CPU", "ratio wall", "ratio CPU")
    table = Table("target", "n", "equal", "", *titles, title=f"ms a program of {config}")
    for target in targets:
        measured = _measure(target, programs)
        equal = sum(plain.text == ours.text for plain, ours in measured)
        seconds = [(*plain[:2], *ours[:2]) for plain, ours in measured]
        ratios = [
            (ours / plain, our_cpu / plain_cpu) for plain, plain_cpu, ours, our_cpu in seconds
        ]
        means = [statistics.fmean(column) for column in zip(*seconds, strict=True)]
        rows = {
            "median": [statistics.median(column) for column in zip(*seconds, strict=True)],
            "mean": means,
        }
        quotients = {
            "median": [statistics.median(column) for column in zip(*ratios, strict=True)],
            "mean": [means[2] / means[0], means[3] / means[1]],
        }
        for name, row in rows.items():
            shown = [f"{1e3 * value:.1f}" for value in row]
            of_plain = [f"{value:.3f}" for value in quotients[name]]
            table.add_row(target, f"{len(measured)}", f"{equal}", name, *shown, *of_plain)
    Console().print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
