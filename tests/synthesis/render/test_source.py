from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from jax_ir_pairs.synthesis.graph import Function, Literal, Var
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval
from tests.synthesis.tracing import drafts


def sources(function: Function) -> set[str]:
    """Gives the ways in which a function is written."""
    return {render(function, "f", Stream("style", seed))[0] for seed in range(60)}


def test_operators_have_the_parentheses_that_they_need() -> None:
    scope = Scope(Stream(0), TABLE)
    x, y = (scope.input(Aval("f32", (4,)), name) for name in "xy")
    total = scope.let("add", x, y)
    product = scope.let("mul", total, Literal(2.0))
    result = scope.let("sub", x, scope.let("sub", y, product))
    written = sources(scope.close("entry", result))
    assert any("return x - (y - (x + y) * 2.0)" in text for text in written)


def test_powers_hug_simple_operands() -> None:
    scope = Scope(Stream(0), TABLE)
    x = scope.input(Aval("f32", (4,)), "x")
    result = scope.let("squared", scope.let("squared", x))
    written = sources(scope.close("entry", result))
    assert any("x**2" in text for text in written)
    assert any("(x**2) ** 2" in text for text in written)


def test_a_function_that_closes_over_a_value_is_defined_where_it_is_seen() -> None:
    scope = Scope(Stream(0), TABLE)
    x, y = (scope.input(Aval("f32", (4,)), name) for name in "xy")
    doubled = scope.let("mul", y, Literal(2.0), role="doubled")
    row = Var(Aval("f32"), (-4, 4), "row")
    body = scope.nested([row], [doubled])
    total = body.let("sum", doubled)
    per_row = body.close("per_row", body.let("mul", row, total))
    out = Var(Aval("f32", (4,)))
    scope.bind("map", (per_row, x), {}, out)
    for text in sources(scope.close("entry", out)):
        assert text.index("doubled =") < text.index("doubled.sum()" if ".sum()" in text else "sum(")
        assert "\ndef per_row" not in text


def test_no_local_name_hides_a_function_of_the_module() -> None:
    for seed, draft in drafts(300):
        lines = draft.program().python.splitlines()
        functions = {line[4 : line.index("(")] for line in lines if line.startswith("def ")}
        assigned = {line.split(" = ")[0].strip() for line in lines if " = " in line}
        assert not functions & assigned, seed


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for seed, draft in drafts(400):
        (folder / f"seed_{seed}.py").write_text(draft.program().python, encoding="utf-8")
    return folder


def ruff() -> str:
    found = shutil.which("ruff", path=sysconfig.get_path("scripts")) or shutil.which("ruff")
    if found is None:
        pytest.skip("ruff is not installed: pip install -e '.[dev]'")
    return found


def test_programs_pass_the_formatter(programs: Path) -> None:
    command = [ruff(), "format", "--isolated", "--diff", "--no-cache", str(programs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:4000]


def test_programs_have_no_undefined_names_and_no_idle_imports(programs: Path) -> None:
    command = [ruff(), "check", "--isolated", "--no-cache", "--select", "F,E9"]
    command += ["--ignore", "F841", str(programs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:4000]
