from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import Extraction, ExtractionProcess
from jax_ir_pairs.extraction.user_function import Argument, UserFunction
from tests.extraction.hand_written import LIMITS, SIMPLE

SOURCE = """\
from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import neighbour

print("heard by nobody")


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class State:
    x: jax.Array


def reduce(x, axis, *, mode="sum"):
    state = State(x)
    return {"sum": jnp.sum, "max": jnp.max}[mode](state.x, axis=axis)


def outer(x):
    y = jnp.sin(x)
    return neighbour.inner(y)


def branch(x):
    return x if x.sum() > 0 else -x


def own(x):
    raise ValueError(f"not this one: {Path(__file__).name}")


def unknown_call(x):
    return jax.ffi.ffi_call("nowhere", x)(x)


power = jax.jit(lambda x, n: x**n, static_argnums=1)
number = 3
"""
NEIGHBOUR = "def inner(x):\n    return x.reshape(3, 5)\n"


@pytest.fixture(scope="module")
def process() -> Iterator[ExtractionProcess]:
    with ExtractionProcess(LIMITS) as process:
        yield process


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "neighbour.py").write_text(NEIGHBOUR)
    (folder / "types.py").write_text("raise RuntimeError('not the real one')\n")
    (path := folder / "model.py").write_text(SOURCE)
    return path


def extracted(
    process: ExtractionProcess, file: Path, name: str, *arguments: Argument
) -> Extraction:
    return process.extract(UserFunction.of(file.read_text(), name, list(arguments), str(file)))


X = Argument("f32[3,4]")


def test_static_values_and_names(process: ExtractionProcess, file: Path) -> None:
    def jaxpr(*arguments: Argument) -> str:
        return extracted(process, file, "reduce", X, *arguments).jaxpr

    assert "reduce_sum[axes=(1,)" in jaxpr(Argument(1, is_static=True))
    assert "reduce_max[axes=(0, 1)" in jaxpr(
        Argument([0, 1], is_static=True), Argument("max", is_static=True, name="mode")
    )
    assert "reduce_sum[axes=(0, 1)" in jaxpr(Argument(None, is_static=True, name="axis"))
    found = extracted(process, file, "power", X, Argument(3, is_static=True))
    assert found.primitives == ("integer_pow",)


def test_lines_are_those_of_the_file(process: ExtractionProcess, file: Path) -> None:
    [power] = extracted(process, file, "power", X, Argument(2, is_static=True)).line_map
    assert power.python == 1 + SOURCE.split("\n").index(
        "power = jax.jit(lambda x, n: x**n, static_argnums=1)"
    )
    assert power.jaxpr
    assert power.stablehlo
    assert power.hlo
    assert power.optimized_hlo


def test_no_path_gets_into_the_texts_and_nothing_into_the_next_program(
    process: ExtractionProcess, file: Path
) -> None:
    before = process.extract(SIMPLE)
    found = extracted(process, file, "reduce", X, Argument(1, is_static=True))
    assert str(file.parent) not in str(found)
    assert "model.py" not in str(found)
    assert process.extract(SIMPLE) == before


def detail_of(process: ExtractionProcess, file: Path, name: str, *arguments: Argument) -> str:
    with pytest.raises(Rejected) as info:
        extracted(process, file, name, *arguments)
    assert str(file.parent) not in info.value.detail
    assert "site-packages" not in info.value.detail
    return f"{info.value.reason}\n{info.value.detail}"


def test_an_error_shows_the_lines_of_the_file_and_its_neighbours(
    process: ExtractionProcess, file: Path
) -> None:
    found = detail_of(process, file, "outer", X)
    lines = [line for line in found.splitlines() if set(line) - set(" ~^")]
    assert (
        lines
        == dedent("""\
        trace-error
          File "model.py", line 26, in outer
            return neighbour.inner(y)
          File "neighbour.py", line 2, in inner
            return x.reshape(3, 5)
        TypeError: cannot reshape array of shape (3, 4) (size 12) into shape (3, 5) (size 15)
    """).splitlines()
    )


def test_the_message_is_whole(process: ExtractionProcess, file: Path) -> None:
    found = detail_of(process, file, "branch", X)
    assert '  File "model.py", line 30, in branch\n' in found
    assert "jax.errors.TracerBoolConversionError: Attempted boolean conversion" in found
    assert "tracing the function branch at model.py:29 for jit" in found
    assert "removed its internal frames" not in found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("own", "ValueError: not this one: model.py"),
        ("unknown_call", "compiler-error\njax.errors.JaxRuntimeError: NOT_FOUND: No FFI handler"),
        ("nothing", "trace-error\nNameError: 'nothing' is no function of model.py"),
        ("number", "trace-error\nNameError: 'number' is no function of model.py"),
        ("power", "trace-error\nTypeError: <lambda>() missing 1 required positional argument"),
    ],
)
def test_other_errors(process: ExtractionProcess, file: Path, name: str, expected: str) -> None:
    assert expected in detail_of(process, file, name, X)


def test_an_error_of_the_module_itself(process: ExtractionProcess, tmp_path: Path) -> None:
    (path := tmp_path / "broken.py").write_text("x = 1\n\nimport nowhere_at_all\n")
    assert detail_of(process, path, "f") == (
        'trace-error\n  File "broken.py", line 3, in <module>\n    import nowhere_at_all\n'
        "ModuleNotFoundError: No module named 'nowhere_at_all'"
    )


def test_memory_is_one_line(process: ExtractionProcess, tmp_path: Path) -> None:
    (path := tmp_path / "big.py").write_text("w = bytearray(9 << 30)\n")
    with pytest.raises(Rejected) as info:
        extracted(process, path, "f")
    assert info.value.reason == "out-of-memory"
    assert "\n" not in info.value.detail


def test_64_bits_need_to_be_enabled(process: ExtractionProcess, tmp_path: Path) -> None:
    (path := tmp_path / "wide.py").write_text("def f(x):\n    return x\n")
    assert "f64[2] needs jax.config.update('jax_enable_x64', True)" in detail_of(
        process, path, "f", Argument("f64[2]")
    )
    enabled = "import jax\n\njax.config.update('jax_enable_x64', True)\n\n\n" + path.read_text()
    path.write_text(enabled)
    assert "f64[2]" in extracted(process, path, "f", Argument("f64[2]")).jaxpr


def test_a_long_message_is_cut(process: ExtractionProcess, tmp_path: Path) -> None:
    (path := tmp_path / "long.py").write_text("def f():\n    raise ValueError('ab' * 50_000)\n")
    found = detail_of(process, path, "f")
    assert found.endswith("…")
    assert len(found) < 7000


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the marks differ between versions")
def test_the_place_in_the_line_is_marked(process: ExtractionProcess, file: Path) -> None:
    assert "           ~~~~~~~~~^^^^^^\n" in detail_of(process, file, "outer", X)
