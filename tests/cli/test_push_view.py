from __future__ import annotations

import io

import pytest
from rich.console import Console

from jax_ir_pairs.cli.push_view import PushProgress, table
from jax_ir_pairs.hub.push_plan import CARD, OTHER_FILES, Part, Plan
from jax_ir_pairs.hub.sealed import Content

SHARDS = tuple(Content(f"hlo-10k/{n}.parquet", b"", 950_000, "") for n in range(110))
PLAN = Plan(
    remote=None,
    private=False,
    create_pr=False,
    tags_of_replaced=(),
    parts=(
        Part("hlo-10k", 112, 104_900_000, SHARDS, replaces="0123456789abcdef", delete=("a", "b")),
        Part("hlo-100", 8, 900_000, is_kept=True),
        Part("hlo-1k", 16, 9_000_000, SHARDS[:1], is_new=True),
        Part(OTHER_FILES, 1, 20, is_kept=True),
        Part(CARD, 1, 20),
    ),
    tags=(),
)


def test_table_says_of_each_part_what_becomes_of_it() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(table(PLAN))
    assert isinstance(console.file, io.StringIO)
    _, *lines = (" ".join(line.split()) for line in console.file.getvalue().splitlines())
    assert lines == [
        "hlo-10k 112 104.9 MB 2 110 104.5 MB 2 replaces 01234567",
        "hlo-100 8 900.0 kB 8 – – stays",
        "hlo-1k 16 9.0 MB 15 1 950.0 kB – new",
        "other files 1 20 B 1 – – stays, not in card",
        "README.md 1 20 B 1 – – as it is",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_a_bar_in_a_terminal_and_a_line_at_each_tenth_elsewhere(terminal: bool) -> None:
    said = io.StringIO()
    with PushProgress(PLAN, Console(file=said, force_terminal=terminal, width=90)) as progress:
        progress(20, 19_000_000)
        progress(1, 950_000)
        progress(90, 85_500_000)
    text = said.getvalue()
    if terminal:
        assert "Sending" in text
        assert "111 of 111 files" in text
    else:
        assert text.splitlines() == [
            "sent 20 of 111 files, 19.0 MB of 105.5 MB",
            "sent 111 of 111 files, 105.5 MB of 105.5 MB",
        ]
