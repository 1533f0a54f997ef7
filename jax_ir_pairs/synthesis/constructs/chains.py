"""Chains and loops that draw random numbers: walks, samplers, rejection."""

from __future__ import annotations

import math

from jax_ir_pairs.synthesis.graph import Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Form,
    Mix,
    conform,
    leaves,
    scalar,
    use_all,
    within,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.distributions import EVERY
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.keys import fresh, keys
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

CARRY: Bounds = (-4.0, 4.0)


def sample(scope: Scope) -> Var:
    """Gives a draw from any distribution."""
    return scope.draw(scope.stream.choice(EVERY))[0]


def noise_like(scope: Scope, x: Var, role: str = "noise", key: Var | None = None) -> Var:
    """Gives standard normal noise of the aval of `x`, which has to be used besides."""
    key = key or fresh(scope)
    if x.aval.dtype == scope.float_dtype and scope.stream.chance(0.7):
        if scope.stream.chance(0.6):
            return scope.let("random_normal_shaped", key, x, role=role)
        return scope.let("random_normal", key, shape=x.aval.shape, role=role)
    return scope.let("random_normal_like", key, x, role=role)


def _start(scope: Scope, most_rank: int = 1) -> Var:
    """Gives where a chain starts: a small value of the default dtype."""
    dtype = scope.float_dtype
    x = scope.pick((dtype,), where=lambda v: v.aval.rank <= most_rank and v.aval.size <= 256)
    if x is None or scope.stream.chance(0.3):
        x = scope.input(Aval(dtype, (scope.side(),) * scope.stream.integer(0, most_rank)), "x0")
    return within(scope, x, CARRY)


def _over_keys(scope: Scope, start: Var, body: Scope, new: Var, y: Var, count: int) -> None:
    """Closes the step of a chain and scans it over `count` keys, which are its second parameter."""
    if y.aval.size * count > MAX_ELEMENTS:
        raise IllTyped("chain is too long")
    step = body.close(scope.stream.choice(("step", "body", "one_step")), (new, y))
    many = keys(scope, count)
    if many.aval.dtype != body.params[1].aval.dtype:
        raise IllTyped("keys of another implementation")
    outs = (
        Var(start.aval, CARRY, "final"),
        Var(Aval(y.aval.dtype, (count, *y.aval.shape)), y.bounds, scope.stream.choice(_TRACES)),
    )
    scope.bind("scan", (step, start, many), {}, outs)


_TRACES = ("samples", "trajectory", "path", "chain")


def _step_scope(scope: Scope, start: Var) -> tuple[Scope, Var, Var]:
    x, key = Var(start.aval, CARRY, "x"), Var(Aval("key<fry>"), role="key")
    return scope.nested([x, key]), x, key


def _walk(scope: Scope, budget: int, mix: Mix) -> None:
    """A random walk with a drift of any kind, by a scan over keys."""
    start = _start(scope)
    body, x, key = _step_scope(scope, start)
    noise = noise_like(body, x, key=key)
    drift = x
    if scope.stream.chance(0.7):
        mix.fill(body, budget)
        drift = conform(body, leaves(body, 1)[0], x.aval)
        drift = within(body, use_all(body, drift, [x]), CARRY)
    dt = scope.stream.choice((0.01, 0.05, 0.1))
    moved = body.let("add", drift, body.let("mul", noise, Literal(round(math.sqrt(dt), 4))))
    new = within(body, use_all(body, moved, [x, noise]), CARRY)
    _over_keys(scope, start, body, new, new, scope.stream.choice((5, 10, 20)))


