"""Kernels that go over blocks of data: masks, noise, sums, optimizers, written for Pallas."""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "f[g*r, d]: activations", "bits": "u32[g*r, d]: random bits"},
    gives="activations f[g*r, d]",
    sizes={"g": (1, 6), "r": (2, 16), "d": (4, 64)},
    dtypes="f32 bf16",
    also=("Dropout in a kernel that is given its random bits.",),
    fills=False,
)
def dropout_kernel(x, bits, rate=number(0.05, 0.6), block_rows=size("r")):
    """Drop activations where random bits, mixed with the place, are below a threshold."""
    if not 0 <= rate < 1:
        raise ValueError(f"a rate of {rate} leaves nothing")
    threshold = int(rate * 2**32)
    rows, width = x.shape

    def block_kernel(x_ref, bits_ref, out_ref):
        value = x_ref[...]
        # Bits that are only those of a seed or of a counter become random here.
        place = jax.lax.iota(jnp.uint32, block_rows * width).reshape(block_rows, width)
        if maybe("count on"):
            place = place + pl.program_id(0).astype(jnp.uint32) * jnp.uint32(block_rows * width)
        step = place * jnp.uint32(0x9E3779B9)
        bits = one_of(bits_ref[...] + step, bits_ref[...] ^ step)
        if maybe("murmur"):
            bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
            bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
        else:
            bits = (bits ^ (bits >> 16)) * jnp.uint32(0x7FEB352D)
            bits = (bits ^ (bits >> 15)) * jnp.uint32(0x846CA68B)
        bits = bits ^ (bits >> 16)
        keep = bits >= jnp.uint32(threshold)
        if maybe("plain mask", 0.3):
            # What is kept is not scaled up.
            out_ref[...] = jnp.where(keep, value, 0.0)
        else:
            out_ref[...] = jnp.where(keep, value / (1 - rate), 0.0)

    spec = pl.BlockSpec((block_rows, width), lambda i: (i, 0))
    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(rows // block_rows,),
        in_specs=[spec, spec],
        out_specs=spec,
        interpret=True,
    )(x, bits)


