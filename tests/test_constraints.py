"""The pins: names and exact versions of everything that pyproject asks for."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FILES = ["constraints.txt", "constraints-datasets-3.6.txt"]


def pins(file: str) -> list[Requirement]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("file", FILES)
def test_pins_are_names_and_exact_versions(file: str) -> None:
    for pin in pins(file):
        assert pin.url is None
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), str(pin)


@pytest.mark.parametrize("file", FILES)
def test_every_package_that_gets_installed_is_pinned_once(file: str) -> None:
    pinned = [pin for pin in pins(file) if pin.marker is None or pin.marker.evaluate()]
    names = [canonicalize_name(pin.name) for pin in pinned]
    assert len(set(names)) == len(names)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pending = [Requirement(line) for line in wanted]
    seen: set[str] = set()
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        assert name in names, f"{file}: {requirement} is not pinned"
        version = str(pinned[names.index(name)].specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{file}: {name}=={version}: {requirement}"
        # What another version of a package asks for is not known here.
        if name in seen or not _is_installed(name, version):
            continue
        seen.add(name)
        for line in importlib.metadata.requires(name) or ():
            further = Requirement(line)
            if further.marker is None or further.marker.evaluate({"extra": ""}):
                pending.append(further)


def _is_installed(name: str, version: str) -> bool:
    try:
        return importlib.metadata.version(name) == version
    except importlib.metadata.PackageNotFoundError:
        return False
