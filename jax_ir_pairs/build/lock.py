"""Keeps two builds out of one folder."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.location import Location

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a network file system says that is mounted without locks."""


class FolderBusyError(BuildError):
    """Another process holds the lock."""


@contextmanager
def folder_lock(
    folder: Location, *, shared: bool, on_wait: Callable[[], object] | None = None
) -> Iterator[None]:
    """Holds the lock of `folder`: alone, or together with others that want it shared.

    The system releases the lock of a killed process. The lock's file is gone when a process that
    held it alone is done, so that a sealed folder holds nothing that is not the dataset's. With
    `on_wait`, which is called before that, it waits for whoever holds it. A URL has no lock, and
    nothing is held.

    **Raises:** [`FolderBusyError`][] where another process holds it and there is no `on_wait`;
    [`BuildError`][] where the file system has no locks.
    """
    if not isinstance(folder, Path):
        yield
        return
    path = folder / ".lock"
    descriptor = _locked(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, on_wait)
    try:
        yield
    finally:
        if not shared:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path, kind: int, on_wait: Callable[[], object] | None) -> int:
    while True:
        # Not through a link, which may lead out of the folder.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if on_wait is None:
                    raise
                on_wait()
                fcntl.flock(descriptor, kind)
            # Whoever held it before may have deleted the file in between: then it locks nothing.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise FolderBusyError(
                f"{path.parent}: another build is at work there; wait for it, or stop it, and run "
                "the same command again."
            ) from None
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise
            raise BuildError(
                f"{path.parent}: this file system has no locks, which keep two builds out of one "
                "folder; mount it with them, or choose an --out that has them."
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
