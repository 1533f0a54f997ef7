"""What the list of the page shows, finds and filters by: the small columns of all rows, at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jax_ir_pairs.inspect.parquet_files import ConfigFiles

SIZES = ("num_eqns", "num_stablehlo_ops", "num_hlo_instructions", "num_fusions", "flops")
"""What rows are filtered and sorted by."""

_NAMED = ("split", "family", "transforms", "primitives")
_COLUMNS = ("id", "entry_point", *_NAMED, *SIZES)


@dataclass(frozen=True, slots=True)
class Named:
    """A column of few names: each once, and for each row its place in them, or a list of places."""

    names: list[str]
    codes: list[Any]


@dataclass(frozen=True, slots=True)
class Index:
    """The small columns, each whole; row `n` of the page is item `n` of every one."""

    id: list[str]
    entry_point: list[str]
    named: Mapping[str, Named]
    sizes: Mapping[str, list[float]]

    def __len__(self) -> int:
        return len(self.id)

    def as_json(self, title: str) -> dict[str, Any]:
        """Gives what the page reads, which has its `title` on top."""
        return {"title": title, **asdict(self)}


def read_index(files: ConfigFiles) -> Index:
    """Gives the index of all splits, in the order of the shards.

    **Raises:** [`BuildError`][] where a shard cannot be read or lacks a column.
    """
    return index_of(pa.concat_tables(files.tables(_COLUMNS)))


def index_of(rows: pa.Table) -> Index:
    """Gives the index of rows that have at least the columns of an index."""
    return Index(
        id=rows["id"].to_pylist(),
        entry_point=rows["entry_point"].to_pylist(),
        named={name: _named(rows[name].combine_chunks()) for name in _NAMED},
        sizes={name: rows[name].to_pylist() for name in SIZES},
    )


def _named(column: pa.Array) -> Named:
    if not pa.types.is_list(column.type):
        coded = pc.dictionary_encode(column)
        return Named(coded.dictionary.to_pylist(), coded.indices.to_pylist())
    coded = pc.dictionary_encode(column.flatten())
    places = pc.subtract(column.offsets, column.offsets[0])  # of a slice they start later
    codes = pa.ListArray.from_arrays(places, coded.indices)
    return Named(coded.dictionary.to_pylist(), codes.to_pylist())
