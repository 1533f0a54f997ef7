"""What the installed JAX knows, and why rows need not have all of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.extraction.environment import child_environment

KINDS = ("primitives", "stablehlo_ops", "hlo_opcodes", "dtypes")
"""What is counted against a list of all that there is."""

_FILE = Path(__file__).parent / "coverage_reasons.yaml"
_COMMAND = [sys.executable, "-P", "-m", "jax_ir_pairs.extraction.registry"]
_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Registry:
    """All names that the installed JAX knows, by kind, and its version."""

    names: Mapping[str, tuple[str, ...]]
    jax_version: str
    jaxlib_version: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why no row has something: the class of the reason, and one sentence."""

    class_: str
    text: str


def installed_registry() -> Registry:
    """Asks the installed JAX, in a child process with the environment of the extraction.

    **Raises:** [`BuildError`][] where the child fails.
    """
    try:
        done = subprocess.run(
            _COMMAND, env=child_environment(), capture_output=True, check=True, timeout=_SECONDS
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        errors = getattr(error, "stderr", None) or b""
        lines = errors.decode(errors="replace").strip().splitlines() or [str(error)]
        raise BuildError(
            f"The primitives of the installed JAX cannot be listed: {lines[-1]}. "
            f"See whether this works: {' '.join(_COMMAND)}"
        ) from None
    names = {kind: tuple(found[kind]) for kind in KINDS}
    return Registry(names, found["versions"]["jax"], found["versions"]["jaxlib"])


def reasons(jax_version: str) -> dict[str, dict[str, Reason]]:
    """Gives the reasons that hold for a version of JAX, by kind and name."""
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Reason]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        for entry in document[kind]:
            reason = Reason(entry["class"], entry["reason"])
            if reason.class_ not in document["classes"]:
                raise ValueError(f"{_FILE.name}: {reason.class_!r} is no class")
            if _holds(entry.get("jax"), jax_version):
                for name in entry["names"]:
                    if name in found[kind]:
                        raise ValueError(f"{_FILE.name}: {name} has two reasons")
                    found[kind][name] = reason
    return found


def _holds(specifier: str | None, version: str) -> bool:
    """Says whether `version` meets a specifier such as `>=0.12` or `<0.12`."""
    if specifier is None:
        return True
    match = re.fullmatch(r"(<|>=)(\d+(?:\.\d+)*)", specifier)
    if match is None:
        raise ValueError(f"{_FILE.name}: {specifier!r} must be <VERSION or >=VERSION")
    older = _numbers(version) < _numbers(match[2])
    return older == (match[1] == "<")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
