"""Random numbers of every distribution, of keys of each kind."""

from __future__ import annotations

from jax_ir_pairs.synthesis.graph import Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    grow_ops,
    leaves,
    one_of,
    scalar,
    use_all,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.distributions import EVERY
from jax_ir_pairs.synthesis.ops.keys import keys, legacy
from jax_ir_pairs.synthesis.ops.sampling import DRAWN
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, KEY, Aval


def _value(scope: Scope, rank: int) -> Var:
    """Gives a calm floating value of the default dtype, of this rank at least."""
    dtype = scope.float_dtype
    x = scope.pick((dtype,), needs=(-50, 50), where=lambda v: rank <= v.aval.rank < 4)
    if x is None or scope.stream.chance(0.2):
        x = scope.input(Aval(dtype, tuple(scope.side() for _ in range(rank or 1))), "x")
    return x


def _sample(scope: Scope) -> Var:
    """Gives a draw from any distribution."""
    return scope.draw(scope.stream.choice(EVERY))[0]


def _samples(scope: Scope, budget: int, mix: Mix) -> None:
    """A few draws from any distributions, and what is done with them."""
    for _ in range(scope.stream.integer(1, 3)):
        _sample(scope)
    grow_ops(scope, budget, mix)


def _drawn_from(scope: Scope, budget: int, mix: Mix) -> None:
    """Draws from arrays: categories, choices, permutations."""
    _value(scope, scope.stream.integer(1, 2))
    for _ in range(scope.stream.integer(1, 2)):
        scope.draw(scope.stream.choice(DRAWN))
    grow_ops(scope, budget, mix)


def _over_keys(scope: Scope, budget: int, mix: Mix) -> None:
    """Monte Carlo: a function of a key, mapped over many keys, and the mean of what it gives."""
    count = scope.stream.choice((4, 8, 10, 16, 32, 64))
    many = keys(scope, count)
    body = scope.nested([Var(Aval(many.aval.dtype), role="key")])
    drawn = _sample(body)
    mix.fill(body, max(2, budget - 2))
    y = use_all(body, leaves(body, 1)[0], [drawn])
    name = scope.stream.choice(("sample", "simulate", "estimate", "one_sample"))
    if scope.stream.chance(0.4):
        y = use_all(body, scalar(body), [drawn])
    aval = Aval(y.aval.dtype, (count, *y.aval.shape))
    if aval.size > MAX_ELEMENTS:
        raise IllTyped("too many samples")
    out = Var(aval, y.bounds, "samples")
    scope.bind("apply", (Transformed("vmap", body.close(name, y)), many), {}, out)
    if y.aval.dtype in FLOATS and scope.stream.chance(0.7):
        scope.let("mean", out, axis=0)
        if scope.stream.chance(0.3):
            scope.let("std", out, axis=0)


def _legacy(scope: Scope, budget: int, mix: Mix) -> None:
    """Keys of the old kind, which are arrays of words."""
    roles = scope.stream.choice((("rng",), ("k1", "k2"), ("rng_a", "rng_b", "rng_c")))
    shape = tuple(scope.side() for _ in range(scope.stream.integer(1, 2)))
    total: Var | None = None
    for key in legacy(scope, *roles):
        name = scope.stream.choice(("normal", "uniform", "gumbel", "exponential", "laplace"))
        drawn = scope.let(f"random_{name}", key, shape=shape)
        total = drawn if total is None else scope.let("add", total, drawn)
    grow_ops(scope, budget // 2, mix)


def _key_input(scope: Scope, budget: int, mix: Mix) -> None:
    """Many keys as an input, one draw for each."""
    count = scope.side()
    many = scope.input(Aval(KEY[0], (count,)), "keys")
    body = scope.nested([Var(Aval(KEY[0]), role="key")])
    k = body.let("key_clone", body.params[0]) if scope.stream.chance(0.4) else body.params[0]
    if scope.stream.chance(0.3):
        k = body.let("fold_in", k, Literal(scope.stream.choice((0, 1, 3))))
    shape = tuple(scope.side() for _ in range(scope.stream.integer(0, 1)))
    name = scope.stream.choice(("random_normal", "random_uniform", "random_gumbel"))
    drawn = body.let(name, k, shape=shape)
    grow_ops(body, min(budget, 6), mix)
    y = use_all(body, leaves(body, 1)[0], [drawn])
    out = Aval(y.aval.dtype, (count, *y.aval.shape))
    if out.size > MAX_ELEMENTS:
        raise IllTyped("too many samples")
    function = body.close(scope.stream.choice(("draw", "sample", "noise")), y)
    scope.bind("apply", (Transformed("vmap", function), many), {}, Var(out, y.bounds))


FAMILY = Family(
    "random",
    one_of(
        Form(_samples, 4.0),
        Form(_drawn_from, 2.5),
        Form(_over_keys, 2.0),
        Form(_legacy, 1.0),
        Form(_key_input, 0.8),
    ),
)
