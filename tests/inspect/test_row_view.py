from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.row_view import check_levels, print_row
from jax_ir_pairs.inspect.rows import row_at
from jax_ir_pairs.schema import LEVELS


def printed(
    row: dict[str, object],
    levels: tuple[str, ...],
    max_lines: int | None,
    *,
    terminal: bool = False,
) -> str:
    console = Console(file=io.StringIO(), width=60, force_terminal=terminal)
    print_row(console, row, levels=levels, max_lines=max_lines)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def row(tiny: Path) -> dict[str, object]:
    return row_at(find_config(tiny), "train", 0)


def test_levels_come_in_their_order() -> None:
    assert check_levels(()) == LEVELS
    assert check_levels(["hlo", "python"]) == ("python", "hlo")
    with pytest.raises(UsageError, match="no level 'asm'; there are python, jaxpr"):
        check_levels(["asm"])


def test_texts_are_whole_in_a_narrow_console(row: dict[str, object]) -> None:
    text = printed(row, LEVELS, None)
    for level in LEVELS:
        assert str(row[level]).rstrip("\n") in text
    assert str(row["id"]) in text
    assert "\x1b" not in text


def test_long_texts_are_cut_at_lines(row: dict[str, object]) -> None:
    lines = str(row["optimized_hlo"]).rstrip("\n").split("\n")
    text = printed(row, ("optimized_hlo",), 2)
    assert lines[1] in text
    assert lines[2] not in text.split("\n")
    assert f"… {len(lines) - 2:,} more lines; --full shows all" in text
    assert "… 1 more line; --full" in printed(row, ("optimized_hlo",), len(lines) - 1)
    assert "--full" not in printed(row, ("optimized_hlo",), len(lines))


def test_the_header_reads_inputs_as_a_signature(row: dict[str, object]) -> None:
    row |= {
        "entry_point": "step",
        "inputs": '[["p", {"w": "f32[8]", "b": ["f32[]", "i32[]"]}], ["x", "f32[4]"]]',
    }
    header = " ".join(printed(row, (), None).split())
    assert "step(p: {w: f32[8], b: (f32[], i32[])}, x: f32[4])" in header


def test_what_no_machine_code_was_made_of_has_no_peak(row: dict[str, object]) -> None:
    text = printed(row | {"peak_memory_bytes": 96}, (), None)
    assert "96 bytes of memory at the peak" in " ".join(text.split())
    older = {name: value for name, value in row.items() if name != "executed"}
    text = " ".join(printed(older | {"peak_memory_bytes": None}, (), None).split())
    assert "bytes accessed" in text
    assert "peak" not in text


def test_a_terminal_gets_color(row: dict[str, object]) -> None:
    assert "\x1b[" in printed(row, ("stablehlo",), None, terminal=True)
