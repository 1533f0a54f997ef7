from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jax_ir_pairs.targets import TARGETS

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user does, in another folder."""
    done = subprocess.run(
        [sys.executable, "-m", "jax_ir_pairs", *map(str, arguments)],
        cwd="/",
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def test_configs_are_listed() -> None:
    lines = run("configs").stdout.splitlines()
    assert [line.split()[0] for line in lines if line[:4] == " hlo"] == [
        "hlo-100",
        "hlo-1k",
        "hlo-10k",
        "hlo-100k",
        "hlo-1m",
    ]


def test_targets_are_listed_with_what_they_need() -> None:
    lines = run("targets").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(TARGETS)
    for line, target in zip(lines[1:], TARGETS.values(), strict=True):
        if target.missing():
            assert line.split()[1] == "no"
            assert f"pip install 'jax-ir-pairs[{target.platform}]'" in line
        else:
            assert line.split()[1] == "yes"


@pytest.mark.skipif(not TARGETS["cuda-h100"].missing(), reason="the extra cuda is installed")
def test_a_target_that_is_not_installed_stops_the_build_before_it_starts(tmp_path: Path) -> None:
    done = run("build", "targets-1k", "--out", tmp_path, code=2)
    assert "pip install 'jax-ir-pairs[" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["build", "hlo-7", "--out", "x"], 2, "no config 'hlo-7'"),
        (["build", "hlo-100", "--out", "x", "--workers", "0"], 2, "at least 1 worker"),
        (["build", "hlo-100", "--out", "x", "--shards", "3"], 2, "must be FIRST:END"),
        (["build", "hlo-100", "--out", "x", "--shards", "0:99"], 2, "has the shards 0:6"),
        (["build", "hlo-100", "--out", "x", "--seed", "-1"], 2, "seed: -1"),
        (["build", "hlo-100"], 2, "--out"),
        (["build", "/nowhere/mine.yaml", "--out", "x"], 2, "no config file"),
        (["build", "hlo-100", "--out", "/proc/x"], 1, "/proc/x"),
        (["show", "/nowhere"], 2, "no folder '/nowhere'"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_bad_input_gets_one_clear_error(arguments: list[str], code: int, problem: str) -> None:
    assert problem in run(*arguments, code=code).stderr


def test_a_row_is_shown_at_every_level(tiny: Path) -> None:
    shown = run("show", tiny, "--row", "1", "--full").stdout
    for sign in ("def ", "{ lambda ", "module @jit_", "HloModule jit_", "is_scheduled=true"):
        assert sign in shown
    only = run("show", tiny, "--level", "jaxpr").stdout
    assert "{ lambda " in only
    assert "HloModule" not in only
    assert "no level 'asm'" in run("show", tiny, "--level", "asm", code=2).stderr


def test_statistics_are_printed_and_written(tiny: Path, tmp_path: Path) -> None:
    assert "11 rows" in run("stats", tiny, "--markdown", tmp_path / "stats.md").stdout
    assert "# Statistics of tiny" in (tmp_path / "stats.md").read_text(encoding="utf-8")


def test_coverage_is_printed_and_written_and_names_what_is_missing(
    tiny: Path, tmp_path: Path
) -> None:
    files: list[str | Path] = [
        "--json",
        tmp_path / "coverage.json",
        "--markdown",
        tmp_path / "coverage.md",
    ]
    done = run("coverage", tiny, "--least", "2", *files, code=1)
    assert "11 rows" in done.stdout
    assert "reachable primitives in at least 2 rows" in " ".join(done.stdout.split())
    assert "no reason" in done.stderr
    assert "threefry2x32" in done.stderr
    assert "# Coverage of tiny" in (tmp_path / "coverage.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "coverage.json").read_text(encoding="utf-8"))["rows"] == 11


def test_near_duplicates_are_printed_and_written(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    done = run("near-duplicates", tiny, "--json", tmp_path / "near.json")
    assert "jaxpr" in done.stdout
    levels = json.loads((tmp_path / "near.json").read_text(encoding="utf-8"))["levels"]
    assert levels["python"]["rows"] == 11


def test_the_card_is_written_again(tiny: Path) -> None:
    before = (tiny / "README.md").read_text(encoding="utf-8")
    (tiny / "README.md").unlink()
    assert run("card", tiny).stdout.strip() == str(tiny / "README.md")
    assert (tiny / "README.md").read_text(encoding="utf-8") == before


def test_a_build_is_resumed(tiny: Path) -> None:
    done = run("build", tiny.parent / "tiny.yaml", "--out", tiny)
    assert "0 built, 4 kept" in done.stdout
    other = run("build", tiny.parent / "tiny.yaml", "--out", tiny, "--seed", "1", code=1)
    assert "differs in config" in other.stderr


def test_a_build_is_sealed_and_damage_needs_repair(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "out")
    folder = tmp_path / "out" / "tiny"
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    (tmp_path / "out" / "README.md").unlink()
    assert "The dataset card is" in run("seal", folder).stdout
    assert (folder / "manifest.json").read_bytes() == manifest
    assert (tmp_path / "out" / "README.md").read_bytes() == (tiny / "README.md").read_bytes()

    (folder / "manifest.json").write_bytes(manifest[:100])
    error = run("seal", folder, code=1).stderr
    assert "manifest.json: cannot be read, or is of another build; --repair makes" in error
    run("seal", folder, "--repair")
    assert (folder / "manifest.json").read_bytes() == manifest
    assert "no build has begun there" in run("seal", tmp_path, code=2).stderr


def test_ctrl_c_ends_a_build_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jax_ir_pairs", "build", "hlo-1k", "--out", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--workers", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("hlo-1k/.train*.tmp")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.glob("hlo-1k/.*"))


def test_starting_imports_nothing_heavy() -> None:
    code = (
        "import sys; from jax_ir_pairs.cli import app; "
        "print(sorted({'jax', 'datasets', 'pyarrow', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
