"""A program as its source: run, and given the arguments that it is traced with. In the child."""

from __future__ import annotations

import json
import re
from typing import Any

import jax

FILE_NAME = "program.py"
"""The file that a program's source claims to come from, on every machine."""

_AVAL = re.compile(r"(bool|key<fry>|(bf|[cfiu])(\d\w*))\[([\d,]*)\]")
_KINDS = {"bf": "bfloat", "c": "complex", "f": "float", "i": "int", "u": "uint"}


def load(python: str, entry_point: str) -> jax.stages.Wrapped:
    """Runs the source and gives its entry point, jitted unless it is so already."""
    namespace: dict[str, Any] = {"__name__": "program", "__file__": FILE_NAME}
    exec(compile(python, FILE_NAME, "exec", dont_inherit=True), namespace)
    function = namespace[entry_point]
    return function if isinstance(function, jax.stages.Wrapped) else jax.jit(function)


def abstract_arguments(inputs: str) -> list[Any]:
    """Gives the arguments that `inputs` describes, with a `ShapeDtypeStruct` for each aval.

    Raises ValueError for an aval that is none, such as `f33`.
    """
    return [jax.tree.map(_abstract_value, tree) for _, tree in json.loads(inputs)]


def _abstract_value(aval: str) -> jax.ShapeDtypeStruct:
    if (match := _AVAL.fullmatch(aval)) is None:
        raise ValueError(f"{aval!r} is no aval; one looks like 'f32[8,16]'")
    name, kind, bits, shape = match.groups()
    sides = tuple(int(n) for n in shape.split(",") if n)
    if name == "key<fry>":
        return jax.ShapeDtypeStruct(sides, jax.random.key(0).dtype)
    dtype = f"{_KINDS[kind]}{bits}" if kind else name
    return jax.ShapeDtypeStruct(sides, jax.numpy.dtype(dtype))
