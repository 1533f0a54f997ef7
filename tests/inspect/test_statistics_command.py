from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jax_ir_pairs.cli.app import app
from jax_ir_pairs.inspect.plots import PLOTS
from jax_ir_pairs.inspect.statistics_json import from_json

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample"


def stats(*options: str | Path) -> Result:
    return CliRunner().invoke(
        app, ["stats", str(SAMPLE), *map(str, options)], env={"COLUMNS": "80"}
    )


def test_everything_is_written(tmp_path: Path) -> None:
    done = stats(
        *("--json", tmp_path / "a.json", "--markdown", tmp_path / "a.md"),
        *("--plots", tmp_path / "plots"),
    )
    assert done.exit_code == 0, done.output
    assert "100 rows" in done.stdout
    assert from_json((tmp_path / "a.json").read_text(encoding="utf-8")).rows == 100
    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("# Statistics of sample")
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == set(PLOTS)


@pytest.mark.parametrize(
    ("option", "module", "extra"),
    [("--plots", "matplotlib", "plots"), ("--tokenizer", "tokenizers", "tokenizer")],
)
def test_what_is_not_installed_is_said_before_anything_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    done = stats(option, tmp_path / "x.json")
    assert done.exit_code == 2
    assert f"jax-ir-pairs[{extra}]" in done.stderr
    assert not done.stdout
