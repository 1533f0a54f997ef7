"""What a config's rows add up to, counted a row group at a time from the columns it takes.

Memory does not grow with the rows: lengths and numbers go into histograms of fixed resolution, and
how many texts are distinct is the manifest's to tell. Only where there is no manifest, or where it
is of other shards, are they counted, by a sketch that is exact up to 131,072 of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jax_ir_pairs.inspect.distribution import Distribution
from jax_ir_pairs.inspect.near_duplicates import NearDuplicates
from jax_ir_pairs.inspect.parquet_files import ConfigFiles
from jax_ir_pairs.inspect.recorded import Recorded, recorded, recorded_near_duplicates
from jax_ir_pairs.inspect.row_counts import TARGET_TEXTS, RowCounts
from jax_ir_pairs.inspect.tokens import TOKEN_ROWS, token_counter

K = TypeVar("K", str, int)


@dataclass(frozen=True, slots=True)
class SplitStatistics:
    """What one split adds up to."""

    rows: int
    shards: int
    stored_bytes: int
    """Size of its files."""
    structures: int
    """Distinct ones."""
    text_bytes: Mapping[str, int]
    """By column of texts, in UTF-8."""
    text_tokens: Mapping[str, int] | None = None
    """The same in tokens, or an estimate of it; None where no tokenizer was named."""


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """The texts of one column: a level, or a level on a further target."""

    bytes: Distribution
    """Of lengths in UTF-8."""
    unique: int
    """Distinct texts."""
    exact: bool
    """Whether that is no estimate."""
    tokens: Distribution | None = None
    """Of lengths in tokens, of the rows that were counted; None where no tokenizer was named."""
    near_duplicates: NearDuplicates | None = None
    """None where they were not counted before."""


@dataclass(frozen=True, slots=True)
class Optimization:
    """Sizes of the modules before and after optimization."""

    ratio: Distribution
    """Of the bytes of `optimized_hlo` to those of `hlo`."""
    cells: tuple[tuple[int, int, int], ...]
    """Size before, size after, rows; a size is in whole eighths of a doubling,
    `floor(8 * log2(bytes))`."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a config adds up to; counts by name are of rows, the most frequent first."""

    config: str
    splits: Mapping[str, SplitStatistics]
    texts: Mapping[str, TextStatistics]
    """By column of texts, over all splits."""
    numbers: Mapping[str, Distribution]
    """By column: sizes, costs, and errors of the checks where rows have them."""
    optimization: Optimization
    families: Mapping[str, int]
    transforms: Mapping[str, int]
    """Rows that have the transformation at least once; `none` for those without any."""
    family_transforms: Mapping[str, Mapping[str, int]]
    """The same within each family."""
    primitives: Mapping[str, int]
    """Rows that have the primitive at least once."""
    devices: Mapping[int, int]
    """Rows by the number of devices that their programs run on."""
    jax_versions: Mapping[str, int]
    shared_structures: int | None = None
    """Structures in more than one split; None where there are too many to tell."""
    rejections: Mapping[str, int] | None = None
    """By reason, from the manifest; None where there is none, since nothing is sealed."""
    tokenizer: str | None = None
    """Its name, where one was named."""
    token_rows: int | None = None
    """Rows whose tokens were counted; where they are not all, tokens of splits are estimates."""
    oracles: Mapping[str, int] | None = None
    """Rows by `checked_by`; `none` for those that no oracle ran."""
    executed: int | None = None
    """Rows whose machine code was run and compared; None where rows do not say."""
    targets: Mapping[str, int] | None = None
    """Rows that compiled for each further target."""
    passes: Mapping[str, int] | None = None
    """Rows whose module the pass changed at least once."""

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(split.rows for split in self.splits.values())

    def tokens(self, column: str) -> int:
        """Gives the tokens of a column's texts in all splits; 0 where no tokenizer was named."""
        return sum((split.text_tokens or {}).get(column, 0) for split in self.splits.values())


