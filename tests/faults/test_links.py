"""Links and other things that lie where a build would write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jax_ir_pairs.build import Folder, all_shards, build
from jax_ir_pairs.config import load_config
from jax_ir_pairs.errors import BuildError
from tests.build.fakes import files_of
from tests.faults.kills import Undisturbed
from tests.faults.test_crash import Quick


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious.json").write_text("precious")
    return tmp_path / "outside"


def build_quick(whole: Undisturbed, out: Path, *, repair: bool = False) -> None:
    config = load_config(whole.config)
    build(config, out, workers=2, repair=repair, open_process=lambda: Quick(config.limits))


@pytest.mark.parametrize("place", ["quick", "quick/shards", "quick/.lock"])
def test_nothing_is_written_through_a_link(
    tmp_path: Path, outside: Path, whole: Undisturbed, place: str
) -> None:
    link = tmp_path / "out" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "new" if place.endswith("lock") else outside)
    before = files_of(outside)
    with pytest.raises(BuildError, match=r"is a link, and a build|symbolic links; mend that"):
        build_quick(whole, tmp_path / "out")
    assert files_of(outside) == before
    assert link.is_symlink()


def test_a_link_in_a_files_place_is_replaced(
    tmp_path: Path, outside: Path, whole: Undisturbed
) -> None:
    folder = Folder(tmp_path / "out" / "quick")
    folder.sidecars.mkdir(parents=True)
    shard = all_shards(load_config(whole.config))[0]
    for path in (folder.parquet(shard), folder.manifest):
        path.symlink_to(outside / "precious.json")
    before = files_of(outside)
    with pytest.raises(BuildError, match=r"1 broken: manifest\.json: .*--repair"):
        build_quick(whole, tmp_path / "out")
    build_quick(whole, tmp_path / "out", repair=True)
    assert files_of(outside) == before
    built = files_of(tmp_path / "out")
    assert built == {name: whole.files[name] for name in built}
    assert not any(path.is_symlink() for path in folder.path.rglob("*"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, whole: Undisturbed, make: object
) -> None:
    folder = Folder(tmp_path / "out" / "quick")
    folder.sidecars.mkdir(parents=True)
    assert callable(make)
    make(folder.sidecar(all_shards(load_config(whole.config))[0]))
    with pytest.raises(BuildError, match="is no file, and a build has one there; remove it"):
        build_quick(whole, tmp_path / "out")
