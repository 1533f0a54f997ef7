"""The real code that is measured against, cut into units once and kept beside its sources."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness import packages, units
from likeness.packages import HELD_OUT, SEEN
from likeness.units import Unit


@dataclass(frozen=True, slots=True)
class Corpus:
    """Units of the packages that an author of programs may see, and of those held out."""

    seen: tuple[Unit, ...]
    held_out: tuple[Unit, ...]

    @property
    def all(self) -> tuple[Unit, ...]:
        """The units of all packages."""
        return self.seen + self.held_out


def load(folder: Path) -> Corpus:
    """Gives the units of all packages; what `folder` lacks of them is downloaded and made."""
    kept = folder / f"units-{_version()}.jsonl"
    if not kept.exists():
        packages.fetch(folder, {**SEEN, **HELD_OUT})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of the packages' own strings
            found = units.units(packages.sources(folder, {**SEEN, **HELD_OUT}))
            found = laid_out(found)
        partial = kept.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(dataclasses.asdict(unit))}\n" for unit in found)
        partial.rename(kept)
    with kept.open(encoding="utf-8") as file:
        every = [Unit(**json.loads(line)) for line in file]
    return Corpus(tuple(_of(every, SEEN)), tuple(_of(every, HELD_OUT)))


def laid_out(found: Sequence[Unit]) -> list[Unit]:
    """Gives the units with their imports sorted and their lines broken as those of a build."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number, unit in enumerate(found):
            (folder / f"alone_{number}.py").write_text(unit.alone, encoding="utf-8")
            (folder / f"program_{number}.py").write_text(unit.program, encoding="utf-8")
        ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--no-cache"]
        sort = [*ruff, "--select", "I", "--fix", str(folder)]
        subprocess.run(sort, check=False, stdout=subprocess.DEVNULL)
        packages.lay_out(folder)
        return [
            dataclasses.replace(
                unit,
                alone=(folder / f"alone_{number}.py").read_text(encoding="utf-8"),
                program=(folder / f"program_{number}.py").read_text(encoding="utf-8"),
            )
            for number, unit in enumerate(found)
        ]


def by_package(found: Iterable[Unit]) -> dict[str, list[Unit]]:
    """Gives the units of each package."""
    groups: dict[str, list[Unit]] = {}
    for unit in found:
        groups.setdefault(unit.package, []).append(unit)
    return groups


def _of(found: Iterable[Unit], names: Mapping[str, str]) -> Iterator[Unit]:
    return (unit for unit in found if unit.package in names)


def _version() -> str:
    """Gives a name for what decides the units: the packages, and how they are cut."""
    text = Path(packages.__file__).read_bytes() + Path(units.__file__).read_bytes()
    return hashlib.sha256(text).hexdigest()[:12]
