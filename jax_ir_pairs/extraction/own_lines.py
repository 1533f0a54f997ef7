"""What an error says to the person whose file raised it: their own lines, and its message."""

from __future__ import annotations

import sysconfig
import traceback
from itertools import dropwhile
from pathlib import Path

from jax_ir_pairs.extraction.text import without_machine

_LONGEST = 6000
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


def own_lines(error: BaseException, file: str) -> str:
    """Gives the traceback of `error` with the frames of `file` and its neighbours, and its message.

    It starts with the first frame of `file`, an absolute path. Neighbours are what lies in its
    folder, but for what is installed there.
    """
    own = traceback.StackSummary()
    frames = traceback.extract_tb(error.__traceback__)
    for frame in dropwhile(lambda frame: frame.filename != file, frames):
        if (name := _own_name(frame.filename, Path(file).parent)) is not None:
            _ = frame.line  # read now, as it is found by the whole path
            frame.filename = name
            own.append(frame)
    text = "".join([*own.format(), *traceback.format_exception_only(error)])
    text = without_machine(text).strip("\n")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _own_name(file: str, folder: Path) -> str | None:
    path = Path(file)
    if not path.is_relative_to(folder) or path.is_relative_to(_STANDARD_LIBRARY):
        return None
    path = path.relative_to(folder)
    return None if _INSTALLED & set(path.parts) else path.as_posix()
