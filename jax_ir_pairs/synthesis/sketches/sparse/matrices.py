"""Sparse matrices in their formats: solves, products, blocks, slices."""

import jax
import jax.numpy as jnp
from jax.experimental import sparse
from jax.experimental.sparse.linalg import spsolve

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"off": "f[n]: couplings", "b": "f[n]: right side"},
    gives=("vector f[n]", "f[]: residual"),
    sizes={"n": (4, 24)},
    also=("Direct solve of a chain of couplings.",),
    fills=False,
    weight=1.5,
)
def sparse_direct_solve(off, b, shift=number(0.5, 3.0)):
    """Solve a diagonally dominant system with a sparse direct solver."""
    n = b.shape[0]
    strength = one_of(jnp.abs(off), jax.nn.softplus(off))
    matrix = jnp.diag(2 * strength + shift) - jnp.diag(strength[1:], 1) * 0.9
    matrix = matrix - jnp.diag(strength[1:], -1) * 0.9
    diagonal = jnp.sum(jnp.abs(matrix), axis=1) + 0.1
    matrix = matrix + jnp.diag(diagonal)
    if maybe("periodic ends", 0.4):
        matrix = matrix.at[0, -1].add(-0.1)
        matrix = matrix.at[-1, 0].add(-0.1)
    a = sparse.BCSR.fromdense(matrix, nse=3 * n)
    x = spsolve(a.data, a.indices, a.indptr, b)
    residual = b - a @ x
    if maybe("refine once", 0.5):
        x = x + spsolve(a.data, a.indices, a.indptr, residual)
        residual = b - a @ x
    return x, jnp.max(jnp.abs(residual))


@sketch(
    takes={"x": "f[n, n]: factors", "b": "f[n]: right side"},
    gives="vector f[n]",
    sizes={"n": (4, 16)},
    also=("Conjugate gradients with a sparse matrix.",),
    fills=False,
    weight=1.5,
)
def sparse_conjugate_gradients(x, b, threshold=one_of(0.5, 1.0), num_steps=integer(3, 8)):
    """Solve a system by conjugate gradients on a matrix in compressed format."""
    n = b.shape[0]
    kept = jnp.where(jnp.abs(x) > threshold, x, 0.0)
    system = kept @ kept.T / n + jnp.eye(n)
    if maybe("by coordinates"):
        a = sparse.COO.fromdense(system, nse=n * n)
    elif maybe("by columns", 0.3):
        a = sparse.CSC.fromdense(system, nse=n * n)
    else:
        a = sparse.CSR.fromdense(system, nse=n * n)
    solution = jnp.zeros_like(b)
    r = p = b
    for _ in range(num_steps):
        ap = a @ p
        step = (r @ r) / (p @ ap + 1e-6)
        solution = solution + step * p
        new_r = r - step * ap
        p = new_r + (new_r @ new_r) / (r @ r + 1e-6) * p
        r = new_r
    if maybe("final descent", 0.3):
        # Go down once more along the true residual.
        r = b - a @ solution
        return solution + (r @ r) / (r @ (a @ r) + 1e-6) * r
    return solution


@sketch(
    takes={"x": "f[n, d]: matrix", "v": "f[d, k]: block of vectors", "u": "f[d]: vector"},
    gives=("f[n, k]: products", "f[n]: product"),
    sizes={"n": (4, 24), "d": (4, 24), "k": (2, 8)},
    also=("Products with a matrix in one of the older formats.",),
    fills=False,
    weight=2.5,
)
def classic_format_products(x, v, u, threshold=one_of(0.3, 0.8)):
    """Multiply a vector and a block of vectors by a matrix whose small entries are not stored."""
    kept = jnp.where(jnp.abs(x) > threshold, x, 0.0)
    stored = one_of(x.size, x.shape[0] * x.shape[1])
    if maybe("coordinate format"):
        matrix = sparse.COO.fromdense(kept, nse=stored)
    elif maybe("column format", 0.3):
        matrix = sparse.CSC.fromdense(kept, nse=stored)
    else:
        matrix = sparse.CSR.fromdense(kept, nse=stored)
    product = matrix @ u
    if maybe("bounded product", 0.3):
        # Bring each entry of the product to between -1 and 1.
        product = product / (1 + jnp.abs(product))
    block = matrix @ v
    if maybe("small entries", 0.4):
        # Half of what the small entries add comes on top.
        block = block + 0.5 * (x - matrix.todense()) @ v
    return block, product


@sketch(
    takes={"a": "f[n, k]: left", "b": "f[k, m]: right"},
    gives="matrix f[n, m]",
    sizes={"n": (2, 12), "k": (2, 12), "m": (2, 12)},
    also=("Sparse times sparse.",),
    fills=False,
    weight=1.5,
)
def sparse_sparse_product(a, b, threshold=one_of(0.5, 1.0)):
    """Multiply two sparse matrices, and make only their product dense."""
    left = sparse.BCOO.fromdense(jnp.where(jnp.abs(a) > threshold, a, 0.0), nse=a.size)
    right = one_of(jnp.maximum(b, 0.0), jnp.where(jnp.abs(b) > threshold, b, 0.0))
    right = sparse.BCOO.fromdense(right, nse=b.size)
    product = left @ right
    if maybe("merge duplicates"):
        product = product.sum_duplicates(nse=a.shape[0] * b.shape[1])
    if maybe("bounded entries", 0.25):
        # The largest entry scales all of them.
        dense = product.todense()
        return dense / (1 + jnp.max(jnp.abs(dense)))
    return one_of(product.todense(), sparse.todense(product), sparse.bcoo_todense(product))


