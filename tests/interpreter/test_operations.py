"""The interpreter against the reference interpreter, and where that lacks something against XLA."""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np
import pytest

from jax_ir_pairs.extraction.source import abstract_value
from jax_ir_pairs.interpreter.blocks import PLAIN, WITH_BODY
from jax_ir_pairs.interpreter.control import CONTROL
from jax_ir_pairs.quality.comparison import Array, compare, is_inexact
from jax_ir_pairs.quality.inputs import ordinary_inputs, unwrapped, wrapped
from jax_ir_pairs.quality.tolerance import UNIT_ROUNDOFF
from tests.interpreter.cases import CASES, LACKING, Case
from tests.interpreter.running import interpret, reference

_COARSE = {"float16": UNIT_ROUNDOFF["f16"], "bfloat16": UNIT_ROUNDOFF["bf16"]}


def lowered(case: Case) -> tuple[Any, str, list[Array]]:
    function, *avals = case
    with jax.enable_x64(True):
        arguments = [abstract_value(aval) for aval in avals]
        traced = jax.jit(function).trace(*arguments)
        return traced, traced.lower().as_text(), ordinary_inputs(traced.jaxpr.in_avals, 7)


def assert_alike(found: list[Array], expected: list[Array]) -> None:
    assert len(found) == len(expected)
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        exact = 0.0 if not is_inexact(ours.dtype) else 2e-6
        allowed = 4 * _COARSE.get(ours.dtype.name, exact / 4)
        difference = compare([ours], [theirs], allowed)
        assert not difference.beyond, f"result {place}: {difference.beyond}"


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_the_reference_interpreter_says(name: str) -> None:
    _, text, inputs = lowered(CASES[name])
    if "stablehlo.scatter" in text and jax.__version__ == "0.10.2":
        pytest.skip("this one's reference interpreter overwrites what is scattered into")
    if name == "an empty product":
        pytest.skip("the reference interpreter ends the process at it")
    assert_alike(interpret(text, inputs), reference(text, inputs))


@pytest.mark.parametrize("name", [*CASES, *LACKING])
def test_it_says_what_xla_makes_of_it(name: str) -> None:
    traced, text, inputs = lowered({**CASES, **LACKING}[name])
    with jax.enable_x64(True):
        avals = traced.jaxpr.in_avals
        ready = [wrapped(value, aval.dtype) for value, aval in zip(inputs, avals, strict=True)]
        results = jax.tree.leaves(traced.lower().compile()(*ready))
        expected = [unwrapped(result) for result in results]
    assert_alike(interpret(text, inputs), expected)


def test_every_operation_is_tried() -> None:
    texts = [lowered(case)[1] for case in {**CASES, **LACKING}.values()]
    tried = set(re.findall(r"\b(?:stablehlo|func)\.\w+", "\n".join(texts)))
    tried |= {"func.call"} if " call @" in "".join(texts) else set()
    others = {
        *("stablehlo.after_all", "stablehlo.create_token", "stablehlo.tuple"),
        *("stablehlo.get_tuple_element", "stablehlo.map", "stablehlo.get_dimension_size"),
        *("stablehlo.cholesky", "stablehlo.if", "stablehlo.logistic"),
    }  # in `test_module.py`, since JAX lowers nothing to them
    of_devices = {name for name in CONTROL if name not in tried}  # in `test_devices.py`
    assert {*PLAIN, *WITH_BODY} - tried - others == set()
    assert of_devices == {
        *("sdy.manual_computation", "stablehlo.all_gather", "stablehlo.all_reduce"),
        *("stablehlo.all_to_all", "stablehlo.collective_broadcast", "stablehlo.if"),
        *("stablehlo.collective_permute", "stablehlo.partition_id", "stablehlo.reduce_scatter"),
        "stablehlo.replica_id",
    }


def test_infinities_and_nan_are_numbers_as_any_other() -> None:
    odd = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, 3e38], np.float32)
    _, text, _ = lowered((CASES["floats"][0], "f32[7]", "f32[7]"))
    assert_alike(interpret(text, [odd, odd[::-1]]), reference(text, [odd, odd[::-1]]))
