"""Functions with rules of their own for batches and for partitions."""

import jax
import jax.numpy as jnp
from jax.experimental.custom_partitioning import custom_partitioning

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@jax.custom_batching.custom_vmap
def _solve_system(a, b):
    return jnp.linalg.solve(a, b)


@_solve_system.def_vmap
def _solve_systems(axis_size, in_batched, a, b):
    a_batched, b_batched = in_batched
    if not a_batched and b_batched:
        # One factorization serves all right sides.
        return jnp.linalg.solve(a, b.T).T, True
    if not b_batched:
        b = jnp.broadcast_to(b, (axis_size, *b.shape))
    return jnp.linalg.solve(a, b[..., None])[..., 0], True


@sketch(
    takes={"a": "f[n, n]: matrix", "b": "f[k, n]: right sides"},
    gives="f[k, n]: solutions",
    sizes={"n": (2, 16), "k": (2, 16)},
    also=("Rule for a batch of right sides that share their matrix.",),
    fills=False,
)
def shared_solve_rule(a, b, damping=number(0.5, 3.0)):
    """Solve with one matrix for many right sides, batched by a rule of its own."""
    n = a.shape[0]
    system = one_of(a @ a.T / n + damping * jnp.eye(n), jnp.tanh(a) / n + 2 * jnp.eye(n))
    if maybe("scaled systems", 0.3):
        scales = 1.0 + jnp.mean(b**2, axis=1)
        return jax.vmap(lambda s, right: _solve_system(s * system, right))(scales, b)
    solutions = jax.vmap(_solve_system, in_axes=(None, 0))(system, b)
    if maybe("residuals too", 0.4):
        return solutions - (b - solutions @ system.T)
    return solutions


@jax.custom_batching.custom_vmap
def _pick_row(table, index):
    return table[index]


@_pick_row.def_vmap
def _pick_rows(axis_size, in_batched, table, index):
    table_batched, index_batched = in_batched
    if table_batched:
        index = index if index_batched else jnp.full((axis_size,), index)
        return jnp.take_along_axis(table, index[:, None, None], axis=1)[:, 0], True
    if maybe("one hot product"):
        # A product is faster than a gather where the table is small.
        hot = jax.nn.one_hot(index, table.shape[0], dtype=table.dtype)
        return hot @ table, True
    return jnp.take(table, index, axis=0), True


@sketch(
    takes={"table": "f[v, d]: rows", "ids": "i[n]: indices", "x": "f[n, d]: queries"},
    gives="f[n]: similarities",
    sizes={"v": (4, 32), "d": (2, 32), "n": (2, 32)},
    also=("Lookup that becomes a product where it is batched.",),
    fills=False,
)
def lookup_rule(table, ids, x):
    """Compare queries with rows that are looked up by a rule for whole batches."""

    def similarity(index, query):
        row = _pick_row(table, index)
        if maybe("cosine"):
            norms = jnp.sqrt(jnp.sum(row**2) * jnp.sum(query**2) + 1e-6)
            return jnp.dot(row, query) / norms
        return one_of(-jnp.sum((row - query) ** 2), jnp.dot(row, query))

    found = jax.vmap(similarity)(ids, x)
    if maybe("soft ranks", 0.3):
        return jax.nn.softmax(found)
    return found


@jax.custom_batching.sequential_vmap
def _smooth_path(path):
    total = jnp.cumsum(path, axis=0)
    count = jnp.arange(1, path.shape[0] + 1)[:, None]
    if maybe("restart by trend"):
        return path - total / count
    return total / count


@sketch(
    takes={"paths": "f[b, t, d]: paths"},
    gives="f[b, t, d]: smoothed",
    sizes={"b": (2, 8), "t": (4, 32), "d": (1, 8)},
    also=("Mapping that never holds more than one example.",),
    fills=False,
)
def sequential_smoothing(paths):
    """Map over a batch one example after the other, to save memory."""
    smoothed = jax.vmap(_smooth_path)(paths)
    if maybe("blend", 0.5):
        smoothed = 0.5 * (paths + smoothed)
    if maybe("standardize paths", 0.4):
        spread = jnp.std(smoothed, axis=1, keepdims=True)
        smoothed = smoothed / (spread + one_of(0.1, 1.0))
    return smoothed


def _row_function(x):
    if maybe("log softmax rows", 0.35):
        return jax.nn.log_softmax(x, axis=-1)
    if maybe("normalized rows"):
        return x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-3)
    return one_of(jnp.cumsum(x, axis=-1), jax.nn.softmax(x, axis=-1), jnp.sort(x, axis=-1))


@custom_partitioning
def _split_by_rows(x):
    return _row_function(x)


_split_by_rows.def_partition(
    infer_sharding_from_operands=lambda mesh, args, out: args[0].sharding,
    partition=lambda mesh, args, out: (
        mesh,
        _row_function,
        out.sharding,
        tuple(arg.sharding for arg in args),
    ),
    sharding_rule="i j -> i j",
)


@sketch(
    takes={"x": "f[n, d]: rows", "w": "f[d, h]: weights"},
    gives="f[n, h]: outputs",
    sizes={"n": (2, 32), "d": (2, 48), "h": (2, 32)},
    also=("Row-wise step that the partitioner may only split by rows.",),
    fills=False,
    weight=2.0,
)
def partitioned_rows(x, w):
    """Tell the partitioner that a step works on each row by itself."""
    if x.shape[1] != w.shape[0]:
        raise ValueError(f"rows of {x.shape[1]} do not fit weights of {w.shape[0]}")
    if maybe("before the product"):
        y = _split_by_rows(x) @ w
    else:
        y = _split_by_rows(x @ w)
    if maybe("residual columns", 0.3):
        y = y + jnp.mean(x, axis=1, keepdims=True)
    return y
