"""Printed types, numbers and parameters, made into what JAX has them as."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any

import jax
import ml_dtypes
import numpy as np
from jax import lax

from jax_ir_pairs.extraction.registry import primitives_by_name
from jax_ir_pairs.scoring.jaxpr_text import Literal
from jax_ir_pairs.scoring.module import NotRunnableError, NotValidError

_TYPE = re.compile(r"(bool|key<\w+>|(bf|[fiuc])(\d+)(_\w+)?)\[([\d,]*)\]")
_KINDS = {"bf": "bfloat", "c": "complex", "f": "float", "i": "int", "u": "uint"}
_KEYS = {"fry": "threefry2x32", "rbg": "rbg", "urbg": "unsafe_rbg"}
_DTYPE = re.compile(r"bool|(?:bfloat|complex|float|u?int)\d\w*")
_LONGEST_VALUE = 20_000

_CLASSES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            jax.sharding.PartitionSpec,
            lax.AccuracyMode,
            lax.ConvDimensionNumbers,
            lax.DotAlgorithmPreset,
            lax.FftType,
            lax.GatherDimensionNumbers,
            lax.GatherScatterMode,
            lax.Precision,
            lax.RaggedDotDimensionNumbers,
            lax.RandomAlgorithm,
            lax.RoundingMethod,
            lax.ScatterDimensionNumbers,
            lax.Tolerance,
            frozenset,
        )
    }
    | {"P": jax.sharding.PartitionSpec}
)
"""What a parameter's value may call, or be a member of."""


@cache
def _key_dtype(tag: str) -> Any:
    """Gives the dtype of keys that print as `key<tag>`."""
    with jax.ensure_compile_time_eval():
        return jax.random.key(0, impl=_KEYS[tag]).dtype


def _member(*enums: Any) -> Callable[[Any], Any]:
    """Gives what makes a member of the first enumeration that has one, by its name or number."""

    def make(value: Any) -> Any:
        for enum in enums:
            if isinstance(value, str) and value in enum.__members__:
                return enum[value]
            if type(value) is int and value in [each.value for each in enum]:
                return enum(value)
        return value

    return make


_OF_PARAMETER: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "algorithm": _member(lax.RandomAlgorithm),
        "fft_type": _member(lax.FftType),
        "impl": lambda tag: _key_dtype(tag)._impl,
        "precision": _member(lax.Precision, lax.DotAlgorithmPreset),
        "select_prim": lambda name: primitives_by_name()[name],
        "rounding_method": _member(lax.RoundingMethod),
    }
)
"""What is printed as a bare word or number, and is more than that."""

WORDS = frozenset({"axis_name", "method", "name", "side", "split_name", *_OF_PARAMETER})
"""Parameters whose bare words are themselves."""


def dtype_of(name: str) -> Any:
    """Gives a dtype by its long name: `bfloat16`."""
    return np.dtype(getattr(ml_dtypes, name, name))


def aval_of(text: str) -> jax.ShapeDtypeStruct | None:
    """Gives the aval of a printed type; none for one with more than shape and dtype."""
    if (match := _TYPE.fullmatch(text)) is None:
        return None
    name, kind, bits, suffix, sides = match.groups()
    try:
        shape = tuple(int(side) for side in sides.split(",") if side)
        if name.startswith("key<"):
            return jax.ShapeDtypeStruct(shape, _key_dtype(name[4:-1]))
        dtype = dtype_of(f"{_KINDS[kind]}{bits}{suffix or ''}" if kind else name)
        return jax.ShapeDtypeStruct(shape, dtype)
    except (KeyError, TypeError, ValueError):
        return None


def number(literal: Literal) -> np.ndarray[Any, Any]:
    """Gives the value of a literal. **Raises:** [`NotValidError`][] where it has none."""
    aval = aval_of(literal.type)
    if aval is None or aval.shape or aval.dtype.name.startswith("key"):
        raise NotValidError(f"{literal.text}:{literal.type} is no number")
    kind, text = aval.dtype.kind, literal.text.strip("()")
    value: complex
    if text in ("True", "False"):
        value = text == "True"
    else:
        value = complex(text) if kind == "c" else int(text) if kind in "iub" else float(text)
    return np.array(value, aval.dtype)


def parameter(key: str, text: str) -> Any:
    """Gives the value of a parameter from its text. **Raises:** [`NotRunnableError`][]."""
    try:
        if len(text) > _LONGEST_VALUE:
            raise ValueError
        value = _evaluated(ast.parse(text, mode="eval").body, key in WORDS)
        return _OF_PARAMETER.get(key, lambda value: value)(value)
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        raise NotRunnableError(f"{key}={text[:80]} cannot be made from its text") from None


def _evaluated(node: ast.expr, words: bool) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(
            value, bool | int | float | str
        ):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluated(operand, words)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(_evaluated(element, words) for element in elements)
        case ast.Set(elts=elements):
            return {_evaluated(element, words) for element in elements}
        case ast.Dict(keys=[], values=[]):
            return set()  # `frozenset({})`, as JAX prints an empty one
        case ast.Name(id="nan" | "inf" as name):
            return float(name)
        case ast.Name(id=name) if _DTYPE.fullmatch(name):
            return dtype_of(name)
        case ast.Name(id=name) if words:
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=member) if owner in _CLASSES:
            enum = _CLASSES[owner]
            if isinstance(enum, type) and issubclass(enum, Enum):
                return enum[member]
            return getattr(enum, member) if member.isupper() else _refuse()
        case ast.Call(func=ast.Name(id=owner), args=args, keywords=keywords) if owner in _CLASSES:
            named = {k.arg: _evaluated(k.value, words) for k in keywords if k.arg is not None}
            return _CLASSES[owner](*(_evaluated(arg, words) for arg in args), **named)
    return _refuse()


def _refuse() -> Any:
    raise ValueError
