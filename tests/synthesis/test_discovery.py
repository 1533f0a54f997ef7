"""What turns up within so many draws of the standard mix, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from jax_ir_pairs.synthesis import Draft
from jax_ir_pairs.synthesis.graph import Defined, Function, Transformed, functions_in, walk
from tests.synthesis.tracing import RECIPE, draw_graph


@cache
def names_and_pairs(seed: int) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Gives the ops and transformations of a program, and which of them is inside which."""
    draft = draw_graph(RECIPE, seed)
    pairs = frozenset(_pairs(draft.entry, ()))
    return frozenset(call.op.name for call in walk(draft.entry)) | {b for _, b in pairs}, pairs


def _pairs(function: Function, around: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for call in function.body:
        yield from ((outer, call.op.name) for outer in ("", *around))
        for operand in call.operands:
            yield from _operand_pairs(operand, (*around, call.op.name))


def _operand_pairs(operand: Any, around: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    parts = operand if isinstance(operand, tuple) else (operand,)
    for part in parts:
        inside = around
        for callee in functions_in(part):
            if isinstance(callee, Transformed):
                yield from ((outer, callee.transform) for outer in ("", *inside))
                inside = (*inside, callee.transform)
            elif isinstance(callee, Function) and not isinstance(part, Defined):
                yield from _pairs(callee, inside)


def found(what: Callable[[int], bool], draws: int) -> bool:
    return any(what(seed) for seed in range(draws))


@pytest.mark.parametrize(
    ("op", "draws"),
    [
        ("matmul", 80), ("softmax", 80), ("scan", 60), ("cond", 100), ("while_loop", 100),
        ("fft", 600), ("qr", 600), ("cholesky", 600), ("top_k", 400), ("sort", 200),
        ("segment_sum", 400), ("max_pool", 400),
        ("complex", 400), ("erfinv", 1500),
    ],
)  # fmt: skip
def test_an_op_turns_up(op: str, draws: int) -> None:
    assert found(lambda seed: op in names_and_pairs(seed)[0], draws)


@pytest.mark.parametrize("transform", ["vmap", "grad", "value_and_grad", "jvp", "vjp", "jacfwd",
                                       "jacrev", "hessian", "checkpoint", "jit"])  # fmt: skip
def test_a_transformation_turns_up(transform: str) -> None:
    assert found(lambda seed: transform in names_and_pairs(seed)[0], 500)


@pytest.mark.parametrize(
    ("pair", "draws"),
    [
        (("vmap", "grad"), 400), (("vmap", "vmap"), 300), (("grad", "vmap"), 3000),
        (("grad", "scan"), 600), (("grad", "grad"), 1000), (("scan", "scan"), 2000),
        (("vmap", "scan"), 3000), (("scan", "grad"), 1000), (("grad", "checkpoint"), 1000),
        (("scan", "matmul"), 300), (("scan", "tanh"), 200), (("vmap", "matmul"), 600),
    ],
)  # fmt: skip
def test_one_turns_up_inside_another(pair: tuple[str, str], draws: int) -> None:
    assert found(lambda seed: pair in names_and_pairs(seed)[1], draws)


@pytest.mark.parametrize("dtype", ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64",
                                   "bf16", "f16", "f32", "f64", "c64", "c128"])  # fmt: skip
def test_an_input_of_each_dtype_turns_up(dtype: str) -> None:
    def has(seed: int) -> bool:
        return f'"{dtype}[' in _inputs(seed)

    assert found(has, 1500)


@cache
def _draft(seed: int) -> Draft:
    return draw_graph(RECIPE, seed)


@cache
def _inputs(seed: int) -> str:
    return " ".join(f'"{leaf}' for var in _draft(seed).entry.params for leaf in [str(var.type)])
