"""The child: what it parses, what it runs, and what it survives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import CheckRequest
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.verification.process import ENDED, VerifyingProcess

SOURCE = """\
import jax.numpy as jnp


def f(x, unused):
    return jnp.linalg.cholesky(x @ x.T + 8.0 * jnp.eye(4)), jnp.float32(2.5) * x
"""
INPUTS = '[["x", "f32[4,4]"], ["unused", "key<fry>[]"]]'


@pytest.fixture(scope="module")
def process() -> Iterator[VerifyingProcess]:
    config = load_config("hlo-100").model_copy(update={"limits": Limits(seconds=60.0)})
    with VerifyingProcess(config) as started:
        yield started


@pytest.fixture(scope="module")
def row(process: VerifyingProcess) -> dict[str, Any]:
    program = Program(SOURCE, "f", INPUTS, "expression", (), "0" * 16)
    made = dataclasses.asdict(process.extract(program, CheckRequest(7, executes=True)))
    return {"python": SOURCE, "inputs": INPUTS, "seed": 7, **made}


def test_texts_are_parsed_in_their_languages(
    process: VerifyingProcess, row: dict[str, Any]
) -> None:
    columns = ("python", "stablehlo", "hlo", "optimized_hlo")
    texts = {name: row[name] for name in columns}
    texts |= {f"{level}_tpu_v5e": row[level] for level in ("stablehlo", "optimized_hlo")}
    assert process.problems(row | texts, list(texts)) == {}
    for damaged in (
        dict.fromkeys(texts, "junk ?"),
        {name: text[:-30] + "\0" for name, text in texts.items()},
    ):
        assert set(process.problems(row | damaged, list(texts))) == set(texts)


def test_stablehlo_is_verified(process: VerifyingProcess, row: dict[str, Any]) -> None:
    wrong = row["stablehlo"].replace("-> tensor<4x4xf32>", "-> tensor<4x5xf32>")
    assert wrong != row["stablehlo"]
    assert set(process.problems(row | {"stablehlo": wrong}, ["stablehlo"])) == {"stablehlo"}


def test_a_text_that_ends_its_parser_is_named_and_the_next_is_read(
    process: VerifyingProcess, row: dict[str, Any]
) -> None:
    deep = f"module attributes {{a = {'[' * 300_000}"
    problems = process.problems(row | {"stablehlo": deep}, ["python", "stablehlo", "hlo"])
    assert set(problems) == {"stablehlo"}
    assert problems["stablehlo"].startswith(ENDED)


def test_a_row_is_run_from_its_texts(process: VerifyingProcess, row: dict[str, Any]) -> None:
    assert process.run(row) == ("", "")


def test_a_row_whose_levels_compute_something_else_is_found_out(
    process: VerifyingProcess, row: dict[str, Any]
) -> None:
    other = row["hlo"].replace("constant(2.5)", "constant(2.5001)")
    assert other != row["hlo"]
    disagreement, not_run = process.run(row | {"hlo": other})
    assert "result 1, float32[4,4], differs in 16 of 16 elements" in disagreement
    assert not not_run


def test_what_does_not_run_says_why(process: VerifyingProcess, row: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="run-error"):
        process.run(row | {"hlo": "junk ?"})
    for other in ("xla_ffi_python_cpu_callback", "of_nobody"):
        called = row["hlo"].replace("lapack_spotrf_ffi", other)
        assert called != row["hlo"]
        disagreement, not_run = process.run(row | {"hlo": called})
        assert not disagreement
        assert other in not_run


def test_a_program_of_several_devices_is_run_on_them(process: VerifyingProcess) -> None:
    source = """\
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def f(x):
    mesh = Mesh(np.array(jax.devices()[:2]), ("a",))
    return jax.lax.with_sharding_constraint(x * 2.0, NamedSharding(mesh, PartitionSpec("a")))
"""
    program = Program(source, "f", '[["x", "f32[4]"]]', "parallel", (), "0" * 16)
    made = process.extract(program, CheckRequest(3, executes=True))
    assert made.num_devices == 2
    assert process.run({**dataclasses.asdict(made), "inputs": program.inputs, "seed": 3}) == (
        "",
        "",
    )
