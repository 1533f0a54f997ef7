"""Milliseconds per program of each stage of the extraction, beside those of plain scripts.

    python benchmarks/extraction.py [CONFIG] [PROGRAMS]

The plain scripts run in the same pinned environment: `one trace` makes the calls of JAX that no
extraction can do without, `three traces` is what one writes first.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess, compiler_flags
from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.extraction.line_process import LineProcess
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program

_WARM_UP = 5

_PLAIN = """
import json, sys, time
import jax
from jax_ir_pairs.extraction.source import abstract_arguments

def one_trace(f, arguments, options):
    jax.clear_caches()
    traced = jax.jit(f).trace(*arguments)
    lowered = traced.lower()
    texts = str(traced.jaxpr), lowered.as_text(), lowered.as_text(dialect="hlo")
    return texts, lowered.compile(compiler_options=options).as_text()

def three_traces(f, arguments, options):
    jax.clear_caches()
    jaxpr = str(jax.make_jaxpr(f)(*arguments))
    stablehlo = jax.jit(lambda *a: f(*a)).lower(*arguments).as_text()
    lowered = jax.jit(f).lower(*arguments)
    return jaxpr, stablehlo, lowered.as_text(dialect="hlo"), lowered.compile().as_text()

for line in sys.stdin:
    options, python, entry_point, inputs = json.loads(line)
    seconds = []
    for way in one_trace, three_traces:
        started = time.perf_counter()
        namespace = {}
        exec(compile(python, "program.py", "exec"), namespace)
        way(namespace[entry_point], abstract_arguments(inputs), options)
        seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds), flush=True)
"""


def _plain_seconds(child: LineProcess, program: Program) -> dict[str, float]:
    options = json.loads(compiler_flags())["compiler_options"]
    request = json.dumps([options, program.python, program.entry_point, program.inputs])
    child.write(request.encode() + b"\n")
    one, three = json.loads(child.read(seconds=600))
    return {"plain, one trace": one, "plain, three traces": three}


def _measure(programs: Sequence[Program]) -> tuple[dict[str, list[float]], float]:
    """Gives seconds by stage for each program that is not rejected, and those to the first one.

    All ways take turns at each program, so that whatever else the machine does hits them alike.
    """
    plain = LineProcess([sys.executable, "-c", _PLAIN], child_environment())
    measured: list[dict[str, float]] = []
    first = 0.0
    started = time.perf_counter()
    with contextlib.closing(plain), ExtractionProcess(Limits()) as process:
        for program in programs:
            begun = time.perf_counter()
            try:
                process.extract(program)
            except Rejected as rejected:
                print(rejected, file=sys.stderr)
                continue
            total = time.perf_counter() - begun
            first = first or time.perf_counter() - started
            stages = process.stage_seconds
            own = {**stages, "transport": total - sum(stages.values()), "total": total}
            measured.append({**own, **_plain_seconds(plain, program)})
    return {stage: [seconds[stage] for seconds in measured] for stage in measured[0]}, first


def main(config: str = "hlo-10k", count: str = "100") -> None:
    """Draws `count` programs of `config`, measures, and prints a table."""
    recipe = load_config(config).recipe
    programs = [draw(recipe, seed).program() for seed in range(int(count) + _WARM_UP)]
    seconds, first = _measure(programs)
    table = Table("stage", "median ms", "mean ms", title=f"{count} programs of {config}")
    for stage, values in seconds.items():
        warm = [1e3 * value for value in values[_WARM_UP:]]
        median, mean = statistics.median(warm), statistics.mean(warm)
        table.add_row(stage, f"{median:.2f}", f"{mean:.2f}", end_section=stage == "total")
    console = Console()
    console.print(table)
    console.print(f"From a cold start to the first result: {first:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
