"""A disk on which every file takes a while."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.running import build, start, wait_for

FAULTS = ["quick", "slow_disk"]


def test_it_ends_and_goes_on_while_a_file_is_on_its_way(tmp_path: Path, whole: Undisturbed) -> None:
    out = tmp_path / "out"
    with start(whole.config, out, faults=FAULTS) as running:
        assert wait_for(lambda: any(out.glob("quick/.train-*.tmp")))
        running.process.send_signal(signal.SIGTERM)
        assert running.finish(20) == 128 + signal.SIGTERM
        assert running.left() == []
    assert not list(out.rglob("*.tmp"))
    assert build(whole.config, out, faults=FAULTS)[0] == 0
    assert files_of(out) == whole.files
