from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jax_ir_pairs.extraction.starvation import num_starved


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [("nr_free_pages 9\noom_kill 12\ndrop_slab 0\n", 12), ("nr_oom_kill 3\n", None)],
)
def test_it_is_the_count_of_the_kernel(
    tmp_path: Path, statistics: str, expected: int | None
) -> None:
    (tmp_path / "vmstat").write_text(statistics)
    assert num_starved(tmp_path / "vmstat") == expected


def test_a_system_that_does_not_say(tmp_path: Path) -> None:
    assert num_starved(tmp_path / "vmstat") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the file")
def test_here_it_does_not_change_by_itself() -> None:
    assert num_starved() == num_starved()
