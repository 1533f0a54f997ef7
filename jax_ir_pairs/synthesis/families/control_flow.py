"""Control flow: scan, while_loop, fori_loop, cond, switch and map over bodies of any family."""

from __future__ import annotations

from jax_ir_pairs.synthesis.graph import Function, Literal, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    absorb,
    conform,
    draw_aval,
    float_value,
    leaves,
    one_of,
    use_all,
    within,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds

CARRY: Bounds = (-4.0, 4.0)
"""What a loop keeps its floating carry within, so that any number of steps stays finite."""


def captured(scope: Scope, most: int = 2) -> list[Var]:
    """Gives a few values that a nested function may close over."""
    if not scope.stream.chance(0.4):
        return []
    return scope.stream.sample([v for v in scope.values if v.aval.size <= 1024], most)


def small(var: Var) -> bool:
    """Tells whether a value is small enough to be a loop's carry."""
    return var.aval.size <= 1024


def _carried(scope: Scope) -> tuple[Var, Var]:
    """Gives an initial carry in the scope, and the parameter that stands for it in the body."""
    init = scope.pick(FLOATS, where=small) if scope.stream.chance(0.7) else None
    if init is None:
        if scope.stream.chance(0.5):
            sides = tuple(scope.side() for _ in range(scope.stream.integer(0, 2)))
            init = scope.let("zeros", shape=sides)
        else:
            init = float_value(scope)
    init = within(scope, init, CARRY)
    role = scope.stream.choice(("carry", "h", "state", "acc", "s"))
    return init, Var(init.aval, CARRY, role)


def _next_carry(body: Scope, carry: Var, params: list[Var]) -> Var:
    """Gives the carry of the next step, from what the body made."""
    stream = body.stream
    latest = leaves(body, 2)
    value = next((v for v in reversed(latest) if v is not carry), carry)
    if value.aval != carry.aval:
        value = absorb(body, carry, value)
    value = use_all(body, value, params)
    if value is carry or stream.chance(0.25):
        decay = stream.choice((0.5, 0.9, 0.95))
        value = body.let("mul", within(body, value, CARRY), Literal(decay))
    return within(body, conform(body, value, carry.aval), CARRY)


def _scan(scope: Scope, budget: int, mix: Mix) -> None:
    xs = scope.pick(where=lambda v: v.aval.rank > 0 and 1 < v.aval.shape[0] <= 64)
    if xs is None or scope.stream.chance(0.25):
        xs = scope.input(draw_aval(scope, scope.stream.integer(1, 3)), "xs")
    init, carry = _carried(scope)
    x = Var(Aval(xs.aval.dtype, xs.aval.shape[1:]), xs.bounds, scope.stream.choice(("x", "inp")))
    body = scope.nested([carry, x], captured(scope))
    mix.fill(body, budget)
    others = [v for v in leaves(body, 1) if v.aval.size * xs.aval.shape[0] < MAX_ELEMENTS]
    new = _next_carry(body, carry, [carry, x])
    y = others[0] if others and scope.stream.chance(0.7) else new
    step = body.close(scope.stream.choice(("step", "body", "scan_fn")), (new, y))
    params = {"reverse": True} if scope.stream.chance(0.12) else {}
    ys = Var(Aval(y.aval.dtype, (xs.aval.shape[0], *y.aval.shape)), y.bounds)
    scope.bind("scan", (step, init, xs), params, (Var(init.aval, CARRY), ys))


def _fori_loop(scope: Scope, budget: int, mix: Mix) -> None:
    init, carry = _carried(scope)
    count = scope.stream.choice((2, 3, 4, 5, 8, 10))
    n = None
    if not scope.reverse and scope.stream.chance(0.2):
        n = scope.pick(("i32",), needs=(-64, 64), where=lambda v: v.aval.rank == 0)
        n = n or scope.input(Aval("i32"), "n", (0, 8))
    i = Var(Aval(scope.int_dtype if n is None else "i32"), (0, 64), "i")
    body = scope.nested([i, carry], captured(scope))
    mix.fill(body, budget)
    new = _next_carry(body, carry, [carry])
    step = body.close(scope.stream.choice(("body", "body_fn", "loop")), new)
    out = Var(init.aval, CARRY)
    if n is None:
        scope.bind("fori_loop", (step, init), {"lower": 0, "upper": count}, out)
    else:
        scope.bind("fori_loop_dynamic", (n, step, init), {"lower": 0}, out)


