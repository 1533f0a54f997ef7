"""A module as a person writes it."""

from __future__ import annotations

LAYERS = '''\
"""My layers."""

import jax
import jax.numpy as jnp

from jax_ir_pairs import example_inputs

SCALE = 2.0


def _norm(x):
    return x / jnp.linalg.norm(x)


@example_inputs("f32[8,16]", {"w": "f32[16,4]", "b": "f32[4]"})
@example_inputs("f32[2,16]", {"w": "f32[16,4]", "b": "f32[4]"})
def layer(x, params):
    """Dense."""
    return _norm(x) @ params["w"] + params["b"] * SCALE


# Two of them.
@example_inputs(
    "f32[8,4]",
    {"w": "f32[4,4]", "b": "f32[4]"},
)
@jax.jit
def model(x, params):
    return layer(layer(x, params), params)


@example_inputs("f32[3,4]", "f32[3,4]")
def bad(x, y):
    return x @ y


@example_inputs("f32[3]", "f32[3]", "f32[3]")
def add(x, *rest):
    return x + sum(rest)
'''
