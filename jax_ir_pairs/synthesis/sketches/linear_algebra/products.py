"""Products, norms and small constructions of matrices."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"a": "matrix f[m, n]", "u": "vector f[m]", "v": "vector f[n]"},
    gives="matrix f[m, n]: updated",
    sizes={"m": (2, 256), "n": (2, 128)},
    dtypes="f32 bf16 f16 f64",
    also=("Correct a matrix by an outer product.",),
)
def rank_one_update(a, u, v, alpha=number(0.1, 1.0), decay=one_of(0.0, 0.1)):
    """Add a scaled outer product to a matrix that may decay."""
    if a.shape[0] != u.shape[0] or a.shape[1] != v.shape[0]:
        raise ValueError(f"an outer product of {u.shape} and {v.shape} does not fit {a.shape}")
    outer = one_of(jnp.outer(u, v), u[:, None] * v[None, :], jnp.einsum("i,j->ij", u, v))
    if decay:
        a = (1 - decay) * a
    return a + alpha * outer


@sketch(
    takes={"a": "points f[n, d]", "b": "points f[m, d]"},
    gives="scores f[n, m]: similarities",
    sizes={"n": (2, 128), "m": (2, 128), "d": (1, 64)},
    dtypes="f32 bf16 f64",
    also=("Compare all pairs of two sets of vectors by angle.",),
)
def cosine_similarity_matrix(a, b, eps=number(1e-6, 1e-3)):
    """Compare the directions of all pairs of vectors."""
    if maybe("normalize first"):
        a, b = (x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + eps) for x in (a, b))
        return one_of(a @ b.T, jnp.einsum("nd,md->nm", a, b))
    lengths = jnp.outer(jnp.linalg.norm(a, axis=1), jnp.linalg.norm(b, axis=1))
    return one_of(a @ b.T, jnp.inner(a, b)) / (lengths + eps)


@sketch(
    takes={"a": "matrix f[m, n]"},
    gives="metric f[]",
    sizes={"m": (2, 256), "n": (2, 128)},
    dtypes="f32 bf16 f64",
    also=("Measure the size of a matrix.",),
)
def matrix_norm(a, kind=one_of("frobenius", "one", "infinity", "mixed")):
    """Measure a matrix in one of several norms."""
    if a.ndim != 2:
        raise ValueError(f"expected a matrix, got {a.ndim} axes")
    if kind == "frobenius":
        return one_of(jnp.sqrt(jnp.sum(a * a) + 1e-6), jnp.linalg.norm(a))
    if kind == "one" or kind == "infinity":
        # Largest sum of a column, or of a row.
        axis = 0 if kind == "one" else 1
        return jnp.max(jnp.sum(jnp.abs(a), axis=axis))
    return one_of(
        jnp.sum(jnp.linalg.norm(a, axis=0)), jnp.sum(jnp.sqrt(jnp.sum(a * a, axis=1) + 1e-6))
    )


@sketch(
    takes={"x": "points f[n, d]", "metric?": "positive_definite f[d, d]"},
    gives="energy f[n]",
    sizes={"n": (1, 256), "d": (2, 32)},
    dtypes="f32 bf16",
)
def quadratic_forms(x, metric=None, offset=one_of(0.0, 1.0)):
    """Evaluate a quadratic form at each point, Euclidean unless a metric is given."""
    if metric is None:
        forms = one_of(jnp.sum(x * x, axis=-1), jnp.einsum("nd,nd->n", x, x))
    else:
        forms = one_of(jnp.einsum("ni,ij,nj->n", x, metric, x), jnp.sum((x @ metric) * x, axis=-1))
    if maybe("halved"):
        forms = forms / 2
    return forms + offset


@sketch(
    takes={"blocks": ("l", "matrix f[n, n]")},
    gives="matrix f[l*n, l*n]: assembled",
    sizes={"l": (2, 5), "n": (1, 16)},
    dtypes="f32 bf16 f64",
    also=("Assemble a matrix from blocks on its diagonal.",),
)
def block_diagonal(blocks, scale_by_size=one_of(False, True)):
    """Place square blocks along the diagonal of a larger matrix."""
    if not blocks:
        raise ValueError("no blocks to assemble")
    if scale_by_size:
        blocks = [block / block.shape[0] for block in blocks]
    if maybe("library"):
        return jax.scipy.linalg.block_diag(*blocks)
    total = sum(block.shape[0] for block in blocks)
    assembled = jnp.zeros((total, total), blocks[0].dtype)
    start = 0
    for block in blocks:
        stop = start + block.shape[0]
        assembled = assembled.at[start:stop, start:stop].set(block)
        start = stop
    return assembled


@sketch(
    takes={"a": "matrix f[m, r]", "b": "matrix f[n, r]"},
    gives="matrix f[m*n, r]: product",
    sizes={"m": (2, 32), "n": (2, 32), "r": (1, 16)},
    dtypes="f32 bf16 f64",
)
def khatri_rao_product(a, b, normalize=one_of(False, True)):
    """Multiply matching columns of two matrices in the Kronecker sense."""
    rank = a.shape[1]
    if b.shape[1] != rank:
        raise ValueError(f"{rank} columns cannot be matched with {b.shape[1]}")
    product = one_of(
        (a[:, None, :] * b[None, :, :]).reshape(-1, rank),
        jnp.einsum("ir,jr->ijr", a, b).reshape(-1, rank),
        jax.vmap(jnp.kron, in_axes=1, out_axes=1)(a, b),
    )
    if normalize:
        product = product / (jnp.max(jnp.abs(product), axis=0) + 1e-2)
    return product


@sketch(
    takes={"a": "matrix f[n, n]", "b": "matrix f[n, n]"},
    gives="matrix f[n, n]: bracket",
    sizes={"n": (2, 64)},
    dtypes="f32 bf16 f64",
    also=("Measure how far two matrices are from commuting.",),
)
def matrix_commutator(a, b, anti=one_of(False, True)):
    """Form the commutator or the anticommutator of two square matrices."""
    n = a.shape[0]
    if a.shape != (n, n) or b.shape != (n, n):
        raise ValueError(f"need two square matrices of one size, got {a.shape} and {b.shape}")
    forward, backward = one_of((a @ b, b @ a), (jnp.matmul(a, b), jnp.matmul(b, a)))
    bracket = forward + backward if anti else forward - backward
    if maybe("scaled"):
        bracket = bracket / one_of(n, n**0.5)
    return bracket


@sketch(
    takes={"x": "matrix f[m, n]"},
    gives="matrix f[m, n]: rotated",
    sizes={"m": (4, 256), "n": (1, 64)},
    dtypes="f32 bf16 f64",
    also=("Mix two rows of a matrix by a plane rotation.",),
)
def givens_rotation(x, i=integer(0, 1), j=integer(2, 3), angle=None):
    """Rotate two rows of a matrix into each other."""
    num_rows = x.shape[0]
    if i == j or not (0 <= i < num_rows and 0 <= j < num_rows):
        raise ValueError(f"rows {i} and {j} do not span a plane of {num_rows} rows")
    if maybe("matrix"):
        entries = one_of([[0.8, 0.6], [-0.6, 0.8]], [[0.0, 1.0], [-1.0, 0.0]])
        rotation = jnp.eye(num_rows, dtype=x.dtype)
        rows = jnp.array([i, j])
        rotation = rotation.at[rows[:, None], rows[None, :]].set(jnp.array(entries, x.dtype))
        return rotation @ x
    if angle is None:
        # The rotation that zeroes the first entry of row j.
        radius = jnp.sqrt(x[i, 0] * x[i, 0] + x[j, 0] * x[j, 0] + 1e-4)
        cosine, sine = x[i, 0] / radius, x[j, 0] / radius
    else:
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
    row_i, row_j = cosine * x[i] + sine * x[j], cosine * x[j] - sine * x[i]
    if maybe("chained"):
        return x.at[i].set(row_i).at[j].set(row_j)
    return x.at[jnp.array([i, j])].set(
        one_of(jnp.stack([row_i, row_j]), jnp.vstack((row_i, row_j)))
    )
