"""What a killed driver leaves running: nothing, whatever its workers are in the midst of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.running import start, wait_for, write_config


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes the interpreter's lock")
def test_endless_work_ends_with_the_driver(tmp_path: Path) -> None:
    with start(write_config(tmp_path), tmp_path / "out", faults=["endless"]) as running:
        assert wait_for(lambda: len(running.of_workers()) == 2, 120)
        assert len(running.processes()) == 5
        running.process.kill()
        assert running.left(seconds=5) == []
