"""Functions whose modules have the operations that the interpreter knows, by what they try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Case = tuple[Callable[..., Any], *tuple[str, ...]]
"""A function and the avals that it is called with."""


def _each(*functions: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: [function(*values) for function in functions]


def _argmax(x: jax.Array) -> Any:
    return jnp.argmax(x, axis=1), jnp.argmin(x)


def _windows(operand: jax.Array) -> Any:
    return (
        lax.reduce_window(operand, -jnp.inf, lax.max, (2, 3), (1, 2), "SAME"),
        lax.reduce_window(operand, 0.0, lax.add, (2, 2), (2, 1), [(1, 0), (0, 2)], (1, 2), (2, 1)),
        lax.cumsum(operand, axis=1),
        lax.cummax(operand, axis=0, reverse=True),
    )


def _convolutions(x: jax.Array, kernel: jax.Array) -> Any:
    dims = ("NHWC", "HWIO", "NHWC")
    conv = lax.conv_general_dilated
    return (
        conv(x, kernel, (1, 2), "SAME", dimension_numbers=dims),
        conv(x, kernel, (2, 1), [(1, 2), (0, -1)], (2, 1), (1, 2), dims),
    )


def _grouped(x: jax.Array, kernel: jax.Array) -> Any:
    dims = ("NCH", "OIH", "NCH")
    conv = lax.conv_general_dilated
    return (
        conv(x, kernel, (1,), "VALID", dimension_numbers=dims, feature_group_count=2),
        conv(x[:, :2], kernel, (1,), "VALID", dimension_numbers=dims, batch_group_count=2),
    )


def _scatters(x: jax.Array, where: jax.Array, updates: jax.Array) -> Any:
    return (
        x.at[where].set(updates, unique_indices=False),
        x.at[where].add(updates),
        x.at[where, 1].multiply(updates[:, 0]),
        x.at[where].max(updates, mode="drop"),
        x.at[9 - where].min(updates, mode="drop"),
        x.at[where].apply(jnp.square),
        x[:4].at[:, where].add(updates.T),
    )


def _gathers(x: jax.Array, where: jax.Array) -> Any:
    return (
        x[where],
        x[:, where],
        x[where, where],
        jnp.take(x, 9 * where, axis=0, mode="fill"),
        jnp.take_along_axis(x, where[:, None], axis=1, mode="clip"),
        jax.vmap(lambda row, place: lax.dynamic_slice(row, (place,), (2,)))(x, where),
    )


def _sorts(x: jax.Array, y: jax.Array) -> Any:
    return (
        jnp.sort(x, axis=0),
        jnp.argsort(x, axis=1, descending=True),
        lax.sort((y, x), dimension=1, num_keys=2),
        lax.sort((y, x), dimension=0, num_keys=1, is_stable=True),
        *lax.top_k(x, 2),
    )


def _loops(x: jax.Array) -> Any:
    return (
        lax.fori_loop(0, 5, lambda i, y: 2 * y + i, x),
        lax.while_loop(lambda y: jnp.sum(y) < 50, lambda y: y * y + 1, x),
        lax.scan(lambda c, y: (c * y, c + y), x[0], x),
        lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
        lax.switch(jnp.int32(7), [jnp.sin, jnp.cos, jnp.tan], x),
        lax.switch(jnp.int32(-7), [jnp.sin, jnp.cos, jnp.tan], x),
        jax.jit(jnp.sinh)(x) + jax.jit(jnp.sinh)(x * 2),
    )


def _slices(x: jax.Array, place: jax.Array) -> Any:
    return (
        x[1:4:2, ::-1],
        lax.dynamic_slice(x, (place[0] * 9, place[1]), (2, 3)),
        lax.dynamic_update_slice(x, x[:2, :2] * 2, (place[0], place[1] * 9)),
        lax.pad(x, x[0, 0], [(1, 2, 1), (-1, 0, 2)]),
        lax.pad(x, x[0, 0], [(-2, 1, 0), (0, -3, 1)]),
        jnp.concatenate([x, 2 * x], axis=1),
        lax.broadcast_in_dim(x, (2, 5, 3, 4), (1, 3)),
        x.reshape(4, 5).T,
        lax.broadcasted_iota(jnp.int16, (2, 3), 1),
        lax.optimization_barrier((x, place))[0],
    )


def _integers(x: jax.Array, y: jax.Array) -> Any:
    return (
        *(f(x, y) for f in (lax.add, lax.sub, lax.mul, lax.max, lax.min)),
        *(f(x, y) for f in (lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor)),
        *(lax.div(x, y | 1), lax.rem(x, y | 1), lax.bitwise_not(x), lax.sign(x), lax.neg(x)),
        *(lax.shift_left(x, y & 3), lax.shift_right_logical(x, y & 3)),
        *(lax.shift_right_arithmetic(x, y & 3), lax.population_count(x), lax.clz(x)),
        lax.clamp(jnp.zeros_like(x), x, jnp.ones_like(x)),
        *(f(x, y) for f in (lax.eq, lax.ne, lax.lt, lax.le, lax.gt, lax.ge)),
        *(x.astype(dtype) for dtype in ("int8", "uint8", "int16", "uint32", "bool", "float32")),
        lax.integer_pow(x, 3),
    )


def _floats(x: jax.Array, y: jax.Array) -> Any:
    return (
        *(f(x) for f in (jnp.abs, lax.ceil, lax.floor, lax.sign, lax.neg, lax.is_finite)),
        *(lax.round(x, mode) for mode in lax.RoundingMethod),
        *(f(x, y) for f in (lax.add, lax.sub, lax.mul, lax.div, lax.rem, lax.max, lax.min)),
        *(f(x) for f in (lax.exp, lax.expm1, lax.sin, lax.cos, lax.tan, lax.tanh, lax.cbrt)),
        *(f(jnp.abs(x) + 1) for f in (lax.log, lax.log1p, lax.sqrt, lax.rsqrt)),
        *(lax.logistic(x), lax.atan2(x, y), lax.pow(jnp.abs(x), y)),
        *(x.astype(dtype) for dtype in ("int8", "uint8", "int32", "float16", "bool")),
        jnp.where(x > y, x, y),
        lax.clamp(-jnp.ones_like(x), x, y * 0 + 1),
    )


def _complex(x: jax.Array, y: jax.Array) -> Any:
    return (
        *(f(x) for f in (jnp.abs, jnp.real, jnp.imag, jnp.conj, lax.neg, lax.sqrt, lax.tanh)),
        *(f(x) for f in (lax.exp, lax.log, lax.sin, lax.cos, lax.sign)),
        *(x * y, x / y, x - y, x == y, lax.complex(x.real, y.imag), x @ y.T),
        x + jnp.array([1 + 2j, 3 - 1j, 0], x.dtype),
    )


CASES: dict[str, Case] = {
    "floats": (_floats, "f32[3,5]", "f32[3,5]"),
    "halves": (_floats, "f16[3,5]", "f16[3,5]"),
    "brain floats": (_floats, "bf16[3,5]", "bf16[3,5]"),
    "scalars": (_floats, "f32[]", "f32[]"),
    "integers": (_integers, "i32[7]", "i32[7]"),
    "short integers": (_integers, "i8[7]", "i8[7]"),
    "words": (_integers, "u32[7]", "u32[7]"),
    "complex numbers": (_complex, "c64[2,3]", "c64[2,3]"),
    "booleans": (
        _each(lax.bitwise_and, lax.bitwise_or, lax.bitwise_xor, lax.eq, lambda a, b: ~a),
        "bool[6]",
        "bool[6]",
    ),
    "special functions": (
        _each(lax.erf, lax.lgamma, lax.digamma, lambda x: lax.erf_inv(x / 9), lax.asin),
        "f32[5]",
    ),
    "narrow": (lambda x: (x.astype(jnp.float32) * 2, -x, x.astype(jnp.float16)), "f8_e4m3fn[6]"),
    "four bits": (lambda x: (x + x, x.astype(jnp.int32) - 1), "i4[6]"),
    "bits": (
        _each(
            lambda x: lax.bitcast_convert_type(x, jnp.int32),
            lambda x: lax.bitcast_convert_type(x, jnp.uint8),
            lambda x: lax.bitcast_convert_type(lax.bitcast_convert_type(x, jnp.int16), jnp.float32),
        ),
        "f32[3]",
    ),
    "fewer bits": (
        _each(
            lambda x: lax.reduce_precision(x, 5, 10),
            lambda x: lax.reduce_precision(x * 1e5, 4, 3),
            lambda x: lax.reduce_precision(x * 1e-5, 4, 0),
        ),
        "f32[40]",
    ),
    "slices": (_slices, "f32[5,4]", "i32[2]"),
    "loops": (_loops, "f32[4]"),
    "gathers": (_gathers, "f32[5,5]", "i32[5]"),
    "scatters": (_scatters, "f32[5,4]", "i32[4]", "f32[4,4]"),
    "scatters of integers": (_scatters, "i32[5,4]", "i32[4]", "i32[4,4]"),
    "sorts": (_sorts, "f32[13,9]", "i32[13,9]"),
    "a long sort": (lambda x: (jnp.sort(x), jnp.argsort(x)), "f32[1000]"),
    "reductions": (
        _each(jnp.sum, jnp.prod, jnp.max, lambda x: x.min(axis=0), lambda x: x.mean(axis=(0, 2))),
        "f32[3,4,5]",
    ),
    "reductions of integers": (_each(jnp.sum, jnp.prod, jnp.max), "i8[3,40]"),
    "reductions of booleans": (_each(jnp.all, jnp.any), "bool[3,4]"),
    "reductions by a body": (_argmax, "f32[4,7]"),
    "windows": (_windows, "f32[4,6]"),
    "gradient of windows": (
        jax.grad(lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 2), "SAME").sum()),
        "f32[5,4]",
    ),
    "products": (
        _each(
            lambda x, y: x @ y,
            lambda x, y: jnp.einsum("bij,bjk->bk", x, y),
            lambda x, y: jnp.tensordot(x, y, axes=((0, 2), (0, 1))),
        ),
        "f32[2,3,4]",
        "f32[2,4,3]",
    ),
    "products of integers": (lambda x, y: x @ y, "i8[3,50]", "i8[50,2]"),
    "mixed products": (
        lambda x, y: lax.dot(x, y, preferred_element_type=jnp.float32), "bf16[3,8]", "bf16[8,4]"
    ),
    "an empty product": (lambda x, y: x @ y, "f32[3,0]", "f32[0,2]"),
    "convolutions": (_convolutions, "f32[2,5,6,3]", "f32[3,2,3,4]"),
    "convolutions in groups": (_grouped, "f32[2,4,6]", "f32[4,2,3]"),
    "edges that cut more than there is": (
        lambda x: [lax.pad(x[:n], x[0], [(low, high, gap)])
                   for n in (0, 1, 2) for low, high, gap in ((-3, 4, 0), (2, -3, 1), (-1, 3, 0))
                   if n + max(0, n - 1) * gap + low + high >= 0],
        "f32[3]",
    ),
    "signs of zeros": (
        lambda x: [jnp.signbit(value) for value in (
            jnp.maximum(0 * x, -0.0 * x), jnp.maximum(-0.0 * x, 0 * x),
            jnp.minimum(0 * x, -0.0 * x),
            lax.round(-0.1 * jnp.abs(x), lax.RoundingMethod.AWAY_FROM_ZERO))],
        "f32[5]",
    ),
    "no elements": (
        lambda x: (jnp.cumsum(x, axis=1), jnp.sort(x), x.sum(),
                   x[:, 0:0] @ jnp.ones((0, 2), x.dtype),
                   lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 1), "VALID")),
        "f32[0,3]",
    ),
    "keys": (
        lambda k: (jax.random.normal(k, (4,)), jax.random.split(k), jax.random.permutation(k, 5)),
        "key<fry>[]",
    ),
}  # fmt: skip
"""Those that the reference interpreter can run as well."""


def _definite(x: jax.Array) -> jax.Array:
    return x @ x.mT + 9 * jnp.eye(4)


LACKING: dict[str, Case] = {
    "factorizations": (
        lambda x: (jnp.linalg.cholesky(_definite(x)), jnp.linalg.qr(x), jnp.linalg.svd(x),
                   lax.linalg.lu(x), jnp.linalg.eigh(_definite(x)), jnp.linalg.eigvals(x)),
        "f32[4,4]",
    ),
    "factorizations of batches": (
        lambda x: (jnp.linalg.cholesky(_definite(x)), jnp.linalg.qr(x), lax.linalg.lu(x),
                   jnp.linalg.solve(_definite(x), x)),
        "f32[2,3,4,4]",
    ),
    "factorizations of complex matrices": (
        lambda x: (jnp.linalg.qr(x), jnp.linalg.svd(x), lax.linalg.lu(x), lax.linalg.schur(x)),
        "c64[3,3]",
    ),
    "other factorizations": (
        lambda x: (lax.linalg.hessenberg(x), lax.linalg.schur(x), lax.linalg.tridiagonal(x + x.T),
                   jnp.linalg.eig(x), jax.scipy.linalg.qr(x, pivoting=True),
                   jnp.linalg.svd(x[:3], full_matrices=False), jnp.linalg.svd(x, compute_uv=False)),
        "f64[4,4]",
    ),
    "triangular systems": (
        lambda x: [
            lax.linalg.triangular_solve(x, x, left_side=left, lower=lower, transpose_a=transposed,
                                        unit_diagonal=unit)
            for left in (True, False) for lower in (True, False)
            for transposed in (True, False) for unit in (True, False)
        ],
        "f32[3,3]",
    ),
    "Fourier transforms": (
        lambda x: (jnp.fft.fft(x), jnp.fft.rfft(x), jnp.fft.irfft(jnp.fft.rfft(x), 6),
                   jnp.fft.ifft2(x), jnp.fft.rfftn(x)),
        "f32[4,6]",
    ),
    "rows of matrices": (lambda x: jnp.linalg.cholesky(x @ x.T + 9 * jnp.eye(4)).T, "f32[4,4]"),
    "tridiagonal systems": (
        lambda x, y: lax.linalg.tridiagonal_solve(x * 0.1, 2 + x * x, x * 0.1, y),
        "f32[5]",
        "f32[5,2]",
    ),
    "the largest": (
        lambda x: (*lax.approx_max_k(x, 3), *lax.approx_min_k(x, 2, reduction_dimension=0)),
        "f32[4,9]",
    ),
    "the largest of equals": (
        lambda x: (*lax.approx_max_k(jnp.round(x), 1), *lax.approx_max_k(jnp.round(x), 2),
                   *lax.approx_min_k(jnp.zeros((7, 3)), 1, reduction_dimension=0)),
        "f32[4,9]",
    ),
    "orders of narrow formats": (
        lambda x: [jnp.sort(x.astype(t)).astype(jnp.float32)
                   for t in (jnp.float8_e4m3fn, jnp.float8_e5m2, jnp.float4_e2m1fn)],
        "f32[11]",
    ),
    "orders without a sign": (
        lambda x: jnp.sort(jnp.abs(x).astype(jnp.float8_e8m0fnu)).astype(jnp.float32), "f32[11]"
    ),
    "narrow formats of each other": (
        lambda x: (x.astype(jnp.float8_e8m0fnu).astype(jnp.float32), lax.cummax(x)), "f8_e5m2[7]"
    ),
    "shifts of four bits": (
        lambda x, y: (lax.shift_right_arithmetic(x, y), lax.shift_left(x, y),
                      lax.shift_right_logical(x, y)),
        "u4[9]",
        "u4[9]",
    ),
    "shifts of four bits with a sign": (
        lambda x, y: (lax.shift_right_arithmetic(x - 3, y - 2), lax.shift_left(x - 3, y)),
        "i4[9]",
        "i4[9]",
    ),
    "windows that start from something": (
        lambda x: (lax.reduce_window(x, jnp.float32(1), lax.add, (2,), (1,), "SAME"),
                   lax.reduce_window(x, jnp.float32(2), lax.max, (3,), (2,), [(1, 1)], (2,), (1,))),
        "f32[6]",
    ),
    "solvers by hand": (
        lambda x: (
            lax.linalg.triangular_solve(
                x.astype(jnp.float16), x.astype(jnp.float16), left_side=True, lower=True
            ),
        ),
        "f32[3,3]",
    ),
}  # fmt: skip
"""Those that it lacks: XLA can say what they are."""
