"""What a person writes about code and is true of it: annotations, shapes, names of numbers."""

from __future__ import annotations

from jax_ir_pairs.synthesis.graph import Call, Function, Var
from jax_ir_pairs.synthesis.render.names import RESERVED
from jax_ir_pairs.synthesis.types import Aval, Tree

_SHAPED = frozenset(
    {"matmul", "einsum", "reshape", "transpose", "swapaxes", "concatenate", "stack", "expand_dims",
     "conv", "gather", "mean", "sum", "outer", "broadcast_to"}
)  # fmt: skip


def annotation(type: Tree) -> str:
    """Gives the annotation of a parameter, or nothing for what has no short one."""
    if isinstance(type, Aval):
        return type.dtype if type.dtype in ("int", "float") else "jax.Array"
    return "tuple" if isinstance(type, tuple) else ""


def result_annotation(function: Function) -> str:
    """Gives the annotation of the result: ` -> jax.Array`, or nothing."""
    if isinstance(function.result, Var):
        text = annotation(function.result.type)
        return f" -> {text}" if text else ""
    return " -> tuple" if isinstance(function.result, tuple) else ""


def shape_comment(call: Call) -> str:
    """Gives the shape that a statement's result has, where people note it."""
    if call.op.name not in _SHAPED or not isinstance(call.outs, Var):
        return ""
    type = call.outs.type
    return f"[{', '.join(map(str, type.shape))}]" if isinstance(type, Aval) and type.rank else ""


_DEFAULTS = {
    "upper": "num_steps",
    "axis": "axis",
    "num_classes": "num_classes",
    "num_segments": "num_segments",
    "k": "k",
    "repeats": "repeats",
    "shift": "shift",
}
"""Parameters that become arguments with a default, by their name in the call."""


def default_argument(function: Function, taken: set[str]) -> tuple[Call, str, str, int] | None:
    """Gives a call, the key of one of its parameters, a name for it and its value."""
    for call in function.body:
        for key, value in call.params.items():
            name = _DEFAULTS.get(key)
            plain = isinstance(value, int) and not isinstance(value, bool)
            if name and plain and name not in taken and name not in RESERVED:
                return call, key, name, value
    return None


def constant_name(op: str, value: float) -> str:
    """Gives the name that a number gets as a constant of the module, or nothing."""
    if not isinstance(value, float):
        return ""
    if op in ("add", "maximum") and 0 < value <= 1e-4:
        return "EPS"
    if op == "mul" and value in (0.9, 0.95, 0.99, 0.999):
        return "DECAY"
    return "RATE" if op == "mul" and value in (0.1, 0.01, 0.001) else ""
