from __future__ import annotations

import numpy as np
import pytest
import walk_the_levels as example


@pytest.fixture(scope="module")
def levels() -> example.Levels:
    return example.walk(example.classify, *example.arguments())


def test_each_level_is_in_its_own_language(levels: example.Levels) -> None:
    assert levels.python.startswith("def classify(")
    assert levels.jaxpr.startswith("{ lambda ; a:f32[4,8] b:f32[8,16] c:f32[16]. let")
    assert levels.stablehlo.startswith("module @jit_classify")
    assert levels.hlo.startswith("HloModule jit_classify")
    assert levels.optimized_hlo.startswith("HloModule jit_classify, is_scheduled=true")


def test_the_operations_go_down_the_levels(levels: example.Levels) -> None:
    for primitive in ("dot_general", "reduce_max", "exp", "reduce_sum", "div"):
        assert f" = {primitive}" in levels.jaxpr
    for operation in ("dot_general", "reduce", "exponential", "divide", "broadcast_in_dim"):
        assert f"stablehlo.{operation}" in levels.stablehlo
    opcodes = example.instructions(levels.hlo)
    assert {"dot", "reduce", "exponential", "divide", "broadcast"} <= set(opcodes)


def test_optimization_fuses_and_saves_memory_traffic(levels: example.Levels) -> None:
    assert example.count_fusions(levels.hlo) == 0
    assert example.count_fusions(levels.optimized_hlo) >= 2
    assert len(example.instructions(levels.optimized_hlo)) < len(example.instructions(levels.hlo))
    assert levels.cost_after.bytes_accessed < levels.cost_before.bytes_accessed


def test_the_optimized_text_holds_computations_only(levels: example.Levels) -> None:
    assert "%fused_computation" in levels.optimized_hlo
    assert "ENTRY" in levels.optimized_hlo
    for trace_of_the_source in (
        "metadata=",
        "FileNames",
        "FileLocations",
        "StackFrames",
        "walk_the_levels",
    ):
        assert trace_of_the_source not in levels.optimized_hlo


def test_the_compiled_function_computes_softmax(levels: example.Levels) -> None:
    x, w, b = (np.asarray(argument, np.float64) for argument in example.arguments())
    weights = np.exp(x @ w + b)
    np.testing.assert_allclose(levels.result, weights / weights.sum(1, keepdims=True), rtol=1e-4)
