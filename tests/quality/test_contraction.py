"""Contractions by NumPy against the reference interpreter, on numbers that every format holds."""

from __future__ import annotations

from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from jax import lax
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.contraction import contraction
from jax_ir_pairs.quality.interpreter import interpret
from jax_ir_pairs.quality.outlining import functions_of

Axes = tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]

DIMENSIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Axes]] = {
    "matrices": ((3, 4), (4, 5), (((1,), (0,)), ((), ()))),
    "transposed": ((4, 3), (5, 4), (((0,), (1,)), ((), ()))),
    "vectors": ((4,), (4,), (((0,), (0,)), ((), ()))),
    "outer": ((3,), (2,), (((), ()), ((), ()))),
    "batch": ((2, 3, 4), (5, 4, 2), (((2,), (1,)), ((0,), (2,)))),
    "two of each": ((2, 3, 4, 2), (3, 4, 2, 2), (((2, 3), (1, 2)), ((0, 1), (3, 0)))),
}


def module_of(left: Array, right: Array, axes: Axes, into: Any = None) -> str:
    def f(x: jax.Array, y: jax.Array) -> jax.Array:
        return lax.dot_general(x, y, axes, preferred_element_type=into)

    text: str = jax.jit(f).lower(left, right).as_text()
    assert "stablehlo.dot_general" in text
    return text


def computed(module: str, left: Array, right: Array) -> Array:
    with make_ir_context():
        parsed = ir.Module.parse(module)
        block = functions_of(parsed)["main"].regions[0].blocks[0]
        return contraction(next(iter(block.operations)).operation)(left, right)


def drawn(shape: tuple[int, ...], dtype: Any, seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 3, shape).astype(dtype)


@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_kind_of_dimensions(name: str) -> None:
    shape, other, axes = DIMENSIONS[name]
    left, right = drawn(shape, np.float32, 1), drawn(other, np.float32, 2)
    module = module_of(left, right, axes)
    found, [expected] = computed(module, left, right), interpret(module, [left, right])
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [(3, 0), (0, 3)])
def test_an_empty_one_is_not_left_to_the_interpreter(shape: tuple[int, int]) -> None:
    left, right = np.ones(shape, np.float32), np.ones(shape[::-1], np.float32)
    [found] = interpret(module_of(left, right, (((1,), (0,)), ((), ()))), [left, right])
    assert found.tobytes() == np.zeros((shape[0], shape[0]), np.float32).tobytes()


@pytest.mark.parametrize(
    "dtype",
    [
        *(np.float32, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn),
        *(np.int32, np.int8, np.uint8, ml_dtypes.int4, np.bool_, np.complex64),
    ],
)
def test_every_kind_of_numbers(dtype: Any) -> None:
    left, right = drawn((3, 2), dtype, 3), drawn((2, 4), dtype, 4)
    module = module_of(left, right, (((1,), (0,)), ((), ())))
    found, [expected] = computed(module, left, right), interpret(module, [left, right])
    assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())


def test_a_result_of_another_type_is_rounded_once() -> None:
    left = np.array([[1, 2**-9]], ml_dtypes.bfloat16)
    right = np.array([[1], [1]], ml_dtypes.bfloat16)
    axes: Axes = (((1,), (0,)), ((), ()))
    wide = computed(module_of(left, right, axes, np.float32), left, right)
    narrow = computed(module_of(left, right, axes), left, right)
    assert (wide.dtype, wide.item()) == (np.dtype(np.float32), 1 + 2**-9)
    assert (narrow.dtype, float(narrow.item())) == (np.dtype(ml_dtypes.bfloat16), 1.0)


def test_integers_wrap() -> None:
    left, right = np.full((1, 2), 2**30, np.int32), np.full((2, 1), 2, np.int32)
    module = module_of(left, right, (((1,), (0,)), ((), ())))
    assert computed(module, left, right).item() == 0
    assert interpret(module, [left, right])[0].item() == 0


def test_infinities_pass_through_without_a_warning() -> None:
    left, right = np.array([[np.inf, 1]], np.float32), np.array([[0], [1]], np.float32)
    assert np.isnan(computed(module_of(left, right, (((1,), (0,)), ((), ()))), left, right)).all()
    large = np.full((1, 4), 3e38, np.float32)
    assert np.isinf(computed(module_of(large, large.T, (((1,), (0,)), ((), ()))), large, large.T))
