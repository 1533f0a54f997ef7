from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.build.fake_builds import fake_build
from tests.build.fakes import CONFIG, use_fake_programs


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound build of rows that are checked, by a fake extraction."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        use_fake_programs(patch, out / "plans")
        fake_build(out, config=CONFIG.model_copy(update={"checks": "all"}))
    return out


@pytest.fixture
def out(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A copy of it to damage."""
    use_fake_programs(monkeypatch, tmp_path_factory.getbasetemp() / "plans")
    shutil.copytree(whole / "tiny", tmp_path / "out" / "tiny")
    return tmp_path / "out"


@pytest.fixture
def folder(out: Path) -> Path:
    """The folder of its config."""
    return out / "tiny"
