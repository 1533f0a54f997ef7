"""Which functions of a program stand in several others, and so are defined before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Function, functions_in, walk


def shared_functions(operands: Sequence[Any]) -> list[Function]:
    """Gives the functions that several of the operands' functions use."""
    own = [c for operand in operands for c in functions_in(operand) if isinstance(c, Function)]
    if len(own) < 2:
        return []
    uses: Counter[Function] = Counter()
    for function in own:
        uses.update(functions_used_by(function))
    shared = [function for function, count in uses.items() if count > 1]
    inner = {callee for function in shared for callee in functions_used_by(function)}
    return [function for function in shared if function not in inner]


def functions_used_by(function: Function) -> list[Function]:
    """Gives the functions in a function's body at any depth, each once."""
    found = (
        callee
        for call in walk(function)
        for operand in call.operands
        for callee in functions_in(operand)
        if isinstance(callee, Function)
    )
    return list(dict.fromkeys(found))
