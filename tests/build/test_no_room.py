"""Disks that are full, folders that are read-only or go: told in a sentence, and resumed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_ir_pairs.build import Event, ShardDone
from jax_ir_pairs.errors import BuildError
from tests.build.fake_builds import fake_build, varied
from tests.build.fakes import files_of

_READ_ONLY, _REMOUNT = 1, 32


def _mount(target: Path, flags: int, options: str) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (b"tmpfs", os.fsencode(target), b"tmpfs", flags, options.encode())
    return bool(libc.mount(*arguments) == 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not (hasattr(ctypes.CDLL(None), "mount") and _mount(disk, 0, "size=8m")):
        pytest.skip("mounting a small disk needs root and Linux")
    yield disk
    ctypes.CDLL(None).umount2(os.fsencode(disk), 2)


def test_a_full_disk_keeps_whole_shards_and_goes_on_with_room(
    small_disk: Path, reference: dict[str, str]
) -> None:
    filler = small_disk / "filler"

    def fill(event: Event) -> None:
        if isinstance(event, ShardDone) and not filler.exists():
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"0" * 4096)

    with pytest.raises(BuildError, match="No space left on device; free some space, and run"):
        fake_build(small_disk, varied(), on_event=fill)
    assert list((small_disk / "tiny").glob("*.parquet"))
    filler.unlink()
    report = fake_build(small_disk, varied())
    assert report.shards_kept >= 1
    assert files_of(small_disk / "tiny") == reference


def test_a_disk_that_is_read_only_is_named(small_disk: Path, reference: dict[str, str]) -> None:
    fake_build(small_disk, varied(), shards=range(2))
    assert _mount(small_disk, _REMOUNT | _READ_ONLY, "")
    with pytest.raises(BuildError, match="Read-only file system; mend that, or choose another"):
        fake_build(small_disk, varied())
    assert _mount(small_disk, _REMOUNT, "size=8m")
    fake_build(small_disk, varied())
    assert files_of(small_disk / "tiny") == reference


def test_a_folder_that_goes_in_the_middle_is_named(
    tmp_path: Path, reference: dict[str, str]
) -> None:
    def remove(event: Event) -> None:
        if isinstance(event, ShardDone):
            shutil.rmtree(tmp_path / "tiny", ignore_errors=True)

    with pytest.raises(BuildError, match="No such file or directory; mend that"):
        fake_build(tmp_path, varied(), on_event=remove)
    fake_build(tmp_path, varied())
    assert files_of(tmp_path / "tiny") == reference


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(descriptor: int, kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BuildError, match="this file system has no locks"):
        fake_build(tmp_path)
