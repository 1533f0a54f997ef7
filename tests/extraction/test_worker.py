from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.extraction.environment import child_command, child_environment
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import LIMITS, SIMPLE, program


@pytest.fixture(scope="module")
def process() -> Iterator[ExtractionProcess]:
    with ExtractionProcess(LIMITS) as process:
        yield process


def _after(effect: str) -> Program:
    source = SIMPLE.python.replace("def f", f"{effect}\n\n\ndef f")
    return Program(source, "f", SIMPLE.inputs, "expression", (), SIMPLE.structure_hash)


@pytest.mark.parametrize(
    "effect",
    [
        "print('{}' * 100_000)",
        "import os\n\nos.write(1, b'{}\\n' * 10_000)\nos.write(2, b'{}\\n' * 10_000)",
        "import sys\n\nassert sys.stdin.read() == ''",
        "import sys\n\nsys.stdout.close()",
        "import signal\n\nsignal.raise_signal(signal.SIGINT)",
    ],
)
def test_what_a_program_prints_reads_or_signals(process: ExtractionProcess, effect: str) -> None:
    after = replace(process.extract(_after(effect)), line_map=())
    assert after == replace(process.extract(SIMPLE), line_map=())


def test_no_program_can_take_the_memory_of_the_machine(process: ExtractionProcess) -> None:
    with pytest.raises(Rejected, match="out-of-memory"):
        process.extract(program("w = bytearray(9 << 30)", "f32[2]"))
    with pytest.raises(Rejected, match=r"out-of-memory|crash"):
        process.extract(program("w = list(range(1 << 33))", "f32[2]"))


@pytest.mark.parametrize("busy", ["time.sleep(60)", "[i for i in iter(int, 1)]"])
def test_no_orphan_outlives_a_killed_parent(busy: str) -> None:
    """The parent starts a worker, hands it a long program, and is killed by no way to clean up."""
    parent = (
        "import json, subprocess, sys, time\n"
        "command, environment, request = json.loads(sys.argv[1])\n"
        "worker = subprocess.Popen(command, env=environment, stdin=-1, stdout=-1)\n"
        "worker.stdout.readline()\n"
        "worker.stdin.write(request.encode() + b'\\n')\n"
        "worker.stdin.flush()\n"
        "time.sleep(60)\n"
    )
    effect = f"import time\nimport os\n\nos.write(2, b'busy')\n{busy}"
    fields = {k: v for k, v in asdict(_after(effect)).items() if k in _REQUEST}
    argument = json.dumps([child_command(2**32), child_environment(), json.dumps(fields)])
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", parent, argument], stderr=writer)
    os.close(writer)  # from here on only parent and worker hold it
    assert os.read(reader, 4) == b"busy"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert select.select([reader], [], [], 10)[0], "the worker is still there"
    assert os.read(reader, 1) == b""
    os.close(reader)


_REQUEST = ("python", "entry_point", "inputs")


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    def programs(count: int, start: int) -> Iterator[Program]:
        for n in range(start, start + count):
            yield program("def f(x):\n    return jnp.sin(x) @ x", f"f32[{n},{n}]")

    with ExtractionProcess(LIMITS) as process:
        for small in programs(100, 1):
            process.extract(small)
        early = process.peak_memory_bytes
        for small in programs(400, 101):
            process.extract(small)
        assert process.peak_memory_bytes < early * 1.1
