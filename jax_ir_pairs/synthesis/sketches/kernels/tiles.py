"""Kernels over tiles of matrices, written for Pallas."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


def _matmul_tile(a_ref, b_ref, out_ref):
    """Adds the product of two tiles to the tile of the result."""

    @pl.when(pl.program_id(2) == 0)
    def start():
        out_ref[...] = jnp.zeros_like(out_ref)

    product = jnp.dot(a_ref[...], b_ref[...], preferred_element_type=jnp.float32)
    out_ref[...] += product.astype(out_ref.dtype)
    if maybe("finish in kernel"):

        @pl.when(pl.program_id(2) == pl.num_programs(2) - 1)
        def finish():
            out_ref[...] = one_of(jax.nn.relu, jnp.tanh, jax.nn.silu)(out_ref[...])


@sketch(
    takes={"a": "f[g*r, p*s]: left matrix", "b": "f[p*s, q*t]: right matrix"},
    gives="matrix f[g*r, q*t]",
    sizes={"g": (1, 4), "r": (4, 16), "p": (1, 4), "s": (4, 16), "q": (1, 3), "t": (4, 16)},
    dtypes="f32 bf16",
    also=("Blocked matrix product with the inner blocks as the last axis of the grid.",),
    fills=False,
)
def tiled_matmul(a, b, rows=size("r"), inner=size("s"), columns=size("t")):
    """Multiply matrices tile by tile, adding up over the inner blocks of the grid."""
    m, k = a.shape
    n = b.shape[1]
    if m % rows or k % inner or n % columns:
        raise ValueError(f"tiles of {rows}x{inner}x{columns} do not fit {m}x{k}x{n}")
    product = pl.pallas_call(
        _matmul_tile,
        out_shape=jax.ShapeDtypeStruct((m, n), a.dtype),
        grid=(m // rows, n // columns, k // inner),
        in_specs=[
            pl.BlockSpec((rows, inner), lambda i, j, p: (i, p)),
            pl.BlockSpec((inner, columns), lambda i, j, p: (p, j)),
        ],
        out_specs=pl.BlockSpec((rows, columns), lambda i, j, p: (i, j)),
        interpret=True,
    )(a, b)
    if maybe("scaled product"):
        product = product / k**0.5
    return product


@sketch(
    takes={"x": "f[e, c, d]: tokens of each expert", "w": "f[e, d, h]: weights of each expert"},
    gives="f[e, c, h]: outputs",
    sizes={"e": (2, 6), "c": (2, 16), "d": (4, 32), "h": (4, 32)},
    dtypes="f32 bf16",
    also=("Batched product in which each program of the grid has an expert to itself.",),
    fills=False,
)
def expert_matmul(x, w):
    """Multiply the tokens of each expert by its own weights, one expert per program."""
    experts, capacity, _ = x.shape
    hidden = w.shape[2]

    def block_kernel(x_ref, w_ref, out_ref):
        product = jnp.dot(x_ref[...], w_ref[...], preferred_element_type=jnp.float32)
        if maybe("gelu experts"):
            product = jax.nn.gelu(product)
        elif maybe("squared relu experts"):
            product = jnp.square(jax.nn.relu(product))
        out_ref[...] = product.astype(out_ref.dtype)

    def one_expert(*block):
        # The axis of experts is squeezed away in the kernel.
        return pl.BlockSpec((None, *block), lambda e: (e, 0, 0))

    if maybe("normalize tokens"):
        x = x / jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-3)
    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((experts, capacity, hidden), x.dtype),
        grid=(experts,),
        in_specs=[one_expert(*x.shape[1:]), one_expert(*w.shape[1:])],
        out_specs=one_expert(capacity, hidden),
        interpret=True,
    )(x, w)


def _transpose_tile(x_ref, out_ref):
    tile = x_ref[...]
    if maybe("conjugate symmetric", 0.3):
        tile = -tile
    out_ref[...] = one_of(tile.T, jnp.swapaxes(tile, 0, 1))


@sketch(
    takes={"x": "f[p*r, q*c]: matrix"},
    gives="matrix f[q*c, p*r]",
    sizes={"p": (1, 6), "r": (2, 16), "q": (1, 6), "c": (2, 16)},
    dtypes="f32 bf16 f16",
    also=("Out-of-place transpose with a grid of tiles.",),
    fills=False,
)
def tiled_transpose(x, tile_rows=size("r"), tile_columns=size("c")):
    """Transpose a matrix tile by tile."""
    rows, columns = x.shape
    grid = (rows // tile_rows, columns // tile_columns)
    turned = pl.pallas_call(
        _transpose_tile,
        grid=grid,
        in_specs=[pl.BlockSpec((tile_rows, tile_columns), lambda i, j: (i, j))],
        out_specs=pl.BlockSpec((tile_columns, tile_rows), lambda i, j: (j, i)),
        out_shape=jax.ShapeDtypeStruct((columns, rows), x.dtype),
        interpret=True,
    )(x)
    if maybe("center transposed"):
        turned = turned - jnp.mean(turned, axis=one_of(0, 1), keepdims=True)
    return turned


def _gram_block(x_ref, gram_ref, *, decay):
    block = x_ref[...]
    if maybe("center block"):
        block = block - jnp.mean(block, axis=0, keepdims=True)
    update = one_of(jnp.dot(block.T, block), jnp.einsum("ni,nj->ij", block, block))

    @pl.when(pl.program_id(0) == 0)
    def first():
        gram_ref[...] = update

    @pl.when(pl.program_id(0) > 0)
    def later():
        gram_ref[...] = decay * gram_ref[...] + update


@sketch(
    takes={"x": "f[g*r, d]: rows"},
    gives="symmetric f[d, d]",
    sizes={"g": (2, 8), "r": (4, 16), "d": (2, 32)},
    also=("Second moments of rows that are streamed through a kernel.",),
    fills=False,
)
def streamed_gram(x, block=size("r"), decay=one_of(1.0, 0.9, 0.5), ridge=number(1e-3, 1e-1)):
    """Accumulate a Gram matrix over blocks of rows that all write the same output block."""
    n, d = x.shape
    gram = pl.pallas_call(
        functools.partial(_gram_block, decay=decay),
        out_shape=jax.ShapeDtypeStruct((d, d), x.dtype),
        grid=(n // block,),
        in_specs=[pl.BlockSpec((block, d), lambda i: (i, 0))],
        # Every program has the whole result.
        out_specs=pl.BlockSpec((d, d), lambda i: (0, 0)),
        interpret=True,
    )(x)
    gram = gram / n
    if maybe("ridge gram"):
        gram = gram + ridge * jnp.eye(d, dtype=x.dtype)
    return gram


@sketch(
    takes={
        "x": "f[g*r, d]: activations",
        "weights": "i8[d, h]: quantized weights",
        "scales": "f[h]: one scale per column",
    },
    gives="features f[g*r, h]",
    sizes={"g": (1, 4), "r": (4, 16), "d": (4, 64), "h": (4, 64)},
    also=("Product with int8 weights that are only widened inside of the kernel.",),
    fills=False,
)
def int8_weight_matmul(x, weights, scales, block_rows=size("r")):
    """Dequantize weights on the fly in the kernel that multiplies by them."""
    rows, depth = x.shape
    columns = weights.shape[1]

    def block_kernel(x_ref, w_ref, scale_ref, out_ref):
        wide = w_ref[...].astype(jnp.float32)
        if maybe("zero point"):
            wide = wide - one_of(1.0, 2.0)
        y = jnp.dot(x_ref[...], wide)
        scale = scale_ref[...][None, :]
        if maybe("scales of full range"):
            scale = scale / 127
        out_ref[...] = y * scale

    y = pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((rows, columns), x.dtype),
        grid=(pl.cdiv(rows, block_rows),),
        in_specs=[
            pl.BlockSpec((block_rows, depth), lambda i: (i, 0)),
            pl.BlockSpec((depth, columns), lambda i: (0, 0)),
            pl.BlockSpec((columns,), lambda i: (0,)),
        ],
        out_specs=pl.BlockSpec((block_rows, columns), lambda i: (i, 0)),
        interpret=True,
    )(x, weights, scales)
    if maybe("int8 activation"):
        return one_of(jax.nn.relu, jax.nn.gelu)(y)
    return y / depth**0.5
