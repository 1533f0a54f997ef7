"""`seal`: what finishes a folder whose shards others made."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jax_ir_pairs.build import Event, Waiting, run
from jax_ir_pairs.build.lock import folder_lock
from jax_ir_pairs.errors import BuildError, UsageError
from tests.build.fake_builds import fake_build, fake_seal, varied
from tests.build.fakes import files_of


def test_missing_shards_are_named_with_the_command_that_makes_them(
    tmp_path: Path, reference: dict[str, str]
) -> None:
    for shards in (range(1), range(3, 5), range(3, 5)):
        fake_build(tmp_path, varied(), shards=shards)
    with pytest.raises(
        BuildError,
        match=r"2 of 5 shards are missing \(train-00001-of-00003, train-00002-of-00003\); "
        rf"`jax-ir-pairs build tiny --out {tmp_path} --shards 1:3`",
    ):
        fake_seal(tmp_path / "tiny", varied())
    fake_build(tmp_path, varied(), shards=range(1, 3))
    assert files_of(tmp_path / "tiny") == reference

    (tmp_path / "tiny" / "manifest.json").unlink()
    assert fake_seal(tmp_path / "tiny", varied(), workers=2).sealed
    assert files_of(tmp_path / "tiny") == reference


def test_sealing_again_changes_nothing(tmp_path: Path, reference: dict[str, str]) -> None:
    fake_build(tmp_path, varied())
    process = varied()
    report = fake_seal(tmp_path / "tiny", process)
    assert report.sealed
    assert not process.extracted
    assert files_of(tmp_path / "tiny") == reference


def test_a_folder_where_no_build_began_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="no build has begun there"):
            fake_seal(folder)


def test_a_part_that_comes_again_while_another_process_seals_waits_for_it(tmp_path: Path) -> None:
    fake_build(tmp_path, varied(), shards=range(5))
    whole = files_of(tmp_path / "tiny")
    waiting = threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Waiting):
            waiting.set()

    with ThreadPoolExecutor(1) as pool:
        with folder_lock(tmp_path / "tiny", shared=False):
            again = pool.submit(fake_build, tmp_path, varied(), shards=range(2), on_event=hear)
            assert waiting.wait(60)
            # Sealing replaces rows, and has no sidecar of the shard meanwhile.
            sidecar = next((tmp_path / "tiny" / "shards").iterdir())
            sidecar.rename(kept := tmp_path / "kept")
            time.sleep(0.2)
            assert not again.done()
            kept.rename(sidecar)
        report = again.result(60)
    assert (report.shards_built, report.sealed) == (0, True)
    assert files_of(tmp_path / "tiny") == whole


def test_two_that_make_one_shard_never_take_its_sidecar_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_build(tmp_path, varied(), shards=range(1))
    [sidecar] = (tmp_path / "tiny" / "shards").iterdir()
    one = sidecar.read_bytes()
    monkeypatch.setattr(run.Run, "_keep", lambda *_: False)  # as for one that began before

    unlinked = []
    unlink = Path.unlink

    def watch(path: Path, *, missing_ok: bool = False) -> None:
        unlinked.append(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watch)
    fake_build(tmp_path, varied(), shards=range(1))

    assert sidecar.read_bytes() == one
    assert unlinked
    assert sidecar not in unlinked
