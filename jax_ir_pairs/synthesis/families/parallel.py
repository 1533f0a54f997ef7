"""Several devices: shard_map, pmap, and collectives between the devices."""

from __future__ import annotations

from functools import partial
from typing import Any

from jax_ir_pairs.synthesis.constructs.devices.exchanges import exchange, varying
from jax_ir_pairs.synthesis.constructs.devices.meshes import (
    Axis,
    Bound,
    Mesh,
    Spec,
    axis,
    device_body,
    joint,
    lay_out,
    mesh_of,
    shard_map,
    sharded,
)
from jax_ir_pairs.synthesis.graph import Code, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, cast, leaves, one_of, scalar, use_all
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, NUMBERS, Aval, Bounds

_ROLES = ("local_fn", "per_device", "per_shard", "body", "shard_fn", "local_step", "f")
_NAMES = ("i", "i", "batch", "devices", "data", "batch_axis")
_SAFE = frozenset(
    {"unary", "activation", "binary", "comparison", "select", "cast", "reduction", "along_axis",
     "shape", "contraction", "rearrange"}
)  # fmt: skip
"""The groups of ops that a body of any family can hold where JAX tracks what differs."""
_UNTRACKED = frozenset({"erf", "erfc"})
"""Ops whose derivative JAX cannot follow in tracking what differs."""
_GRADIENT: Bounds = (-50.0, 50.0)


def _plain(body: Scope, budget: int, mix: Mix) -> None:
    """Adds plain ops."""
    made, differentiated = 0, body.reverse or body.forward
    for _ in range(4 * budget + 8):
        op = mix.op(body.stream)
        fits = op.group in _SAFE and (op.reverse or not body.reverse)
        if fits and not (differentiated and op.name in _UNTRACKED):
            made += body.attempt(partial(body.draw, op))
        if made >= budget:
            break


