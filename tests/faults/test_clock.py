"""Clocks that jump, and a driver that stands still."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.running import build, start, wait_for


def test_a_clock_that_jumps(tmp_path: Path, whole: Undisturbed) -> None:
    assert build(whole.config, tmp_path / "out", faults=["quick", "jumping_clock"])[0] == 0
    assert files_of(tmp_path / "out") == whole.files
