from __future__ import annotations

import pytest

from tests.build.fakes import use_fake_programs


@pytest.fixture(autouse=True)
def programs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that wants the real programs overrides this."""
    use_fake_programs(monkeypatch, tmp_path_factory.getbasetemp() / "plans")