def _grow_body(body: Scope, budget: int, mix: Mix) -> None:
    """Grows the body of a function that runs along named axes, with collectives in it."""
    fill = partial(_plain, mix=mix) if body.named_axes.checked else mix.fill
    count = body.stream.weighted((1, 2, 3), (5, 3, 1))
    for _ in range(count):
        fill(body, budget // (count + 1))
        body.attempt(partial(exchange, body))
    if budget > 6 and body.stream.chance(0.5):
        fill(body, budget // 3)


def _placed(body: Scope, mesh: Mesh, value: Var) -> tuple[Var, Spec]:
    """Gives a result of the body, and the spec that puts the parts of all devices together."""
    stream = body.stream
    over = varying(body).get(value, ())
    if not over:
        return value, ()
    if value.aval.rank and value.aval.size * mesh.size <= MAX_ELEMENTS and stream.chance(0.75):
        parts: list[tuple[str, ...]] = [()] * value.aval.rank
        for one in mesh.axes:
            if one.names[0] in over:
                place = 0 if stream.chance(0.6) else stream.integer(0, value.aval.rank - 1)
                parts[place] = (*parts[place], *one.names)
        return value, tuple(parts)
    if value.aval.dtype == "bool":
        value = cast(body, value, body.int_dtype)
    axes = [one for one in mesh.axes if one.names[0] in over]
    name = "pmean" if value.aval.dtype in FLOATS and stream.chance(0.5) else "psum"
    return body.let(name, value, along=joint(axes)), ()


def _mapped(scope: Scope, budget: int, mix: Mix) -> None:
    """A function that every device runs on its part of the arguments."""
    stream, mesh = scope.stream, mesh_of(scope)
    x, spec = sharded(scope, mesh)
    arguments, specs = [x], [spec]
    for _ in range(stream.weighted((0, 1, 2), (5, 4, 1))):
        other = scope.pick(NUMBERS, where=lambda v: v not in arguments and v.aval.size <= 1024)
        if other is None:
            continue
        arguments.append(other)
        specs.append(())
        if other.aval.rank and stream.chance(0.5):
            try:
                specs[-1] = lay_out(stream, mesh, other.aval)
            except IllTyped:
                specs[-1] = ()
    body = device_body(scope, mesh, arguments, specs, checked=stream.chance(0.5))
    params = body.params
    _grow_body(body, budget, mix)
    made = leaves(body, 2)
    last = use_all(body, made[-1], params)
    if last in params:
        raise IllTyped("nothing happens on the devices")
    values = [last]
    if len(made) > 1 and made[0] is not last and made[0] not in params and stream.chance(0.5):
        values.append(made[0])
    placed = [_placed(body, mesh, v) for v in values]
    result = placed[0][0] if len(placed) == 1 else tuple(v for v, _ in placed)
    outs = [s for _, s in placed]
    shard_map(scope, mesh, body, stream.choice(_ROLES), result, arguments, specs, outs)


def _pmap(scope: Scope, budget: int, mix: Mix) -> None:
    """A function that runs once on each device, along a leading axis."""
    stream, count = scope.stream, mesh_of(scope).size
    x = scope.pick(NUMBERS, where=lambda v: v.aval.rank > 0 and v.aval.shape[0] == count)
    if x is None:
        sides = [scope.side() for _ in range(stream.integer(1, 2))]
        x = scope.input(Aval(scope.float_dtype, (count, *sides)), stream.choice(("xs", "batch")))
    arguments, axes = [x], [0]
    if stream.chance(0.5):
        other = scope.pick(NUMBERS, where=lambda v: v is not x and v.aval.size <= 1024)
        if other is not None:
            split = other.aval.rank > 0 and other.aval.shape[0] == count and stream.chance(0.6)
            arguments.append(other)
            axes.append(0 if split else -1)
    params = []
    for n, (argument, place) in enumerate(zip(arguments, axes, strict=True)):
        shape = argument.aval.shape if place < 0 else argument.aval.shape[1:]
        params.append(Var(Aval(argument.aval.dtype, shape), argument.bounds, "xyz"[n]))
    name = axis(stream.choice(_NAMES), count)
    body = _named_body(scope, params, name, [place == 0 for place in axes])
    _grow_body(body, budget, mix)
    value = use_all(body, leaves(body, 1)[0], params)
    static: tuple[Literal, ...] = ()
    if len(params) == 1 and value.aval.dtype in FLOATS and stream.chance(0.2):
        factor = Var(Aval("float"), (0.0, 2.0), stream.choice(("scale", "rate", "alpha")))
        scaled = Var(value.type, (2 * min(value.bounds[0], 0.0), 2 * max(value.bounds[1], 0.0)))
        body.bind("mul", (value, factor), {}, scaled)
        body.params.append(factor)
        value, static = scaled, (Literal(stream.choice((0.1, 0.5, 2.0))),)
    same = not varying(body).get(value, ())
    shown = {"axis_name": name.names[0]}
    options: dict[str, Any] = {**shown} if _uses_axis(body) or stream.chance(0.3) else {}
    if static:
        options["static_broadcasted_argnums"] = 1
    if -1 in axes:
        options["in_axes"] = tuple(None if place < 0 else place for place in axes)
    shape = (count, *value.aval.shape)
    if same and stream.chance(0.5):
        options["out_axes"] = Code("None")
        shape = value.aval.shape
    out = Var(Aval(value.aval.dtype, shape), value.bounds)
    if out.aval.size > MAX_ELEMENTS:
        raise IllTyped("result of all devices is too large")
    function = body.close(stream.choice((*_ROLES, "step", "replica_fn")), value)
    scope.bind("apply", (Transformed("pmap", function, options), *arguments, *static), {}, out)


def _named_body(
    scope: Scope, params: list[Var], name: Axis, split: list[bool], *, batched: bool = False
) -> Scope:
    """Gives a body along one named axis, on each of whose places it runs."""
    body = scope.nested(params, sealed=True)
    along = {p: name.names if s else () for p, s in zip(params, split, strict=True)}
    body.named_axes = Bound((name,), body.depth, along, batched=batched)
    return body


def _uses_axis(body: Scope) -> bool:
    return any("along" in call.params for call in body.body)


def _vmap(scope: Scope, budget: int, mix: Mix) -> None:
    """Collectives along the axis of a `vmap`, on one device."""
    if scope.named_axes is not None:
        raise IllTyped("an axis has its name already")
    stream = scope.stream
    x = scope.pick(FLOATS, where=lambda v: v.aval.rank > 0 and 1 < v.aval.shape[0] <= 16)
    if x is None:
        x = scope.input(Aval(scope.float_dtype, (4, scope.side())), "xs")
    name = axis(stream.choice(_NAMES), x.aval.shape[0])
    param = Var(Aval(x.aval.dtype, x.aval.shape[1:]), x.bounds, "x")
    body = _named_body(scope, [param], name, [True], batched=True)
    _grow_body(body, budget, mix)
    if not _uses_axis(body):
        exchange(body)
    value = use_all(body, leaves(body, 1)[0], [param])
    out = Var(Aval(value.aval.dtype, (name.size, *value.aval.shape)), value.bounds)
    if out.aval.size > MAX_ELEMENTS:
        raise IllTyped("batched result is too large")
    function = body.close(stream.choice(("f", "center", "per_example", "whiten", "mix")), value)
    callee = Transformed("vmap", function, {"axis_name": name.names[0]})
    scope.bind("apply", (callee, x), {}, out)


def _gradient(scope: Scope, budget: int, mix: Mix) -> None:
    """A gradient that goes through a function on all devices."""
    stream, mesh = scope.stream, mesh_of(scope)
    x, spec = sharded(scope, mesh, (scope.float_dtype,))
    outer_x = Var(x.type, x.bounds, "x")
    outer = scope.nested([outer_x], reverse=True)
    inside = outer_x
    if stream.chance(0.5):
        inside = outer.let(stream.choice(("tanh", "sin", "sigmoid", "square")), outer_x)
    body = device_body(outer, mesh, [inside], [spec], ["x"], checked=stream.chance(0.6))
    _grow_body(body, max(2, budget // 2), mix)
    total = use_all(body, scalar(body), body.params)
    over = varying(body).get(total, ())
    if axes := [one for one in mesh.axes if one.names[0] in over]:
        total = body.let(stream.choice(("psum", "pmean")), total, along=joint(axes))
    role = stream.choice(("local_loss", "shard_loss", "energy"))
    (value,) = shard_map(outer, mesh, body, role, total, [inside], [spec], [()])
    if inside is outer_x:
        penalty = outer.let("mean", outer.let("square", outer_x))
        rate = Literal(stream.choice((1e-3, 1e-2, 0.1)))
        value = outer.let("add", value, outer.let("mul", rate, penalty))
    loss = outer.close(stream.choice(("loss", "loss_fn", "objective")), value)
    grads = Var(x.type, _GRADIENT, "grads")
    if stream.chance(0.4):
        outs = (Var(Aval(scope.float_dtype), role="value"), grads)
        scope.bind("apply", (Transformed("value_and_grad", loss), x), {}, outs)
    else:
        scope.bind("apply", (Transformed("grad", loss), x), {}, grads)


_DEVICES = one_of(
    Form(_mapped, 5.0),
    Form(_pmap, 2.0),
    Form(_vmap, 1.5),
    Form(_gradient, 1.5, reverse=False, forward=False),
)


def _grow(scope: Scope, budget: int, mix: Mix) -> None:
    """Divides the work, or inside what is divided already lets the devices exchange values."""
    if scope.named_axes is None:
        _DEVICES(scope, budget, mix)
        return
    mix.fill(scope, max(1, budget // 2))
    exchange(scope)


FAMILY = Family("parallel", _grow)
