from __future__ import annotations

from pathlib import Path

import pytest

from jax_ir_pairs.errors import BuildError
from tests.build.fake_builds import fake_build
from tests.build.fakes import (
    CONFIG,
    files_of,
)


def test_another_config_of_that_name_is_refused(tmp_path: Path) -> None:
    fake_build(tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(BuildError, match=r"a build that differs in config; --force deletes it"):
        fake_build(tmp_path, config=CONFIG.model_copy(update={"seed": 1}))
    assert files_of(tmp_path) == before


def test_another_jax_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_build(tmp_path)
    monkeypatch.setattr("jax_ir_pairs.build.fingerprint.versions", lambda: ("9.9", "9.9"))
    with pytest.raises(BuildError, match=r"jax \(\S+ there, 9\.9 here\), jaxlib \(\S+ there"):
        fake_build(tmp_path)


def test_a_stray_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "train-00000-of-00007.parquet").write_bytes(b"PAR1")
    with pytest.raises(BuildError, match=r"of-00007.parquet: this is no file of tiny"):
        fake_build(tmp_path)


def test_force_starts_anew_and_touches_no_file_of_others(tmp_path: Path) -> None:
    fake_build(tmp_path)
    (tmp_path / "README.md").write_text("card")
    (tmp_path / "tiny" / "notes.txt").write_text("mine")
    config = CONFIG.model_copy(update={"seed": 1, "rows_per_shard": 30})
    report = fake_build(tmp_path, config=config, force=True)

    assert report.sealed
    assert (tmp_path / "README.md").read_text() == "card"
    assert (tmp_path / "tiny" / "notes.txt").read_text() == "mine"
    names = {path.name for path in (tmp_path / "tiny").glob("train-*.parquet")}
    assert names == {"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}
