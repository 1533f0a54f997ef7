"""Fourier transforms, factorizations and solvers that StableHLO has of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.formats import rounded, wide
from jax_ir_pairs.interpreter.operation import Array, Kernel, Table, ints, type_of, word


def _fft(op: ir.Operation) -> Kernel:
    kind, length = word(op, "fft_type"), ints(op, "fft_length")
    dtype = type_of(op.results[0].type)[1]
    axes = tuple(range(-len(length), 0))
    # Of several axes the last one only is real; SciPy's and NumPy's do the same.
    function: Any = {
        "FFT": np.fft.fftn,
        "IFFT": np.fft.ifftn,
        "RFFT": np.fft.rfftn,
        "IRFFT": np.fft.irfftn,
    }[kind]
    return lambda value: rounded(function(value.astype(wide(value.dtype)), length, axes), dtype)


def _cholesky(op: ir.Operation) -> Kernel:
    lower = ir.BoolAttr(op.attributes["lower"]).value

    def factorized(value: Array) -> Array:
        matrix = value.astype(wide(value.dtype))
        matrix = matrix if lower else np.conj(np.swapaxes(matrix, -1, -2))
        factor = np.zeros_like(matrix)
        for k in range(matrix.shape[-1]):
            row = factor[..., k, :k]
            square = matrix[..., k, k].real - (np.abs(row) ** 2).sum(-1)
            factor[..., k, k] = np.sqrt(np.where(square < 0, np.nan, square))
            known = factor[..., k + 1 :, :k] * row.conj()[..., None, :]
            below = matrix[..., k + 1 :, k] - known.sum(-1)
            factor[..., k + 1 :, k] = below / factor[..., k, k][..., None]
        factor = factor if lower else np.conj(np.swapaxes(factor, -1, -2))
        return rounded(factor, value.dtype)

    return factorized


def _triangular_solve(op: ir.Operation) -> Kernel:
    left, lower, unit = (
        ir.BoolAttr(op.attributes[name]).value for name in ("left_side", "lower", "unit_diagonal")
    )
    transposes = word(op, "transpose_a")

    def solved(matrix: Array, values: Array) -> Array:
        dtype = values.dtype
        a, b = matrix.astype(wide(dtype)), values.astype(wide(dtype))
        below = lower
        if transposes != "NO_TRANSPOSE":
            a, below = np.swapaxes(a, -1, -2), not below
            a = a.conj() if transposes == "ADJOINT" else a
        if not left:  # of the transposed equation
            a, below, b = np.swapaxes(a, -1, -2), not below, np.swapaxes(b, -1, -2)
        size = a.shape[-1]
        x = np.zeros_like(b)
        for k in range(size) if below else range(size - 1, -1, -1):
            known = slice(0, k) if below else slice(k + 1, size)
            rest = b[..., k, :] - (a[..., k, known][..., None] * x[..., known, :]).sum(-2)
            x[..., k, :] = rest if unit else rest / a[..., k, k][..., None]
        return rounded(x if left else np.swapaxes(x, -1, -2), dtype)

    return solved


TRANSFORMS: Table = {
    "stablehlo.cholesky": _cholesky,
    "stablehlo.fft": _fft,
    "stablehlo.triangular_solve": _triangular_solve,
}