@sketch(
    takes={"x": "f[g*r, d]: rows"},
    gives=("i8[g*r, d]: codes", "f[g*r]: scales"),
    sizes={"g": (1, 6), "r": (2, 16), "d": (4, 64)},
    also=("Symmetric int8 codes with a scale per row.",),
    fills=False,
)
def quantize_rows_kernel(x, block_rows=size("r"), levels=one_of(127, 63, 7)):
    """Quantize each row to integers by a scale of its own."""
    rows, width = x.shape

    def block_kernel(x_ref, code_ref, scale_ref):
        block = x_ref[...]
        if maybe("robust range", 0.3):
            spread = 3 * jnp.sqrt(jnp.mean(block**2, axis=1))
        else:
            spread = jnp.max(jnp.abs(block), axis=1)
        scale = jnp.maximum(spread, 1e-6) / levels
        scaled = block / scale[:, None]
        if maybe("round half up", 0.4):
            scaled = jnp.floor(scaled + 0.5)
        else:
            scaled = jnp.round(scaled)
        code_ref[...] = jnp.clip(scaled, -levels, levels).astype(jnp.int8)
        scale_ref[...] = scale

    spec = pl.BlockSpec((block_rows, width), lambda i: (i, 0))
    return pl.pallas_call(
        block_kernel,
        out_shape=(
            jax.ShapeDtypeStruct((rows, width), jnp.int8),
            jax.ShapeDtypeStruct((rows,), x.dtype),
        ),
        grid=(rows // block_rows,),
        in_specs=[spec],
        out_specs=(spec, pl.BlockSpec((block_rows,), lambda i: (i,))),
        interpret=True,
    )(x)


@sketch(
    takes={"codes": "i8[g*r, d]: quantized rows", "scales": "f[g*r]: scale of each row"},
    gives="features f[g*r, d]",
    sizes={"g": (1, 6), "r": (2, 16), "d": (4, 64)},
    also=("Dequantization of rows with their scales.",),
    fills=False,
)
def dequantize_rows_kernel(codes, scales, block_rows=size("r"), num_bits=one_of(8, 4)):
    """Turn integer codes back to numbers, a block of rows at a time."""
    rows, width = codes.shape

    def block_kernel(code_ref, scale_ref, out_ref):
        code = code_ref[...].astype(jnp.int32)
        if maybe("low nibble"):
            # Only four bits count, and they have a sign.
            code = ((code & 15) ^ 8) - 8
        value = code.astype(out_ref.dtype) * scale_ref[...][:, None]
        out_ref[...] = value / 2 ** (num_bits - 1)

    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((rows, width), scales.dtype),
        grid=(rows // block_rows,),
        in_specs=[
            pl.BlockSpec((block_rows, width), lambda i: (i, 0)),
            pl.BlockSpec((block_rows,), lambda i: (i,)),
        ],
        out_specs=pl.BlockSpec((block_rows, width), lambda i: (i, 0)),
        interpret=True,
    )(codes, scales)


@sketch(
    takes={"x": "f[g*r, d]: increments"},
    gives="f[g*r, d]: sums",
    sizes={"g": (2, 6), "r": (2, 12), "d": (2, 32)},
    also=("Prefix sums with a carry from block to block.",),
    fills=False,
)
def cumulative_sum_kernel(x, block_rows=size("r")):
    """Sum rows cumulatively, with the total so far carried from one program to the next."""
    rows, width = x.shape

    def block_kernel(x_ref, out_ref, carry_ref):
        @pl.when(pl.program_id(0) == 0)
        def reset():
            carry_ref[...] = jnp.zeros_like(carry_ref)

        block = x_ref[...]
        if maybe("squared increments", 0.3):
            # Sum the squares of the increments.
            block = block * block
        if maybe("triangular product"):
            ones = jnp.tril(jnp.ones((block_rows, block_rows), x_ref.dtype))
            sums = ones @ block
        else:
            sums = jnp.cumsum(block, axis=0)
        sums = sums + carry_ref[...]
        out_ref[...] = sums
        carry_ref[...] = sums[-1:]

    sums, total = pl.pallas_call(
        block_kernel,
        out_shape=(
            jax.ShapeDtypeStruct(x.shape, x.dtype),
            jax.ShapeDtypeStruct((1, width), x.dtype),
        ),
        grid=(rows // block_rows,),
        in_specs=[pl.BlockSpec((block_rows, width), lambda i: (i, 0))],
        out_specs=(
            pl.BlockSpec((block_rows, width), lambda i: (i, 0)),
            pl.BlockSpec((1, width), lambda i: (0, 0)),
        ),
        interpret=True,
    )(x)
    if maybe("share of total", 0.35):
        return sums / (jnp.abs(total) + 1)
    if maybe("exclusive", 0.3):
        # Leave out what each row adds itself.
        if maybe("squared increments", 0.3):
            return sums - x * x
        return sums - x
    if maybe("still to come", 0.4):
        # What follows each row is the total without the sum so far.
        return total - sums
    return sums


@sketch(
    takes={"x": "f[g*r, d]: rows"},
    gives=("f[d]: means", "f[d]: variances"),
    sizes={"g": (2, 8), "r": (2, 16), "d": (2, 48)},
    also=("Mean and variance of columns in one pass.",),
    fills=False,
)
def column_moments_kernel(x, block_rows=size("r")):
    """Accumulate the sums and the sums of squares of columns over the grid."""
    rows, width = x.shape

    def block_kernel(x_ref, total_ref, square_ref):
        @pl.when(pl.program_id(0) == 0)
        def start():
            total_ref[...] = jnp.zeros_like(total_ref)
            square_ref[...] = jnp.zeros_like(square_ref)

        block = x_ref[...]
        if maybe("clipped rows", 0.3):
            block = jnp.clip(block, -3.0, 3.0)
        total_ref[...] += jnp.sum(block, axis=0)
        square_ref[...] += jnp.sum(block**2, axis=0)

    whole = pl.BlockSpec((width,), lambda i: (0,))
    like = jax.ShapeDtypeStruct((width,), x.dtype)
    total, square = pl.pallas_call(
        block_kernel,
        out_shape=(like, like),
        grid=(pl.cdiv(rows, block_rows),),
        in_specs=[pl.BlockSpec((block_rows, width), lambda i: (i, 0))],
        out_specs=(whole, whole),
        interpret=True,
    )(x)
    mean = total / rows
    variance = jnp.maximum(square / rows - mean**2, 0.0)
    if maybe("unbiased"):
        variance = variance * (rows / (rows - 1))
    if maybe("give deviations", 0.4):
        return mean, jnp.sqrt(variance + 1e-6)
    return mean, variance


@sketch(
    takes={"params": "f[n]", "grads": "f[n]", "m": "f[n]: first moment", "v": "f[n]: scales"},
    gives=("f[n]: params", "f[n]: first", "f[n]: second"),
    sizes={"n": (4, 512)},
    also=("One fused step of an optimizer, with its buffers overwritten in place.",),
    fills=False,
)
def adam_kernel(
    params, grads, m, v, rate=number(1e-4, 1e-2), b1=one_of(0.9, 0.95), b2=one_of(0.999, 0.99)
):
    """Update parameters and both moments of Adam in a kernel that overwrites its inputs."""

    def block_kernel(p_ref, g_ref, m_ref, v_ref, new_p_ref, new_m_ref, new_v_ref):
        gradient = g_ref[...]
        if maybe("bounded gradient"):
            gradient = jnp.clip(gradient, -1.0, 1.0)
        first = b1 * m_ref[...] + (1 - b1) * gradient
        second = b2 * jnp.abs(v_ref[...]) + (1 - b2) * gradient * gradient
        update = first / (jnp.sqrt(second) + 1e-3)
        if maybe("decay weights"):
            update = update + 0.01 * p_ref[...]
        new_p_ref[...] = p_ref[...] - rate * update
        new_m_ref[...] = first
        new_v_ref[...] = second

    like = jax.ShapeDtypeStruct(params.shape, params.dtype)
    return pl.pallas_call(
        block_kernel,
        out_shape=(like, like, like),
        input_output_aliases={0: 0, 2: 1, 3: 2},
        interpret=True,
    )(params, grads, m, v)


@sketch(
    takes={"u": "f[n]: previous state", "v": "f[n]: state", "w": "f[n]: coefficients"},
    gives="f[n]: combined",
    sizes={"n": (10, 512)},
    dtypes="f32 bf16",
    also=("Element-wise update with a mask for the ends.",),
    fills=False,
)
def masked_update_kernel(u, v, w, margin=integer(1, 4), low=number(-2.0, -0.5)):
    """Update the inside of an array and leave a margin at both ends as it was."""
    (n,) = u.shape

    def block_kernel(u_ref, v_ref, w_ref, out_ref):
        place = jax.lax.iota(jnp.int32, n)
        inside = (place >= margin) & (place < n - margin)
        step = one_of(
            2 * v_ref[...] - u_ref[...],
            v_ref[...] + w_ref[...] * (v_ref[...] - u_ref[...]),
            jnp.where(u_ref[...] > v_ref[...], u_ref[...], v_ref[...]) * w_ref[...],
        )
        if maybe("floored update"):
            step = jnp.maximum(step, low)
        if maybe("add forcing", 0.3):
            step = step + 0.1 * jnp.sin(w_ref[...])
        out_ref[...] = jnp.where(inside, step, v_ref[...])

    return pl.pallas_call(
        block_kernel, out_shape=jax.ShapeDtypeStruct((n,), u.dtype), interpret=True
    )(u, v, w)  # fmt: skip