def _while_loop(scope: Scope, budget: int, mix: Mix) -> None:
    init, _ = _carried(scope)
    count = scope.stream.choice((3, 5, 8, 10, 20))
    test_params = (Var(Aval(scope.int_dtype), (0, 20), "i"), Var(init.aval, CARRY, "value"))
    test_state = Var((Aval(scope.int_dtype), init.aval), role="state")
    test = scope.nested([test_state])
    test.bind("unpack", (test_state,), {}, test_params)
    going = test.let("less", test_params[0], Literal(count))
    if scope.stream.chance(0.5):
        size = test.let("abs", test_params[1])
        peak = test.let("max", size) if init.aval.rank else size
        going = test.let("logical_and", going, test.let("greater", peak, Literal(0.01)))
    names = scope.stream.choice(
        (("cond_fun", "body_fun"), ("keep_going", "step"), ("cond", "body"))
    )
    condition = test.close(names[0], going)

    state = Var((Aval(scope.int_dtype), init.aval), role="state")
    i, value = Var(Aval(scope.int_dtype), (0, 20), "i"), Var(init.aval, CARRY, "value")
    body = scope.nested([state], captured(scope))
    body.bind("unpack", (state,), {}, (i, value))
    mix.fill(body, budget)
    new = _next_carry(body, value, [value])
    step = body.close(names[1], (body.let("add", i, Literal(1)), new))
    outs = (Var(Aval(scope.int_dtype), (0, 20), "num_steps"), Var(init.aval, CARRY))
    scope.bind("while_loop", (condition, step, (Literal(0), init)), {}, outs)


def _branch(
    scope: Scope, operands: list[Var], aval: Aval | None, budget: int, mix: Mix, role: str
) -> tuple[Function, Var]:
    params = [Var(v.aval, v.bounds, v.role or "xyz"[n]) for n, v in enumerate(operands)]
    body = scope.nested(params, captured(scope, 1))
    mix.fill(body, budget)
    value = leaves(body, 1)[0]
    value = use_all(body, value, params)
    if value in params:
        value = body.let("tanh", value)
    if aval is not None:
        value = conform(body, value, aval)
    return body.close(role, value), value


def _operands(scope: Scope) -> list[Var]:
    first = float_value(scope)
    if scope.stream.chance(0.35):
        return [first, float_value(scope)]
    return [first]


def _cond(scope: Scope, budget: int, mix: Mix) -> None:
    operands = _operands(scope)
    pred = scope.pick(("bool",), where=lambda v: v.aval.rank == 0)
    if pred is None:
        x = operands[0]
        total = scope.let(scope.stream.choice(("mean", "max")), x) if x.aval.rank else x
        pred = scope.let(scope.stream.choice(("greater", "less")), total, Literal(0.0))
    roles = scope.stream.choice(
        (("true_fn", "false_fn"), ("on_true", "on_false"), ("grow", "shrink"))
    )
    first, value = _branch(scope, operands, None, budget * 2 // 3, mix, roles[0])
    second, other = _branch(scope, operands, value.aval, budget // 3, mix, roles[1])
    out = Var(value.aval, _either(value, other))
    scope.bind("cond", (pred, first, second, *operands), {}, out)


def _switch(scope: Scope, budget: int, mix: Mix) -> None:
    operands = _operands(scope)
    index = scope.pick(("i32",), where=lambda v: v.aval.rank == 0)
    if index is None:
        index = scope.input(Aval("i32"), scope.stream.choice(("mode", "index", "which")), (0, 2))
    count = scope.stream.integer(2, 4)
    first, value = _branch(scope, operands, None, budget // 2, mix, "branch0")
    branches, low, high = [first], *value.bounds
    for number in range(1, count):
        branch, other = _branch(
            scope, operands, value.aval, budget // count, mix, f"branch{number}"
        )
        branches.append(branch)
        low, high = min(low, other.bounds[0]), max(high, other.bounds[1])
    out = Var(value.aval, (low, high))
    scope.bind("switch", (index, tuple(branches), *operands), {}, out)


def _map(scope: Scope, budget: int, mix: Mix) -> None:
    xs = scope.pick(FLOATS, where=lambda v: v.aval.rank > 1 and v.aval.shape[0] <= 64)
    if xs is None:
        xs = scope.input(Aval(scope.float_dtype, (scope.side(), scope.side())), "xs")
    row = Var(Aval(xs.aval.dtype, xs.aval.shape[1:]), xs.bounds, scope.stream.choice(("x", "row")))
    body = scope.nested([row], captured(scope))
    mix.fill(body, budget)
    y = use_all(body, leaves(body, 1)[0], [row])
    function = body.close(scope.stream.choice(("fn", "per_row", "one")), y)
    out = Var(Aval(y.aval.dtype, (xs.aval.shape[0], *y.aval.shape)), y.bounds)
    if out.aval.size > MAX_ELEMENTS:
        raise IllTyped("map result is too large")
    scope.bind("map", (function, xs), {}, out)


def _either(a: Var, b: Var) -> Bounds:
    return (min(a.bounds[0], b.bounds[0]), max(a.bounds[1], b.bounds[1]))


FAMILY = Family(
    "control_flow",
    one_of(
        Form(_scan, 3.0),
        Form(_fori_loop, 1.5),
        Form(_while_loop, 1.5, reverse=False),
        Form(_cond, 2.0),
        Form(_switch, 0.8),
        Form(_map, 0.8),
    ),
)
