"""What a command does with its standard files and with signals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_what_cannot_be_written_does_not_take_the_place_of_the_exit_status() -> None:
    script = (
        "import sys\n"
        "from jax_ir_pairs.cli.signals import drop_unwritten\n"
        "sys.stdout.write('too much')\n"
        "if sys.argv[1:]: drop_unwritten()\n"
        "sys.exit(3)\n"
    )
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        for arguments, status in ([], 120), (["drop"], 3):
            command = [sys.executable, "-c", script, *arguments]
            ended = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, check=False, env=buffered
            )
            assert ended.returncode == status, ended.stderr.decode()
