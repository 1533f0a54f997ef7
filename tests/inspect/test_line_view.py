from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.line_view import print_line
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.rows import row_at
from jax_ir_pairs.schema import LEVELS
from tests.rows import filler_row


def printed(row: dict[str, Any], number: int, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=60)
    print_line(console, row, number, **options)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


ROW = filler_row(
    python="import jax\n\nx = a + b",
    jaxpr="{\n  add a b\n}",
    stablehlo="stablehlo.add",
    hlo="add.1\nadd.2",
    optimized_hlo="fusion",
    line_map=[{"python": 3, "jaxpr": [2], "stablehlo": [1], "hlo": [1, 2], "optimized_hlo": []}],
)


def test_a_line_and_what_came_from_it() -> None:
    lines = [line.strip() for line in printed(ROW, 3).splitlines() if "─" not in line]
    assert lines == ["3  x = a + b", "2    add a b", "1  stablehlo.add", "1  add.1", "2  add.2"]
    assert "add.1" not in printed(ROW, 3, levels=("python", "jaxpr"))


def test_a_line_that_nothing_came_from() -> None:
    with pytest.raises(UsageError, match=r"Nothing came from line 1; something did from 3\."):
        printed(ROW, 1)
    older = {name: value for name, value in ROW.items() if name != "line_map"}
    with pytest.raises(UsageError, match="no line map"):
        printed(older, 3)


def test_each_line_of_a_real_row(tiny: Path) -> None:
    row = row_at(find_config(tiny), "train", 0)
    for entry in row["line_map"]:
        text = printed(row, entry["python"])
        for level in LEVELS[1:]:
            texts = row[level].split("\n")
            assert all(texts[number - 1] in text for number in entry[level])
