"""StableHLO's reference interpreter, which ships in jaxlib: an oracle that shares no code with XLA.

In the child. The interpreter ends the process at what it lacks; `interpreter_cost` knows before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo
from jaxlib.mlir.passmanager import PassManager

from jax_ir_pairs.quality.apart import ALONE, CONTRACTION, is_apart
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.contraction import contraction
from jax_ir_pairs.quality.element_types import numpy_name
from jax_ir_pairs.quality.interpreter_cost import UnsupportedError, cost, is_identity
from jax_ir_pairs.quality.interpreter_faults import mend
from jax_ir_pairs.quality.outlining import functions_of, nested
from jax_ir_pairs.quality.segments import Run, Segmented
from jax_ir_pairs.quality.tolerance import UNIT_ROUNDOFF

BASE_LIMIT, LIMIT_PER_OP = 50_000.0, 2_200.0
"""Units of `interpreter_cost` over which a program is left to an oracle that compiles it: for any
program, and more for each of its operations. A unit takes some 1 µs, and XLA some 2.2 ms for an
operation (500 programs, x86-64), so this is about where interpreting takes longer than that."""

_OF_PLACEMENT = ("arg_attrs", "res_attrs", "sdy.sharding")
"""Attributes that say where values lie, or are of no other use; a sharding names a mesh."""
_PIPELINE = (
    "builtin.module(func.func(stablehlo-legalize-composite-to-call,chlo-legalize-to-stablehlo))"
)

_PLAIN = frozenset(
    {"i1", *(f"{kind}{bits}" for kind in ("i", "ui") for bits in (8, 16, 32, 64))}
    | {"f16", "f32", "f64"}
)
"""The element types that jaxlib has buffers of."""
_WIDER: dict[str, str] = {
    **dict.fromkeys(("i2", "i4"), "i8"),
    **dict.fromkeys(("ui2", "ui4"), "ui8"),
    **dict.fromkeys((name for name in UNIT_ROUNDOFF if name not in _PLAIN), "f32"),
}
"""The wider ones that the results of others are handed out in, exactly."""
_COMPLEX = frozenset({"complex<f32>", "complex<f64>"})


RunAlone = Callable[[str, Sequence[Array]], list[Array]]
"""Gives the results of a module, by its text, by other means."""

Change = Callable[[ir.Module], object]
"""Changes a module before it is interpreted."""


def interpret(
    stablehlo_text: str,
    inputs: Sequence[Array],
    limit: float = BASE_LIMIT,
    run_alone: RunAlone | None = None,
    change: Change = lambda module: None,
) -> list[Array]:
    """Gives the results of the `main` of a module, as it is printed, on `inputs`.

    Shardings are passed over: the result is that of one device. NumPy is handed large contractions,
    and `run_alone` the ops that the interpreter lacks, each in a module of its own, where none is
    in a branch. What `change` does to the module comes first, and costs nothing.

    **Raises:** [`UnsupportedError`][] where the interpreter lacks something or would take too long,
    and ValueError where the inputs are not those of `main`.
    """
    apart = CONTRACTION if run_alone is None else CONTRACTION | ALONE
    with make_ir_context(), ir.Location.unknown():
        module = ir.Module.parse(stablehlo_text)
        costs = cost(module, limit, apart)
        change(module)
        _make_ready(module)
        if not costs.apart:
            return _Prepared(module)(inputs)

        def alone(part: ir.Module) -> Run:
            [op, _] = (op.operation for op in functions_of(part)["main"].regions[0].blocks[0])
            if op.name not in CONTRACTION:
                assert run_alone is not None
                return functools.partial(run_alone, str(part))
            compute = contraction(op)
            places = [ir.BlockArgument(value).arg_number for value in op.operands]
            return lambda values: [compute(*(values[place] for place in places))]

        return Segmented(module, lambda op: is_apart(op, apart), alone, _Prepared)(inputs)


class Interpreter:
    """A module, made ready once to be interpreted on many inputs; it is changed by that.

    For use within the module's context and a location. **Raises:** as [`interpret`][].
    """

    def __init__(self, module: ir.Module, limit: float = BASE_LIMIT) -> None:
        self.units = cost(module, limit).units
        _make_ready(module)
        self._prepared = _Prepared(module)

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Gives the results for `inputs`."""
        return self._prepared(inputs)


