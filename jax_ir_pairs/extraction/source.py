"""A program as its source: run, and given the arguments that it is traced with. In the child."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType
from typing import Any

import jax
import numpy as np

FILE_NAME = "program.py"
"""The file that a program's source claims to come from, on every machine."""

_AVAL = re.compile(r"(bool|key<fry>|(bf|[cfiu])(\d\w*))\[([\d,]*)\]")
_WIDE = {"complex128", "float64", "int64", "uint64"}
_KINDS = {"bf": "bfloat", "c": "complex", "f": "float", "i": "int", "u": "uint"}


def load(python: str, entry_point: str) -> jax.stages.Wrapped:
    """Runs the source and gives its entry point, jitted unless it is so already."""
    function = run(python, FILE_NAME)[entry_point]
    return function if isinstance(function, jax.stages.Wrapped) else jax.jit(function)


def run(python: str, file: str) -> dict[str, Any]:
    """Runs the source as the module `program` from `file`, and gives its namespace.

    The module is where Python looks for modules, as `dataclass` and `pickle` do.
    """
    module = ModuleType("program")
    module.__file__ = file
    sys.modules["program"] = module
    exec(compile(python, file, "exec", dont_inherit=True), vars(module))
    return vars(module)


def abstract_arguments(inputs: str) -> list[Any]:
    """Gives the arguments that `inputs` describes, with a `ShapeDtypeStruct` for each aval.

    Raises ValueError for an aval that is none, such as `f33`, and for one of 64 bits where the
    source did not enable them.
    """
    return [jax.tree.map(abstract_value, tree) for _, tree in json.loads(inputs)]


def abstract_value(aval: str) -> jax.ShapeDtypeStruct:
    """Gives the `ShapeDtypeStruct` of an aval; else as `abstract_arguments`."""
    dtype, sides = dtype_and_shape(aval)
    if dtype == "key<fry>":
        # `jax.random.key` would compile what makes one.
        words = jax.device_put(np.zeros(2, np.uint32))
        key = jax.random.wrap_key_data(words, impl="threefry2x32")
        return jax.ShapeDtypeStruct(sides, key.dtype)
    if dtype in _WIDE and not jax.config.jax_enable_x64:  # JAX would take half of it
        raise ValueError(f"{aval} needs jax.config.update('jax_enable_x64', True) in the source")
    return jax.ShapeDtypeStruct(sides, jax.numpy.dtype(dtype))


def dtype_and_shape(aval: str) -> tuple[str, tuple[int, ...]]:
    """Gives the parts of an aval: a dtype's long name, or `key<fry>`. Raises ValueError."""
    if (match := _AVAL.fullmatch(aval)) is None:
        raise ValueError(f"{aval!r} is no aval; one looks like 'f32[8,16]'")
    name, kind, bits, shape = match.groups()
    sides = tuple(int(n) for n in shape.split(",") if n)
    return f"{_KINDS[kind]}{bits}" if kind else name, sides
