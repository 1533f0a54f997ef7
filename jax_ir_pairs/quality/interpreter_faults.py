"""Rewrites of a module around what StableHLO's interpreter does wrong. In the child."""

from __future__ import annotations

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.quality.outlining import Value, nested

_DIVISIONS = ("stablehlo.divide", "stablehlo.remainder")


def mend(module: ir.Module) -> None:
    """Changes a module so that the interpreter gives what XLA's semantics say."""
    for op in list(nested([module.operation])):
        if op.name == "stablehlo.scatter":
            _copy_operands(op)
        elif op.name in _DIVISIONS and isinstance(_element_type(op), ir.IntegerType):
            _guard(op)


def _copy_operands(op: ir.Operation) -> None:
    """Gives a scatter operands of its own: with JAX 0.10.2 it overwrites those that it has.

    What else reads them then sees the updates.
    """
    with ir.InsertionPoint(op), op.location:
        for place in range(len(op.results)):
            value = op.operands[place]
            op.operands[place] = stablehlo.ReshapeOp(value.type, value).result


def _guard(op: ir.Operation) -> None:
    """Divides by 1 where an integer division has no result: the processor ends the process.

    XLA defines it all the same: by 0 the quotient has all bits set and the remainder is the
    dividend; the lowest number by -1 is itself, and the remainder 0 (Operation Semantics, "Integer
    division" of OpenXLA).
    """
    kind = op.results[0].type
    integer = ir.IntegerType(_element_type(op))
    dividend, divisor = op.operands
    with ir.InsertionPoint(op), op.location:

        def filled(number: int) -> Value:
            element = ir.IntegerAttr.get(integer, number)
            splat = ir.DenseElementsAttr.get_splat(kind, element)
            result: Value = stablehlo.ConstantOp(splat).result
            return result

        def equal(value: Value, number: int) -> Value:
            direction = stablehlo.ComparisonDirectionAttr.get("EQ")
            result: Value = stablehlo.CompareOp(value, filled(number), direction).result
            return result

        by_zero = unusable = equal(divisor, 0)
        if not integer.is_unsigned and integer.width > 1:
            lowest = equal(dividend, -(1 << (integer.width - 1)))
            overflows = stablehlo.AndOp(lowest, equal(divisor, -1)).result
            unusable = stablehlo.OrOp(by_zero, overflows).result
        op.operands[1] = stablehlo.SelectOp(unusable, filled(1), divisor).result
        is_quotient = op.name == "stablehlo.divide"
        of_zero = stablehlo.NotOp(filled(0)).result if is_quotient else dividend
    with ir.InsertionPoint.after(op), op.location:
        own = op.results[0]
        uses = list(own.uses)
        guarded = stablehlo.SelectOp(by_zero, of_zero, own).result
        for use in uses:
            use.owner.operands[use.operand_number] = guarded


def _element_type(op: ir.Operation) -> ir.Type:
    return ir.RankedTensorType(op.results[0].type).element_type