class _Prepared:
    def __init__(self, module: ir.Module) -> None:
        self._module = module
        main = functions_of(module)["main"]
        self._dtypes = _with_plain_results(main)
        self._kinds = [argument.type for argument in main.regions[0].blocks[0].arguments]

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        attributes = [_attribute(v, kind) for v, kind in zip(inputs, self._kinds, strict=True)]
        plain = iter([np.array(r) for r in stablehlo.eval_module(self._module, attributes)])
        return [_narrowed(plain, dtype) for dtype in self._dtypes]


@functools.cache
def _register_passes() -> None:
    stablehlo.register_stablehlo_passes()


def _make_ready(module: ir.Module) -> None:
    _register_passes()
    _drop_identities(module)
    PassManager.parse(_PIPELINE).run(module.operation)
    mend(module)


def _drop_identities(module: ir.Module) -> None:
    """Takes out what says where or how a value lies: ops that give it as it is, and shardings."""
    for op in list(nested([module.operation])):
        for name in _OF_PLACEMENT:
            if name in op.attributes:
                del op.attributes[name]
        if is_identity(op):
            op.results[0].replace_all_uses_with(op.operands[0])
            op.erase()
        elif op.name == "sdy.mesh":
            op.erase()


def _with_plain_results(main: ir.Operation) -> list[np.dtype[Any]]:
    """Makes `main` return what jaxlib has buffers of, and gives the dtypes that it returned."""
    block = main.regions[0].blocks[0]
    end = list(block.operations)[-1].operation
    dtypes: list[np.dtype[Any]] = []
    values = []
    with ir.InsertionPoint(end):
        for value in end.operands:
            kind = ir.RankedTensorType(value.type)
            name = str(kind.element_type)
            if name in _PLAIN:
                values.append(value)
            elif name in _WIDER:
                wide = ir.RankedTensorType.get(kind.shape, ir.Type.parse(_WIDER[name]))
                values.append(stablehlo.ConvertOp(wide, value).result)
            elif name in _COMPLEX:
                values += [stablehlo.RealOp(value).result, stablehlo.ImagOp(value).result]
            else:
                raise UnsupportedError(f"gives {name}")
            dtypes.append(jax.numpy.dtype(numpy_name(name)))
        if len(values) > len(dtypes) or any(
            a != b for a, b in zip(values, end.operands, strict=True)
        ):
            ir.Operation.create("func.return", operands=values)
            end.erase()
            inputs = [argument.type for argument in block.arguments]
            signature = ir.FunctionType.get(inputs, [value.type for value in values])
            main.attributes["function_type"] = ir.TypeAttr.get(signature)
    return dtypes


def _attribute(value: Array, kind: ir.Type) -> ir.Attribute:
    tensor = ir.RankedTensorType(kind)
    if tuple(tensor.shape) != value.shape:
        raise ValueError(f"an input of shape {value.shape} for one of {kind}")
    return dense(value, tensor.element_type)


def dense(value: Array, element_type: ir.Type) -> ir.Attribute:
    """Gives an array as the attribute that constants and inputs are."""
    # Scalars too, whose buffers have no strides to go by.
    data = np.ascontiguousarray(value)
    if data.dtype.kind == "V":
        data = data.view(f"u{data.dtype.itemsize}")
    attribute: ir.Attribute = ir.DenseElementsAttr.get(
        data, type=element_type, shape=list(value.shape)
    )
    return attribute


def _narrowed(plain: Any, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "c":
        real, imag = next(plain), next(plain)
        value = np.empty(real.shape, dtype)
        value.real, value.imag = real, imag
        return value
    return np.asarray(next(plain)).astype(dtype, copy=False)
