"""What a config's rows add up to, counted a row group at a time from the columns it takes."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.inspect.parquet_files import ConfigFiles
from jax_ir_pairs.inspect.rows import open_shard
from jax_ir_pairs.schema import LEVELS

_COLUMNS = [*LEVELS, "family", "primitives", "structure_hash", "jax_version"]


@dataclass(frozen=True, slots=True)
class SplitStatistics:
    """What one split adds up to."""

    rows: int
    shards: int
    stored_bytes: int
    """Size of its files."""
    text_bytes: Mapping[str, int]
    """By level, in UTF-8."""
    structures: int
    """Distinct ones."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a config adds up to; counts by name are of rows, the most frequent first."""

    config: str
    splits: Mapping[str, SplitStatistics]
    unique: Mapping[str, int]
    """Distinct texts by level."""
    families: Mapping[str, int]
    primitives: Mapping[str, int]
    """Rows that have the primitive at least once."""
    jax_versions: Mapping[str, int]
    shared_structures: int
    """Structures in more than one split."""
    rejections: Mapping[str, int] | None
    """By reason, from the manifest; None where there is none, since nothing is sealed."""

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(split.rows for split in self.splits.values())


@dataclass
class _Counts:
    """Counts over the rows of all splits; 8 bytes for each text are what grows with them."""

    texts: dict[str, array[int]] = field(
        default_factory=lambda: {level: array("Q") for level in LEVELS}
    )
    families: Counter[str] = field(default_factory=Counter)
    primitives: Counter[str] = field(default_factory=Counter)
    jax_versions: Counter[str] = field(default_factory=Counter)


def statistics(files: ConfigFiles) -> Statistics:
    """Counts the rows of a config.

    **Raises:** [`BuildError`][] where a shard cannot be read.
    """
    counts = _Counts()
    structures: dict[str, set[int]] = {}
    splits = {}
    for split in files.shards:
        structures[split] = set()
        splits[split] = _count_split(files, split, counts, structures[split])
    every = set().union(*structures.values())
    return Statistics(
        config=files.name,
        splits=splits,
        unique={level: len(pc.unique(_numbers(counts.texts[level]))) for level in LEVELS},
        families=_by_frequency(counts.families),
        primitives=_by_frequency(counts.primitives),
        jax_versions=_by_frequency(counts.jax_versions),
        shared_structures=sum(map(len, structures.values())) - len(every),
        rejections=_rejections(files),
    )


def _count_split(
    files: ConfigFiles, split: str, counts: _Counts, structures: set[int]
) -> SplitStatistics:
    rows = 0
    text_bytes = dict.fromkeys(LEVELS, 0)
    for path in files.of_split(split):
        with open_shard(path) as shard:
            for group in range(shard.num_row_groups):
                table = shard.read_row_group(group, columns=_COLUMNS)
                rows += table.num_rows
                for level in LEVELS:
                    text_bytes[level] += pc.sum(pc.binary_length(table[level])).as_py() or 0
                    counts.texts[level].extend(map(_hash, table[level].to_pylist()))
                counts.families.update(table["family"].to_pylist())
                counts.primitives.update(pc.list_flatten(table["primitives"]).to_pylist())
                counts.jax_versions.update(table["jax_version"].to_pylist())
                structures.update(int(text, 16) for text in table["structure_hash"].to_pylist())
    paths = files.of_split(split)
    stored = sum(path.stat().st_size for path in paths)
    return SplitStatistics(rows, len(paths), stored, text_bytes, len(structures))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _numbers(numbers: array[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.uint64(), len(numbers), [None, pa.py_buffer(numbers)])


def _by_frequency(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _rejections(files: ConfigFiles) -> dict[str, int] | None:
    path = files.folder / "manifest.json"
    if not path.is_file():
        return None
    try:
        return _by_frequency(Counter(json.loads(path.read_bytes())["rejections"]))
    except (ValueError, KeyError, TypeError):
        raise BuildError(f"{path}: is not a manifest; delete it and build again.") from None
