"""Functions whose checks become a value beside their result."""

import jax.numpy as jnp
from jax.experimental import checkify

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

checked_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")


@sketch(
    takes={"x": "f[n]: measurements"},
    gives="f[n]: roots",
    sizes={"n": (2, 128)},
    also=("Functional check of a range.",),
    fills=False,
)
def checked_square_root(x, low=number(-10.0, -5.0)):
    """Check that measurements lie in a range before their roots are taken."""

    def root(v):
        smallest = jnp.min(v)
        if maybe("message with value"):
            checkify.check(smallest > low, "smallest measurement is {v}", v=smallest)
        else:
            checkify.check(jnp.all(v > low), "measurements are too small")
        shifted = v - smallest + one_of(0.1, 1.0)
        if maybe("log instead", 0.3):
            return jnp.log(shifted)
        return jnp.sqrt(shifted)

    _, roots = checkify.checkify(root)(x)
    return roots


@sketch(
    takes={"params": "P", "x": "features f[b, d]"},
    gives=("f[b, c]: outputs", "bool[]: failed"),
    sizes={"b": (2, 16), "d": (2, 24), "c": (2, 12)},
    also=("Forward pass that says whether it went wrong.",),
    fills=False,
)
def nan_checked_forward(params, x):
    """Run a model with checks of every number and say whether one failed."""
    kinds = one_of(checkify.float_checks, checkify.nan_checks)

    def forward(p, batch):
        outputs = checked_model(p, batch)
        if maybe("bounded outputs"):
            checkify.check(jnp.max(jnp.abs(outputs)) < 1e6, "outputs explode")
        return jnp.tanh(outputs)

    _, outputs = checkify.checkify(forward, errors=kinds | checkify.user_checks)(params, x)
    failed = jnp.logical_not(jnp.all(jnp.isfinite(outputs)))
    if maybe("raise later", 0.4):
        return jnp.where(failed, 0.0, outputs), failed
    return outputs, failed


@sketch(
    takes={"table": "f[v, d]: rows", "ids": "i[n]: indices"},
    gives="f[n, d]: rows",
    sizes={"v": (4, 32), "d": (2, 32), "n": (2, 32)},
    also=("Gather that does not clamp silently.",),
    fills=False,
)
def bounds_checked_lookup(table, ids):
    """Look rows up with a check that no index is out of bounds."""
    count = table.shape[0]

    def look_up(rows, indices):
        if maybe("own check"):
            checkify.check(jnp.all(indices < count), "index {i} is too high", i=jnp.max(indices))
        found = rows[indices]
        if maybe("neighbors too", 0.35):
            found = (found + rows[(indices + 1) % count]) / 2
        return found

    errors = one_of(checkify.index_checks, checkify.all_checks)
    _, found = checkify.checkify(look_up, errors=errors | checkify.user_checks)(table, ids)
    if maybe("scaled lookup"):
        found = found * table.shape[1] ** one_of(0.5, -0.5)
    return found
