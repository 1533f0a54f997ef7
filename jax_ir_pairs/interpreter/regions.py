"""Functions of a module, and what is in the regions of its operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jaxlib.mlir import ir


def functions_of(module: ir.Module) -> dict[str, ir.Operation]:
    """Gives the functions of a module by name."""
    return {
        ir.StringAttr(op.attributes["sym_name"]).value: op.operation
        for op in module.body.operations
        if op.operation.name == "func.func"
    }


def callee(call: ir.Operation) -> str:
    """Gives the name of the function that a `func.call` calls."""
    return ir.FlatSymbolRefAttr(call.attributes["callee"]).value


def nested(ops: Sequence[ir.Operation]) -> Iterator[ir.Operation]:
    """Gives ops and those in their regions, at any depth."""
    waiting = list(ops)
    while waiting:
        op = waiting.pop()
        yield op
        waiting += [o.operation for region in op.regions for b in region for o in b.operations]
