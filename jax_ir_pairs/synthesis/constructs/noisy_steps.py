"""Single steps that draw random numbers: of a particle filter, a bandit, a diffusion model."""

from __future__ import annotations

import math

from jax_ir_pairs.synthesis.constructs.chains import CARRY, noise_like
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Form, Mix, absorb, conform, leaves, use_all, within
from jax_ir_pairs.synthesis.ops.keys import fresh, split
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def _particles(scope: Scope, budget: int, mix: Mix) -> None:
    """One step of a particle filter: move, weigh, resample."""
    dtype, n = scope.float_dtype, scope.side()
    k1, k2 = split(scope, "move_key", "resample_key")
    particles = scope.pick((dtype,), where=lambda v: v.aval.rank == 1, needs=(-20, 20))
    particles = particles or scope.input(Aval(dtype, (n,)), "particles")
    noise = noise_like(scope, particles, key=k1)
    moved = scope.let("add", particles, scope.let("mul", noise, Literal(0.1)), role="moved")
    observed = scope.input(Aval(dtype), "observation")
    error = scope.let("square", scope.let("sub", moved, observed))
    log_w = scope.let("mul", Literal(-0.5), error, role="log_w")
    count = particles.aval.shape[0]
    index = scope.let("random_categorical", k2, log_w, shape=(count,), role="idx")
    scope.let("gather", moved, index, role="resampled")
    if scope.stream.chance(0.5):
        scope.let("logsumexp", log_w, axis=-1)


def _bandit(scope: Scope, budget: int, mix: Mix) -> None:
    """One step of Thompson sampling, or of an epsilon-greedy bandit."""
    dtype, arms = scope.float_dtype, scope.side()
    values = scope.pick((dtype,), where=lambda v: v.aval.rank == 1, needs=(-20, 20))
    values = values or scope.input(Aval(dtype, (arms,)), "values")
    if scope.stream.chance(0.5):
        a = scope.let("add", scope.let("sigmoid", values), Literal(1.0), role="alpha")
        b = scope.let("sub", Literal(3.0), a, role="beta")
        theta = scope.let("random_beta", fresh(scope), a, b, role="theta")
        scope.let("argmax", theta, axis=-1, role="arm")
        return
    k1, k2 = split(scope, "explore_key", "arm_key")
    explore = scope.let("random_bernoulli", k1, Literal(0.1), shape=(), role="explore")
    count = values.aval.shape[0]
    any_arm = scope.let("random_randint", k2, shape=(), minval=0, maxval=count)
    best = scope.let("argmax", values, axis=-1, role="greedy")
    scope.let("where", explore, any_arm, best, role="arm")


def _diffusion(scope: Scope, budget: int, mix: Mix) -> None:
    """A noising step of a diffusion model, and the loss of a prediction of the noise."""
    dtype = scope.float_dtype
    x = scope.pick((dtype,), where=lambda v: 0 < v.aval.rank < 4, needs=(-20, 20))
    x = x or scope.input(Aval(dtype, (scope.side(), scope.side())), "x0")
    eps = noise_like(scope, x, "eps")
    kept = scope.stream.choice((0.5, 0.8, 0.9, 0.99))
    signal = scope.let("mul", Literal(round(math.sqrt(kept), 4)), x)
    x_t = scope.let("add", signal, scope.let("mul", Literal(round(math.sqrt(1 - kept), 4)), eps),
                    role="x_t")  # fmt: skip
    body = scope.nested([Var(x.aval, x_t.bounds, "x")])
    mix.fill(body, budget)
    value = use_all(body, conform(body, leaves(body, 1)[0], x.aval), body.params)
    value = within(body, absorb(body, value, body.params[0]), CARRY)
    out = Var(x.aval, CARRY, "eps_hat")
    scope.bind("apply", (body.close(scope.stream.choice(("denoise", "model")), value), x_t), {},
               out)  # fmt: skip
    scope.let("mean", scope.let("square", scope.let("sub", out, eps)), role="loss")


FORMS = (
    Form(_particles, 0.7),
    Form(_bandit, 0.7),
    Form(_diffusion, 0.7),
)
