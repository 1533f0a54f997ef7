"""Builds killed at random moments, and held against an undisturbed one.

    python -m tests.faults.kills TRIALS [--seed SEED] [--real]

In each trial a build is started on the command line, and at a moment drawn from the whole of its
time `kill -9` takes its driver, one of its workers, or what a worker started. A build that lost its
driver is run again; one that lost another goes on by itself. Then all bytes are compared. With
`--real` the compiler is the real one, and a worker has nothing to lose but itself.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.build.fakes import files_of
from tests.faults.running import Running, build, start, wait_for, write_config

DRIVER, WORKER = "driver", "worker"
VICTIMS = (DRIVER, WORKER, DRIVER, WORKER, "child of a worker")


class WrongError(AssertionError):
    """A trial in which something did not hold."""


@dataclass(frozen=True)
class Undisturbed:
    """A build that nothing happened to."""

    config: Path
    faults: tuple[str, ...]
    files: dict[str, str]
    seconds: float

    @classmethod
    def of(cls, config: Path, folder: Path, faults: tuple[str, ...]) -> Undisturbed:
        started = time.monotonic()
        status, errors = build(config, folder / "undisturbed", faults=faults)
        if status:
            raise WrongError(errors)
        files = files_of(folder / "undisturbed")
        return cls(config, faults, files, time.monotonic() - started)


def trial(whole: Undisturbed, out: Path, victim: str, after: float) -> str:
    """Kills `victim` so many seconds after a build's start, and says what was killed, if any."""
    with start(whole.config, out, faults=whole.faults, stderr=subprocess.DEVNULL) as running:
        time.sleep(after)
        killed = _kill(running, victim)
        status = running.finish()
        if victim == DRIVER and killed:
            if status != -signal.SIGKILL:
                raise WrongError(f"the driver that was killed ended with {status}")
        elif status:
            raise WrongError(f"the build ended with {status} after a kill of its {victim}")
        if left := running.left():
            raise WrongError(f"alive after 5 s: {left}")
    if status:
        sealed = ", sealed" if any(out.glob("*/manifest.json")) else ""
        killed += f", {len(list(out.glob('*/shards/*.json')))} shards{sealed}"
        status, errors = build(whole.config, out, faults=whole.faults)
        if status:
            raise WrongError(f"resuming ended with {status}: {errors}")
    if (files := files_of(out)) != whole.files:
        names = sorted(k for k in files | whole.files if files.get(k) != whole.files.get(k))
        raise WrongError(f"other bytes: {names}")
    return killed


def _kill(running: Running, victim: str) -> str:
    """Kills one of the victim's kind, as soon as there is one; gives nothing where none came."""
    if victim == DRIVER:
        if running.process.poll() is not None:
            return ""
        running.process.kill()
        return victim
    find = running.workers if victim == WORKER else running.of_workers
    found: list[psutil.Process] = []

    def some() -> bool:
        found[:] = find()
        return bool(found) or running.process.poll() is not None

    wait_for(some, 120)
    if not found:
        return ""
    with suppress(psutil.Error):
        found[-1].kill()
        return victim
    return ""


def trials(number: int, seed: int, folder: Path, faults: tuple[str, ...]) -> Iterator[str]:
    """Runs so many trials that kill something, and tells of each; kinds of victims take turns."""
    config = write_config(folder)
    whole = Undisturbed.of(config, folder, faults)
    yield f"undisturbed: {whole.seconds:.1f} s"
    chance = random.Random(seed)
    victims = itertools.cycle(VICTIMS if "quick" in faults else VICTIMS[:2])
    count = 0
    while count < number:
        victim, after = next(victims), chance.uniform(0, whole.seconds)
        out = folder / f"trial-{count}"
        killed = trial(whole, out, victim, after)
        count += bool(killed)
        yield f"{count} at {after:.2f} s: {killed or f'no {victim} was there'}"
        shutil.rmtree(out, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("trials", type=int)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--real", action="store_true", help="compile with XLA")
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAX_IR_PAIRS_CACHE"] = f"{folder}/plans"
        faults = ("real",) if asked.real else ("quick",)
        for line in trials(asked.trials, asked.seed, Path(folder), faults):
            print(line, flush=True)
    print("All bytes are those of the undisturbed build, and nothing was left alive.")


if __name__ == "__main__":
    main()
