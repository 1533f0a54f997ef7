from __future__ import annotations

import pytest

from tests.build.fake_builds import fake_build, varied
from tests.build.fakes import files_of, use_fake_programs


@pytest.fixture(autouse=True)
def programs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that wants the real programs overrides this."""
    use_fake_programs(monkeypatch, tmp_path_factory.getbasetemp() / "plans")


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of an undisturbed build with one worker."""
    out = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        use_fake_programs(patch, out / "plans")
        fake_build(out, varied())
    return files_of(out / "tiny")
