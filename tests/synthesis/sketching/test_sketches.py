"""Every sketch by itself: it is drawn, written in several styles, traced and run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import jax
import pytest

from jax_ir_pairs.config import THEME_NEEDS, theme_names
from jax_ir_pairs.synthesis.sketching.library import files, library, library_for
from jax_ir_pairs.synthesis.sketching.roles import ROLES
from jax_ir_pairs.synthesis.sketching.source import Sketch, SourceFile
from jax_ir_pairs.synthesis.sketching.types import Array, Fields, Repeated, Type
from tests.synthesis.sketching.programs import checked, drawn
from tests.synthesis.tracing import shown

SKETCHES = sorted(library().sketches.values(), key=lambda sketch: sketch.name)
FILES = list(files())
PARAMETERS = [
    pytest.param(
        file,
        id=f"{file.theme}/{file.stem}",
        marks=[
            pytest.mark.skipif(
                any(find_spec(name) is None for name in THEME_NEEDS[file.theme]),
                reason=f"the programs need jax-ir-pairs[{file.theme}]",
            ),
            pytest.mark.filterwarnings("ignore"),  # what the packages deprecate is not ours
        ]
        if file.theme in THEME_NEEDS
        else [],
    )
    for file in FILES
]
ITEMS = [item for file in FILES for item in file.items.values()]


def _sketches(file: SourceFile) -> list[Sketch]:
    return [library().sketches[i.name] for i in file.items.values() if isinstance(i, Sketch)]


@pytest.mark.parametrize("file", PARAMETERS)
def test_sketches_trace_to_what_they_state(file: SourceFile) -> None:
    for sketch in _sketches(file):
        checked(drawn(sketch, 0, alone=True), 0, runs=False)
    jax.clear_caches()


@pytest.mark.parametrize("file", PARAMETERS)
def test_a_sketch_of_each_file_goes_on_and_stays_finite(file: SourceFile) -> None:
    """All of them, with more seeds: `make soak`."""
    sketches = _sketches(file)
    checked(drawn(sketches[len(file.text) % len(sketches)], 1), 1)
    jax.clear_caches()


def test_only_their_own_theme_has_sketches_that_need_packages() -> None:
    names = {sketch.file.theme for sketch in library_for("losses").sketches.values()}
    assert names == {*theme_names()} - {*THEME_NEEDS}
    for theme in THEME_NEEDS:
        own = {sketch.file.theme for sketch in library_for(theme).sketches.values()}
        assert own == {*names, theme}


def test_first_lines_say_what_sketches_are_for() -> None:
    for sketch in SKETCHES:
        for purpose in sketch.purposes:
            assert purpose.endswith("."), sketch.name
            assert purpose[0].isupper(), sketch.name
            assert len(purpose) <= 88, sketch.name
        assert len(set(sketch.purposes)) == len(sketch.purposes), sketch.name


def _roles(type: Type | None) -> set[str]:
    match type:
        case Array(role=role):
            return {role}
        case Fields(items):
            return {role for _, part in items for role in _roles(part)}
        case Repeated(element=element):
            return _roles(element)
        case tuple():
            return {role for part in type for role in _roles(part)}
    return set()


def test_roles_are_known_and_parameters_are_there() -> None:
    for sketch in SKETCHES:
        _holds_together(sketch)


def _holds_together(sketch: Sketch) -> None:
    used = {role for type in (*sketch.takes.values(), sketch.gives) for role in _roles(type)}
    assert used <= ROLES.keys()
    arguments = sketch.function.args
    names = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
    assert set(sketch.takes) <= set(names)
    # What is no array has a default, as the program is given arrays only.
    required = names[: len(arguments.args) - len(arguments.defaults)]
    assert set(required) <= set(sketch.takes)
    assert not set(required) & sketch.optional


def test_names_of_functions_are_used_once() -> None:
    names = [item.name for item in ITEMS]
    names += [n.name for item in ITEMS for n in item.more if isinstance(n, ast.FunctionDef)]
    counts = Counter(names)
    assert not [name for name, count in counts.items() if count > 1]


def test_no_variable_hides_a_function_of_its_file() -> None:
    for item in ITEMS:
        if isinstance(item.node, ast.FunctionDef):
            assert not item.bound & (item.file.items.keys() | item.file.holes.keys()), item.name


def test_programs_have_no_unknown_and_no_unused_names(tmp_path: Path) -> None:
    for sketch in SKETCHES:
        for seed in range(2):
            program = drawn(sketch, seed).program()
            (tmp_path / f"{sketch.name}_{seed}.py").write_text(program.python)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F,E9,B006"]
    ruff = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout


@pytest.mark.parametrize("sketch", SKETCHES[::60], ids=lambda sketch: sketch.name)
def test_a_program_is_the_same_each_time(sketch: Sketch) -> None:
    first, second = drawn(sketch, 0), drawn(sketch, 0)
    assert first.program() == second.program(), shown(first.program(), 0)
    assert first.canonical_hash == second.canonical_hash
