from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.statistics import SplitStatistics, Statistics, statistics
from jax_ir_pairs.inspect.statistics_view import markdown, readable_bytes, tables
from jax_ir_pairs.schema import LEVELS

SPLIT = SplitStatistics(
    rows=3, shards=1, stored_bytes=999, text_bytes=dict.fromkeys(LEVELS, 6000), structures=3
)
STATISTICS = Statistics(
    config="mine",
    splits={"train": SPLIT, "test": replace(SPLIT, rows=1, structures=1)},
    unique=dict.fromkeys(LEVELS, 2),
    families={"expression": 3, "neural": 1},
    primitives={f"p{number}": 1 for number in range(50)},
    jax_versions={"1.2.3": 4},
    shared_structures=1,
    rejections={"timeout": 2},
)


def test_the_page_has_at_most_twenty_lines_and_every_figure() -> None:
    page = markdown(STATISTICS)
    assert len(page.splitlines()) <= 20
    for piece in (
        "4 rows",
        "| rows | 3 | 1 |",
        "| python | 6.0 kB | 6.0 kB | 3,000 B | 2 (50.0 %) |",
        "| on disk | 999 B | 999 B | 500 B |",
        "| structures | 3 | 1 |  | 3 |",
        "expression 75.0 %, neural 25.0 %",
        "Primitives, 50, of rows: p0 25.0 %",
        "p11 25.0 %, …",
        "more than one split: 1",
        "Rejected: 2 timeout",
    ):
        assert piece in page
    assert "p12" not in page


def test_a_build_under_way_is_no_build_without_rejections() -> None:
    assert "Rejected: not sealed yet" in markdown(replace(STATISTICS, rejections=None))
    assert "Rejected: none" in markdown(replace(STATISTICS, rejections={}))


def test_the_terminal_gets_the_same_figures(tiny: Path) -> None:
    found = statistics(find_config(tiny))
    console = Console(file=io.StringIO(), width=200)
    console.print(tables(found))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    page = markdown(found)
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("|  "):
            assert " ".join(line.replace("|", " ").split()) in " ".join(text.split())
    assert markdown(statistics(find_config(tiny))) == page


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (10**15, "1000.0 TB"),
    ],
)
def test_sizes_are_readable(number: int, text: str) -> None:
    assert readable_bytes(number) == text
