"""Terminals that close, are tiny, or are not there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.running import Running, build, start, wait_for


def in_terminal(
    whole: Undisturbed, out: Path, columns: int, lines: int, **popen: Any
) -> tuple[Running, int]:
    """Starts a build in a terminal of its own, and gives it with the terminal's other end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {"TERM": "xterm", "COLUMNS": str(columns), "LINES": str(lines)}
    running = start(
        whole.config,
        out,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        through=["setsid", "--ctty"],
        start_new_session=False,
    )
    os.close(theirs)
    return running, ours


def read_all(terminal: int) -> bytes:
    """Gives what is written to a terminal until all that have it open are gone."""
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:
            return shown
        if not chunk:
            return shown
        shown += chunk


def test_a_tiny_one(tmp_path: Path, whole: Undisturbed) -> None:
    running, terminal = in_terminal(whole, tmp_path / "out", 10, 1)
    with running:
        shown = read_all(terminal)
        assert running.finish() == 0
    os.close(terminal)
    assert b"load_datas" in shown.replace(b"\r\n", b"")
    assert files_of(tmp_path / "out") == whole.files


def test_one_that_closes(tmp_path: Path, whole: Undisturbed) -> None:
    out = tmp_path / "out"
    running, terminal = in_terminal(whole, out, 80, 24)
    with running:
        assert wait_for(lambda: any(out.glob("quick/*.parquet")))
        os.close(terminal)
        assert running.finish(20) == 129
        assert running.left() == []
    assert build(whole.config, out)[0] == 0
    assert files_of(out) == whole.files


def test_none_at_all(tmp_path: Path, whole: Undisturbed) -> None:
    assert _without_terminal(tmp_path / "out", whole, "<&- >&- 2>&-") == 0
    assert files_of(tmp_path / "out") == whole.files


def test_none_and_no_room_for_what_is_said(tmp_path: Path, whole: Undisturbed) -> None:
    redirected = "<>/dev/full >/dev/full 2>/dev/full"
    assert _without_terminal(tmp_path / "out", whole, redirected) == 1
    assert files_of(tmp_path / "out") == whole.files


def _without_terminal(out: Path, whole: Undisturbed, redirected: str) -> int:
    shell = ["sh", "-c", f'exec "$@" {redirected}', "sh"]
    with start(whole.config, out, stderr=subprocess.DEVNULL, through=shell) as running:
        status = running.finish()
        assert running.left() == []
    return status
