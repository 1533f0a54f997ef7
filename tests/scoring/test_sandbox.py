from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from jax_ir_pairs.scoring.seccomp import ARCHITECTURES, instructions
from tests.this_python import search_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="filters are Linux's")

TRIES = """
import ctypes, json, os, resource, socket, subprocess, sys, threading, time
from pathlib import Path
from jax_ir_pairs.scoring import sandbox

folder = Path(sys.argv[1])
(folder / "there").write_text("text")
libc = ctypes.CDLL(None, use_errno=True)
go = threading.Event()
of_thread = []

def early():
    go.wait()
    try:
        of_thread.append(repr(os.fork()))
    except OSError as error:
        of_thread.append(error.strerror)

thread = threading.Thread(target=early)
thread.start()
sandbox.limit(1 << 30, cpu_seconds=60)
go.set()
thread.join()

def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def started():
    other = threading.Thread(target=int)
    other.start()
    other.join()

tries = {
    "fork": os.fork,
    "vfork and exec": lambda: subprocess.run(["true"]),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "socket": socket.socket,
    "socket pair": socket.socketpair,
    "open for writing": lambda: open(folder / "new", "w"),
    "open for appending": lambda: open(folder / "there", "a"),
    "open for both": lambda: os.open(folder / "there", os.O_RDWR),
    "truncate": lambda: os.truncate(folder / "there", 0),
    "unlink": lambda: os.unlink(folder / "there"),
    "rename": lambda: os.rename(folder / "there", folder / "away"),
    "mkdir": lambda: os.mkdir(folder / "new"),
    "link": lambda: os.link(folder / "there", folder / "new"),
    "symlink": lambda: os.symlink("there", folder / "new"),
    "chmod": lambda: os.chmod(folder / "there", 0),
    "chown": lambda: os.chown(folder / "there", 1, 1),
    "utime": lambda: os.utime(folder / "there"),
    "signal to the parent": lambda: os.kill(os.getppid(), 0),
    "signal to a group": lambda: os.killpg(os.getpgrp(), 0),
    "ptrace": lambda: call("ptrace", 16, os.getppid(), 0, 0),
    "memory of the parent": lambda: call("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0),
    "session": os.setsid,
    "user": lambda: os.setuid(1),
    "mount": lambda: call("mount", b"a", str(folder).encode(), b"tmpfs", 0, 0),
    "unshare": lambda: call("unshare", 0x10000000),
    "limits": lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 0)),
    "memory": lambda: bytearray(2 << 30),
    "a thread": started,
    "reading": lambda: (folder / "there").read_text(),
    "a signal to itself": lambda: os.kill(os.getpid(), 0),
    "reading limits": lambda: resource.getrlimit(resource.RLIMIT_CPU),
}
found = {"a thread from before": of_thread[0]}
for name, attempt in tries.items():
    try:
        attempt()
        found[name] = ""
    except OSError as error:
        found[name] = error.strerror
    except (MemoryError, ValueError) as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""
ALLOWED = ("a thread", "reading", "a signal to itself", "reading limits")
DENIED = (
    "fork",
    "vfork and exec",
    "exec",
    "spawn",
    "socket",
    "socket pair",
    "open for writing",
    "open for appending",
    "open for both",
    "truncate",
    "unlink",
    "rename",
    "mkdir",
    "link",
    "symlink",
    "chmod",
    "chown",
    "utime",
    "signal to the parent",
    "signal to a group",
    "ptrace",
    "memory of the parent",
    "session",
    "user",
    "mount",
    "unshare",
    "limits",
    "a thread from before",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRIES, str(tmp_path_factory.mktemp("tries"))],
        env=os.environ | search_path(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tries: dict[str, str] = json.loads(done.stdout)
    return tries


def test_every_try_is_judged(found: dict[str, str]) -> None:
    assert set(found) == {*ALLOWED, *DENIED, "memory"}


@pytest.mark.parametrize("name", DENIED)
def test_what_a_limited_child_may_not(found: dict[str, str], name: str) -> None:
    assert found[name] == "Operation not permitted"


@pytest.mark.parametrize("name", ALLOWED)
def test_what_a_limited_child_may(found: dict[str, str], name: str) -> None:
    assert found[name] == ""


def test_memory_ends_where_it_was_limited(found: dict[str, str]) -> None:
    assert found["memory"] == "MemoryError"


LIMITED = "from jax_ir_pairs.scoring import sandbox\nsandbox.limit(1 << 30, cpu_seconds=0)\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (LIMITED + "while True: pass", -9),  # the hard limit
        ("from jax_ir_pairs.scoring.sandbox import no_longer_than\n"
         "with no_longer_than(0.1):\n    while True: pass", -27),
        ("from jax_ir_pairs.scoring.sandbox import no_longer_than\n"
         "import time\nwith no_longer_than(0.1): pass\ntime.sleep(0.2)", 0),
    ],
    ids=["CPU time", "a time that is over", "a time that was kept to"],
)  # fmt: skip
def test_times_end_a_child(code: str, status: int) -> None:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | search_path(), check=False)
    assert done.returncode == status


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_filters_are_ones_that_the_kernel_takes(name: str) -> None:
    program = instructions(ARCHITECTURES[name], 1234)
    assert len(program) < 4096
    for place, (code, true, false, _) in enumerate(program):
        if code & 0x07 == 0x05:  # a jump
            assert place + 1 + max(true, false) < len(program)
    assert [each[0] for each in program[-1:]] == [0x06]


def run_filter(name: str, number: int, *arguments: int, process: int = 1234) -> int:
    """Gives what the filter says of a system call, as the kernel would compute it."""
    architecture = ARCHITECTURES[name]
    data: dict[int, int] = {0: number, 4: architecture.audit}
    data |= {16 + 8 * place: value for place, value in enumerate(arguments)}
    program, place, loaded = instructions(architecture, process), 0, 0
    while True:
        code, true, false, value = program[place]
        place += 1
        match code:
            case 0x20:
                loaded = data.get(value, 0)
            case 0x06:
                return value
            case _:
                tests: dict[int, Any] = {
                    0x15: loaded == value,
                    0x35: loaded >= value,
                    0x45: bool(loaded & value),
                }
                place += true if tests[code] else false


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_both_tables_say_the_same(name: str) -> None:
    numbers = ARCHITECTURES[name].numbers
    allowed, refused = 0x7FFF0000, 0x00050001
    assert run_filter(name, numbers["socket"]) == refused
    assert run_filter(name, numbers["clone"], 0x00010000) == allowed
    assert run_filter(name, numbers["clone"], 17) == refused
    assert run_filter(name, numbers["clone3"]) == 0x00050026
    assert run_filter(name, numbers["openat"], 0, 0, os.O_RDONLY | os.O_CLOEXEC) == allowed
    assert run_filter(name, numbers["openat"], 0, 0, os.O_WRONLY) == refused
    assert run_filter(name, numbers["tgkill"], 1234) == allowed
    assert run_filter(name, numbers["tgkill"], 1) == refused
    assert run_filter(name, numbers["prlimit64"], 0, 0, 0) == allowed
    assert run_filter(name, 99_999) == allowed