def _carried_key(scope: Scope, budget: int, mix: Mix) -> None:
    """A scan whose carry holds the key, which each step splits."""
    start = _start(scope)
    first = fresh(scope, "key")
    count = scope.stream.choice((4, 8, 10, 16))
    state = Var((first.aval, start.aval), role="carry")
    unread = Var(Aval(scope.int_dtype), (0, count), "t")
    body = scope.nested([state, unread])
    key, x = Var(first.aval, role="key"), Var(start.aval, CARRY, "x")
    body.bind("unpack", (state,), {}, (key, x))
    body.unused.pop(key)
    key, subkey = body.let_all("random_split", key, roles=("key", "subkey"))
    body.unused.pop(key)  # it is for the next step: nothing else may take it
    noise = noise_like(body, x, key=subkey)
    mix.fill(body, budget)
    value = use_all(body, conform(body, leaves(body, 1)[0], x.aval), [x, noise])
    new = within(body, value, CARRY)
    step = body.close(scope.stream.choice(("step", "body")), ((key, new), new))
    steps = scope.let("arange", n=count)
    outs = (
        (Var(first.aval, role="key"), Var(start.aval, CARRY)),
        Var(start.aval.with_shape(count, *start.aval.shape), CARRY, scope.stream.choice(_TRACES)),
    )
    scope.bind("scan", (step, (first, start), steps), {}, outs)
    scope.unused.pop(outs[0][0])


def _folded(scope: Scope, budget: int, mix: Mix) -> None:
    """A fori_loop that folds its counter into the key."""
    start = _start(scope)
    base = fresh(scope, "key")
    i, x = Var(Aval(scope.int_dtype), (0, 20), "i"), Var(start.aval, CARRY, "x")
    body = scope.nested([i, x], [base])
    key = body.let("fold_in", base, i, role="step_key")
    noise = noise_like(body, x, key=key)
    mix.fill(body, budget)
    value = use_all(body, conform(body, leaves(body, 1)[0], x.aval), [x, noise])
    new = within(body, value, CARRY)
    step = body.close(scope.stream.choice(("body", "step")), new)
    upper = scope.stream.choice((3, 5, 10))
    scope.bind("fori_loop", (step, start), {"lower": 0, "upper": upper}, Var(start.aval, CARRY))


