from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.cli.test_app import ROOT, run

SAMPLE = ROOT / "data" / "sample"


def test_a_page_is_served_until_ctrl_c() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "jax_ir_pairs", "browse", SAMPLE, "--port", "0"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert told.startswith("sample, 100 rows: http://127.0.0.1:")
        with urllib.request.urlopen(told.split()[3], timeout=10) as answer:
            assert b"jax-ir-pairs" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_a_page_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    lines = run("browse", SAMPLE, "--html", path, "--rows", "4").stdout.splitlines()
    assert lines[0].startswith(f"{path}: 4 of 100 rows, 0.")
    assert lines[1].startswith("--rows 100 takes all of them, about ")
    assert path.read_text().startswith("<!doctype html>")


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    told = run("browse", SAMPLE, "--html", page, "--port", "1", code=2).stderr
    assert told == "error: --html writes and --port serves; give one of them.\n"
    assert "--rows is for --html FILE" in run("browse", SAMPLE, "--rows", "1", code=2).stderr


def test_ones_own_function_as_a_page(tmp_path: Path) -> None:
    (file := tmp_path / "one.py").write_text("def f(x):\n    return x * x\n")
    page = tmp_path / "page.html"
    ask = ("extract", file, "--input", "f32[8,16]")
    assert run(*ask, "--html", page).stdout.startswith(f"{page}: 1 row, 0.")
    assert "--level is not for a page" in run(*ask, "--browse", "--level", "hlo", code=2).stderr
