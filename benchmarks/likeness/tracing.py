"""Jaxprs of real functions, traced once with guessed arguments and kept beside their sources."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from likeness import packages, tracing_child
from likeness.corpus import by_package
from likeness.units import Unit

_SECONDS = 600  # for the functions of one package


@dataclass(frozen=True, slots=True)
class Traced:
    """The jaxpr of a real function."""

    package: str
    name: str
    jaxpr: str


def load(folder: Path, units: Sequence[Unit]) -> list[Traced]:
    """Gives the distinct jaxprs of what traces; they are traced where `folder` lacks them."""
    kept = folder / f"jaxprs-{_version(units)}.jsonl"
    if not kept.exists():
        every = {**packages.SEEN, **packages.HELD_OUT, **packages.SUPPORT}
        packages.fetch(folder, every)
        place = [packages.place_of(folder, name, every[name]) for name in every if name != "jax"]
        found: list[Traced] = []
        for package, of_package in by_package(units).items():
            found += trace(of_package, place)
            print(f"traced {package}: {len(found)} jaxprs", file=sys.stderr, flush=True)
        partial = kept.with_suffix(".partial")
        partial.write_text("".join(f"{json.dumps(asdict(each))}\n" for each in found))
        partial.rename(kept)
    with kept.open(encoding="utf-8") as file:
        every_traced = [Traced(**json.loads(line)) for line in file]
    return list({traced.jaxpr: traced for traced in reversed(every_traced)}.values())[::-1]


def trace(units: Iterable[Unit], path: Sequence[Path]) -> list[Traced]:
    """Traces functions in a process of its own, which finds packages in the folders of `path`."""
    functions = [unit for unit in units if "." not in unit.name]  # a method needs an object
    asked = "".join(f"{json.dumps(asdict(unit))}\n" for unit in functions)
    surroundings = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile("w+") as answers:
        child = [sys.executable, "-W", "ignore", tracing_child.__file__]
        process = subprocess.Popen(
            child,
            cwd=place,
            env=surroundings,
            stdin=subprocess.PIPE,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            process.communicate(asked, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if process.returncode:  # what comes after the function that ended it is left out
            print(f"the process ended with {process.returncode}", file=sys.stderr, flush=True)
        answers.seek(0)
        return [Traced(**json.loads(line)) for line in answers if line.endswith("\n")]


def _version(units: Sequence[Unit]) -> str:
    """Gives a name for what decides the jaxprs."""
    digest = hashlib.sha256(version("jax").encode())
    digest.update(Path(tracing_child.__file__).read_bytes())
    for unit in units:
        digest.update(unit.program.encode())
    return digest.hexdigest()[:12]
