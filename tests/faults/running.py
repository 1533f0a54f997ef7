"""Builds on the command line that run beside the test, and what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from jax_ir_pairs.config import load_config
from jax_ir_pairs.plan import make_plan

ROOT = Path(__file__).parents[2]

YAML = """\
extends: _standard
name: quick
description: "for tests of faults"
splits: {train: 36, validation: 6, test: 6}
rows_per_shard: 8
spare_share: 0.5
max_rejected_share: 0.5
"""


def write_config(folder: Path, name: str = "quick", yaml: str = YAML) -> Path:
    """Writes a config, and makes its plan, which all builds of the test then find in the cache."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.replace("name: quick", f"name: {name}"), encoding="utf-8")
    make_plan(load_config(path))
    return path


@dataclass
class Running:
    """A build in a session of its own, and the processes that it started.

    They are known by their folder for temporary files, which workers inherit.
    """

    process: subprocess.Popen[bytes]
    folder: Path
    started: float = field(default_factory=time.monotonic)

    def processes(self) -> list[psutil.Process]:
        """Gives all that are alive, the build itself included."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mark = process.environ().get("TMPDIR")
                if mark == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """Gives the children of the build that answer programs."""
        return [p for p in self.processes() if _parent(p) == self.process.pid]

    def of_workers(self) -> list[psutil.Process]:
        """Gives what the workers started."""
        workers = {worker.pid for worker in self.workers()}
        return [p for p in self.processes() if _parent(p) in workers]

    def left(self, seconds: float = 5.0) -> list[psutil.Process]:
        """Gives what is still alive after so long."""
        wait_for(lambda: not self.processes(), seconds)
        return self.processes()

    def finish(self, seconds: float = 300.0) -> int:
        """Waits for the build's end and gives its exit status, as of [`subprocess`][]."""
        return self.process.wait(seconds)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what a failed test leaves."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


def start(
    config: Path | str,
    out: Path,
    *options: str,
    faults: Sequence[str] = ("quick",),
    through: Sequence[str] = (),
    **popen: Any,
) -> Running:
    """Starts a build of `config` into `out`; `popen` goes to [`subprocess.Popen`][].

    A command that it is started `through` becomes it. It stands in for `preexec_fn`, which forks
    this process, and JAX, where another test imported it, warns of that.
    """
    folder = Path(tempfile.mkdtemp(prefix="build-", dir=out.parent))
    launch = [*through, sys.executable, "-m", "tests.faults.launch", ",".join(faults)]
    build = ["build", str(config), "--out", str(out), "--workers", "2", *options]
    environment = {**os.environ, "TMPDIR": str(folder), **popen.pop("env", {})}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    process = subprocess.Popen([*launch, *build], cwd=ROOT, env=environment, **{**quiet, **popen})
    return Running(process, folder)


def build(config: Path | str, out: Path, *options: str, **how: Any) -> tuple[int, str]:
    """Runs a build to its end, and gives its exit status and what it wrote to stderr."""
    with start(config, out, *options, **how) as running:
        _, errors = running.process.communicate(timeout=600)
    return running.process.returncode, (errors or b"").decode()


def wait_for(true: Callable[[], Any], seconds: float = 60.0) -> bool:
    """Waits until something is true, and tells whether it came to that."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
