"""Elementwise ops of one argument, and activations."""

from __future__ import annotations

import math

from jax_ir_pairs.synthesis.ops.rows import (
    POSITIVE,
    UNIT,
    absolute,
    monotone,
    odd,
    same,
    squared,
    unary,
    widest,
    within,
)
from jax_ir_pairs.synthesis.types import (
    BOOL,
    COMPLEX,
    FLOATS,
    INTEGERS,
    SIGNED,
    Bounds,
)

_EXP: Bounds = (-30.0, 8.0)

UNARY = (
    unary("negative", FLOATS + SIGNED + COMPLEX, lambda a, b: (-b, -a), "-{0}",
          "jnp.negative({0})"),
    unary("abs", FLOATS + SIGNED, absolute, "jnp.abs({0})", "abs({0})"),
    unary("square", FLOATS + SIGNED + COMPLEX, squared, "jnp.square({0})", weight=1.2),
    unary("squared", FLOATS + SIGNED + COMPLEX, squared, "{0} ** 2"),
    unary("cubed", FLOATS + SIGNED, lambda a, b: (a**3, b**3), "{0} ** 3", weight=0.4),
    unary("sign", FLOATS + SIGNED, within(-1, 1), "jnp.sign({0})", weight=0.5),
    unary("exp", FLOATS + COMPLEX, monotone(math.exp), "jnp.exp({0})", needs=_EXP, weight=1.5),
    unary("exp2", FLOATS, monotone(lambda v: 2.0**v), "jnp.exp2({0})", needs=_EXP, weight=0.4),
    unary("expm1", FLOATS, monotone(math.expm1), "jnp.expm1({0})", needs=_EXP, weight=0.6),
    unary("log", FLOATS, monotone(math.log), "jnp.log({0})", needs=POSITIVE, weight=1.5),
    unary("log1p", FLOATS, monotone(math.log1p), "jnp.log1p({0})", needs=(0.0, math.inf)),
    unary("log2", FLOATS, monotone(math.log2), "jnp.log2({0})", needs=POSITIVE, weight=0.4),
    unary("sqrt", FLOATS, monotone(math.sqrt), "jnp.sqrt({0})", needs=POSITIVE, weight=1.5),
    unary("rsqrt", FLOATS, lambda a, b: (b**-0.5, a**-0.5), "lax.rsqrt({0})", needs=POSITIVE),
    unary("cbrt", FLOATS, odd, "jnp.cbrt({0})", needs=POSITIVE, weight=0.4),
    unary("reciprocal", FLOATS, lambda a, b: (1 / b, 1 / a), "jnp.reciprocal({0})", needs=POSITIVE),
    unary("tanh", FLOATS, within(-1, 1), "jnp.tanh({0})", weight=2.0),
    unary("sinh", FLOATS, monotone(math.sinh), "jnp.sinh({0})", needs=(-8, 8), weight=0.4),
    unary("cosh", FLOATS, lambda a, b: (1.0, math.cosh(widest(a, b))), "jnp.cosh({0})",
          needs=(-8, 8), weight=0.4),
    unary("sin", FLOATS, within(-1, 1), "jnp.sin({0})", weight=1.5),
    unary("cos", FLOATS, within(-1, 1), "jnp.cos({0})", weight=1.5),
    unary("tan", FLOATS, within(-6, 6), "jnp.tan({0})", needs=(-1.4, 1.4), weight=0.4),
    unary("arcsin", FLOATS, within(-1.6, 1.6), "jnp.arcsin({0})", needs=UNIT, weight=0.4),
    unary("arccos", FLOATS, within(0, 3.2), "jnp.arccos({0})", needs=UNIT, weight=0.4),
    unary("arctan", FLOATS, within(-1.6, 1.6), "jnp.arctan({0})", weight=0.6),
    unary("arcsinh", FLOATS, odd, "jnp.arcsinh({0})", weight=0.4),
    unary("arccosh", FLOATS, lambda a, b: (0.0, b), "jnp.arccosh({0})", needs=(1.01, math.inf),
          weight=0.3),
    unary("arctanh", FLOATS, within(-3, 3), "jnp.arctanh({0})", needs=UNIT, weight=0.4),
    unary("erf", FLOATS, within(-1, 1), "lax.erf({0})", "jax.scipy.special.erf({0})"),
    unary("erfc", FLOATS, within(0, 2), "lax.erfc({0})", "jax.scipy.special.erfc({0})",
          weight=0.4),
    unary("lgamma", FLOATS, lambda a, b: (-1.0, max(7.0, b * math.log(b + 2))), "lax.lgamma({0})",
          needs=(0.05, math.inf), weight=0.3),
    unary("digamma", FLOATS, lambda a, b: (-21.0, b), "lax.digamma({0})", needs=(0.05, math.inf),
          weight=0.3),
    unary("floor", FLOATS, lambda a, b: (a - 1, b), "jnp.floor({0})", weight=0.6),
    unary("ceil", FLOATS, lambda a, b: (a, b + 1), "jnp.ceil({0})", weight=0.4),
    unary("round", FLOATS, lambda a, b: (a - 1, b + 1), "jnp.round({0})", weight=0.5),
    unary("trunc", FLOATS, same, "jnp.trunc({0})", weight=0.3),
    unary("isfinite", FLOATS, within(0, 1), "jnp.isfinite({0})", result="bool", weight=0.3),
    unary("invert", INTEGERS, within(-math.inf, math.inf), "~{0}", "jnp.bitwise_not({0})"),
    unary("logical_not", BOOL, within(0, 1), "~{0}", "jnp.logical_not({0})"),
    unary("population_count", INTEGERS, within(0, 32), "lax.population_count({0})", weight=0.4),
    unary("clz", INTEGERS, within(0, 32), "lax.clz({0})", weight=0.3),
)  # fmt: skip

