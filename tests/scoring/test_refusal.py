from __future__ import annotations

import time

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.scoring import refusal as module
from jax_ir_pairs.scoring.python_screen import python_refusal
from jax_ir_pairs.scoring.refusal import Language, refusal, unrunnable
from tests.scoring.hostile import HLO, PYTHON, STABLEHLO
from tests.test_sample import SAMPLE

LEVELS: tuple[Language, ...] = ("jaxpr", "stablehlo", "hlo", "optimized_hlo")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    found: list[dict[str, str]] = pq.read_table(SAMPLE).to_pylist()
    return found


@pytest.mark.parametrize("language", LEVELS)
def test_true_answers_pass(rows: list[dict[str, str]], language: Language) -> None:
    assert [r["id"] for r in rows if refusal(language, r[language], r[language])] == []


def test_true_programs_pass_but_for_callbacks(rows: list[dict[str, str]]) -> None:
    refused = [r for r in rows if python_refusal(r["python"], r["entry_point"])]
    calls = ("callback", "debug", ".ffi.")
    assert all(any(call in r["python"] for call in calls) for r in refused)
    assert len(refused) < 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("a\0b", "nul byte"),
        ("\ud800", "surrogate"),
        ("(" * 201 + ")" * 201, "201 deep"),
        ("x" * 1_000_001, "1,000,001 characters"),
        ('stablehlo.custom_call @system(%0)', "'system'"),
        ('"stablehlo.custom_call"(%0) {call_target_name = "gets"}', "'gets'"),
        ('custom-call(x), custom_call_target="puts"', "'puts'"),
        ("stablehlo.infeed", "infeed"),
        ("pure_callback[", "pure_callback"),
        ('custom_call @Sharding(%0) {backend_config = "0x7ffe12345678"}', "pointer"),
        ('custom_call @Sharding(%0) {backend_config = "140737488355328"}', "pointer"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, reason: str) -> None:
    assert reason in refusal("stablehlo", text)


def test_what_the_row_calls_is_read_and_not_run() -> None:
    text = "%0 = stablehlo.custom_call @xla_ffi_python_cpu_callback(%arg0)"
    assert "callback" in refusal("stablehlo", text)
    assert refusal("stablehlo", text, own=text) == ""
    assert unrunnable(text) == "xla_ffi_python_cpu_callback"
    assert unrunnable("stablehlo.custom_call @lapack_sgetrf_ffi(%0)") == ""
    assert unrunnable(STABLEHLO) == unrunnable(HLO) == ""


def test_arrows_are_no_brackets() -> None:
    assert refusal("stablehlo", "-> " * 1000) == ""


@pytest.mark.parametrize(
    "text",
    ["a" * 999_999, "custom_call " * 80_000, "backend_config=" * 66_000, "@" * 999_999,
     "custom_call_target=" * 50_000, '"\\' * 499_999, "_" * 999_999 + "callback"],
)  # fmt: skip
def test_no_text_takes_long_to_screen(text: str) -> None:
    started = time.process_time()
    refusal("stablehlo", text)
    unrunnable(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("import os", "imports os"),
        ("import jax._src.core", "imports jax._src.core"),
        ("from . import a", "imports ."),
        ("from jax import *", "imports *"),
        ("from jax.experimental import io_callback", "io_callback"),
        ("from jax.numpy import load", "imports load"),
        ("import jax\na = jax.experimental.host_callback", "host_callback"),
        ("jnp.sin = jnp.cos", "assigns to jnp.sin"),
        ("del jnp.sin", "assigns to jnp.sin"),
        ("a = jnp.__name__", "__name__"),
        ("a = __builtins__", "__builtins__"),
        ("a = getattr(jnp, 'sin')", "getattr"),
        ("a = type('A', (), {})", "type()"),
        ("class A:\n    def __del__(self): pass", "__del__"),
        ("async def g(): pass", "asynchronous"),
        ("try:\n    pass\nexcept:\n    pass", "catches everything"),
        ("def g():\n    global jnp", "global"),
        ("x = 1" + " + 1" * 200, "deep"),
        ("import jax\njax.config.update('jax_debug_nans', True)", "setting"),
        ("a = '{0.__class__}'", "format"),
    ],
)
def test_what_python_may_not(before: str, reason: str) -> None:
    assert reason in python_refusal(f"{PYTHON}\n{before}\n", "f")


def test_a_program_has_its_entry_point() -> None:
    assert python_refusal(PYTHON, "f") == ""
    assert "no function 'g'" in python_refusal(PYTHON, "g")


@pytest.mark.parametrize(
    "line",
    ["import jax\njax.config.update('jax_enable_x64', True)", "from functools import partial",
     "f = f",
     "from typing import NamedTuple\nclass A(NamedTuple):\n    a: int\nb = A(1)._replace(a=2)",
     "class B:\n    def __init__(self):\n        self.a = 1"],
)  # fmt: skip
def test_what_python_may(line: str) -> None:
    assert python_refusal(f"{PYTHON}\n{line}\n", "f") == ""


def test_the_limits_are_those_of_texts() -> None:
    assert module.MAX_CHARACTERS >= 800_000  # `text_limits` of the configs
