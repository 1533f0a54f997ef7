"""Counts over tables of rows, in memory that does not grow with the rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jax_ir_pairs.inspect.distribution import DistinctCount, Histogram
from jax_ir_pairs.inspect.tokens import TokenCounter
from jax_ir_pairs.schema import LEVELS

NONE = "none"
"""Stands for no transformation, and for no oracle."""

SIZES = ("num_eqns", "num_stablehlo_ops", "num_hlo_instructions", "num_fusions")
COSTS = ("flops", "bytes_accessed", "transcendentals", "peak_memory_bytes")
ERRORS = ("max_abs_error", "max_rel_error")

CELLS = 8
"""Cells of a size for each doubling of it."""

TARGET_TEXTS = ("stablehlo_", "optimized_hlo_")
"""What the columns of texts on a further target begin with; its name follows."""

_PASS = "passes.list.element.pass"  # without their modules
_REQUIRED = ("family", "transforms", "primitives", "num_devices", "structure_hash", "jax_version")


class RowCounts:
    """Counts rows by split; what it counts depends on the columns that there are.

    `columns` are those of the shards. Tokens are counted in each `token_step`-th row of a split.
    Distinct texts are counted but for columns in `known_unique`, and distinct structures unless
    `known_structures`.
    """

    def __init__(
        self,
        columns: Collection[str],
        tokens: TokenCounter | None = None,
        token_step: int = 1,
        known_unique: Collection[str] = (),
        known_structures: bool = False,
    ) -> None:
        self._count_tokens = tokens
        self._token_step = token_step
        texts = [*LEVELS, *(name for name in columns if name.startswith(TARGET_TEXTS))]
        self.numbers = {
            name: Histogram()
            for name in (*SIZES, *COSTS, *ERRORS)
            if name in columns or name not in ERRORS
        }
        self.lengths = {name: Histogram() for name in texts}
        self.tokens = {name: Histogram() for name in texts if tokens}
        self.unique = {name: DistinctCount() for name in texts if name not in known_unique}
        self.structures: dict[str, DistinctCount] | None = None if known_structures else {}
        self.all_structures = DistinctCount()

        self.rows: Counter[str] = Counter()
        self.text_bytes: dict[str, Counter[str]] = {}
        """By split and column."""
        self._sampled: dict[tuple[str, str], Counter[str]] = {}
        """Bytes and tokens of the rows whose tokens are counted."""
        self.token_rows = 0

        self.families: Counter[str] = Counter()
        self.transforms: Counter[str] = Counter()
        self.family_transforms: dict[str, Counter[str]] = {}
        self.primitives: Counter[str] = Counter()
        self.devices: Counter[int] = Counter()
        self.jax_versions: Counter[str] = Counter()
        self.ratio = Histogram()
        self.cells: Counter[tuple[int, int]] = Counter()
        self.oracles: Counter[str] | None = Counter() if "checked_by" in columns else None
        self.executed: Counter[bool] | None = Counter() if "executed" in columns else None
        self.passes: Counter[str] | None = Counter() if "passes" in columns else None

    def columns(self) -> list[str]:
        """Gives the columns that a table has to have."""
        further = {"checked_by": self.oracles, "executed": self.executed, _PASS: self.passes}
        wanted = [name for name, counts in further.items() if counts is not None]
        return [*self.lengths, *self.numbers, *_REQUIRED, *wanted]

    def text_tokens(self, split: str) -> dict[str, int] | None:
        """Gives the tokens of a split's texts, told from their bytes where not all were counted."""
        if self._count_tokens is None:
            return None
        found = {}
        for name, size in self.text_bytes.get(split, {}).items():
            sampled = self._sampled[split, name]
            found[name] = round(size * sampled["tokens"] / max(sampled["bytes"], 1))
        return found

    def add(self, split: str, table: pa.Table) -> None:
        """Counts the rows of a table, which are of one split."""
        if self._count_tokens is not None:
            first = -self.rows[split] % self._token_step
            sample = table.take(np.arange(first, table.num_rows, self._token_step))
            self._add_tokens(split, sample, self._count_tokens)
        self.rows[split] += table.num_rows
        for name in self.lengths:
            self._add_texts(split, name, table[name])
        for name, histogram in self.numbers.items():
            histogram.add(_numbers(table[name]))
        self._add_sizes(table["hlo"], table["optimized_hlo"])
        if self.structures is not None:
            hashes = _hashes(table["structure_hash"])
            self.structures.setdefault(split, DistinctCount()).add(hashes)
            self.all_structures.add(hashes)
        self._add_transforms(table["family"].to_pylist(), table["transforms"].to_pylist())
        self.primitives.update(pc.list_flatten(table["primitives"]).to_pylist())
        self.devices.update(table["num_devices"].to_pylist())
        self.jax_versions.update(table["jax_version"].to_pylist())
        if self.oracles is not None:
            self.oracles.update(oracle or NONE for oracle in table["checked_by"].to_pylist())
        if self.executed is not None:
            self.executed.update(table["executed"].to_pylist())
        if self.passes is not None:
            for passes in table["passes"].to_pylist():
                # The first entry is the module before any pass.
                self.passes.update({entry["pass"] for entry in passes or ()} - {""})

    def _add_texts(self, split: str, name: str, column: pa.ChunkedArray) -> None:
        lengths = _lengths(column)
        self.lengths[name].add(lengths)
        self.text_bytes.setdefault(split, Counter())[name] += int(lengths.sum())
        if name in self.unique:
            self.unique[name].add(_hashes(column))

    def _add_tokens(self, split: str, table: pa.Table, count: TokenCounter) -> None:
        self.token_rows += table.num_rows
        for name, histogram in self.tokens.items():
            tokens = np.array(count(pc.drop_null(table[name]).to_pylist()), np.float64)
            histogram.add(tokens)
            sampled = self._sampled.setdefault((split, name), Counter())
            sampled["bytes"] += int(_lengths(table[name]).sum())
            sampled["tokens"] += int(tokens.sum())

    def _add_sizes(self, before: pa.ChunkedArray, after: pa.ChunkedArray) -> None:
        sizes = np.stack([_lengths(pc.fill_null(column, "")) for column in (before, after)])
        sizes = sizes[:, (sizes > 0).all(axis=0)]
        self.ratio.add(sizes[1] / sizes[0])
        cells = np.floor(CELLS * np.log2(sizes)).astype(np.int64)
        self.cells.update(zip(*cells.tolist(), strict=True))

    def _add_transforms(self, families: Iterable[str], transforms: Iterable[list[str]]) -> None:
        for family, of_row in zip(families, transforms, strict=True):
            distinct = set(of_row) or {NONE}
            self.families[family] += 1
            self.transforms.update(distinct)
            self.family_transforms.setdefault(family, Counter()).update(distinct)


def _numbers(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    found: np.ndarray[Any, np.dtype[np.float64]]
    found = pc.drop_null(column).to_numpy().astype(np.float64)
    return found


def _lengths(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    return _numbers(pc.binary_length(column))


def _hashes(column: pa.ChunkedArray) -> list[int]:
    texts = pc.drop_null(column).cast(pa.binary()).to_pylist()
    return [int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) for text in texts]
