from __future__ import annotations

import re
import sys
from typing import Any

import nbformat
import pytest

from tests.examples.notebooks import EXAMPLES, NOTEBOOKS, executed, outputs, text

NAMES = [path.stem for path in NOTEBOOKS]


def check_clean(notebook: Any) -> None:
    """Every cell ran, in order, without an error and without a word on stderr."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in outputs(notebook):
        assert output.output_type != "error", output
        if output.get("name") == "stderr":  # matplotlib says so once on each machine
            assert output.text.startswith("Matplotlib is building the font cache"), output.text


def losses(shown: str) -> list[tuple[float, float]]:
    found = re.findall(r"^step +\d+: loss ([\d.]+), held out ([\d.]+)$", shown, re.MULTILINE)
    return [(float(loss), float(held_out)) for loss, held_out in found]


def scores(shown: str) -> dict[str, list[float]]:
    [header] = re.findall(r"^ +answers +parses +valid +signature +equivalent +reward$", shown, re.M)
    lines = shown.split(f"{header}\n")[1].splitlines()[:3]
    fields = (re.split(r"  +", line) for line in lines)
    return {name: [float(figure) for figure in figures] for name, *figures in fields}


def test_training_lowers_the_loss_and_the_answers_are_scored() -> None:
    root = EXAMPLES.parent
    notebook = executed(
        EXAMPLES / "train_tiny_lm.ipynb",
        root,
        {"JAX_IR_PAIRS_STEPS": "10", "JAX_IR_PAIRS_DATA": ""},
    )
    check_clean(notebook)
    shown = text(notebook)
    assert "runs on the CPU" in shown
    curve = losses(shown)
    assert curve[-1][0] < 0.8 * curve[0][0]
    assert curve[-1][1] < 0.8 * curve[0][1]
    found = scores(shown)
    assert found.keys() == {"held out", "trained on", "the rows' own"}
    assert found["the rows' own"][1:] == [1.0] * 5
    assert found["held out"][0] > 0
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))


def test_exploring_shows_rows_levels_and_plots() -> None:
    notebook = executed(EXAMPLES / "explore.ipynb", EXAMPLES, {"JAX_IR_PAIRS_DATA": ""})
    check_clean(notebook)
    shown = text(notebook)
    assert "sample: 100 rows" in shown
    for title in ("Python", "jaxpr", "StableHLO", "HLO", "optimized HLO"):
        assert re.search(rf"{title} \(\d+ lines?, ", shown)
    assert "dot_general" in shown
    assert sum("image/png" in output.get("data", {}) for output in outputs(notebook)) == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_notebook_shows_one_whole_run(name: str) -> None:
    path = EXAMPLES / f"{name}.ipynb"
    check_clean(nbformat.read(path, as_version=4))
    assert path.stat().st_size < 500_000
    assert not re.search(r"/(home|root|tmp|Users)/", path.read_text(encoding="utf-8"))


def test_the_kept_training_learned_something() -> None:
    shown = text(nbformat.read(EXAMPLES / "train_tiny_lm.ipynb", as_version=4))
    curve = losses(shown)
    assert curve[-1][1] < curve[0][1] / 4
    assert scores(shown)["the rows' own"][1:] == [1.0] * 5


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_package_is_named_with_the_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(
        cell
        for cell in nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4).cells
        if cell.cell_type == "code"
    )
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError) as raised:
        exec(first.source, {})
    assert str(raised.value) == (
        "matplotlib.pyplot is missing: pip install 'jax-ir-pairs[notebooks]'"
    )
