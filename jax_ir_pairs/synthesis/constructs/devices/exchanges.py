"""Collectives on the values of a body that runs along named axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jax_ir_pairs.synthesis.constructs.devices.meshes import Axis, Bound, joint
from jax_ir_pairs.synthesis.graph import Code, Literal, Var
from jax_ir_pairs.synthesis.growth import try_let
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, NUMBERS

_SUMMING = frozenset({"psum", "pmean", "pmax", "pmin"})
"""After these a value is the same along the axis."""

_UNREDUCED = "unreduced"


def _unreducible(body: Scope) -> bool:
    """Tells whether a value may be marked as unreduced, for which vmap has no rule."""
    return bool(body.named_axes.checked) and body.depth == 1


def varying(body: Scope) -> Mapping[Var, tuple[str, ...]]:
    """Gives the axes along which the values of a body differ, as far as JAX can tell."""
    bound: Bound = body.named_axes
    found: dict[Var, tuple[str, ...]] = dict(bound.varying)
    for call in body.body:
        over = dict.fromkeys(name for var in call.used_vars for name in found.get(var, ()))
        name = call.params.get("along")
        if isinstance(name, Axis):
            gathered = bound.batched and call.op.name == "all_gather"
            if gathered or call.op.name in _SUMMING or call.params.get("to") == "invarying":
                over = {key: None for key in over if key not in name.names}
            elif call.op.name != "by_axis_size":
                over |= dict.fromkeys(name.names)
        for out in call.outs_flat:
            found[out] = tuple(over)
    return found


def ring(stream: Any, size: int) -> Code:
    """Gives the permutation in which each device sends to the next one, or to the one before."""
    step = stream.choice((1, 1, 1, -1))
    if size <= 4 and stream.chance(0.3):
        return Code(repr([(i, (i + step) % size) for i in range(size)]))
    to = f"(i {'+' if step > 0 else '-'} 1) % {size}"
    return Code(f"[(i, {to}) for i in range({size})]")


def draw_axis(body: Scope, *, several: bool = False) -> Axis:
    """Gives one of the body's axes, or all of them as one."""
    bound: Bound = body.named_axes
    if several and len(bound.axes) > 1 and body.stream.chance(0.25):
        return joint(bound.axes)
    return body.stream.choice(bound.axes)


def _operand(body: Scope, over: Axis, where: Callable[[Var], bool], *, floats: bool) -> Var:
    """Gives an operand that differs along the axis where JAX wants that."""
    x = body.pick(FLOATS if floats else NUMBERS, where=where)
    if x is None:
        raise IllTyped("nothing for the collective")
    bound: Bound = body.named_axes
    if bound.checked or bound.batched:
        known = varying(body).get(x, ())
        missing = tuple(name for name in over.names if name not in known)
        if missing and bound.batched:
            raise IllTyped("the value is the same along the axis")
        if missing:
            axes = [one for one in bound.axes if one.names[0] in missing]
            return body.let("pcast", x, along=joint(axes), to="varying")
    return x


def _any(var: Var) -> bool:
    return var.aval.size <= 2048


def _reduce(body: Scope) -> None:
    stream = body.stream
    over = draw_axis(body, several=True)
    names = ("psum", "psum", "pmean", "pmean", "pmax", "pmin")
    name = stream.choice(names)
    x = _operand(body, over, _any, floats=name == "pmean")
    y = x
    if body.reverse or body.forward:
        if name in ("pmax", "pmin"):
            y = body.let("stop_gradient", x)
    elif name == "psum" and _unreducible(body) and stream.chance(0.2):
        y = body.let("pcast", x, along=over, to="unreduced", role=_UNREDUCED)
    total = body.let(name, y, along=over)
    if y.role == _UNREDUCED:
        body.values.remove(y)  # nothing but a sum may take it
    if y is not x or stream.chance(0.5):
        body.let("sub" if name != "psum" else stream.choice(("sub", "add")), x, total)


def _share(body: Scope) -> None:
    if (x := body.pick(FLOATS, where=_any)) is None:
        raise IllTyped("nothing to divide")
    body.let("by_axis_size", x, along=draw_axis(body))


