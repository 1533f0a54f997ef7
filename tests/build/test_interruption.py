"""Builds in processes of their own, which are killed or interrupted from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jax_ir_pairs.build import Folder, build
from tests.build import slow_build
from tests.build.fakes import CONFIG, FakeProcess, colliding, files_of, reject_tenth

ROOT = Path(__file__).parents[2]


def start_and_signal(out: Path, extractions: int, number: signal.Signals) -> int:
    """Sends a signal to a build in the midst of its work, and gives its exit status."""
    command = [
        sys.executable,
        "-m",
        slow_build.__name__,
        str(out),
        os.environ["JAX_IR_PAIRS_CACHE"],
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(extractions):
            assert process.stdout.readline() == "extracted\n"
        os.kill(process.pid, number)
        process.stdout.read()
    return process.returncode


def resume(out: Path) -> None:
    build(CONFIG, out, open_process=lambda: FakeProcess(jaxpr=colliding, check=reject_tenth))


@pytest.mark.parametrize("extractions", [5, 55])
def test_kill_9_in_the_middle_and_resume(tmp_path: Path, extractions: int) -> None:
    resume(tmp_path / "whole")
    assert start_and_signal(tmp_path / "killed", extractions, signal.SIGKILL) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "tiny" / "manifest.json").exists()

    resume(tmp_path / "killed")
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_ctrl_c_keeps_whole_shards_and_leaves_no_litter(tmp_path: Path) -> None:
    status = start_and_signal(tmp_path, 55, signal.SIGINT)

    assert status == -signal.SIGINT
    folder = Folder(tmp_path / "tiny")
    assert not folder.leftovers()
    assert len(list(folder.path.glob("*.parquet"))) == len(list(folder.sidecars.glob("*"))) >= 1