def _energy(scope: Scope, x: Var, budget: int, mix: Mix, name: str) -> Function:
    """Gives a scalar function of a point, such as an energy."""
    body = scope.nested([Var(x.aval, CARRY, "x")], reverse=True)
    if scope.stream.chance(0.5):
        body.let("square", body.params[0])
    else:
        mix.fill(body, max(2, budget // 2))
    value = use_all(body, scalar(body), body.params)
    return body.close(name, value)


def _langevin(scope: Scope, budget: int, mix: Mix) -> None:
    """Langevin dynamics: a step against the gradient of an energy, and noise."""
    start = _start(scope)
    body, x, key = _step_scope(scope, start)
    energy = _energy(body, x, budget, mix, scope.stream.choice(("energy", "potential")))
    grad = Var(x.aval, (-50.0, 50.0), "grad")
    body.bind("apply", (Transformed("grad", energy), x), {}, grad)
    noise = noise_like(body, x, key=key)
    size = scope.stream.choice((1e-3, 1e-2, 0.1))
    moved = body.let("sub", x, body.let("mul", grad, Literal(size)))
    new = body.let("add", moved, body.let("mul", noise, Literal(round(math.sqrt(2 * size), 4))))
    new = within(body, new, CARRY)
    _over_keys(scope, start, body, new, new, scope.stream.choice((4, 8, 16)))


def _metropolis(scope: Scope, budget: int, mix: Mix) -> None:
    """Metropolis-Hastings: a proposal, and whether it is accepted."""
    start = _start(scope)
    body, x, key = _step_scope(scope, start)
    k1, k2 = body.let_all("random_split", key, roles=("key_prop", "key_accept"))
    name = scope.stream.choice(("log_prob", "log_density", "logp"))
    log_prob = _energy(body, x, budget, mix, name)
    noise = noise_like(body, x, key=k1)
    scale = Literal(scope.stream.choice((0.1, 0.5)))
    proposal = body.let("add", x, body.let("mul", scale, noise), role="proposal")
    scores = []
    for point in (proposal, x):
        score = Var(Aval(scope.float_dtype), (-1e3, 1e3))
        body.bind("apply", (log_prob, point), {}, score)
        scores.append(score)
    ratio = body.let("sub", *scores, role="log_ratio")
    u = body.let("random_uniform", k2, shape=())
    log_u = Var(u.aval, (-100.0, 0.0), "log_u")
    body.bind("log", (u,), {}, log_u)  # of a uniform number, which may be zero: -inf accepts
    accept = body.let("less", log_u, ratio, role="accept")
    new = within(body, body.let("where", accept, proposal, x), CARRY)
    kept = accept if scope.stream.chance(0.4) else new
    _over_keys(scope, start, body, new, kept, scope.stream.choice((5, 10, 20)))


def _brownian(scope: Scope, budget: int, mix: Mix) -> None:
    """Paths of Brownian motion, or of geometric Brownian motion, by a cumulative sum."""
    stream = scope.stream
    steps, dt = stream.choice((16, 32, 50, 64)), stream.choice((0.01, 0.02, 0.1))
    shape = (stream.choice((4, 8, 16)), steps) if stream.chance(0.6) else (steps,)
    dw = scope.let("random_normal", fresh(scope), shape=shape)
    dw = scope.let("mul", Literal(round(math.sqrt(dt), 4)), dw, role="dw")
    path = scope.let("cumsum", dw, axis=-1, role="w")
    if stream.chance(0.5):
        drift = scope.let("linspace", start=0.0, stop=1.0, n=steps)
        held = scope.let("clip", path, low=-5.0, high=5.0)
        exponent = scope.let("add", drift, scope.let("mul", held, Literal(0.2)))
        prices = scope.let("exp", exponent, role="prices")
        if stream.chance(0.5):
            last = part_of(scope, prices, Ellipsis, -1)
            gain = scope.let("maximum", scope.let("sub", last, Literal(1.0)), Literal(0.0))
            if gain.aval.rank:
                scope.let("mean", gain, role="payoff")


def _rejection(scope: Scope, budget: int, mix: Mix) -> None:
    """Rejection sampling by a while_loop whose state holds the key."""
    dtype = scope.float_dtype
    first = fresh(scope, "key")
    types = (first.aval, Aval(dtype), Aval("bool"))
    test_state = Var(types, role="state")
    test = scope.nested([test_state])
    seen = (Var(types[0], role="key"), Var(types[1], role="x"), Var(types[2], (0, 1), "accepted"))
    test.bind("unpack", (test_state,), {}, seen)
    names = scope.stream.choice((("cond_fun", "body_fun"), ("not_done", "propose")))
    condition = test.close(names[0], test.let("logical_not", seen[2]))
    state = Var(types, role="state")
    body = scope.nested([state])
    parts = (Var(types[0], role="key"), Var(types[1], role="x"), Var(types[2], role="accepted"))
    body.bind("unpack", (state,), {}, parts)
    key, k1, k2 = body.let_all("random_split_many", parts[0], roles=("key", "k1", "k2"), num=3)
    low, high = scope.stream.choice(((-1.0, 1.0), (-2.0, 2.0), (0.0, 1.0)))
    x = body.let("random_uniform", k1, shape=(), minval=low, maxval=high, role="x")
    u = body.let("random_uniform", k2, shape=(), role="u")
    height = body.let("exp", body.let("negative", body.let("square", x)))
    accepted = body.let("less", u, height)
    step = body.close(names[1], (key, x, accepted))
    outs = (Var(types[0]), Var(types[1], (low, high), "draw"), Var(types[2], (0, 1)))
    scope.bind("while_loop", (condition, step, (first, Literal(0.0), Literal(False))), {}, outs)
    scope.unused.pop(outs[0])
    scope.unused.pop(outs[2])


def _common_numbers(scope: Scope, budget: int, mix: Mix) -> None:
    """The same key on purpose: two draws that differ in their distribution alone."""
    key = fresh(scope)
    x = _start(scope)
    first = noise_like(scope, x, key=key)
    again = scope.let("key_clone", key, role="same_key")
    name = scope.stream.choice(("laplace", "uniform", "logistic", "gumbel"))
    second = scope.let(f"random_{name}", again, shape=x.aval.shape)
    scope.let("sub", scope.let("add", x, first), second, role="delta")


FORMS = (
    Form(_common_numbers, 1.0),
    Form(_walk, 1.5),
    Form(_carried_key, 1.2),
    Form(_folded),
    Form(_langevin),
    Form(_metropolis),
    Form(_brownian, 0.8),
    Form(_rejection, 1.0, reverse=False),
)
