"""A real build, some worker of which is killed every few seconds, held against an undisturbed one.

    python -m tests.faults.soak CONFIG [--every SECONDS] [--against DIR] [--out DIR] [--seed SEED]

The undisturbed build is the one in `DIR`, or is made first. It may be by another version of the
code: what says who built a shard is not compared, all else of every shard and of the manifest is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from jax_ir_pairs.build import Folder
from jax_ir_pairs.config import load_config
from tests.faults.kills import WrongError
from tests.faults.running import build, start

_WHO = ("build", "fingerprint")


@dataclass(frozen=True)
class Soaked:
    """What a soak did."""

    kills: int
    seconds: float
    incidents: int


def soak(config: Path | str, out: Path, against: Path, every: float, seed: int) -> Soaked:
    """Builds into `out` under kills, on average one in `every` seconds, and compares.

    **Raises:** [`WrongError`][] where the bytes are not those of the build in `against`.
    """
    chance = random.Random(seed)
    kills, started = 0, time.monotonic()
    with start(config, out, faults=["real"], stderr=None) as running:
        while running.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(chance.uniform(0.5, 1.5) * every)
            if workers := sorted(running.workers(), key=lambda process: process.pid):
                with suppress(psutil.Error):
                    chance.choice(workers).kill()
                    kills += 1
        seconds = time.monotonic() - started
        if status := running.finish():
            raise WrongError(f"the build ended with {status} after {kills} kills")
        if left := running.left():
            raise WrongError(f"alive after 5 s: {left}")
    name = load_config(config).name
    ours, theirs = contents(out / name), contents(against / name)
    if ours != theirs:
        other = sorted(k for k in ours | theirs if ours.get(k) != theirs.get(k))
        raise WrongError(f"after {kills} kills {len(other)} files are others: {other[:20]}")
    manifest = json.loads(Folder(out / name).manifest.read_bytes())
    return Soaked(kills, seconds, len(manifest["incidents"]))


def contents(folder: Path) -> dict[str, str]:
    """Gives the SHA-256 of each file of a build, without what says who built it."""
    found = {}
    for path in Folder(folder).written():
        content = path.read_bytes()
        if path.suffix == ".json":
            known = {k: v for k, v in json.loads(content).items() if k not in _WHO}
            content = json.dumps(known).encode()
        found[path.name] = hashlib.sha256(content).hexdigest()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--against", type=Path, help="folder of the undisturbed build")
    parser.add_argument("--out", type=Path, help="folder to build in, which is kept")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        against = asked.against or Path(folder) / "undisturbed"
        if asked.against is None and build(asked.config, against, faults=["real"])[0]:
            raise WrongError("the undisturbed build failed")
        out = asked.out or Path(folder) / "out"
        out.parent.mkdir(parents=True, exist_ok=True)
        done = soak(asked.config, out, against, asked.every, asked.seed)
        print(f"{done.kills} kills in {done.seconds:,.0f} s, {done.incidents} incidents")
    print("All bytes are those of the undisturbed build, and nothing was left alive.")


if __name__ == "__main__":
    main()