_CALM: Bounds = (-30.0, 30.0)

ACTIVATIONS = (
    unary("relu", FLOATS, lambda a, b: (0.0, max(b, 0.0)), "jax.nn.relu({0})",
          group="activation", weight=2.0),
    unary("relu6", FLOATS, within(0, 6), "jax.nn.relu6({0})", group="activation", weight=0.5),
    unary("gelu", FLOATS, lambda a, b: (-0.2, max(b, 0.0)), "jax.nn.gelu({0})",
          group="activation", weight=1.5),
    unary("silu", FLOATS, lambda a, b: (-0.3, max(b, 0.0)), "jax.nn.silu({0})",
          "jax.nn.swish({0})", group="activation", weight=1.5),
    unary("sigmoid", FLOATS, within(0, 1), "jax.nn.sigmoid({0})", group="activation",
          weight=2.0),
    unary("softplus", FLOATS, lambda a, b: (1e-3, max(b, 0.0) + 0.7), "jax.nn.softplus({0})",
          needs=(-6.0, math.inf), group="activation"),
    unary("soft_sign", FLOATS, within(-1, 1), "jax.nn.soft_sign({0})", group="activation",
          weight=0.5),
    unary("elu", FLOATS, lambda a, b: (-1.0, max(b, 0.0)), "jax.nn.elu({0})",
          needs=_CALM, group="activation"),
    unary("selu", FLOATS, lambda a, b: (-2.0, 1.06 * max(b, 0.0)), "jax.nn.selu({0})",
          needs=_CALM, group="activation"),
    unary("celu", FLOATS, lambda a, b: (-1.0, max(b, 0.0)), "jax.nn.celu({0})", weight=0.4,
          needs=_CALM, group="activation"),
    unary("leaky_relu", FLOATS, odd, "jax.nn.leaky_relu({0})", group="activation"),
    unary("log_sigmoid", FLOATS, lambda a, b: (min(a, 0) - 0.7, 0.0), "jax.nn.log_sigmoid({0})",
          group="activation", weight=0.6),
    unary("hard_tanh", FLOATS, within(-1, 1), "jax.nn.hard_tanh({0})", group="activation",
          weight=0.4),
    unary("hard_sigmoid", FLOATS, within(0, 1), "jax.nn.hard_sigmoid({0})", group="activation",
          weight=0.4),
    unary("mish", FLOATS, lambda a, b: (-0.4, max(b, 0.0)), "jax.nn.mish({0})", weight=0.5,
          needs=_CALM, group="activation"),
    unary("squareplus", FLOATS, lambda a, b: (0.0, max(b, 0.0) + 1.0), "jax.nn.squareplus({0})",
          weight=0.3, needs=(-100.0, 100.0), group="activation"),
)  # fmt: skip


OPS = (*UNARY, *ACTIVATIONS)
