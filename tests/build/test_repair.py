"""Damage that is done to a build, found by each way in, and mended only when asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jax_ir_pairs.build import Event, ShardBroken
from jax_ir_pairs.build.shard import BrokenShardError, Sidecar
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.verification.dataset import configs_in
from jax_ir_pairs.verification.files import wrong_file, wrong_sidecar
from tests.build.fake_builds import fake_build, fake_seal, varied
from tests.build.fakes import CONFIG, files_of

SHARD = "train-00001-of-00003"
ROWS, SIDECAR = f"{SHARD}.parquet", f"shards/{SHARD}.json"


def _truncate(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path, other: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _remove(path: Path, other: Path) -> None:
    path.unlink()


def _of_another_build(path: Path, other: Path) -> None:
    shutil.copyfile(other, path)


def _of_another_shard(path: Path, other: Path) -> None:
    shutil.copyfile(path.with_name(path.name.replace("00001-of", "00002-of")), path)


def _other_rows(path: Path, other: Path) -> None:
    path.write_text(path.read_text().replace('"rows": 60', '"rows": 61'))


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the same config with another seed."""
    from tests.build.fakes import use_fake_programs

    out = tmp_path_factory.mktemp("foreign")
    with pytest.MonkeyPatch.context() as patch:
        use_fake_programs(patch, out / "plans")
        fake_build(out, varied(), config=CONFIG.model_copy(update={"seed": 1}))
    return out / "tiny"


@pytest.mark.parametrize(
    ("file", "damage", "problem"),
    [
        (ROWS, _truncate, "bytes instead of"),
        (ROWS, _flip, "SHA-256"),
        (ROWS, _remove, "its Parquet file is missing"),
        (ROWS, _of_another_build, "its Parquet file has"),
        (ROWS, _of_another_shard, "its Parquet file has"),
        (SIDECAR, _truncate, "sidecar cannot be read"),
        (SIDECAR, _flip, "sidecar"),
        (SIDECAR, _of_another_build, "its sidecar is of a build that differs in config"),
        (SIDECAR, _of_another_shard, "its sidecar is that of train-00002-of-00003.parquet"),
        ("manifest.json", _truncate, "cannot be read, or is of another build"),
        ("manifest.json", _of_another_build, "cannot be read, or is of another build"),
        ("manifest.json", _other_rows, "is not what its shards make it"),
        ("build.json", _truncate, "cannot be read, or is of another build"),
    ],
)
def test_damage_is_named_and_mended_only_when_asked(
    tmp_path: Path,
    reference: dict[str, str],
    foreign: Path,
    file: str,
    damage: Callable[[Path, Path], None],
    problem: str,
) -> None:
    fake_build(tmp_path, varied())
    folder = tmp_path / "tiny"
    damage(folder / file, foreign / file)
    damaged = files_of(folder)
    name = Path(file).stem if "train" in file else file

    with pytest.raises(BuildError, match=rf"{name}: .*{problem}.*--repair"):
        fake_build(tmp_path, varied())
    if file != "build.json":  # without it nobody knows what to seal
        with pytest.raises(BuildError, match=rf"{name}: .*{problem}.*--repair"):
            fake_seal(folder, varied())
    assert files_of(folder) == damaged

    events = list[Event]()
    report = fake_build(tmp_path, varied(), repair=True, on_event=events.append)
    assert [event.name for event in events if isinstance(event, ShardBroken)] == [name]
    assert list(report.shards_broken) == [name]
    assert report.shards_built == ("train" in file)
    assert files_of(folder) == reference


@pytest.mark.parametrize(
    "damage", [_truncate, _flip, _of_another_build, _of_another_shard], ids=lambda d: d.__name__
)
@pytest.mark.parametrize("file", [ROWS, SIDECAR])
def test_verify_names_it_too(
    tmp_path: Path, foreign: Path, file: str, damage: Callable[[Path, Path], None]
) -> None:
    fake_build(tmp_path, varied())
    (built,) = configs_in(tmp_path)
    assert [wrong_file(built, ROWS), wrong_sidecar(built, ROWS)] == [None, None]
    damage(tmp_path / "tiny" / file, foreign / file)
    found = wrong_file(built, ROWS) if file == ROWS else wrong_sidecar(built, ROWS)
    assert found is not None
    assert found.place == f"tiny/{file}"


def test_a_file_that_is_none_of_the_build_is_not_deleted_to_repair(tmp_path: Path) -> None:
    fake_build(tmp_path)
    (tmp_path / "tiny" / "train-00007-of-00003.parquet").write_bytes(b"mine")
    with pytest.raises(BuildError, match=r"00007-of-00003.parquet: this is no file of tiny"):
        fake_build(tmp_path, repair=True)
    assert (tmp_path / "tiny" / "train-00007-of-00003.parquet").read_bytes() == b"mine"


def _as_older_versions_wrote(folder: Path) -> None:
    """Takes out of a build what tells which version of the project made it."""
    (folder / "build.json").unlink()
    for path in folder.rglob("*.json"):
        text = path.read_text().partition(',\n "checksum": "')
        content = json.loads(text[0] + ("}" if text[1] else ""))
        del content["build"]["project"]
        path.write_text(json.dumps(content, indent=1))


def test_a_build_of_an_older_version_is_refused_by_build_and_read_by_verify(
    tmp_path: Path,
) -> None:
    fake_build(tmp_path, varied())
    _as_older_versions_wrote(tmp_path / "tiny")
    before = files_of(tmp_path)
    older = r"differs in jax-ir-pairs \(an older one there, \S+ here\); --force deletes it"
    for repair in (False, True):
        with pytest.raises(BuildError, match=older):
            fake_build(tmp_path, varied(), repair=repair)
    assert files_of(tmp_path) == before
    (built,) = configs_in(tmp_path)
    assert not built.problems
    assert wrong_sidecar(built, ROWS) is None


def test_the_version_of_another_build_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_build(tmp_path)
    monkeypatch.setattr("jax_ir_pairs.__version__", "9.9.9", raising=False)
    with pytest.raises(BuildError, match=r"differs in jax-ir-pairs \(\d\S+ there, 9\.9\.9 here"):
        fake_build(tmp_path)
    with pytest.raises(BuildError, match=r"differs in jax-ir-pairs"):
        fake_seal(tmp_path / "tiny")


def test_a_sidecar_without_its_checksum_is_broken(tmp_path: Path) -> None:
    fake_build(tmp_path)
    text = (tmp_path / "tiny" / SIDECAR).read_text()
    assert Sidecar.from_json(text).to_json() == text
    with pytest.raises(BrokenShardError, match="checksum"):
        Sidecar.from_json(text.partition(',\n "checksum"')[0] + "}")
