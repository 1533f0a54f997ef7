"""Where a dataset is: a folder, or a URL of a file system that fsspec knows.

Both are used as paths of `pathlib` are. What is no `Path` is a URL, which has no locks, no links
and no renaming that replaces a file at once.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from traceback import walk_tb
from typing import TypeAlias

import fsspec
import pyarrow.parquet as pq
from upath import UPath

from jax_ir_pairs.errors import UsageError

Location: TypeAlias = Path | UPath

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/(/?)", re.IGNORECASE)
_LOCAL = {"file", "local"}


def location(text: str | Location) -> Location:
    """Gives the folder or the URL of this name; `file://` is a folder.

    What was written with its file system's cache of listings would not see what others write, so
    there is none.

    **Raises:** [`UsageError`][] for a URL whose file system is unknown or not installed, and for
    one that was made a `Path`, which loses a slash.
    """
    match = _URL.match(str(text))
    if isinstance(text, UPath):
        return text
    if not match:
        return Path(text)
    if isinstance(text, Path) or not match[2]:
        raise UsageError(f"{text}: is neither a folder nor a URL; write it as text, with ://.")
    protocol = match[1].lower()
    try:
        system = fsspec.get_filesystem_class(protocol)
    except ValueError:
        raise UsageError(f"{text}: {protocol}:// is no file system that fsspec knows.") from None
    except ImportError as error:
        raise UsageError(f"{text}: {protocol}:// needs a package more: {error}.") from None
    if protocol in _LOCAL:
        return Path(system._strip_protocol(text))
    return UPath(text, use_listings_cache=False)


def make_folder(place: Location) -> None:
    """Makes a folder and those above it, unless it is there.

    On a URL it makes no bucket, whose name may be mistyped.

    **Raises:** what the file system does where it is not in reach.
    """
    if isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)
        return
    for folder in [*reversed(place.parents[:-1]), place]:
        with suppress(FileExistsError):
            place.fs.mkdir(folder.path, create_parents=False)
    place.fs.find(place.path, maxdepth=1)  # most make nothing, so nothing has failed yet


@contextmanager
def file_system_errors(place: Location) -> Iterator[None]:
    """Turns what the file system of a URL raises, each in types of its own, into [`OSError`][]."""
    try:
        yield
    except Exception as error:
        if isinstance(place, Path) or isinstance(error, OSError):
            raise
        modules = {frame.f_globals["__name__"] for frame, _ in walk_tb(error.__traceback__)}
        its_own = type(place.fs).__module__
        if not any(module == its_own or module.startswith("fsspec.") for module in modules):
            raise
        problem = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise OSError(errno.EIO, problem, str(place)) from error


def with_folders_in(place: Location) -> list[Location]:
    """Gives a folder, and the folders in it by their names: where the configs of a dataset are.

    **Raises:** [`UsageError`][] where there is none, and [`OSError`][] where it is not in reach.
    """
    with file_system_errors(place):
        if not place.is_dir():
            raise UsageError(f"There is no folder {str(place)!r}.")
        return [place, *sorted(path for path in place.iterdir() if path.is_dir())]


def parquet_file(place: Location) -> pq.ParquetFile:
    """Opens a Parquet file, of which a URL's is read as far as it is asked for.

    **Raises:** what pyarrow does.
    """
    if isinstance(place, Path):
        return pq.ParquetFile(place)
    return pq.ParquetFile(place.path, filesystem=place.fs)
