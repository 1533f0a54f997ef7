"""Rows as the page shows them, out of shards on demand, or from what was just extracted."""

from __future__ import annotations

import json
import math
import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa

from jax_ir_pairs.browse.index import Index, index_of, read_index
from jax_ir_pairs.inspect.parquet_files import ConfigFiles, open_shard
from jax_ir_pairs.inspect.row_view import tree_text
from jax_ir_pairs.location import Location
from jax_ir_pairs.schema import LEVELS
from jax_ir_pairs.targets import TARGETS

FIGURES = (
    *("num_eqns", "num_stablehlo_ops", "num_hlo_instructions", "num_fusions", "num_devices"),
    *("flops", "transcendentals", "bytes_accessed", "peak_memory_bytes"),
)


class Rows(Protocol):
    """What a page is of."""

    @property
    def title(self) -> str:
        """What the rows are, for a person."""

    @property
    def index(self) -> Index:
        """The small columns of all rows."""

    def row(self, number: int) -> dict[str, Any]:
        """Gives row `number` of the index as the page reads it."""


class FolderRows:
    """The rows of a config. A row group is read when one of its rows is, and kept until the next.

    Safe to be asked by several threads.
    """

    def __init__(self, files: ConfigFiles) -> None:
        self.title = files.name
        self._groups = _row_groups(files)
        self._files = files
        self._lock = threading.Lock()
        self._read: tuple[int, pa.Table] | None = None

    @cached_property
    def index(self) -> Index:
        """The small columns of all rows.

        **Raises:** [`BuildError`][] where a shard cannot be read or lacks a column.
        """
        return read_index(self._files)

    def row(self, number: int) -> dict[str, Any]:
        """Gives row `number` as the page reads it.

        **Raises:** [`BuildError`][] where its shard cannot be read.
        """
        place = bisect_right(self._groups, number, key=lambda group: group[0]) - 1
        first, path, group = self._groups[place]
        with self._lock:
            if self._read is None or self._read[0] != place:
                with open_shard(path) as shard:
                    self._read = place, shard.read_row_group(group)
            table = self._read[1]
        return for_page(table.slice(number - first, 1).to_pylist()[0])


class GivenRows:
    """Rows that are in memory."""

    def __init__(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.title = title
        self.index = index_of(pa.Table.from_pylist([dict(row) for row in rows]))
        self._rows = rows

    def row(self, number: int) -> dict[str, Any]:
        """Gives row `number` as the page reads it."""
        return for_page(self._rows[number])


def for_page(row: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what the page shows of a row, in JSON; columns of newer schemas may be missing."""
    arguments = json.loads(row["inputs"])
    signature = ", ".join(f"{name}: {tree_text(tree)}" for name, tree in arguments)
    numbers = [f"{name} {row[name]}" for name in ("shard", "index", "seed") if name in row]
    entries = row.get("line_map")
    return {
        "id": row["id"],
        "call": row.get("call") or f"{row['entry_point']}({signature})",
        "place": " · ".join([row["config"], row["split"], *numbers]) if numbers else "",
        "made_with": f"JAX {row['jax_version']}, jaxlib {row['jaxlib_version']}",
        "checked_by": row.get("checked_by"),
        "executed": row.get("executed"),
        "family": row["family"],
        "transforms": list(row["transforms"]),
        "primitives": list(row["primitives"]),
        "figures": {name: _finite(row[name]) for name in FIGURES},
        "texts": {level: row[level] for level in LEVELS},
        "targets": _targets(row),
        "lines": None
        if entries is None
        else [
            [entry["python"], *(list(entry[level]) for level in LEVELS[1:])] for entry in entries
        ],
        "passes": [
            {"title": " · ".join(filter(None, [p["pipeline"], p["pass"]])), "text": p["hlo"]}
            for p in row.get("passes") or ()
        ],
    }


def _targets(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gives the further targets; without `optimized_hlo` where one refuses the program."""
    refusals = row.get("refusals") or {}
    return [
        {
            "name": target.name,
            "stablehlo": row.get(target.column("stablehlo")),
            "optimized_hlo": row[column],
            "refusal": refusals.get(target.name),
        }
        for target in TARGETS.values()
        if (column := target.column("optimized_hlo")) in row
    ]


def _finite(number: float | None) -> float | str | None:
    if number is None or math.isfinite(number):
        return number
    return str(number)  # JSON has no other


def _row_groups(files: ConfigFiles) -> list[tuple[int, Location, int]]:
    """Gives the number of the first row of each row group, its shard and its place there."""
    groups, rows = [], 0
    for path in (path for paths in files.shards.values() for path in paths):
        with open_shard(path) as shard:
            for group in range(shard.num_row_groups):
                groups.append((rows, path, group))
                rows += shard.metadata.row_group(group).num_rows
    return groups
