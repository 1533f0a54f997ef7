"""Which floating formats the results of a module were rounded to on their way. In the child."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.operation import Value
from jax_ir_pairs.interpreter.regions import callee, functions_of, nested

_EXACT = frozenset(
    f"stablehlo.{name}"
    for name in (
        *("abs", "bitcast_convert", "broadcast_in_dim", "concatenate", "constant"),
        *("dynamic_slice", "dynamic_update_slice", "gather", "negate", "pad", "reshape"),
        *("reverse", "select", "sign", "slice", "sort", "transpose"),
    )
)
"""Ops that give numbers that they are given, to the bit."""

Formats = frozenset[str]


def formats_of_results(module: ir.Module) -> list[Formats]:
    """Gives, for each result of `main`, the formats that what leads to it is rounded to.

    As MLIR names them. An input has the value that it has: that it is of a narrow format rounds
    nothing.
    """
    functions = functions_of(module)
    arguments = functions["main"].regions[0].blocks[0].arguments
    return _of_function("main", functions, [frozenset()] * len(arguments))


def _of_function(
    name: str, functions: Mapping[str, ir.Operation], arguments: Sequence[Formats]
) -> list[Formats]:
    block = functions[name].regions[0].blocks[0]
    known: dict[Value, Formats] = dict(zip(block.arguments, arguments, strict=True))
    *ops, end = (op.operation for op in block.operations)
    for op in ops:
        operands = [known[value] for value in op.operands]
        if op.name == "func.call":
            found = _of_function(callee(op), functions, operands)
        else:
            # What a region takes from around it is among what its ops use.
            around = {v for inner in nested([op]) for v in inner.operands if v in known}
            reaching = frozenset().union(*operands, *(known[v] for v in around))
            found = [reaching | _rounded_by(op, functions)] * len(op.results)
        known |= zip(op.results, found, strict=True)
    return [known[value] for value in end.operands]


def _rounded_by(op: ir.Operation, functions: Mapping[str, ir.Operation]) -> Formats:
    found: set[str] = set()
    for inner in nested([op]):
        if inner.name == "func.call":
            body = functions[callee(inner)]
            found.update(*(_rounded_by(o.operation, functions) for o in body.regions[0].blocks[0]))
        elif inner.name not in _EXACT:
            found.update(filter(None, (_float_format(value.type) for value in inner.results)))
    return frozenset(found)


def _float_format(kind: ir.Type) -> str:
    """Gives the format of a tensor's numbers, or of their parts; nothing where it is exact."""
    try:
        name = str(ir.RankedTensorType(kind).element_type)
    except ValueError:  # a token, or a tuple
        return ""
    name = name.removeprefix("complex<").removesuffix(">")
    return name if name[0] in "fb" else ""
