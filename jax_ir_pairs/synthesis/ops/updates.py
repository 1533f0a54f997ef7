"""Ops that update parts of arrays: `.at[]` with static subscripts and with index arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.ops.indexing import (
    PATTERNS,
    Pattern,
    draw_indexed,
    draw_parts,
    indexed_shape,
    reading,
    subscript,
)
from jax_ir_pairs.synthesis.ops.rows import bounds_of, broadcast, spread
from jax_ir_pairs.synthesis.scope import Scope, literal_for
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    BOOL,
    COMPLEX,
    FLOATS,
    INTEGERS,
    MOVABLE,
    Aval,
    Bounds,
    input_bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

_METHODS = {
    **dict.fromkeys(
        FLOATS, ("set", "add", "multiply", "max", "min", "subtract", "divide", "power")
    ),
    **dict.fromkeys(INTEGERS, ("set", "add", "multiply", "max", "min", "subtract")),
    **dict.fromkeys(COMPLEX, ("set", "add", "multiply", "subtract", "divide")),
    **dict.fromkeys(BOOL, ("set",)),
}
_WEIGHTS = (4.0, 4.0, 1.5, 1.2, 1.2, 1.0, 0.6, 0.5)


def updated(method: str, x: Var, value: Var | Literal, most: int = 1) -> Bounds:
    """Gives the bounds of `x` after an update that hits an element at most `most` times."""
    dtype, own = x.aval.dtype, x.bounds
    if method not in _METHODS[dtype]:
        raise IllTyped(f"{method} of {dtype}")
    low, high = bounds_of(value)
    if method in ("set", "max", "min"):
        return spread(own, (low, high))
    if method == "add":
        inside = (own[0] + min(low, 0) * most, own[1] + max(high, 0) * most)
    elif method == "subtract":
        inside = (own[0] - max(high, 0) * most, own[1] - min(low, 0) * most)
    elif method == "multiply":
        factor = max(abs(low), abs(high), 1.0)
        if most > 1 and factor > 1.5:
            raise IllTyped("product of many")
        edge = max(map(abs, own)) * factor ** min(most, 16) * (1 + (dtype in COMPLEX))
        inside = (-edge, edge)
    elif method == "divide":
        if not isinstance(value, Literal):
            raise IllTyped("division by a value")
        edge = max(map(abs, own)) * max(1.0, abs(1 / low)) ** min(most, 8)
        inside = (-edge, edge)
    else:
        if not isinstance(value, Literal) or value.value not in (2.0, 3.0) or most > 1:
            raise IllTyped("power")
        edge = max(1.0, *map(abs, own)) ** value.value
        inside = (-edge, edge)
    if dtype in INTEGERS:
        least, greatest = input_bounds(dtype)
        return inside if least <= inside[0] and inside[1] <= greatest else ANYTHING
    return inside


def _fits(x: Var, value: Var | Literal, shape: tuple[int, ...]) -> None:
    if not isinstance(value, Var):
        return
    if value.aval.dtype != x.aval.dtype or broadcast(value.aval, Aval("", shape)) != shape:
        raise IllTyped("update of another shape")


def _value(scope: Scope, x: Var, shape: tuple[int, ...], method: str) -> Var | Literal:
    """Gives what to write: an array of the shape, one that broadcasts to it, or a number."""
    if method == "power":
        return Literal(scope.stream.choice((2.0, 2.0, 3.0)))
    if method != "divide" and scope.stream.chance(0.7):

        def fits(var: Var) -> bool:
            own = var.aval.shape
            return var is not x and (own == shape or not own or own == shape[len(shape) - 1 :])

        if (found := scope.pick((x.aval.dtype,), where=fits)) is not None:
            return found
        if scope.stream.chance(0.25):
            return scope.input(Aval(x.aval.dtype, shape), scope.stream.choice(("v", "updates")))
    if x.aval.dtype in BOOL:
        return Literal(True)
    if method in ("set", "add") and x.aval.dtype in FLOATS and scope.stream.chance(0.4):
        return Literal(scope.stream.choice((0.0, 0.0, -1.0) if method == "set" else (1.0, 1e-3)))
    return literal_for(x, scope.stream)


def _method(scope: Scope, x: Var) -> str:
    methods = _METHODS[x.aval.dtype]
    return scope.stream.weighted(methods, _WEIGHTS[: len(methods)])


def _infer_at(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, value = operands
    _fits(x, value, indexed_shape(x.aval.shape, params["parts"]))
    return x.aval, updated(params["method"], x, value)


def _draw_at(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0)) is None:
        return None
    parts = draw_parts(scope, x.aval.shape, new_axes=False)
    if all(part == slice(None) or part is Ellipsis for part in parts):
        return None
    method = _method(scope, x)
    value = _value(scope, x, indexed_shape(x.aval.shape, parts), method)
    return (x, value), {**reading(parts), "method": method}


_PROMISES = ("indices_are_sorted", "unique_indices")


def _made_by(scope: Scope, var: Var) -> str:
    return next((call.op.name for call in reversed(scope.body) if var in call.outs_flat), "")


def _options(scope: Scope, operands: Sequence[Var], *, reads: bool = False) -> dict[str, Any]:
    """Gives the keywords of an indexed read or update that hold for these indices."""
    x, *indices = operands
    stream = scope.stream
    options: dict[str, Any] = {}
    modes: tuple[str, ...]
    inside = all(i.bounds[0] >= 0 and i.bounds[1] < min(x.aval.shape) for i in indices)
    if reads:
        # Out of bounds, a read fills with NaN or the least integer unless told otherwise.
        modes = ("clip", "fill", "promise_in_bounds") if inside else ("clip", "fill")
        options["mode"] = stream.choice(modes)
        if options["mode"] == "fill":
            options["fill_value"] = 0 if x.aval.dtype not in FLOATS else stream.choice((0.0, -1.0))
            if x.aval.dtype in BOOL:
                options["fill_value"] = False
    elif stream.chance(0.35):
        modes = ("drop", "drop", "clip", "fill", "promise_in_bounds")
        options["mode"] = stream.choice(modes[: 5 if inside else 4])
    made = _made_by(scope, indices[0]) if len(indices) == 1 else ""
    if made in ("arange", "argsort", "permutation") and stream.chance(0.6):
        if made == "arange" and stream.chance(0.5):
            options["indices_are_sorted"] = True
        options["unique_indices"] = True
    return options


def _most(pattern: Pattern, operands: Sequence[Any], params: Mapping[str, Any]) -> int:
    """Gives how often the same element can be hit."""
    if params.get("unique_indices"):
        return 1
    sizes: list[int] = [index.aval.size for index in operands[1 : len(pattern.places) + 1]]
    return max(sizes)


def _at_indices(pattern: Pattern) -> Op:
    count = len(pattern.places)

    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        *read, value = operands
        x = read[0]
        _fits(x, value, pattern.shape(read))
        return x.aval, updated(params["method"], x, value, _most(pattern, read, params))

    def draw(scope: Scope) -> Drawn:
        if (read := draw_indexed(scope, pattern, MOVABLE)) is None:
            return None
        options, method = _options(scope, read), _method(scope, read[0])
        unique = "unique_indices" in options
        if (
            (scope.reverse or scope.forward)
            and not unique
            and method in ("multiply", "divide", "power")
        ):
            return None
        value = _value(scope, read[0], pattern.shape(read), method)
        return (*read, value), {"method": method, **options}

    template = f"{{0}}.at[{subscript(pattern.parts)}].{{method}}({{{count + 1}}}{{kw}})"
    return Op(
        f"at{pattern.name or '_rows'}", "update", spell(template), infer, draw, pattern.weight
    )


def _at_get(pattern: Pattern) -> Op:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        x = operands[0]
        fill = params.get("fill_value", x.bounds[0])
        return Aval(x.aval.dtype, pattern.shape(operands)), spread(x.bounds, (fill, fill))

    def draw(scope: Scope) -> Drawn:
        read = draw_indexed(scope, pattern, MOVABLE)
        return None if read is None else (read, _options(scope, read, reads=True))

    template = f"{{0}}.at[{subscript(pattern.parts)}].get({{kw}})"
    name = f"at_get{pattern.name}"
    return Op(name, "update", spell(template), infer, draw, 0.4 * pattern.weight)


_FUNCTIONS = {
    "jnp.tanh": (-1, 1), "jnp.sin": (-1, 1), "jnp.cos": (-1, 1), "jnp.abs": None,
    "jnp.negative": None, "jax.nn.relu": None, "jax.nn.sigmoid": (0, 1),
    "lambda v: 0.5 * v": None,
}  # fmt: skip
"""What `.apply` is given; None keeps the magnitude."""


def _infer_apply(read: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x = read[0]
    inside = _FUNCTIONS[params["function"].text]
    edge = max(map(abs, x.bounds))
    return x.aval, spread(x.bounds, inside or (-edge, edge))


def _at_apply(pattern: Pattern) -> Op:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        pattern.shape(operands)
        return _infer_apply(operands, params)

    def draw(scope: Scope) -> Drawn:
        if scope.forward or (read := draw_indexed(scope, pattern, FLOATS)) is None:
            return None
        return read, {"function": Code(scope.stream.choice(tuple(_FUNCTIONS)))}

    template = f"{{0}}.at[{subscript(pattern.parts)}].apply({{function}}{{kw}})"
    name = f"at_apply{pattern.name}"
    return Op(name, "update", spell(template), infer, draw, 0.25, reverse=False)


def _infer_at_part(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    indexed_shape(operands[0].aval.shape, params["parts"])
    return _infer_apply(operands, params)


def _draw_at_part(scope: Scope) -> Drawn:
    # The update of a part by a function has no derivative in JAX, forward mode neither.
    x = scope.pick(FLOATS, where=lambda v: v.aval.rank > 0)
    if scope.forward or x is None:
        return None
    parts = draw_parts(scope, x.aval.shape, new_axes=False)
    return (x,), {**reading(parts), "function": Code(scope.stream.choice(tuple(_FUNCTIONS)))}


_NAMED = {pattern.name: pattern for pattern in PATTERNS}

OPS = (
    Op("at", "update", spell("{0}.at[{subscript}].{method}({1})"), _infer_at, _draw_at, 6.0),
    *(_at_indices(pattern) for pattern in PATTERNS if pattern.name not in ("_expanded",)),
    *(_at_get(_NAMED[name]) for name in ("", "_columns", "_pairs", "_last")),
    *(_at_apply(_NAMED[name]) for name in ("", "_pairs")),
    Op("at_apply_part", "update", spell("{0}.at[{subscript}].apply({function})"), _infer_at_part,
       _draw_at_part, 0.25, reverse=False),
)  # fmt: skip
