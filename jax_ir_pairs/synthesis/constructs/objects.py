"""Objects of pytree classes: made, carried by loops, differentiated and replaced in part."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs import trees
from jax_ir_pairs.synthesis.graph import Callee, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Mix,
    absorb,
    conform,
    float_value,
    leaves,
    scalar,
    use_all,
    within,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds, Record

_DOMAIN: Bounds = (-4.0, 4.0)
"""What the fields of objects are kept within."""

_STATES = (
    ("Particle", ("position", "velocity")),
    ("Carry", ("h", "c")),
    ("RunningStats", ("mean", "scale")),
    ("SolverState", ("x", "residual", "direction")),
    ("Belief", ("mu", "sigma")),
)


def captured(scope: Scope) -> list[Var]:
    """Gives a value that a function may close over, now and then."""
    if not scope.stream.chance(0.4):
        return []
    return scope.stream.sample([v for v in scope.values if v.aval.size <= 1024], 1)


def make(scope: Scope, *, computed: bool = False) -> tuple[Record, Var]:
    """Gives a class of arrays and an object of it, on demand one without inputs as they came."""
    role, names = scope.stream.choice(_STATES)
    first = within(scope, float_value(scope), _DOMAIN)
    if first.aval.size > 1024:
        raise IllTyped("too large to be carried")
    values = {names[0]: first}
    for name in names[1:]:
        if scope.stream.chance(0.6):
            out = scope.let("array_zeros_like", first)
        else:
            out = within(scope, float_value(scope), _DOMAIN)
        values[name] = out
    if any(v.aval.size > 1024 for v in values.values()):
        raise IllTyped("too large to be carried")
    if computed:
        values = {key: scope.let("tanh", v) for key, v in values.items()}
    type = trees.define(scope, role, tuple((key, v.aval) for key, v in values.items()))
    return type, trees.construct(scope, type, dict(values), scope.stream.choice(("state", "init")))


def _nextmake(
    body: Scope, state: Var, type: Record, others: list[Var], mix: Mix, budget: int
) -> Var:
    """Reads the fields of a state, grows something of them, and gives the next state."""
    stream = body.stream
    fields = {key: trees.read(body, state, key, bounds=_DOMAIN, role=key) for key in type.keys}
    mix.fill(body, budget)
    value = leaves(body, 1)[0]
    new: dict[str, Any] = {}
    for key, old in fields.items():
        fresh = absorb(body, old, value if value is not old else body.let("sin", old))
        if key == type.keys[-1]:
            fresh = use_all(body, fresh, [*others, *fields.values()])
        else:
            fresh = body.let(
                "mul", within(body, fresh, _DOMAIN), Literal(stream.choice((0.5, 0.9)))
            )
        new[key] = within(body, conform(body, fresh, old.aval), _DOMAIN)
    return trees.construct(body, type, new)


def loop(scope: Scope, budget: int, mix: Mix) -> None:
    """A loop whose carry is an object."""
    stream = scope.stream
    type, init = make(scope)
    ways = ("scan", "scan", "fori", "fori") if scope.reverse else ("scan", "scan", "fori", "while")
    way = stream.choice(ways)
    state = Var(type, role=stream.choice(("state", "carry", "s")))
    final = Var(type, role=stream.choice(("final", "last", "state")))
    if way == "scan":
        xs = scope.pick(FLOATS, where=lambda v: v.aval.rank > 0 and 1 < v.aval.shape[0] <= 32)
        if xs is None:
            xs = scope.input(Aval(scope.float_dtype, (scope.side(), 4)), "xs")
        x = Var(xs.aval.with_shape(*xs.aval.shape[1:]), xs.bounds, "x")
        body = scope.nested([state, x], captured(scope))
        new = _nextmake(body, state, type, [x], mix, budget)
        y = trees.read(body, new, stream.choice(type.keys), bounds=_DOMAIN)
        stacked = Aval(y.aval.dtype, (xs.aval.shape[0], *y.aval.shape))
        if stacked.size > MAX_ELEMENTS:
            raise IllTyped("stacked results are too large")
        step = body.close(stream.choice(("step", "update", "advance")), (new, y))
        scope.bind("scan", (step, init, xs), {}, (final, Var(stacked, _DOMAIN)))
    elif way == "fori":
        i = Var(Aval(scope.int_dtype), (0, 64), "i")
        body = scope.nested([i, state], captured(scope))
        new = _nextmake(body, state, type, [], mix, budget)
        step = body.close(stream.choice(("body", "body_fn", "advance")), new)
        count = stream.choice((2, 3, 5, 8))
        scope.bind("fori_loop", (step, init), {"lower": 0, "upper": count}, final)
    else:
        counter = Aval(scope.int_dtype)
        pair = (counter, type)
        test = scope.nested([Var(pair, role="loop")])
        i, inner = Var(counter, (0, 20), "i"), Var(type, role="state")
        test.bind("unpack", (test.params[0],), {}, (i, inner))
        value = trees.read(test, inner, type.keys[0], bounds=_DOMAIN)
        size = test.let("abs", value)
        peak = test.let("max", size) if size.aval.rank else size
        going = test.let("less", i, Literal(stream.choice((3, 5, 10))))
        going = test.let("logical_and", going, test.let("greater", peak, Literal(0.01)))
        condition = test.close("cond_fun", going)
        body = scope.nested([Var(pair, role="loop")], captured(scope))
        body.bind("unpack", (body.params[0],), {}, (Var(counter, (0, 20), "i"), state))
        (i, _) = body.body[-1].outs_flat
        new = _nextmake(body, state, type, [], mix, budget)
        step = body.close("body_fun", (body.let("add", i, Literal(1)), new))
        outs = (Var(counter, (0, 20), "num_steps"), final)
        scope.bind("while_loop", (condition, step, (Literal(0), init)), {}, outs)
    if stream.chance(0.6):
        trees.read(scope, final, stream.choice(type.keys), bounds=_DOMAIN)


def function(scope: Scope, budget: int, mix: Mix) -> None:
    """A function of an object, differentiated, batched or compiled."""
    stream = scope.stream
    way = stream.choice(("grad", "grad", "jit", "replace", "map"))
    type, value = make(scope, computed=way == "replace")
    if way == "replace":
        key = stream.choice(type.keys)
        old = trees.read(scope, value, key, bounds=_DOMAIN)
        trees.updated(scope, value, key, scope.let(stream.choice(("tanh", "sin", "square")), old))
        return
    if way == "map":
        leaf = Var(Aval(type.items[0][1].dtype, (4,)), _DOMAIN, "a")  # type: ignore[union-attr]
        if len({part.dtype for _, part in type.items}) > 1:  # type: ignore[union-attr]
            raise IllTyped("leaves of several dtypes")
        body = scope.nested([leaf])
        moved = body.let(stream.choice(("tanh", "square", "negative", "cos")), leaf)
        transform = body.close("transform", moved)
        scope.bind("tree_map", (transform, value), {}, Var(type))
        return
    param = Var(type, role="state")
    body = scope.nested([param], captured(scope), reverse=way == "grad")
    fields = [trees.read(body, param, key, bounds=_DOMAIN, role=key) for key in type.keys]
    mix.fill(body, budget)
    name = stream.choice(("energy", "potential", "cost") if way == "grad" else ("evolve", "refine"))
    if way == "grad":
        total = use_all(body, scalar(body), fields)
        callee: Callee = Transformed(way, body.close(name, total))
        scope.bind("apply", (callee, value), {}, Var(type, role="grads"))
    else:
        result = use_all(body, leaves(body, 1)[0], fields)
        callee = Transformed("jit", body.close(name, result))
        scope.bind("apply", (callee, value), {}, Var(result.type, result.bounds))
