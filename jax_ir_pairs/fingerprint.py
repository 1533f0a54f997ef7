"""Which code made it: a digest of source files of this package."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

_PACKAGE = Path(__file__).parent


@functools.cache
def code_digest(*parts: str) -> str:
    """Gives 16 hex digits that stand for the source of `parts`, in whatever order they are named.

    A part is a file (`"plan.py"`) or a folder (`"synthesis"`) of the package; a folder stands for
    all Python files in it. Line ends do not count, so that a checkout on any system agrees.
    """
    digest = hashlib.sha256()
    for path in sorted({file for part in parts for file in _sources(_PACKAGE / part)}):
        name = path.relative_to(_PACKAGE).as_posix()
        text = path.read_text(encoding="utf-8")
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()[:16]


def _sources(path: Path) -> list[Path]:
    return [path] if path.suffix == ".py" else list(path.rglob("*.py"))
