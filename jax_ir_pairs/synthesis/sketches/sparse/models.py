"""Sparse models and their derivatives."""

import jax
import jax.numpy as jnp
from jax.experimental import sparse

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "f[n, d]: rows", "y": "f[n]: targets", "w": "f[d]: weights"},
    gives=("f[d]: weights", "loss f[]"),
    sizes={"n": (4, 24), "d": (2, 24)},
    also=("Iterative soft thresholding with sparse rows.",),
    fills=False,
    weight=1.4,
)
def sparse_lasso_steps(x, y, w, penalty=number(0.01, 0.3), num_steps=integer(2, 8)):
    """Fit a lasso on rows with few features by proximal steps."""
    n, d = x.shape
    active = jnp.where(jnp.abs(x) > one_of(0.5, 1.0), x, 0.0)
    rows = sparse.BCOO.fromdense(active, nse=one_of(n * d, n * d // 2))
    turned = rows.T
    rate = 1 / (1 + jnp.sum(active**2))

    def step(_, weights):
        residual = rows @ weights - y
        moved = weights - rate * (turned @ residual)
        return jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - rate * penalty, 0.0)

    w = jax.lax.fori_loop(0, num_steps, step, w)
    residual = rows @ w - y
    if maybe("mean loss"):
        return w, jnp.mean(residual**2)
    return w, 0.5 * jnp.sum(residual**2) + penalty * jnp.sum(jnp.abs(w))


@sketch(
    takes={"w": "f[n, d]: weights", "v": "f[d]: input", "y": "f[n]: targets"},
    gives="f[n, d]: weights",
    sizes={"n": (4, 16), "d": (4, 16)},
    also=("Training of only the weights that are stored.",),
    fills=False,
    weight=2.0,
)
def sparse_weights_step(w, v, y, rate=number(0.01, 0.3), threshold=one_of(0.5, 1.0)):
    """Take a gradient step on the stored elements of a pruned matrix."""
    n, d = w.shape
    pruned = jnp.where(jnp.abs(w) > threshold, w, 0.0)
    stored = sparse.BCOO.fromdense(pruned, nse=one_of(n * d, n * d // 2))

    def loss_of(matrix, inputs):
        error = matrix @ inputs - y
        if maybe("robust loss"):
            return jnp.mean(jnp.sqrt(error**2 + 1e-2))
        return jnp.mean(error**2)

    if maybe("value too"):
        loss, grads = sparse.value_and_grad(loss_of)(stored, v)
        scale = rate / (1 + loss)
    else:
        grads = sparse.grad(loss_of)(stored, v)
        scale = rate
    if maybe("step on data"):
        new = sparse.BCOO((stored.data - scale * grads.data, stored.indices), shape=(n, d))
    else:
        new = stored + (-scale) * grads
    return one_of(new.todense(), sparse.todense(new))


@sketch(
    takes={"data": "f[m]: values", "indices": "i[m, 2]: where", "v": "f[d]: input"},
    gives=("f[m]: gradient", "loss f[]"),
    sizes={"m": (4, 24), "d": (4, 16), "n": (4, 16)},
    also=("Factors at given places, learned by their gradient.",),
    fills=False,
)
def coordinate_values_gradient(data, indices, v, rows=size("n"), ridge=number(1e-3, 1e-1)):
    """Differentiate with respect to the values of a matrix at given places."""

    def energy(values):
        matrix = sparse.BCOO((values, indices), shape=(rows, v.shape[0]))
        if maybe("scaled matrix"):
            matrix = matrix * one_of(0.5, 2.0)
        outputs = matrix @ v
        if maybe("saturating"):
            outputs = jnp.tanh(outputs)
        return jnp.sum(outputs**2) / rows + ridge * jnp.sum(values**2)

    if maybe("descend once", 0.4):
        value, slope = jax.value_and_grad(energy)(data)
        return data - one_of(0.1, 0.01) * slope, value
    return jax.grad(energy)(data), energy(data)


@sketch(
    takes={"m": "f[n, d]: matrix", "v": "f[d]: vector"},
    gives="f[n]: outputs",
    sizes={"n": (4, 24), "d": (2, 24)},
    also=("Dense code that is made to take sparse arrays.",),
    fills=False,
    weight=1.5,
)
def sparsified_layer(m, v, nonzero_share=one_of(1, 2)):
    """Let code that was written for dense arrays run on a sparse matrix."""
    stored = sparse.BCOO.fromdense(m, nse=m.size // nonzero_share)

    @sparse.sparsify
    def layer(weights, inputs):
        outputs = weights @ inputs
        if maybe("scaled weights"):
            outputs = outputs + (2.0 * weights) @ jnp.tanh(inputs)
        if maybe("row sums", 0.4):
            outputs = outputs * jnp.sum(inputs**2) ** 0.5
        return one_of(jnp.sin(outputs), jnp.tanh(outputs), outputs)

    outputs = layer(stored, v)
    if maybe("through columns", 0.4):
        turned = sparse.sparsify(jnp.transpose)(stored)
        outputs = outputs + stored @ (turned @ outputs) / m.size
    return outputs


@sketch(
    takes={"x": "f[n, d]: rows", "w": "f[d, h]: weights"},
    gives="f[n, h]: outputs",
    sizes={"n": (4, 16), "d": (4, 24), "h": (2, 16)},
    also=("Same number of stored elements in each row.",),
    fills=False,
    weight=1.5,
)
def top_feature_layer(x, w, kept=integer(1, 3)):
    """Keep a few features of each row in a matrix that is sparse row by row."""
    limit = jax.lax.top_k(jnp.abs(x), kept)[0][:, -1:]
    sharp = jnp.where(jnp.abs(x) >= limit, x, 0.0)
    if maybe("dense columns"):
        rows = sparse.BCOO.fromdense(sharp, n_dense=1, nse=x.shape[0])
        return rows.todense() @ w
    rows = sparse.BCOO.fromdense(sharp, n_batch=1, nse=kept)
    if maybe("flat layout"):
        rows = sparse.bcoo_update_layout(rows, n_batch=0)
        return rows @ w
    if maybe("dense again", 0.3):
        return rows.todense() @ w
    return one_of(rows @ w, (rows @ w) / kept)


@sketch(
    takes={"x": "f[n, d]: matrix", "y": "f[n, d]: modulation", "u": "f[d]: vector"},
    gives="f[n]: outputs",
    sizes={"n": (4, 16), "d": (4, 16)},
    also=("Products of elements that are stored.",),
    fills=False,
    weight=2.0,
)
def masked_modulation(x, y, u, threshold=one_of(0.3, 1.0)):
    """Modulate the stored elements of a matrix before it is applied."""
    n, d = x.shape
    stored = sparse.BCOO.fromdense(jnp.where(jnp.abs(x) > threshold, x, 0.0), nse=n * d)
    if maybe("both sparse", 0.3):
        other = sparse.BCOO.fromdense(jnp.where(y > 0, y, 0.0), nse=n * d // 2)
        stored = sparse.bcoo_multiply_sparse(stored, other)
    elif maybe("extract same places"):
        stored = sparse.bcoo_extract(stored, y)
    else:
        stored = stored * one_of(y, jnp.tanh(y))
    if maybe("negated", 0.3):
        stored = -stored
    outputs = stored @ u
    if maybe("dense readout", 0.4):
        outputs = outputs + jnp.max(stored.todense(), axis=1)
    return outputs
