"""The two routes that `extraction.py` measures ours against, run in a process of their own.

    python benchmarks/routes/plain.py naive|floor

It reads one JSON list a line, `[python, entry_point, inputs]`, and answers with the wall and CPU
seconds that the route took, and with hashes of its texts. `naive` is the script that a person
writes first, in whatever environment it is started; `floor` has the calls of JAX and XLA that a row
cannot do without, on the fastest way that we know to the same bytes. It stops the compiler after
its passes, as our worker does.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from typing import Any

import jax
import jaxlib._hlo as _hlo

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.cores import on_one_core
from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.optimization import Optimized, of_executable, optimized
from jax_ir_pairs.extraction.source import FILE_NAME, abstract_arguments, run
from jax_ir_pairs.extraction.text import with_one_newline, with_plain_scalars, without_machine

Texts = tuple[str, str, Any, Any]
"""jaxpr and StableHLO as printed, what is lowered, and what is compiled or optimized."""


def naive(python: str, entry_point: str, inputs: str) -> Texts:
    """Takes each level from a call of its own, as the documentation shows them."""
    function = run(python, FILE_NAME)[entry_point]
    arguments = abstract_arguments(inputs)
    jaxpr = str(jax.make_jaxpr(function)(*arguments))
    jitted = function if isinstance(function, jax.stages.Wrapped) else jax.jit(function)
    stablehlo = jitted.lower(*arguments).as_text()
    lowered = jitted.lower(*arguments)
    lowered.as_text(dialect="hlo")
    compiled = lowered.compile()
    compiled.as_text()
    return jaxpr, stablehlo, lowered, compiled


def floor(python: str, entry_point: str, inputs: str) -> Texts:
    """Traces, lowers, prints and compiles once; the line map's prints are part of it."""
    jax.clear_caches()
    function = run(python, FILE_NAME)[entry_point]
    arguments = abstract_arguments(inputs)
    jitted = function if isinstance(function, jax.stages.Wrapped) else jax.jit(function)
    traced = jitted.trace(*arguments)
    lowered = traced.lower()
    jaxpr = str(traced.jaxpr)
    stablehlo = lowered.as_text()
    lowered.as_text(debug_info=True)
    module = hlo_module.unoptimized_module(lowered)
    plain = _hlo.HloPrintOptions()
    plain.print_metadata = False
    plain.print_large_constants = True
    module.to_string(plain)
    module.to_string(_hlo.HloPrintOptions())
    with on_one_core():
        final = optimized(lowered, COMPILER_OPTIONS)  # prints the module once
    final.module.to_string(_hlo.HloPrintOptions())
    hlo_module.cost_of(final.module)
    return jaxpr, stablehlo, lowered, final


def hashes(jaxpr: str, stablehlo: str, lowered: Any, compiled: Any) -> list[str]:
    """Gives a hash of each text as a row has it: how a route prints is not what is compared."""
    final = compiled if isinstance(compiled, Optimized) else of_executable(compiled)
    texts = (
        with_one_newline(with_plain_scalars(without_machine(jaxpr))),
        with_one_newline(stablehlo),
        hlo_module.unoptimized_text(hlo_module.unoptimized_module(lowered)),
        final.text,
    )
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def main(route: str) -> None:
    """Answers until stdin ends."""
    way = {"naive": naive, "floor": floor}[route]
    jax.devices()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        python, entry_point, inputs = json.loads(line)
        jax.config.update("jax_enable_x64", False)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            found = way(python, entry_point, inputs)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:200]}), flush=True)
            continue
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "hashes": hashes(*found)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
