"""Clocks that jump, and a driver that stands still."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.running import YAML, build, start, wait_for, write_config


def test_a_clock_that_jumps(tmp_path: Path, whole: Undisturbed) -> None:
    assert build(whole.config, tmp_path / "out", faults=["quick", "jumping_clock"])[0] == 0
    assert files_of(tmp_path / "out") == whole.files


def test_a_driver_that_is_stopped_for_longer_than_any_program_may_take(
    tmp_path: Path, whole: Undisturbed
) -> None:
    limited = write_config(tmp_path, yaml=YAML + "limits: {seconds: 3.0}\n")
    out = tmp_path / "out"
    with start(limited, out) as running:
        assert wait_for(lambda: any(out.glob("quick/*.parquet")))
        running.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        running.process.send_signal(signal.SIGCONT)
        assert running.finish() == 0
    config = {"README.md", "quick/build.json", "quick/manifest.json"}  # the limits are in them
    shards = {name: files_of(out)[name] for name in whole.files if name not in config}
    assert shards == {name: sha for name, sha in whole.files.items() if name not in config}