def statistics(
    files: ConfigFiles, tokenizer: str | None = None, token_rows: int = TOKEN_ROWS
) -> Statistics:
    """Counts the rows of a config, and the tokens of their texts where a tokenizer is named.

    Tokens are counted in `token_rows` rows, or up to twice as many, evenly spread over each split,
    and in all where it is 0; those of the other rows are told from their bytes.

    **Raises:** [`UsageError`][] where the tokenizer cannot be had; [`BuildError`][] where a shard,
    or what a build wrote beside it, cannot be read.
    """
    tokens = token_counter(tokenizer) if tokenizer else None
    manifest = recorded(files)
    whole = manifest if manifest is not None and manifest.complete else None
    counts = RowCounts(
        files.columns(),
        tokens,
        token_step=max(1, files.num_rows() // token_rows) if tokens and token_rows else 1,
        known_unique=whole.unique if whole else (),
        known_structures=whole is not None,
    )
    for split in files.shards:
        for table in files.tables(counts.columns(), [split]):
            counts.add(split, table)
    structures, shared = _structures(counts, whole)
    return Statistics(
        config=files.name,
        splits={
            split: SplitStatistics(
                rows=counts.rows[split],
                shards=len(paths),
                stored_bytes=sum(path.stat().st_size for path in paths),
                structures=structures[split],
                text_bytes=dict(counts.text_bytes.get(split, {})),
                text_tokens=counts.text_tokens(split),
            )
            for split, paths in files.shards.items()
        },
        texts=_texts(files, counts, whole),
        numbers={name: found.distribution() for name, found in counts.numbers.items()},
        optimization=Optimization(
            ratio=counts.ratio.distribution(),
            cells=tuple((*cell, rows) for cell, rows in sorted(counts.cells.items())),
        ),
        families=_by_frequency(counts.families),
        transforms=_by_frequency(counts.transforms),
        family_transforms={
            family: _by_frequency(counts.family_transforms[family])
            for family in _by_frequency(counts.families)
        },
        primitives=_by_frequency(counts.primitives),
        devices=_by_frequency(counts.devices),
        jax_versions=_by_frequency(counts.jax_versions),
        shared_structures=shared,
        rejections=None if manifest is None else _by_frequency(Counter(manifest.rejections)),
        tokenizer=None if tokenizer is None else _short(tokenizer),
        token_rows=counts.token_rows if tokens else None,
        oracles=None if counts.oracles is None else _by_frequency(counts.oracles),
        executed=None if counts.executed is None else counts.executed[True],
        targets=_targets(counts) or None,
        passes=None if counts.passes is None else _by_frequency(counts.passes),
    )


def _texts(
    files: ConfigFiles, counts: RowCounts, whole: Recorded | None
) -> dict[str, TextStatistics]:
    near = recorded_near_duplicates(files, counts.rows.total())
    found = {}
    for name, lengths in counts.lengths.items():
        sketch = counts.unique.get(name)
        unique = whole.unique[name] if whole and sketch is None else 0
        found[name] = TextStatistics(
            bytes=lengths.distribution(),
            unique=unique if sketch is None else sketch.count(),
            exact=sketch is None or sketch.exact,
            tokens=counts.tokens[name].distribution() if name in counts.tokens else None,
            near_duplicates=near.get(name),
        )
    return found


def _structures(counts: RowCounts, whole: Recorded | None) -> tuple[Mapping[str, int], int | None]:
    """Gives the distinct structures of each split, and those that more than one split has."""
    if whole is not None:
        return whole.structures, whole.shared_structures
    of_split = {split: found.count() for split, found in (counts.structures or {}).items()}
    every = counts.all_structures
    # The difference of two estimates would be mostly their errors.
    return Counter(of_split), sum(of_split.values()) - every.count() if every.exact else None


def _targets(counts: RowCounts) -> dict[str, int]:
    prefix = TARGET_TEXTS[-1]
    return {
        name.removeprefix(prefix).replace("_", "-"): lengths.distribution().count
        for name, lengths in counts.lengths.items()
        if name.startswith(prefix)
    }


def _short(tokenizer: str) -> str:
    """Gives the name of a tokenizer without the folders of this machine."""
    return Path(tokenizer).name if tokenizer.endswith(".json") else tokenizer


def _by_frequency(counter: Counter[K]) -> dict[K, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
