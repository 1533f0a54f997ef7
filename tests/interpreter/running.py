"""Modules interpreted, and run by StableHLO's own reference interpreter, which is in jaxlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.blocks import Change
from jax_ir_pairs.interpreter.module import LIMIT, Interpreter, make_ready, parsed
from jax_ir_pairs.interpreter.operation import Array, type_of
from jax_ir_pairs.interpreter.regions import functions_of


def interpret(
    text: str,
    inputs: Sequence[Array],
    limit: float = LIMIT,
    num_devices: int = 1,
    change: Change | None = None,
) -> list[Array]:
    """Gives the results of a module, by its text."""
    with make_ir_context(), ir.Location.unknown():
        run = Interpreter(parsed(text), limit, num_devices, change)
    return run(inputs)


def reference(text: str, inputs: Sequence[Array]) -> list[Array]:
    """Gives the same by the reference interpreter; it ends the process at what it lacks."""
    with make_ir_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        make_ready(module)
        main = functions_of(module)["main"]
        block = main.regions[0].blocks[0]
        dtypes = _with_plain_results(main)
        kinds = [argument.type for argument in block.arguments]
        attributes = [_dense(v, kind) for v, kind in zip(inputs, kinds, strict=True)]
        plain = iter([np.array(r) for r in stablehlo.eval_module(module, attributes)])
        return [_narrowed(plain, dtype) for dtype in dtypes]


def _dense(value: Array, kind: ir.Type) -> ir.Attribute:
    data = np.ascontiguousarray(value)
    if data.dtype.kind == "V":
        data = data.view(f"u{data.dtype.itemsize}")
    element = ir.RankedTensorType(kind).element_type
    attribute: ir.Attribute = ir.DenseElementsAttr.get(data, type=element, shape=list(value.shape))
    return attribute


def _with_plain_results(main: ir.Operation) -> list[np.dtype[Any]]:
    """Makes `main` return what jaxlib has buffers of, and gives the dtypes that it returned."""
    block = main.regions[0].blocks[0]
    end = list(block.operations)[-1].operation
    dtypes, values = [], []
    with ir.InsertionPoint(end):
        for value in end.operands:
            shape, dtype = type_of(value.type)
            dtypes.append(dtype)
            if dtype.kind == "c":
                values += [stablehlo.RealOp(value).result, stablehlo.ImagOp(value).result]
            elif dtype.kind == "V":
                name = "f32" if jax.numpy.issubdtype(dtype, np.floating) else "i32"
                wide = ir.RankedTensorType.get(shape, ir.Type.parse(name))
                values.append(stablehlo.ConvertOp(wide, value).result)
            else:
                values.append(value)
        ir.Operation.create("func.return", operands=values)
        end.erase()
        signature = ir.FunctionType.get(
            [argument.type for argument in block.arguments], [value.type for value in values]
        )
        main.attributes["function_type"] = ir.TypeAttr.get(signature)
    return dtypes


def _narrowed(plain: Any, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "c":
        real, imaginary = next(plain), next(plain)
        value = np.empty(real.shape, dtype)
        value.real, value.imag = real, imaginary
        return value
    return np.asarray(next(plain)).astype(dtype, copy=False)
