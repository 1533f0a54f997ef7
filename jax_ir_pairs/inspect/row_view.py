"""One row for a person to read in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.highlighting import highlighted
from jax_ir_pairs.inspect.passes_view import print_passes
from jax_ir_pairs.schema import LEVELS

PASSES = "passes"
"""What can be shown beside the levels, of rows that have it."""

TITLES = {
    "python": "Python",
    "jaxpr": "jaxpr",
    "stablehlo": "StableHLO",
    "hlo": "HLO",
    "optimized_hlo": "optimized HLO",
}


def check_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """Gives the levels to show in their order, `passes` last; none asked for means all but that.

    **Raises:** [`UsageError`][] that says which levels there are.
    """
    known = (*LEVELS, PASSES)
    for level in levels:
        if level not in known:
            raise UsageError(f"There is no level {level!r}; there are {', '.join(known)}.")
    return tuple(level for level in known if level in (levels or LEVELS))


def print_row(
    console: Console, row: dict[str, Any], *, levels: Sequence[str], max_lines: int | None
) -> None:
    """Prints what a row is and its levels, each of at most `max_lines` lines if there is a limit.

    Where the output is no terminal the texts come without color and whole in width, as they are.

    **Raises:** [`UsageError`][] where the passes are asked for and the row has none.
    """
    if PASSES in levels and PASSES not in row:
        raise UsageError(
            f"The rows of {row['config']} have no passes; build a config with 'passes: true', "
            "such as passes-1k."
        )
    console.print(facts_table(_facts(row)))
    for level in levels:
        if level == PASSES:
            print_passes(console, row[PASSES], full=max_lines is None)
        else:
            print_level(console, level, row[level], max_lines=max_lines)


def print_level(
    console: Console, level: str, text: str, *, max_lines: int | None, target: str | None = None
) -> None:
    """Prints one level under a heading, which names the target where there is one to tell."""
    lines = text.rstrip("\n").split("\n")
    cut = max_lines is not None and len(lines) > max_lines
    size = f"{_count(len(lines), 'line')}, {_count(len(text), 'character')}"
    title = f"{TITLES[level]} for {target}" if target else TITLES[level]
    console.print(Rule(f"{title} ({size})", align="left", style="dim"))
    shown = "\n".join(lines[:max_lines] if cut else lines)
    console.print(highlighted(level, shown), soft_wrap=True)
    if cut and max_lines is not None:
        console.print(
            f"… {_count(len(lines) - max_lines, 'more line')}; --full shows all", style="dim"
        )


def facts_table(facts: Mapping[str, str]) -> Table:
    """Gives names and values, side by side."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    return table


def _facts(row: dict[str, Any]) -> dict[str, str]:
    arguments = json.loads(row["inputs"])
    signature = ", ".join(f"{name}: {tree_text(tree)}" for name, tree in arguments)
    return {
        "id": row["id"],
        "place": f"{row['config']} · {row['split']} · shard {row['shard']} · index {row['index']}"
        f" · seed {row['seed']}",
        "family": row["family"],
        "transforms": " → ".join(row["transforms"]) or "none",
        "entry point": f"{row['entry_point']}({signature})",
        **figures(row),
        "made with": f"JAX {row['jax_version']}, jaxlib {row['jaxlib_version']}",
    }


def figures(row: Mapping[str, Any]) -> dict[str, str]:
    """Gives what was counted of a row or an extraction: its primitives, sizes and cost."""
    return {
        "primitives": ", ".join(row["primitives"]) or "none",
        "sizes": " · ".join(
            [
                _count(row["num_eqns"], "equation"),
                _count(row["num_stablehlo_ops"], "StableHLO op"),
                _count(row["num_hlo_instructions"], "HLO instruction"),
                _count(row["num_fusions"], "fusion"),
            ]
        ),
        "cost": " · ".join(_costs(row)),
    }


def _costs(row: Mapping[str, Any]) -> list[str]:
    costs = [
        f"{row['flops']:,.0f} flops",
        f"{row['transcendentals']:,.0f} transcendentals",
        f"{row['bytes_accessed']:,.0f} bytes accessed",
    ]
    peak = row["peak_memory_bytes"]
    return costs if peak is None else [*costs, f"{peak:,} bytes of memory at the peak"]


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def tree_text(tree: Any) -> str:
    """Writes a tree of avals as Python writes it, without quotes around the avals."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {tree_text(value)}" for key, value in tree.items()) + "}"
    return "(" + ", ".join(map(tree_text, tree)) + ")"
