"""What algorithms are made of: calls of known bounds, loops over several values, functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.graph import Function, Literal, Operand, Var
from jax_ir_pairs.synthesis.growth import Mix, absorb, conform, leaves, use_all, within
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

WIDE: Bounds = (-50.0, 50.0)
"""What the values of an algorithm are taken to lie within, where nothing tells more."""

STATE: Bounds = (-4.0, 4.0)

Value: TypeAlias = "Var | float | int"
Carry: TypeAlias = "tuple[Operand, Var]"
"""The start of a value that a loop carries, and the parameter that stands for it."""


def call(
    scope: Scope, name: str, *operands: Any, bounds: Bounds = WIDE, role: str = "", **params: Any
) -> Var:
    """Applies an op where the algorithm, not interval arithmetic, tells where the result lies."""
    given = tuple(Literal(x) if isinstance(x, int | float) else x for x in operands)
    tame = tuple(Var(x.type, (0.5, 0.6)) if isinstance(x, Var) else x for x in given)
    if name in ("left_shift", "right_shift"):
        tame = (tame[0], Literal(1))
    typed = scope.ops[name].typed(tame, params)
    assert not isinstance(typed, list), name
    out = Var(typed[0], bounds, role)
    scope.bind(name, given, params, out)
    return out


def calls(scope: Scope) -> Callable[..., Var]:
    """Gives `call` in this scope."""
    return lambda name, *operands, **more: call(scope, name, *operands, **more)


def carry(start: Operand, like: Aval, role: str, bounds: Bounds = STATE) -> Carry:
    """Gives a value that a loop carries."""
    return start, Var(like, bounds, role)


def carried(start: Var, role: str = "", bounds: Bounds = STATE) -> Carry:
    """Gives a value that a loop carries, started from a variable."""
    return start, Var(start.type, bounds, role or start.role)


def _packed(scope: Scope, carries: Sequence[Carry], role: str = "state") -> tuple[Var, list[Var]]:
    """Gives the parameter for all carries, and the variables that it is unpacked into."""
    params = [param for _, param in carries]
    if len(params) == 1:
        return params[0], params
    return Var(tuple(p.type for p in params), role=role), params


def _open(
    scope: Scope, carries: Sequence[Carry], before: Sequence[Var] = (), role: str = "state"
) -> tuple[Scope, list[Var]]:
    param, params = _packed(scope, carries, role)
    inner = [Var(p.type, p.bounds, p.role) for p in params]
    if len(carries) == 1:
        return scope.nested([*before, inner[0]]), inner
    state = Var(param.type, role=role)
    body = scope.nested([*before, state])
    body.bind("unpack", (state,), {}, tuple(inner))
    body.values += inner
    return body, inner


def _one_or_all(items: Sequence[Any]) -> Any:
    return items[0] if len(items) == 1 else tuple(items)


def fori(
    scope: Scope,
    count: int,
    carries: Sequence[Carry],
    make: Callable[[Scope, Var, list[Var]], Sequence[Operand]],
    *,
    lower: int = 0,
    role: str = "",
) -> list[Var]:
    """Adds a `fori_loop` and gives its results; `make` gives the next values from `i` and these."""
    i = Var(Aval(scope.int_dtype), (0, count), "i")
    body, params = _open(scope, carries, [i])
    result = make(body, i, params)
    step = body.close(role or scope.stream.choice(("body", "body_fn", "step")), _one_or_all(result))
    outs = [Var(p.type, p.bounds, p.role if len(carries) > 1 else "") for _, p in carries]
    start = _one_or_all([start for start, _ in carries])
    bounds = {"lower": lower, "upper": count}
    scope.bind("fori_loop", (step, start), bounds, _one_or_all(outs))
    return outs


def scan(
    scope: Scope,
    carries: Sequence[Carry],
    xs: Sequence[tuple[Var, str]],
    make: Callable[[Scope, list[Var], list[Var]], tuple[Sequence[Operand], Sequence[Var]]],
    *,
    role: str = "step",
    **params: Any,
) -> tuple[list[Var], list[Var]]:
    """Adds a `scan` over arrays, each with the name of its element, and gives its results."""
    items = [Var(x.aval.with_shape(*x.aval.shape[1:]), x.bounds, name) for x, name in xs]
    shown = items if len(items) == 1 else [Var(tuple(v.type for v in items), role="inputs")]
    param, names = _packed(scope, carries, "carry")
    state = [Var(p.type, p.bounds, p.role) for p in names]
    first = state[0] if len(state) == 1 else Var(param.type, role="carry")
    body = scope.nested([first, shown[0]])
    if len(state) > 1:
        body.bind("unpack", (first,), {}, tuple(state))
    if len(items) > 1:
        body.bind("unpack", (shown[0],), {}, tuple(items))
    body.values += [v for v in (*state, *items) if v not in body.values]
    news, ys = make(body, state, items)
    step = body.close(role, (_one_or_all(news), _one_or_all(ys)))
    length = xs[0][0].aval.shape[0]
    outs = [Var(p.type, p.bounds, f"final_{p.role}" if p.role else "") for p in names]
    stacked = [Var(Aval(y.aval.dtype, (length, *y.aval.shape)), y.bounds) for y in ys]
    start = _one_or_all([start for start, _ in carries])
    over = _one_or_all([x for x, _ in xs])
    scope.bind("scan", (step, start, over), params, (_one_or_all(outs), _one_or_all(stacked)))
    return outs, stacked


def until(
    scope: Scope,
    carries: Sequence[Carry],
    test: Callable[[Scope, list[Var]], Var],
    make: Callable[[Scope, list[Var]], Sequence[Operand]],
) -> list[Var]:
    """Adds a `while_loop` and gives its results."""
    names = scope.stream.choice(
        (
            ("cond_fun", "body_fun"),
            ("not_done", "step"),
            ("cond", "body"),
            ("keep_going", "advance"),
        )
    )
    checked, params = _open(scope, carries)
    condition = checked.close(names[0], test(checked, params))
    body, params = _open(scope, carries)
    step = body.close(names[1], _one_or_all(make(body, params)))
    outs = [Var(p.type, p.bounds, p.role if len(carries) > 1 else "") for _, p in carries]
    start = _one_or_all([start for start, _ in carries])
    scope.bind("while_loop", (condition, step, start), {}, _one_or_all(outs))
    return outs


def drawn_function(
    scope: Scope,
    params: Sequence[Var],
    budget: int,
    mix: Mix,
    role: str,
    *,
    table: Sequence[Callable[[Callable[..., Var], Sequence[Var]], Var]] = (),
    bounds: Bounds = STATE,
    reverse: bool = False,
    forward: bool = False,
) -> Function:
    """Gives a function whose result is like its first parameter: a known one, or any."""
    body = scope.nested(params, reverse=reverse)
    body.forward = body.forward or forward
    if table and scope.stream.chance(0.5):
        value = scope.stream.choice(table)(calls(body), params)
        return body.close(role, value)
    mix.fill(body, max(2, min(budget, 12)))
    value = leaves(body, 1)[0]
    if value.aval != params[0].aval:
        value = absorb(body, params[0], value)
    value = use_all(body, value, params)
    if value in params:
        value = body.let("sin", value)
    return body.close(role, within(body, conform(body, value, params[0].aval), bounds))


def applied(scope: Scope, function: Any, *operands: Var, role: str = "", like: Any = None) -> Var:
    """Adds a call of a function and gives its result, which is like the first operand."""
    out = Var(like or operands[0].type, WIDE, role)
    scope.bind("apply", (function, *operands), {}, out)
    return out
