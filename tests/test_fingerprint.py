from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_ir_pairs import fingerprint
from jax_ir_pairs.fingerprint import code_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "synthesis" / "ops").mkdir(parents=True)
    (tmp_path / "plan.py").write_text("a = 1\n")
    (tmp_path / "other.py").write_text("b = 1\n")
    (tmp_path / "synthesis" / "ops" / "unary.py").write_text("c = 1\n")
    monkeypatch.setattr(fingerprint, "_PACKAGE", tmp_path)
    code_digest.cache_clear()
    yield tmp_path
    code_digest.cache_clear()


def digest() -> str:
    code_digest.cache_clear()
    return code_digest("synthesis", "plan.py")


def test_an_edit_changes_the_digest(package: Path) -> None:
    before = digest()
    assert len(before) == 16
    (package / "synthesis" / "ops" / "unary.py").write_text("c = 2\n")
    assert digest() != before
    (package / "synthesis" / "ops" / "unary.py").write_text("c = 1\n")
    assert digest() == before
    (package / "synthesis" / "ops" / "binary.py").write_text("")
    assert digest() != before


def test_what_is_not_named_or_no_source_does_not_count(package: Path) -> None:
    before = digest()
    (package / "other.py").write_text("b = 2\n")
    (package / "synthesis" / "notes.txt").write_text("note")
    (package / "plan.py").write_bytes(b"a = 1\r\n")
    assert digest() == before
    assert code_digest("plan.py", "synthesis") == before


def test_a_part_that_is_not_there_is_a_bug(package: Path) -> None:
    with pytest.raises(FileNotFoundError):
        code_digest("plans.py")
