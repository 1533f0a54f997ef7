"""Functions of a module, and what is in the regions of its operations."""

from __future__ import annotations

from collections.abc import Sequence

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


def nested(ops: Sequence[ir.Operation]) -> list[ir.Operation]:
    """Gives ops and those in their regions, at any depth, each before what is in it."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        found.append(op)
        return ir.WalkResult.ADVANCE

    for op in ops:
        op.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found
