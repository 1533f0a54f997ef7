"""A module read, made ready and run."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Sequence

import numpy as np
from jax.extend.mlir import refine_polymorphic_shapes
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import sdy, stablehlo
from jaxlib.mlir.passmanager import PassManager

from jax_ir_pairs.interpreter.blocks import Budget, Change, Compiler
from jax_ir_pairs.interpreter.collectives import Devices
from jax_ir_pairs.interpreter.control import CONTROL
from jax_ir_pairs.interpreter.mesh import mesh_of
from jax_ir_pairs.interpreter.operation import Array, UnsupportedError, forget_module
from jax_ir_pairs.interpreter.regions import functions_of, nested

LIMIT = 300_000.0
"""Units that a module may cost where nothing else is said; see [`cost`][]."""

_OPEN_SHAPE = re.compile(r"tensor<[^>]*\?")
_PIPELINE = (
    "builtin.module(func.func(stablehlo-legalize-composite-to-call,chlo-legalize-to-stablehlo))"
)


class Interpreter:
    """A module, made ready once to be run on many inputs; it is changed by that.

    Where arrays lie does not matter, but for manual computations, which `num_devices` do on their
    parts. Made within the module's context and a location. A `change` may give another function
    in place of an operation's own.

    **Raises:** [`UnsupportedError`][] where it has what is lacking here.
    """

    def __init__(
        self,
        module: ir.Module,
        limit: float = LIMIT,
        num_devices: int = 1,
        change: Change | None = None,
    ) -> None:
        make_ready(module)
        self._budget, self._limit = Budget(limit), limit
        meshes = {
            ir.StringAttr(op.attributes["sym_name"]).value: mesh_of(
                sdy.MeshAttr(op.attributes["mesh"])
            )
            for op in module.body.operations
            if op.operation.name == "sdy.mesh"
        }
        functions = functions_of(module)
        devices = Devices(num_devices, meshes)
        compiler = Compiler(functions, devices, self._budget, CONTROL, change)
        try:
            self._main = compiler.function("main")
        finally:
            forget_module()

    @property
    def spent(self) -> float:
        """Units that the last run took."""
        return self._limit - self._budget.units

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Gives the results for `inputs`.

        **Raises:** [`UnsupportedError`][] where it takes too long, or has other inputs.
        """
        return self.side_by_side([inputs])[0]

    def side_by_side(self, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """Gives the results of each device for its inputs, as the program of one of them says."""
        if any(len(values) != len(self._main.block.arguments) for values in inputs):
            raise UnsupportedError("has other inputs than the program")
        self._budget.units = self._limit
        with np.errstate(all="ignore"):  # infinities and NaN are numbers as any other
            found = self._main(range(len(inputs)), inputs)
        return [[np.asarray(value) for value in results] for results in found]


@functools.cache
def _register_passes() -> None:
    stablehlo.register_stablehlo_passes()


def parsed(stablehlo: str) -> ir.Module:
    """Gives the module of a text, in the current context; open shapes become those of its inputs.

    Raises what MLIR does for a text that is none, or whose shapes do not follow.
    """
    module = ir.Module.parse(stablehlo)
    if _OPEN_SHAPE.search(stablehlo) is None:
        return module
    bytecode = io.BytesIO()
    module.operation.write_bytecode(bytecode)
    return ir.Module.parse(refine_polymorphic_shapes(bytecode.getvalue()))


def make_ready(module: ir.Module) -> None:
    """Takes out of a module what only says where values lie, and has CHLO become StableHLO."""
    _register_passes()
    others = False
    for op in nested([module.operation]):
        name = op.name
        if name.startswith("chlo.") or name == "stablehlo.composite":
            others = True
        elif _is_identity(op):
            op.results[0].replace_all_uses_with(op.operands[0])
            op.erase()
    if others:
        PassManager.parse(_PIPELINE).run(module.operation)


_OF_PLACEMENT = frozenset({"LayoutConstraint", "Sharding", "InspectSharding"})


def _is_identity(op: ir.Operation) -> bool:
    """Tells whether an op only says where or how a value lies, and gives it as it is."""
    if op.name == "stablehlo.custom_call":
        target = ir.StringAttr(op.attributes["call_target_name"]).value
        return target in _OF_PLACEMENT and len(op.results) == 1
    return op.name in {"sdy.sharding_constraint", "sdy.reshard"}