@sketch(
    takes={"blocks": "f[p, k, k]: dense blocks", "places": "i[p, 2]: of the blocks"},
    gives="f[q*k]: product",
    sizes={"p": (2, 8), "k": (2, 6), "q": (4, 6)},
    also=("Product of a block-sparse matrix and a vector of ones.",),
    fills=False,
    weight=1.4,
)
def block_sparse_row_sums(blocks, places, grid=size("q")):
    """Assemble a matrix of dense blocks and sum its rows."""
    _, k, _ = blocks.shape
    matrix = sparse.BCOO((blocks, places), shape=(grid, grid, k, k))
    if maybe("merge same places"):
        matrix = matrix.sum_duplicates(nse=blocks.shape[0])
    dense = matrix.todense()
    if maybe("scale by block", 0.3):
        dense = dense / (1 + jnp.max(jnp.abs(dense), axis=(2, 3), keepdims=True))
    dense = one_of(dense.swapaxes(1, 2), dense.transpose(0, 2, 1, 3))
    dense = dense.reshape(grid * k, grid * k)
    if maybe("symmetrize blocks", 0.4):
        dense = (dense + dense.T) / 2
    return one_of(jnp.sum(dense, axis=1), dense @ jnp.ones(grid * k))


@sketch(
    takes={"x": "f[n, d]: matrix", "v": "f[d]: vector"},
    gives="f[d]: column_sums",
    sizes={"n": (4, 16), "d": (4, 16)},
    also=("Slices and sums without going dense.",),
    fills=False,
    weight=1.5,
)
def sparse_slices(x, v, start=one_of(0, 1, 2)):
    """Cut rows out of a sparse matrix and sum them by columns."""
    n, d = x.shape
    matrix = sparse.BCOO.fromdense(jnp.where(x > 0, x, 0.0), nse=n * d)
    if maybe("static slice"):
        part = sparse.bcoo_slice(matrix, start_indices=(start, 0), limit_indices=(n, d))
    elif maybe("dynamic slice"):
        part = sparse.bcoo_dynamic_slice(matrix, (start, 0), (n // 2, d))
    else:
        part = matrix[: n // 2]
    if maybe("reversed columns", 0.4):
        part = sparse.bcoo_rev(part, dimensions=(1,))
    sums = sparse.bcoo_reduce_sum(part, axes=(0,)).todense()
    if maybe("weighted sums"):
        # The vector has a weight for each column.
        return sums * one_of(v, jnp.abs(v), jax.nn.softplus(v))
    if maybe("offset"):
        # The sums go on from what the vector holds.
        return sums + one_of(v, 0.1 * v)
    return sums


@sketch(
    takes={"key": "key", "x": "f[n, d]: points"},
    gives="features f[n, k]",
    sizes={"n": (2, 24), "d": (4, 24), "k": (2, 12)},
    also=("Random projection with few nonzero elements.",),
    fills=False,
    weight=1.5,
)
def sparse_random_projection(key, x, components=size("k"), density=one_of(4, 8, 12)):
    """Project points with a sparse random matrix."""
    d = x.shape[1]
    stored = min(density, d * components // 2)
    projection = sparse.random_bcoo(key, (components, d), nse=stored, dtype=x.dtype)
    if maybe("signs only"):
        signs = jnp.where(projection.data > 0.5, 1.0, -1.0)
        projection = sparse.BCOO((signs, projection.indices), shape=projection.shape)
    if maybe("points on the left"):
        features = x @ projection.T
    else:
        features = (projection @ x.T).T
    if maybe("keep lengths"):
        features = features * (d / stored) ** 0.5
    return features


@sketch(
    takes={"x": "f[n, d]: matrix", "y": "f[n, d]: other matrix"},
    gives="f[n*d]: values",
    sizes={"n": (2, 16), "d": (2, 16)},
    also=("Values of one matrix in the pattern of another.",),
    fills=False,
    weight=2.0,
)
def extract_pattern(x, y, threshold=one_of(0.5, 1.0)):
    """Read the values of a dense matrix at the places that another one stores."""
    n, d = x.shape
    pattern = sparse.BCSR.fromdense(jnp.where(jnp.abs(x) > threshold, x, 0.0), nse=n * d)
    values = sparse.bcsr_extract(pattern.indices, pattern.indptr, one_of(y, jnp.tanh(y)))
    if maybe("relative to own"):
        values = values - pattern.data
    if maybe("dense check", 0.4):
        values = values * (1 + jnp.mean(jnp.abs(pattern.todense())))
    return values


@sketch(
    takes={"x": "f[n, d]: matrix", "w": "f[b, d, k]: weights of each sample"},
    gives="f[b, n, k]: outputs",
    sizes={"n": (2, 12), "d": (2, 12), "b": (2, 4), "k": (1, 6)},
    also=("One sparse matrix for each sample of a batch.",),
    fills=False,
)
def broadcast_sparse_matrix(x, w):
    """Give a sparse matrix a batch axis and multiply a batch by it."""
    n, d = x.shape
    matrix = sparse.BCOO.fromdense(x, nse=n * d)
    if maybe("reshape and sum", 0.3):
        flat = matrix.reshape((d, n)).T
        matrix = flat + matrix
    batched = sparse.bcoo_broadcast_in_dim(
        matrix, shape=(w.shape[0], n, d), broadcast_dimensions=(1, 2)
    )
    dense = batched.todense()
    outputs = one_of(dense @ w, jnp.einsum("bnd,bdk->bnk", dense, w))
    if maybe("against shared", 0.4):
        outputs = outputs - matrix @ jnp.mean(w, axis=0)
    return outputs
