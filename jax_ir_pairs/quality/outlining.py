"""Ops of a function, moved into a module of their own, and calls replaced by what they call.

In the child. MLIR's own inliner leaves the calls alone, as jaxlib registers no inlining of `func`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from jaxlib.mlir import ir

Value: TypeAlias = "ir.Value[Any]"


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


def leading(
    functions: Mapping[str, ir.Operation], wanted: Callable[[ir.Operation], bool]
) -> Callable[[ir.Operation], bool]:
    """Gives what tells whether an op is a wanted one, has one inside of it, or calls one."""
    through: dict[str, bool] = {}

    def calls(name: str) -> bool:
        if name not in through:
            through[name] = leads(functions[name])
        return through[name]

    def leads(op: ir.Operation) -> bool:
        return any(
            calls(callee(inner)) if inner.name == "func.call" else wanted(inner)
            for inner in nested([op])
        )

    return leads


def inline(
    block: ir.Block, functions: Mapping[str, ir.Operation], wanted: Callable[[ir.Operation], bool]
) -> None:
    """Puts the ops of a function in place of each wanted call right in `block`, and of theirs."""
    waiting = [op.operation for op in block.operations]
    while waiting:
        op = waiting.pop(0)
        if op.name == "func.call" and wanted(op):
            waiting = _inlined(op, functions[callee(op)]) + waiting


def _inlined(call: ir.Operation, function: ir.Operation) -> list[ir.Operation]:
    body = function.regions[0].blocks[0]
    renamed = dict(zip(body.arguments, call.operands, strict=True))
    *ops, end = (op.operation for op in body.operations)
    clones = []
    for op in ops:
        clone = op.clone(ip=ir.InsertionPoint(call)).operation
        _rename([clone], renamed)
        renamed |= zip(op.results, clone.results, strict=True)
        clones.append(clone)
    for result, value in zip(call.results, end.operands, strict=True):
        result.replace_all_uses_with(renamed.get(value, value))
    call.erase()
    return clones


def _rename(ops: Sequence[ir.Operation], renamed: Mapping[Value, Value]) -> None:
    for op in nested(ops):
        for place, value in enumerate(op.operands):
            if value in renamed:
                op.operands[place] = renamed[value]


def used(ops: Sequence[ir.Operation]) -> dict[Value, None]:
    """Gives the operands of ops and of those in their regions, in a fixed order."""
    return dict.fromkeys(value for op in nested(ops) for value in op.operands)


def outlined(
    ops: Sequence[ir.Operation],
    gives: Sequence[Value],
    functions: Mapping[str, ir.Operation],
) -> tuple[ir.Module, list[Value]]:
    """Moves ops of a block into the `main` of a new module, with copies of what they call.

    Its `main` gives `gives`. Gives the module and the values of the block that `main` takes.
    """
    own: set[Value] = set()
    for op in nested(ops):
        own.update(op.results)
        own.update(a for region in op.regions for b in region for a in b.arguments)
    takes = [value for value in used(ops) if value not in own]
    module = ir.Module.create()
    kind = ir.FunctionType.get([v.type for v in takes], [v.type for v in gives])
    with ir.InsertionPoint(module.body):
        main = ir.Operation.create(
            "func.func",
            attributes={
                "sym_name": ir.StringAttr.get("main"),
                "function_type": ir.TypeAttr.get(kind),
            },
            regions=1,
        )
        for name in _called(ops, functions):
            functions[name].clone()
    places = [ir.Location.unknown()] * len(takes)
    body = main.regions[0].blocks.append(*kind.inputs, arg_locs=places)
    with ir.InsertionPoint(body):
        end = ir.Operation.create("func.return", operands=gives)
    for op in ops:
        op.move_before(end)
    _rename(ops, dict(zip(takes, body.arguments, strict=True)))
    return module, takes


def _called(ops: Sequence[ir.Operation], functions: Mapping[str, ir.Operation]) -> list[str]:
    """Gives the functions that ops call, directly or through others."""
    found: dict[str, None] = {}
    waiting = list(ops)
    while waiting:
        calls = {callee(op) for op in nested(waiting) if op.name == "func.call"}
        waiting = [functions[name] for name in sorted(calls - found.keys())]
        found |= dict.fromkeys(sorted(calls))
    return list(found)
