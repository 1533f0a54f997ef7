"""Processes that run the real clients against the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.hub.server.hub import WRITER, HubServer
from tests.this_python import search_path

_COMMANDS = """
import json, sys, time
from typer.testing import CliRunner
wait = time.sleep
time.sleep = lambda seconds: wait(min(seconds, 0.01))  # between tries of a request
import jax_ir_pairs.cli.push_view
from jax_ir_pairs.cli.app import app
answers = sys.stdout
for line in sys.stdin:
    arguments, token = json.loads(line)
    done = CliRunner().invoke(app, arguments, env={"HF_TOKEN": token})
    print(json.dumps([done.exit_code, done.stdout, done.stderr]), file=answers, flush=True)
"""

# Now and then a thread of Arrow that reads ahead through Python aborts a process that ends in the
# usual way, when all is done and said (apache/arrow#45214, huggingface/datasets#7566).
_END = """
import os, sys
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    error: str


class Client:
    """A user of the server with a home of their own; a context manager.

    The clients read where the Hub is when they are imported, so each runs in another process than
    the tests.
    """

    def __init__(self, hub: HubServer, home: Path) -> None:
        self.hub = hub
        self.home = home
        self._worker: subprocess.Popen[str] | None = None
        self._log = home / "log.txt"

    def run(self, *command: str, token: str | None = WRITER, **environment: str) -> Done:
        """Runs a process of its own; `command` are Python's arguments."""
        done = subprocess.run(
            [sys.executable, *command],
            env=self._environment(token) | environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def python(self, code: str, *arguments: str, token: str | None = WRITER) -> Any:
        """Runs code in a process of its own, and gives the JSON that it prints last."""
        done = self.run("-c", code + _END, *arguments, token=token)
        assert done.code == 0, done.error
        return json.loads(done.out.splitlines()[-1])

    def command(self, *arguments: str, token: str | None = WRITER) -> Done:
        """Runs a command of `jax-ir-pairs`, in a process that all of them share.

        It tries requests again at once. What the client's loggers say goes to `logged`.
        """
        worker = self._started()
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps([arguments, token or ""]) + "\n")
        worker.stdin.flush()
        return Done(*json.loads(worker.stdout.readline()))

    def push(self, out: Path, *arguments: str, token: str | None = WRITER) -> Done:
        """Runs `jax-ir-pairs push`, to `user/name` where nothing else is said."""
        return self.command("push", str(out), *(arguments or ("user/name",)), token=token)

    def logged(self) -> str:
        """Gives what loggers and warnings of the commands said."""
        return self._log.read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._worker is not None:
            self._worker.communicate()

    def _started(self) -> subprocess.Popen[str]:
        if self._worker is None:
            with self._log.open("w") as log:
                self._worker = subprocess.Popen(
                    [sys.executable, "-c", _COMMANDS],
                    env=self._environment(WRITER),
                    cwd=self.home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        return self._worker

    def _environment(self, token: str | None) -> dict[str, str]:
        ours = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"} | search_path()
        return os.environ | self.hub.environment(self.home, token) | ours
