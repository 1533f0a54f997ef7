from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.passes_view import print_passes
from jax_ir_pairs.inspect.row_view import check_levels, print_row
from jax_ir_pairs.inspect.rows import row_at

STEPS = [
    {"pipeline": "", "pass": "", "hlo": "HloModule m\nneg\nneg\nx\n"},
    {"pipeline": "simplification", "pass": "algsimp", "hlo": "HloModule m\nx\n"},
    {"pipeline": "scheduled", "pass": "pipeline-start", "hlo": "HloModule m, s\nx\n"},
]


def printed(*, full: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    print_passes(console, STEPS, full=full)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_each_step_has_a_line_with_what_it_changed() -> None:
    title, head, *lines = printed(full=False)
    assert title.startswith("passes (2 changes)")
    assert head == "pipeline pass lines added removed"
    assert lines == [
        "0 before any pass 4",
        "1 simplification algsimp 2 +0 -2",
        "2 scheduled pipeline-start 2 +1 -1",
        "--full shows the modules",
    ]


def test_the_modules_follow_where_they_are_asked_for() -> None:
    lines = printed(full=True)
    assert not any("--full" in line for line in lines)
    start = next(n for n, line in enumerate(lines) if line.startswith("1: simplification · algs"))
    assert lines[start + 1 : start + 3] == ["HloModule m", "x"]


def test_passes_are_shown_where_they_are_asked_for_and_there(tiny: Path) -> None:
    assert check_levels(["passes", "hlo"]) == ("hlo", "passes")
    assert "passes" not in check_levels(())
    row = row_at(find_config(tiny), "train", 0)
    console = Console(file=io.StringIO())
    with pytest.raises(UsageError, match="rows of tiny have no passes; build a config with 'pass"):
        print_row(console, row, levels=("passes",), max_lines=None)
    print_row(console, row | {"passes": STEPS}, levels=("passes",), max_lines=40)
    assert isinstance(console.file, io.StringIO)
    assert "algsimp" in console.file.getvalue()
