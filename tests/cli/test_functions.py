from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from jax_ir_pairs.cli.functions import asked_config
from jax_ir_pairs.errors import UsageError
from tests.build.fakes import files_of
from tests.cli.test_app import run
from tests.synthesis.functions.modules import LAYERS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (path := tmp_path / "layers.py").write_text(LAYERS)
    return path


def test_a_module_becomes_a_dataset(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("build", "--functions", file, "--out", out, "--workers", "1")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line]
    facts = {line[0]: line[1] for line in lines if len(line) > 1}
    assert facts["rows"].strip() == "4 train"
    assert facts["rejected"].strip() == "1 trace-error"
    text = " ".join(done.stdout.split())
    assert "no row bad(f32[3,4], f32[3,4]): trace-error: TypeError: dot_general requires" in text
    assert f"jax-ir-pairs extract {file}:bad --input 'f32[3,4]' --input 'f32[3,4]' sh" in text

    rows = load_dataset(str(out), "layers", split="train")
    assert rows["entry_point"] == ["layer", "layer", "model", "add"]
    assert json.loads(rows[1]["inputs"])[0] == ["x", "f32[2,16]"]
    assert set(rows["family"]) == {"user"}
    assert all("example_inputs" not in python for python in rows["python"])
    assert "f32[2,16]" in rows[1]["jaxpr"]
    assert len(set(rows["id"])) == 4

    before = files_of(out)
    again = run("build", "--functions", file, "--out", out)
    assert "0 built, 1 kept" in again.stdout
    assert "bad(f32[3,4], f32[3,4]): trace-error" in again.stdout
    assert files_of(out) == before
    assert "2,16" in run("show", out, "--row", "1").stdout

    # The manifest has all that it takes to make it again.
    config = json.loads((out / "layers" / "manifest.json").read_text())["config"]
    (tmp_path / "layers.yaml").write_text(json.dumps(config))
    run("build", tmp_path / "layers.yaml", "--out", tmp_path / "other")
    assert files_of(tmp_path / "other") == before

    file.write_text(LAYERS.replace("SCALE = 2.0", "SCALE = 3.0"))
    changed = run("build", "--functions", file, "--out", out, code=1)
    assert "there is a build that differs in config; --force deletes it" in changed.stderr


def test_functions_with_one_jaxpr_are_one_row(tmp_path: Path) -> None:
    body = "@j.example_inputs('f32[2]')\ndef {}(x):\n    return x + 1\n"
    source = "import jax_ir_pairs as j\n" + body.format("f") + body.format("g")
    (tmp_path / "same.py").write_text(source)
    done = run("build", "--functions", tmp_path / "same.py", "--out", tmp_path / "out")
    text = " ".join(done.stdout.split())
    assert "g(f32[2]): duplicate: an earlier row has the same jaxpr" in text
    rows = pq.read_table(next((tmp_path / "out" / "same").glob("*.parquet")))
    assert rows["entry_point"].to_pylist() == ["f"]


def test_no_row_at_all_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "import jax_ir_pairs as j\n\n\n@j.example_inputs('f32[2]')\ndef f(x):\n    return x @ 3\n"
    )
    done = run("build", "--functions", tmp_path / "bad.py", "--out", tmp_path / "out", code=1)
    assert "f(f32[2]): trace-error: ValueError: matmul" in done.stderr
    assert "error: bad: none of the candidates gave a row, so there is no data." in done.stderr


def test_what_is_asked_for(file: Path) -> None:
    assert asked_config("hlo-100", None, (), 7).seed == 7
    assert asked_config(None, file, ["tpu-v5e", "cpu"], None).targets == ("cpu", "tpu-v5e")


@pytest.mark.parametrize(
    ("name", "functions", "targets", "seed", "problem"),
    [
        (None, False, (), None, "Name a config, such as hlo-100, or a file with --functions"),
        ("hlo-100", True, (), None, "Both hlo-100 and --functions "),
        ("hlo-100", False, ("tpu-v5e",), None, "--target goes with --functions"),
        (None, True, (), 3, "--seed is for synthesized programs"),
        (None, True, ("gpu",), None, "There is no target 'gpu'"),
    ],
)
def test_what_does_not_go_together(
    file: Path,
    name: str | None,
    functions: bool,
    targets: tuple[str, ...],
    seed: int | None,
    problem: str,
) -> None:
    with pytest.raises(UsageError) as error:
        asked_config(name, file if functions else None, targets, seed)
    assert problem in str(error.value)
