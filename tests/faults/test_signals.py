"""SIGTERM and SIGHUP: workers end, whole shards stay, and the exit status says what it was."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from jax_ir_pairs.build import Folder
from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.running import build, start, wait_for


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_in_order_and_goes_on(
    tmp_path: Path, whole: Undisturbed, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    folder = Folder(out / "quick")
    with start(whole.config, out) as running:
        assert wait_for(lambda: any(folder.sidecars.glob("*.json")))
        running.process.send_signal(number)
        running.process.send_signal(number)
        _, errors = running.process.communicate(timeout=20)
        assert running.process.returncode == 128 + number
        assert running.left() == []
    last = errors.decode().splitlines()[-1]
    assert last.startswith(f"ended by {number.name}: ")
    assert " of 7 shards are whole and kept in " in last
    assert "Traceback" not in errors.decode()
    assert not folder.leftovers()
    assert len(list(folder.path.glob("*.parquet"))) == len(list(folder.sidecars.glob("*")))

    assert build(whole.config, out)[0] == 0
    assert files_of(out) == whole.files


def test_nohup_goes_on(tmp_path: Path, whole: Undisturbed) -> None:
    out = tmp_path / "out"
    with start(whole.config, out, through=["nohup"]) as running:
        assert wait_for(lambda: any(out.glob("quick/*.parquet")))
        running.process.send_signal(signal.SIGHUP)
        running.process.communicate(timeout=120)
        assert running.process.returncode == 0
    assert files_of(out) == whole.files
