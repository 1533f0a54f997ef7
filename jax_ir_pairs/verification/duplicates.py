"""No two rows of a config have the same jaxpr, id or seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.build.records import text_hash
from jax_ir_pairs.verification.findings import Finding


class Duplicates:
    """Sees the rows of a config one by one, and keeps a hash and a place of each."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Any, tuple[str, int]]] = {"jaxpr": {}, "id": {}, "seed": {}}

    def add(self, place: str, file: str, number: int, row: Mapping[str, Any]) -> Finding | None:
        """Gives the finding where a row before this one has its jaxpr, its id or its seed."""
        own = file, number
        shared: dict[tuple[str, int], list[str]] = {}
        for column, seen in self._seen.items():
            value = row[column]
            key = int(text_hash(value), 16) if column == "jaxpr" else value
            if (first := seen.setdefault(key, own)) != own:
                shared.setdefault(first, []).append(column)
        if not shared:
            return None
        (first_file, at), columns = next(iter(shared.items()))
        found = f"that of {first_file}, row {at}"
        return Finding("duplicate", place, ", ".join(columns), "no other row's", found)
