"""What jaxlib's conversion of HLO leaves that StableHLO has better words for. In the child.

XLA compiles a module with either; other tools, its reference interpreter among them, do not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.regions import functions_of, nested


def use_stablehlo(module: ir.Module, *, one_device: bool) -> bool:
    """Rewrites a module of the current context, and tells whether there was something to rewrite.

    Ops of MHLO become those of StableHLO and CHLO, `dot` what it is short for, tuples that custom
    calls give their parts; on `one_device` shardings mean nothing.
    """
    ops = nested([module.operation])
    found = [(rewriting, op) for op in ops if (rewriting := _rewriting(op, one_device))]
    for rewrite, op in found:
        with ir.InsertionPoint(op), op.location:
            rewrite(op)
    return _drop_placement(module) or bool(found)


def _drop_placement(module: ir.Module) -> bool:
    """Drops where the arrays of `main` lie, in a spelling at which XLA leaves Shardy's aside."""
    main = functions_of(module).get("main")
    if main is None:
        return False
    present = [name for name in ("arg_attrs", "res_attrs") if name in main.attributes]
    for name in present:
        del main.attributes[name]
    return bool(present)


def _rewriting(op: ir.Operation, one_device: bool) -> Callable[[ir.Operation], None] | None:
    if op.name != "stablehlo.custom_call":
        return _BY_NAME.get(op.name)
    target = ir.StringAttr(op.attributes["call_target_name"]).value
    # Of a result of the program, which JAX has placed already; XLA's partitioner does not know it.
    if target == "xla.sdy.FuncResultSharding" or (target == "Sharding" and one_device):
        return _hand_on
    return _untuple if any(str(result.type).startswith("tuple<") for result in op.results) else None


def _hand_on(op: ir.Operation) -> None:
    op.results[0].replace_all_uses_with(op.operands[0])
    op.erase()


def _renamed(name: str, op: ir.Operation) -> None:
    _replace(op, ir.Operation.create(name, [op.results[0].type], op.operands))


def _dot(op: ir.Operation) -> None:
    """The last axis of the left side is contracted with the first of the right."""
    rank = ir.RankedTensorType(op.operands[0].type).rank
    numbers = stablehlo.DotDimensionNumbers.get([], [], [rank - 1], [0])
    attributes: dict[str, ir.Attribute] = {"dot_dimension_numbers": numbers}
    if "precision_config" in op.attributes:
        attributes["precision_config"] = op.attributes["precision_config"]
    kinds = [op.results[0].type]
    _replace(op, ir.Operation.create("stablehlo.dot_general", kinds, op.operands, attributes))


def _top_k(op: ir.Operation) -> None:
    if "largest" in op.attributes and not ir.BoolAttr(op.attributes["largest"]).value:
        return  # CHLO has only the largest
    kinds = [result.type for result in op.results]
    _replace(op, ir.Operation.create("chlo.top_k", kinds, op.operands, {"k": op.attributes["k"]}))


def _untuple(op: ir.Operation) -> None:
    """Gives a custom call the results that are taken from its tuple."""
    uses = [use.owner for use in op.results[0].uses]
    if any(use.name != "stablehlo.get_tuple_element" for use in uses):
        return
    kind = ir.TupleType(op.results[0].type)
    kinds = [kind.get_type(place) for place in range(kind.num_types)]
    attributes = {name: op.attributes[name] for name in op.attributes if name != "xla_shape"}
    new = ir.Operation.create(op.name, kinds, op.operands, attributes)
    for use in uses:
        place = ir.IntegerAttr(use.attributes["index"]).value
        use.results[0].replace_all_uses_with(new.results[place])
        use.operation.erase()
    op.erase()


def _replace(op: ir.Operation, new: ir.Operation) -> None:
    for old, result in zip(op.results, new.results, strict=True):
        old.replace_all_uses_with(result)
    op.erase()


_BY_NAME: dict[str, Callable[[ir.Operation], None]] = {
    "mhlo.copy": _hand_on,
    "mhlo.erf": partial(_renamed, "chlo.erf"),
    "mhlo.topk": _top_k,
    "stablehlo.dot": _dot,
}
