"""The rows of a config against their schema and each other: what needs no compiler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.build.records import text_hash
from jax_ir_pairs.config import Config
from jax_ir_pairs.schema import arrow_schema
from jax_ir_pairs.verification.finding import Finding

_READ = ("id", "python", "inputs", "jaxpr", "structure_hash", "config", "split", "shard", "seed")


class RowChecks:
    """Checks the shards of a config one after the other, and remembers what has to be unique."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._schema = arrow_schema(config.targets, passes=config.passes)
        self._seen: dict[str, dict[Any, str]] = {"id": {}, "jaxpr": {}, "seed": {}}
        self._structures: dict[str, str] = {}

    def check(self, path: Path, split: str, shard: int) -> Iterator[Finding]:
        """Gives what is wrong with the rows of a shard."""
        try:
            with pq.ParquetFile(path) as file:
                yield from self._of_schema(path.name, file.schema_arrow)
                if missing := set(_READ) - set(file.schema_arrow.names):
                    yield Finding("schema", path.name, f"lacks {', '.join(sorted(missing))}")
                    return
                number = 0
                for group in range(file.num_row_groups):
                    for row in file.read_row_group(group, columns=list(_READ)).to_pylist():
                        yield from self._of_row(f"{path.name} row {number}", row, split, shard)
                        number += 1
        except (OSError, pa.ArrowException) as error:
            yield Finding("file", path.name, f"cannot be read: {' '.join(str(error).split())}")

    def _of_schema(self, name: str, found: pa.Schema) -> Iterator[Finding]:
        if found.names != self._schema.names:
            more = [column for column in found.names if column not in self._schema.names]
            less = [column for column in self._schema.names if column not in found.names]
            what = (
                f"has columns of its own {more}, lacks {less}"
                if more or less
                else "are in another order"
            )
            yield Finding("schema", name, f"its columns: {what}")
            return
        for ours, theirs in zip(self._schema, found, strict=True):
            if not ours.equals(theirs):
                yield Finding("schema", name, f"{theirs} is a column, not {ours}")

    def _of_row(
        self, where: str, row: Mapping[str, Any], split: str, shard: int
    ) -> Iterator[Finding]:
        own = text_hash(row["python"] + row["inputs"])
        if row["id"] != own:
            yield Finding("id", where, f"id is {row['id']}, and of python and inputs {own}")
        for column, wanted in (("config", self._config.name), ("split", split), ("shard", shard)):
            if row[column] != wanted:
                yield Finding("split", where, f"{column} is {row[column]!r}, not {wanted!r}")
        for column, seen in self._seen.items():
            value = row[column]
            key = text_hash(value) if column == "jaxpr" else value
            if (first := seen.setdefault(key, where)) != where:
                yield Finding("duplicate", where, f"has the {column} of {first}")
        first_split = self._structures.setdefault(row["structure_hash"], split)
        if first_split != split:
            what = f"structure {row['structure_hash']} is in split {first_split} too"
            yield Finding("split", where, what)
