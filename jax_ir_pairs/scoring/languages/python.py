"""An answer in Python: traced and lowered on abstract arguments, so that it never sees a value.

In a child of its own, which ends with the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from jax_ir_pairs.extraction.failures import described
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.quality.inputs import physical
from jax_ir_pairs.scoring.module import Aval, Module, NotParsedError, NotValidError, num_partitions
from jax_ir_pairs.scoring.python_screen import python_refusal


def screened(text: str, entry_point: str) -> str:
    """Gives why the text is refused, or nothing. **Raises:** [`NotParsedError`][]."""
    try:
        return python_refusal(text, entry_point)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotParsedError(f"It is no Python: {described(error)}.") from None


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives what the entry point does to arguments of the row's avals, those without effect too."""
    try:
        compile(text, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotParsedError(f"It is no Python: {described(error)}.") from None
    jax.config.update("jax_enable_x64", False)
    try:
        function = load(text, row["entry_point"])
        arguments = abstract_arguments(row["inputs"])
        traced = function.trace(*arguments)
        lowered = traced.lower()
        ins, outs = map(_avals, (traced.jaxpr.in_avals, traced.jaxpr.out_avals))
        if _num_inputs(lowered) != len(ins):
            lowered = jax.jit(lambda *args: function(*args), keep_unused=True).lower(*arguments)
        stablehlo = lowered.as_text()
    except BaseException as error:  # a program may raise SystemExit too
        raise NotValidError(f"It does not trace: {described(error)}.") from None
    return Module(stablehlo, ins, outs, num_partitions(stablehlo))


def _avals(avals: Any) -> tuple[Aval, ...]:
    return tuple((shape, dtype.name) for shape, dtype in map(physical, avals))


def _num_inputs(lowered: jax.stages.Lowered) -> int:
    module: Any = lowered.compiler_ir("stablehlo")
    [main] = [op for op in module.body.operations if str(op.attributes["sym_name"]) == '"main"']
    return len(main.regions[0].blocks[0].arguments)
