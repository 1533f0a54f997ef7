from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jax_ir_pairs.build.lock import FolderBusyError, folder_lock


def test_one_alone_keeps_all_others_out(tmp_path: Path) -> None:
    with folder_lock(tmp_path, shared=False):
        for shared in (False, True):
            message = "another build is at work there"
            with (
                pytest.raises(FolderBusyError, match=message),
                folder_lock(tmp_path, shared=shared),
            ):
                pass
    assert not list(tmp_path.iterdir())
    with (
        folder_lock(tmp_path, shared=True),
        folder_lock(tmp_path, shared=True),
        pytest.raises(FolderBusyError),
        folder_lock(tmp_path, shared=False),
    ):
        pass
    with folder_lock(tmp_path, shared=False):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from jax_ir_pairs.build.lock import folder_lock\n"
        "with folder_lock(pathlib.Path(sys.argv[1]), shared=False):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FolderBusyError), folder_lock(tmp_path, shared=True):
            pass
        other.kill()
    with folder_lock(tmp_path, shared=False):
        pass
