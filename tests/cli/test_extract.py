from __future__ import annotations

import json
from pathlib import Path

import pytest

from jax_ir_pairs.targets import TARGETS
from tests.cli.test_app import run
from tests.extraction.targets.test_compilation import installed

SOURCE = """\
import os

import jax
import jax.numpy as jnp

from jax_ir_pairs import example_inputs


@example_inputs("f32[8,16]", {"w": "f32[16,4]"})
def layer(x, params):
    return jnp.tanh(x @ params["w"])


def wrong(x, y):
    return x @ y


def hang(x):
    while True:
        pass


def crash(x):
    os.abort()


def large(x):
    return x + bytearray(9 << 30)[0]


twice = jax.jit(lambda x, n: x * n, static_argnums=1)


def _private(x):
    return x
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (path := tmp_path / "mine.py").write_text(SOURCE)
    return path


def test_a_function_at_every_level(file: Path) -> None:
    arguments = ["--input", "f32[2,3]", "--input", '{"w": "f32[3,4]"}']
    text = run("extract", f"{file}:layer", *arguments).stdout
    for part in (
        "function    layer(f32[2,3], {w: f32[3,4]})",
        "primitives  dot_general, tanh",
        "sizes       2 equations · ",
        "cost        ",
        "jaxpr (",
        "b:f32[3,4]. let",
        "\nStableHLO (",
        "stablehlo.dot_general",
        "\nHLO (",
        "\noptimized HLO (",
        "is_scheduled=true",
    ):
        assert part in text
    assert str(file.parent) not in text


def test_one_level_of_the_example_inputs(file: Path) -> None:
    text = run("extract", f"{file}:layer", "--level", "jaxpr").stdout
    assert "a:f32[8,16] b:f32[16,4]" in text
    assert "StableHLO (" not in text


def test_as_json(file: Path) -> None:
    arguments = ["--input", "x=f32[2,3]", "--input", 'params={"w":"f32[3,4]"}', "--json"]
    found = json.loads(run("extract", f"{file}:layer", *arguments).stdout)
    assert found["primitives"] == ["dot_general", "tanh"]
    assert found["further"] == []
    assert found["optimized_hlo"].startswith("HloModule jit_layer")
    one = json.loads(run("extract", f"{file}:layer", *arguments, "--level", "hlo").stdout)
    assert set(found) - set(one) == {"jaxpr", "stablehlo", "optimized_hlo"}
    assert one["hlo"] == found["hlo"]


def test_as_files(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    printed = run("extract", f"{file}:layer", "--out", out).stdout.split()
    names = ["layer.jaxpr.txt", "layer.stablehlo.mlir", "layer.hlo.txt", "layer.optimized.hlo.txt"]
    assert printed == [str(out / name) for name in names]
    assert (out / "layer.stablehlo.mlir").read_text().startswith("module @jit_layer")


def test_a_further_target(file: Path, tmp_path: Path) -> None:
    installed("tpu-v5e")
    text = run("extract", f"{file}:layer", "--target", "tpu-v5e").stdout
    assert "\noptimized HLO for tpu-v5e (" in text
    run("extract", f"{file}:layer", "--target", "tpu-v5e", "--out", tmp_path)
    assert (tmp_path / "layer.tpu-v5e.optimized.hlo.txt").read_text().startswith("HloModule")


def test_the_only_function_needs_no_name(tmp_path: Path) -> None:
    (path := tmp_path / "one.py").write_text("def f(x):\n    return x\n\n\ndef _g(x): ...\n")
    assert "function    f(f32[])" in run("extract", path, "--input", "f32[]").stdout


def test_a_function_without_def(file: Path) -> None:
    text = run("extract", f"{file}:twice", "--input", "f32[2]", "--input", "3").stdout
    assert "function    twice(f32[2], 3)" in text
    assert "mul a 3.0:f32[]" in text


def test_an_error_is_shown_in_the_users_lines(file: Path) -> None:
    done = run("extract", f"{file}:wrong", "--input", "f32[2,3]", "--input", "f32[2,3]", code=1)
    assert done.stdout == ""
    head, _, rest = done.stderr.partition("\n\n")
    assert head == f"{file}:wrong does not trace:"
    assert rest.startswith('  File "mine.py", line 15, in wrong\n    return x @ y\n')
    assert rest.splitlines()[-1] == (
        "TypeError: dot_general requires contracting dimensions to have the same shape, "
        "got (3,) and (2,)."
    )


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("hang", ["--seconds", "1"], "no answer within 1 s; --seconds gives it more."),
        ("crash", [], "its process died: SIGABRT."),
        ("large", [], "needs more than the 8 GiB that --memory gives it (MemoryError"),
    ],
)
def test_what_ends_the_process_is_one_sentence(
    file: Path, name: str, options: list[str], sentence: str
) -> None:
    done = run("extract", f"{file}:{name}", "--input", "f32[2]", *options, code=1)
    assert done.stderr.startswith(f"error: {file}:{name}: {sentence}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("function", "options", "problem"),
    [
        ("", [], "mine.py: has 5 public functions; say which: "),
        (":nothing", [], "has no 'nothing'; its public functions are layer, wrong, hang, cra"),
        (":wrong", ["--input", "f32[2]"], "wrong(x, y) needs y too: give an --input for each"),
        (":wrong", [], "wrong(x, y) needs x, y too"),
        (":hang", ["--input", "y=f32[2]"], "hang(x) has no argument 'y'"),
        (":hang", ["--input", "f32"], "--input 'f32': 'f32' is no aval: a scalar is 'f32[]'"),
        (":layer", ["--level", "python"], "no level 'python'; there are jaxpr, stablehlo, hlo, o"),
        (":layer", ["--target", "gpu"], "There is no target 'gpu'; there are cpu, "),
        (":layer", ["--json", "--out", "x"], "--json and --out are different ways to show it"),
    ],
)
def test_what_cannot_be_asked(file: Path, function: str, options: list[str], problem: str) -> None:
    done = run("extract", f"{file}{function}", *options, code=2)
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not TARGETS["tpu-v5e"].missing(), reason="the extra tpu is installed")
def test_a_target_that_is_not_installed(file: Path) -> None:
    done = run("extract", f"{file}:layer", "--target", "tpu-v5e", code=2)
    assert "this installation lacks libtpu: pip install 'jax-ir-pairs[tpu]'" in done.stderr


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "name a Python file" in run("extract", tmp_path / "no.py", code=2).stderr
    (tmp_path / "broken.py").write_text("def f(x:\n")
    assert "broken.py:1: '(' was never" in run("extract", tmp_path / "broken.py", code=2).stderr
    (tmp_path / "empty.py").write_text("")
    assert "has no public functions" in run("extract", tmp_path / "empty.py", code=2).stderr
