from __future__ import annotations

from pathlib import Path

import pytest

from jax_ir_pairs.extraction.dumps import folder_for_dumps, module_in
from jax_ir_pairs.extraction.environment import DUMPS

MODULE = b"m" * 300
DUMP = b"\n\xac\x02" + MODULE + b"\x1a\x05other"
"""Fields 1, which has the module, and 3, each with its length: 300 and 5."""


def test_the_module_is_the_first_field() -> None:
    assert module_in(DUMP) == module_in(DUMP[:303]) == MODULE
    assert module_in(DUMP[303:] + DUMP[:303]) == MODULE


@pytest.mark.parametrize("end", [0, 1, 2, 3, 100, 302, 304, 305, 309])
def test_a_dump_that_is_cut_off_gives_none(end: int) -> None:
    assert module_in(DUMP[:end]) is None


@pytest.mark.parametrize("dump", [b"\x1a\x05other", b"\x08\x01" + DUMP, b"\xff" * 100])
def test_what_is_no_dump_gives_none(dump: bytes) -> None:
    assert module_in(dump) is None


def test_the_folder_lies_in_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DUMPS, str(tmp_path))
    with folder_for_dumps() as folder:
        assert list(tmp_path.iterdir()) == [Path(folder)]
    assert not list(tmp_path.iterdir())