def _gather(body: Scope) -> None:
    stream, over = body.stream, draw_axis(body)
    tiled = stream.chance(0.7)
    x = _operand(body, over, lambda v: v.aval.size <= 1024 and v.aval.rank >= tiled, floats=False)
    params: dict[str, Any] = {}
    places = x.aval.rank if tiled else x.aval.rank + 1
    if stream.chance(0.35) and places > 1:
        params["axis"] = stream.integer(1, places - 1)
    if tiled:
        params["tiled"] = True
        if body.named_axes.checked and not body.reverse and stream.chance(0.6):
            params["to"] = "invarying"
    body.let("all_gather", x, along=over, **params)


def _scatter(body: Scope) -> None:
    stream, over = body.stream, draw_axis(body)
    x = _operand(
        body, over, lambda v: any(side % over.size == 0 for side in v.aval.shape), floats=True
    )
    places = [place for place, side in enumerate(x.aval.shape) if side % over.size == 0]
    place = stream.choice(places)
    params: dict[str, Any] = {"scatter_dimension": place} if place else {}
    if x.aval.shape[place] != over.size or stream.chance(0.7):
        params["tiled"] = True
    if _unreducible(body) and not body.reverse and stream.chance(0.4):
        x = body.let("pcast", x, along=over, to="unreduced", role=_UNREDUCED)
    body.let("psum_scatter", x, along=over, **params)
    if x.role == _UNREDUCED:
        body.values.remove(x)


def _all_to_all(body: Scope) -> None:
    stream, over = body.stream, draw_axis(body)
    x = _operand(
        body, over, lambda v: any(side % over.size == 0 for side in v.aval.shape), floats=False
    )
    split = stream.choice([p for p, side in enumerate(x.aval.shape) if side % over.size == 0])
    concat = stream.integer(0, x.aval.rank - 1)
    params: dict[str, Any] = {"split_axis": split, "concat_axis": concat}
    # JAX's transpose of one that is not tiled takes another shape for its cotangent.
    if body.reverse or x.aval.shape[split] != over.size or stream.chance(0.6):
        params["tiled"] = True
    body.let("all_to_all", x, along=over, **params)


def _shift(body: Scope) -> None:
    stream, over = body.stream, draw_axis(body)
    x = _operand(body, over, _any, floats=False)
    if stream.chance(0.2):
        order = stream.shuffled(range(over.size))
        if order == sorted(order):
            order.reverse()
        got = body.let("pshuffle", x, along=over, perm=Code(repr(order)))
    elif stream.chance(0.2) and not body.named_axes.batched:
        edge = Code(f"[(i, i + 1) for i in range({over.size - 1})]")
        got = body.let("ppermute", x, along=over, perm=edge)
    else:
        got = body.let("ppermute", x, along=over, perm=ring(stream, over.size))
    if stream.chance(0.5):
        try_let(body, stream.choice(("add", "sub", "maximum")), x, got)


def _swap(body: Scope) -> None:
    over = draw_axis(body)
    x = _operand(body, over, lambda v: over.size in v.aval.shape, floats=False)
    body.let("pswapaxes", x, along=over, position=x.aval.shape.index(over.size))


def _index(body: Scope) -> None:
    stream, over = body.stream, draw_axis(body, several=True)
    x = _operand(body, over, _any, floats=True)
    index = body.let("axis_index", along=over, role=stream.choice(("rank", "index", "device", "")))
    if stream.chance(0.4):
        first = body.let("equal", index, Literal(stream.choice((0, 0, over.size - 1))))
        body.let("where", first, x, Literal(0.0))
    else:
        place = body.let("astype", index, dtype=x.aval.dtype)
        body.let(stream.choice(("add", "mul")), x, place)


_KINDS = (_reduce, _gather, _scatter, _all_to_all, _shift, _swap, _index, _share)
_WEIGHTS = (4.0, 2.0, 1.2, 1.2, 2.0, 0.7, 1.0, 0.5)


def exchange(body: Scope) -> None:
    """Adds a collective on a value of the body; raises `IllTyped` where none can stand.

    It stands in the body alone: in a branch or a loop inside it, devices could miss one another.
    """
    bound: Bound | None = body.named_axes
    if bound is None or bound.depth != body.depth:
        raise IllTyped("no named axis here")
    for _ in range(4):
        if body.attempt(lambda: body.stream.weighted(_KINDS, _WEIGHTS)(body)):
            return
    raise IllTyped("no collective fits")
