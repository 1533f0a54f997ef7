"""Tensors, nonnegative factors and sparse matrices."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={
        "tensor": "f[i, j, k]: data",
        "factors": {"a": "matrix f[i, r]", "b": "matrix f[j, r]", "c": "matrix f[k, r]"},
    },
    gives=({"a": "matrix f[i, r]", "b": "matrix f[j, r]", "c": "matrix f[k, r]"}, "loss f[]"),
    sizes={"i": (2, 16), "j": (2, 16), "k": (2, 16), "r": (1, 5)},
    dtypes="f32 f64",
    also=("Refit the factors of a CP decomposition, one mode after the other.",),
)
def cp_als_sweep(tensor, factors, ridge=number(0.05, 0.5), num_sweeps=integer(1, 3)):
    """Alternate least squares over the three modes of a CP decomposition."""
    rank = factors["a"].shape[1]
    if any(f.shape[1] != rank for f in factors.values()):
        raise ValueError(f"factors differ in rank: {[f.shape for f in factors.values()]}")
    modes = {"a": "ijk,jr,kr->ir", "b": "ijk,ir,kr->jr", "c": "ijk,ir,jr->kr"}
    factors = dict(factors)
    for _ in range(num_sweeps):
        for name, subscripts in modes.items():
            first, second = (f for other, f in factors.items() if other != name)
            # Products of matching columns of the two other factors.
            mttkrp = jnp.einsum(subscripts, tensor, first, second)
            gram = (first.T @ first) * (second.T @ second)
            if maybe("relative ridge", 0.4):
                gram = gram + ridge * (1 + jnp.trace(gram) / rank) * jnp.eye(rank, dtype=gram.dtype)
            else:
                gram = gram + ridge * jnp.eye(rank, dtype=tensor.dtype)
            if maybe("cholesky"):
                triangle = jax.scipy.linalg.cho_factor(gram)
                factors[name] = jax.scipy.linalg.cho_solve(triangle, mttkrp.T).T
            else:
                factors[name] = jnp.linalg.solve(gram, mttkrp.T).T
            if maybe("balance", 0.3):
                factors[name] = jnp.clip(factors[name], -10, 10)
    model = jnp.einsum("ir,jr,kr->ijk", *factors.values())
    return factors, one_of(jnp.mean((tensor - model) ** 2), jnp.mean(jnp.abs(tensor - model)))


def _leading_basis(tensor, mode, rank):
    """Leading left singular vectors of an unfolding."""
    unfolded = jnp.moveaxis(tensor, mode, 0).reshape(tensor.shape[mode], -1)
    if maybe("gram"):
        _, vectors = jnp.linalg.eigh(unfolded @ unfolded.T)
        return vectors[:, ::-1][:, :rank]
    else:
        u, _, _ = jnp.linalg.svd(unfolded, full_matrices=False)
        return u[:, :rank]


@sketch(
    takes={"tensor": "f[i, j, k]"},
    gives="f[i, j, k]: compressed",
    sizes={"i": (4, 12), "j": (4, 12), "k": (4, 12)},
    dtypes="f32 f64",
)
def tucker_compression(tensor, rank=integer(1, 3), sequential=one_of(True, False)):
    """Truncate each mode of a tensor by its higher-order singular vectors."""
    core = tensor
    bases = []
    for mode in range(tensor.ndim):
        basis = _leading_basis(core if sequential else tensor, mode, min(rank, tensor.shape[mode]))
        bases.append(basis)
        core = jnp.moveaxis(jnp.tensordot(basis.T, core, axes=(1, mode)), 0, mode)
    if maybe("einsum"):
        return jnp.einsum("abc,ia,jb,kc->ijk", core, *bases)
    for mode, basis in enumerate(bases):
        core = jnp.moveaxis(jnp.tensordot(basis, core, axes=(1, mode)), 0, mode)
    return core


@sketch(
    takes={"x": "matrix f[m, n]", "w": "matrix f[m, r]", "h": "matrix f[r, n]"},
    gives=("matrix f[m, r]: basis", "matrix f[r, n]: activations"),
    sizes={"m": (4, 64), "n": (4, 64), "r": (2, 6)},
    dtypes="f32 bf16 f64",
    also=("Update nonnegative factors multiplicatively.",),
)
def nonnegative_factors(x, w, h, num_iters=integer(2, 12), eps=number(1e-3, 1e-1)):
    """Factor a nonnegative matrix into nonnegative parts by multiplicative updates."""
    # Only magnitudes make sense here.
    x, w, h = one_of(
        (jnp.abs(x), jnp.abs(w), jnp.abs(h)),
        (jnp.square(x), jax.nn.softplus(w), jax.nn.softplus(h)),
        jax.tree.map(jax.nn.softplus, (x, w, h)),
    )

    def update(_, factors):
        w, h = factors
        if maybe("divergence", 0.4):
            ratio = x / (w @ h + eps)
            h = h * (w.T @ ratio) / (jnp.sum(w, axis=0)[:, None] + eps)
            ratio = x / (w @ h + eps)
            w = w * (ratio @ h.T) / (jnp.sum(h, axis=1)[None, :] + eps)
        else:
            h = h * (w.T @ x) / (w.T @ w @ h + eps)
            w = w * (x @ h.T) / (w @ (h @ h.T) + eps)
        return w, h

    if maybe("loop"):
        for i in range(num_iters):
            w, h = update(i, (w, h))
    else:
        w, h = jax.lax.fori_loop(0, num_iters, update, (w, h))
    # Move the size of the columns over to the other factor.
    scale = one_of(jnp.sum(w, axis=0), jnp.max(w, axis=0)) + eps
    return w / scale, h * scale[:, None]


@sketch(
    takes={"observed": "matrix f[m, n]", "mask": "mask bool[m, n]"},
    gives="matrix f[m, n]: completed",
    sizes={"m": (4, 32), "n": (4, 32)},
    dtypes="f32 f64",
    also=("Fill the gaps of a matrix that is nearly of low rank.",),
)
def soft_impute(observed, mask, threshold=number(0.5, 3.0), num_iters=integer(2, 6)):
    """Complete a matrix by shrinking the singular values of what is filled in."""
    if observed.shape != mask.shape:
        raise ValueError(f"mask {mask.shape} does not fit the data {observed.shape}")
    if maybe("column means"):
        known = jnp.sum(mask, axis=0)
        means = jnp.sum(jnp.where(mask, observed, 0), axis=0) / jnp.maximum(known, 1)
        completed = jnp.where(mask, observed, means[None, :])
    else:
        completed = jnp.where(mask, observed, 0)
    for _ in range(num_iters):
        u, s, vt = jnp.linalg.svd(completed, full_matrices=False)
        shrunk = one_of(jnp.maximum(s - threshold, 0), jax.nn.relu(s - threshold))
        low_rank = one_of(u * shrunk @ vt, (u * shrunk) @ vt)
        completed = jnp.where(mask, observed, low_rank)
    return one_of(completed, low_rank)


@sketch(
    takes={
        "data": "f[e]: nonzero entries",
        "rows": "i[e]: row of each entry",
        "cols": "i[e]: column of each entry",
        "x": "matrix f[n, d]: dense matrix",
    },
    gives="matrix f[r, d]: product",
    sizes={"e": (8, 1024), "n": (4, 64), "d": (2, 64), "r": (4, 64)},
    dtypes="f32 bf16 f64",
    also=("Multiply a matrix in coordinate format with a dense one.",),
)
def coo_times_dense(data, rows, cols, x, num_rows=size("r"), normalize=one_of("row", "none")):
    """Gather, scale and scatter the entries of a sparse matrix against a dense one."""
    if not data.shape == rows.shape == cols.shape:
        raise ValueError(
            f"{data.shape[0]} entries with {rows.shape[0]} rows, {cols.shape[0]} columns"
        )
    gathered = one_of(x[cols], jnp.take(x, cols, axis=0))
    messages = data[:, None] * gathered
    if maybe("scatter", 0.4):
        out = jnp.zeros((num_rows, x.shape[1]), x.dtype).at[rows].add(messages)
    else:
        out = jax.ops.segment_sum(messages, rows, num_segments=num_rows)
    if normalize == "row":
        # Empty rows stay zero.
        sizes = jax.ops.segment_sum(jnp.abs(data), rows, num_segments=num_rows)
        out = out / (one_of(1 + sizes, jnp.maximum(sizes, 1)))[:, None]
    elif normalize != "none":
        raise ValueError(f"normalize is row or none, not {normalize}")
    return out


@sketch(
    takes={
        "cores": ("j", "f[r, k, r]: transfer matrices"),
        "labels": "i[b, j]: index of each site",
    },
    gives="log_probabilities f[b]",
    sizes={"r": (2, 8), "k": (4, 6), "j": (2, 6), "b": (2, 64)},
    also=("Contract a matrix product state for a batch of configurations.",),
)
def tensor_train_amplitudes(cores, labels):
    """Evaluate a tensor train at given indices, in logarithms of squared amplitudes."""
    if labels.shape[1] != len(cores):
        raise ValueError(f"{len(cores)} sites but {labels.shape[1]} labels each")
    num_configs, bond = labels.shape[0], cores[0].shape[0]
    left = jnp.ones((num_configs, bond), cores[0].dtype) / bond**0.5
    log_norm = jnp.zeros(num_configs, cores[0].dtype)
    for site, core in enumerate(cores):
        picked = one_of(
            jnp.moveaxis(core, 1, 0)[labels[:, site]],
            jnp.take(core, labels[:, site], axis=1).transpose(1, 0, 2),
        )
        left = one_of(
            jnp.einsum("bi,bij->bj", left, picked), jnp.matmul(left[:, None, :], picked)[:, 0]
        )
        # Rescale at each site so that long chains do not overflow.
        size_of_left = jnp.sqrt(jnp.sum(left**2, axis=1) + 1e-6)
        left = left / size_of_left[:, None]
        log_norm = log_norm + jnp.log(size_of_left)
    amplitude = one_of(jnp.sum(left, axis=1), left[:, 0])
    log_squared = jnp.log(jnp.abs(amplitude) ** 2 + 1e-3) + 2 * log_norm
    if maybe("normalized", 0.7):
        return jax.nn.log_softmax(log_squared)
    return jnp.clip(log_squared - jnp.max(log_squared), -50, 0)


@sketch(
    takes={
        "x": "features f[b, m]",
        "y": "features f[b, n]",
        "weights": "f[m, n, d]",
        "bias?": "f[d]",
    },
    gives="features f[b, d]: fused",
    sizes={"m": (2, 24), "n": (2, 24), "d": (2, 24)},
    dtypes="f32 bf16",
)
def bilinear_pooling(x, y, weights, bias=None, skip=one_of(True, False)):
    """Fuse two feature vectors by a bilinear form for each output."""
    batch, m = x.shape
    if y.shape[0] != batch or weights.shape[:2] != (m, y.shape[1]):
        raise ValueError(f"cannot pool {x.shape} and {y.shape} with weights {weights.shape}")
    if maybe("outer product"):
        outer = jnp.einsum("bm,bn->bmn", x, y).reshape(batch, -1)
        if maybe("signed root"):
            # Signed square root tames the bursts of products.
            outer = jnp.sign(outer) * jnp.sqrt(jnp.abs(outer) + 1e-4)
        fused = outer @ weights.reshape(-1, weights.shape[2])
    else:
        fused = one_of(
            jnp.einsum("bm,mnd,bn->bd", x, weights, y),
            jnp.einsum("bnd,bn->bd", jnp.tensordot(x, weights, axes=1), y),
        )
    fused = fused / one_of(m, (m * y.shape[1]) ** 0.5)
    if bias is not None:
        fused = fused + bias
    if skip and fused.shape == x.shape:
        fused = fused + x
    return fused
