"""The whole of benchmarks/realism.py, on real code that is made up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import realism
from likeness import corpus
from likeness.corpus import Corpus
from likeness.packages import HELD_OUT, SEEN
from likeness.units import Unit

PROGRAM = '''\
import jax.numpy as jnp


def f_{number}(x):
    """Scale {number} rows."""
    if x.ndim > {number}:
        raise ValueError(f"got {{x.shape}}")
    return {number} * jnp.tanh(x)
'''


def _units(packages: list[str]) -> tuple[Unit, ...]:
    texts = [(package, PROGRAM.format(number=n)) for package in packages for n in range(10)]
    return tuple(
        Unit(package, "file.py", f"f_{number}", text, text, self_contained=True)
        for number, (package, text) in enumerate(texts)
    )


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made_up = Corpus(_units(list(SEEN)[:6]), _units(list(HELD_OUT)[:4]))
    monkeypatch.setattr(corpus, "load", lambda folder: made_up)
    found = tmp_path / "sources"
    found.mkdir()
    for number in range(20):
        text = f"import jax.numpy as jnp\n\n\ndef g(x):\n    return jnp.add(x, {number})\n"
        (found / f"{number}.py").write_text(text)
    return found


def test_quick_figures_of_sources(
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = tmp_path / "figures.json"
    arguments = ["--sources", str(sources), "--quick", "--write", str(written)]
    monkeypatch.setattr(sys, "argv", ["realism.py", *arguments])
    realism.main()
    found = json.loads(written.read_text())
    assert found["rows"] == 20
    style = found["Style, share of programs"]
    assert style["if"] == {"ours": 0.0, "real": 1.0, "real functions alone": 1.0}
    assert style["jnp.add( and its like"]["ours"] == 1.0
    assert found["Classifier"]["Python tokens: AUC, packages held out"]["ours"] == 1.0
    assert "Novelty" not in found
    assert "raise or assert" in capsys.readouterr().out


def test_programs_are_shown(
    sources: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["realism.py", "--sources", str(sources), "--print", "3"])
    realism.main()
    assert capsys.readouterr().out.count("def g(x)") == 3
