"""StableHLO: parsed and verified in JAX's MLIR context. In the child."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jax.extend.mlir import refine_polymorphic_shapes
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.element_types import numpy_name
from jax_ir_pairs.interpreter.regions import callee, functions_of, nested
from jax_ir_pairs.scoring.module import (
    Aval,
    Module,
    NotParsedError,
    NotRunnableError,
    NotValidError,
    num_partitions,
)

DIALECTS = frozenset({"builtin", "chlo", "func", "mhlo", "sdy", "stablehlo"})
"""Those of what JAX lowers to, and of what jaxlib makes of HLO."""

_SYNTAX = re.compile(
    r"error: (?:\"[^\"]*\":\d+:\d+: )?(?:(?:@ identifier )?expected|unexpected|use of undeclared"
    r"|redefinition|custom op|operation being parsed|source must|unknown|failed to|invalid|dialect"
    r"|unregistered|empty)"
)
"""How the complaints of MLIR's parser begin, which also runs the verifier."""

_DYNAMIC = re.compile(r"[<x]\?")
"""An axis of open length in a type."""


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives the module that a StableHLO text is.

    **Raises:** `NotParsedError`, `NotValidError` for wrong types, for ops of other dialects, and
    where there is no `main` with static shapes, and `NotRunnableError` for callbacks, which are
    not in the text.
    """
    with make_ir_context(), ir.Location.unknown():
        module = parsed(text)
        if _DYNAMIC.search(text):
            module = _refined(module)
            text = str(module)
        return Module(text, *signature(module), _num_devices(text, row))


def _num_devices(text: str, row: Mapping[str, Any]) -> int:
    """Gives the row's devices where a text says of them what the row's does, else what it says.

    A row can be compiled for more devices than its text has partitions.
    """
    partitions = num_partitions(text)
    if partitions == num_partitions(row["stablehlo"]):
        return int(row["num_devices"])
    return partitions


def _refined(module: ir.Module) -> ir.Module:
    """Gives a module with the shapes that follow from those of `main`, which JAX compiles."""
    bytecode = io.BytesIO()
    module.operation.write_bytecode(bytecode)
    signature(module)  # the refinement ends the process where `main` has open shapes
    try:
        return parsed(refine_polymorphic_shapes(bytecode.getvalue()))
    except (RuntimeError, ValueError) as error:
        why = str(error).split("\n")[0][:300].rstrip(".")
        raise NotValidError(f"The module's shapes do not follow from its inputs: {why}.") from None


def module_of(stablehlo: str | bytes, num_devices: int = 1) -> Module:
    """Gives a module by its text or its bytecode; else as [`read`][]."""
    with make_ir_context(), ir.Location.unknown():
        return Module(stablehlo, *signature(parsed(stablehlo)), num_devices)


def parsed(stablehlo: str | bytes) -> ir.Module:
    """Gives a verified module in the current context; else as [`read`][]."""
    try:
        module = ir.Module.parse(stablehlo)
        module.operation.verify()
    except ir.MLIRError as error:
        raise refusal(str(error)) from None
    if not list(module.body.operations):
        raise NotParsedError("The text has no operation.")
    _hold_to_ops(module)
    _hold_to_calls(module)
    return module


def signature(module: ir.Module) -> tuple[tuple[Aval, ...], tuple[Aval, ...]]:
    """Gives what `main` takes and gives; else as [`read`][]."""
    main = functions_of(module).get("main")
    if main is None:
        raise NotValidError("The module has no function main.")
    kind = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
    return _avals(kind.inputs), _avals(kind.results)


def _avals(kinds: Iterable[ir.Type]) -> tuple[Aval, ...]:
    avals = []
    for kind in kinds:
        try:
            tensor = ir.RankedTensorType(kind)
            name = numpy_name(str(tensor.element_type))
        except (KeyError, ValueError):
            raise NotValidError(f"The function main has a {kind}, which is no array.") from None
        if not tensor.has_static_shape:
            raise NotValidError(f"The function main has a {kind}, whose shape is not static.")
        avals.append((tuple(tensor.shape), name))
    return tuple(avals)


def _hold_to_ops(module: ir.Module) -> None:
    others: list[str] = []
    targets: list[str] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if op.name == "stablehlo.custom_call":
            targets.append(ir.StringAttr(op.attributes["call_target_name"]).value)
        elif op.name.partition(".")[0] not in DIALECTS:
            others.append(op.name)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    if others:
        raise NotValidError(f"The module has {others[0]}, which is no op of StableHLO.")
    if of_process := [target for target in targets if "callback" in target]:
        what = f"The module calls {of_process[0]}, a function of the process that it is from"
        raise NotRunnableError(f"{what}.")


def _hold_to_calls(module: ir.Module) -> None:
    """Refuses what has no meaning and ends the process: recursion, and functions without a body."""
    functions = functions_of(module)
    calls: dict[str, set[str]] = {}
    for name, function in functions.items():
        if not list(function.regions[0]):
            raise NotValidError(f"The function {name} has no body.")
        calls[name] = {callee(op) for op in nested([function]) if op.name == "func.call"}
    while leaves := [name for name, called in calls.items() if not called & calls.keys()]:
        for name in leaves:
            del calls[name]
    if calls:
        raise NotValidError(f"The function {min(calls)} is called by itself or calls what is.")


def refusal(message: str) -> NotParsedError | NotValidError:
    """Gives the first complaint in one sentence, as one of the parser or of the verifier."""
    complaint = next((line for line in message.split("\n") if "error: " in line), message)
    sentence = complaint.removeprefix("error: ").strip()[:300]
    if _SYNTAX.search(complaint):
        return NotParsedError(f"MLIR's parser: {sentence}.")
    return NotValidError(f"MLIR's verifier: {sentence}.")
