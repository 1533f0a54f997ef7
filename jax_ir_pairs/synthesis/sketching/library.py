"""All sketches of the package, and those that a program may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from jax_ir_pairs.config import THEME_NEEDS
from jax_ir_pairs.synthesis.sketching.source import Sketch, SourceFile, read_file

FOLDER = Path(__file__).parent.parent / "sketches"


@dataclass(frozen=True, eq=False)
class Library:
    """Sketches, by name and by theme."""

    sketches: Mapping[str, Sketch]

    @cached_property
    def by_theme(self) -> dict[str, list[Sketch]]:
        """The sketches of each theme that may be programs by themselves."""
        found: dict[str, list[Sketch]] = {}
        for sketch in self.sketches.values():
            if sketch.entry:
                found.setdefault(sketch.file.theme, []).append(sketch)
        return found


def files(folder: Path = FOLDER) -> Iterator[SourceFile]:
    """Gives all files of sketches, in order."""
    for path in sorted(folder.glob("*/*.py")):
        yield read_file(path.parent.name, path.stem, path.read_text(encoding="utf-8"))


@cache
def library() -> Library:
    """Gives the sketches of the package."""
    items = (item for file in files() for item in file.items.values())
    return Library({item.name: item for item in items if isinstance(item, Sketch)})


def library_for(theme: str) -> Library:
    """Gives the sketches that a program may have which begins with one of a theme.

    Those that need packages beside the project's are there only for their own theme.
    """
    return _library_with(theme if theme in THEME_NEEDS else "")


@cache
def _library_with(own: str) -> Library:
    sketches = library().sketches.items()
    return Library(
        {n: s for n, s in sketches if s.file.theme == own or s.file.theme not in THEME_NEEDS}
    )
