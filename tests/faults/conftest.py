from __future__ import annotations

import pytest

from tests.faults.bad_programs import Rows, build_with
from tests.faults.kills import Undisturbed
from tests.faults.running import write_config


@pytest.fixture(scope="session")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of the module whose bad function does nothing bad."""
    rows, incidents = build_with("pass", tmp_path_factory.mktemp("harmless"))
    assert list(rows) == ["before", "bad", "after"]
    assert not incidents
    return rows


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A build on the command line, without a compiler, that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    return Undisturbed.of(write_config(folder), folder, ("quick",))
