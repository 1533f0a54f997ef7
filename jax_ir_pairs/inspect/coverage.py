"""What of JAX and the compiler a config's rows have, counted a row group at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from jax_ir_pairs.inspect.coverage_reasons import KINDS, Reason, Registry
from jax_ir_pairs.inspect.jaxpr_text import avals, def_use_pairs
from jax_ir_pairs.inspect.parquet_files import ConfigFiles

_COLUMNS = ["primitives", "transforms", "jaxpr", "stablehlo", "hlo", "optimized_hlo"]
_OP = re.compile(r'(?:^ *|= |applies )"?((?:stablehlo|chlo|sdy)\.[\w\-]+)', re.MULTILINE)
_OPCODE = re.compile(
    r"^ *(?:ROOT )?%?[\w.\-]+ = (?:\(.*?\)|\S+) ([a-z][a-z0-9\-]*)\(", re.MULTILINE
)
_FUSION_KIND = re.compile(r"\) ?, kind=(k\w+)")
_TARGET = re.compile(r'custom_call_target="([^"]+)"')
_DTYPES = {"f": "float", "bf": "bfloat", "i": "int", "u": "uint", "c": "complex"}
_LARGEST_RANK = 6

K = TypeVar("K", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Known:
    """One kind of which all names are known: the rows of each, and why some have none."""

    rows: Mapping[str, int]
    """Rows by name, the most frequent first; names that no row has are left out."""
    names: tuple[str, ...]
    """All that the installed JAX knows."""
    reasons: Mapping[str, Reason]

    @property
    def covered(self) -> tuple[str, ...]:
        """Known names that rows have."""
        return tuple(name for name in self.names if name in self.rows)

    @property
    def missing(self) -> tuple[str, ...]:
        """Known names that no row has, and no reason explains."""
        return tuple(n for n in self.names if n not in self.rows and n not in self.reasons)

    @property
    def explained(self) -> Mapping[str, Reason]:
        """Known names that no row has, with the reason."""
        return {n: self.reasons[n] for n in self.names if n not in self.rows and n in self.reasons}

    @property
    def stale(self) -> tuple[str, ...]:
        """Names that rows have although a reason says that they cannot."""
        return tuple(sorted(self.rows.keys() & self.reasons.keys()))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names that rows have and the installed JAX does not list."""
        return tuple(name for name in self.rows if name not in self.names)

    @property
    def reachable(self) -> int:
        """The number of known names that rows have or could have."""
        return len(self.names) - len(self.explained)

    def in_at_least(self, rows: int) -> int:
        """Gives the number of known names that at least so many rows have."""
        return sum(self.rows[name] >= rows for name in self.covered)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a config covers. Counts are of rows that have the thing at least once."""

    config: str
    rows: int
    jax_version: str
    """Of the installed JAX, whose names are known."""
    known: Mapping[str, Known]
    """By kind: primitives, StableHLO ops, HLO opcodes (either module), dtypes (of the jaxpr)."""
    fusion_kinds: Mapping[str, int]
    custom_call_targets: Mapping[str, int]
    ranks: Mapping[str, int]
    """Ranks of the jaxpr's avals, from `0` to `6+`."""
    transforms: Mapping[str, int]
    transform_pairs: Mapping[tuple[str, str], int]
    """Outer and inner transformation of one program, not only where one is right in the other."""
    def_use: Mapping[tuple[str, str], int]
    """Primitives of which the second reads a value that the first makes."""

    @property
    def missing(self) -> Mapping[str, tuple[str, ...]]:
        """By kind, what no row has and no reason explains; kinds with none are left out."""
        return {kind: known.missing for kind, known in self.known.items() if known.missing}


@dataclass
class _Counts:
    rows: int = 0
    known: dict[str, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in KINDS}
    )
    fusion_kinds: Counter[str] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    ranks: Counter[str] = field(default_factory=Counter)
    transforms: Counter[str] = field(default_factory=Counter)
    transform_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    def_use: Counter[tuple[str, str]] = field(default_factory=Counter)


def coverage(
    files: ConfigFiles, registry: Registry, reasons: Mapping[str, Mapping[str, Reason]]
) -> Coverage:
    """Counts the rows of a config against what the installed JAX knows.

    **Raises:** [`BuildError`][] where a shard cannot be read.
    """
    counts = _Counts()
    for table in files.tables(_COLUMNS):
        for values in zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True):
            _count(counts, *values)
    return Coverage(
        config=files.name,
        rows=counts.rows,
        jax_version=registry.jax_version,
        known={
            kind: Known(_by_frequency(counts.known[kind]), registry.names[kind], reasons[kind])
            for kind in KINDS
        },
        fusion_kinds=_by_frequency(counts.fusion_kinds),
        custom_call_targets=_by_frequency(counts.targets),
        ranks=dict(sorted(counts.ranks.items())),
        transforms=_by_frequency(counts.transforms),
        transform_pairs=_by_frequency(counts.transform_pairs),
        def_use=_by_frequency(counts.def_use),
    )


def _count(
    counts: _Counts,
    primitives: list[str],
    transforms: list[str],
    jaxpr: str,
    stablehlo: str,
    hlo: str,
    optimized_hlo: str,
) -> None:
    modules = (hlo, optimized_hlo)
    types = avals(jaxpr)
    counts.rows += 1
    counts.known["primitives"].update(primitives)
    counts.known["stablehlo_ops"].update(set(_OP.findall(stablehlo)))
    counts.known["hlo_opcodes"].update(_in_any(_OPCODE, modules))
    counts.known["dtypes"].update({dtype_name(dtype) for dtype, _ in types})
    counts.ranks.update({_rank_name(rank) for _, rank in types})
    counts.fusion_kinds.update(_in_any(_FUSION_KIND, [optimized_hlo]))
    counts.targets.update(_in_any(_TARGET, modules))
    counts.transforms.update(set(transforms))
    counts.transform_pairs.update(set(combinations(transforms, 2)))
    counts.def_use.update(def_use_pairs(jaxpr))


def dtype_name(short: str) -> str:
    """Gives the name of a dtype that a jaxpr writes in short: `float32` for `f32`."""
    match = re.fullmatch(r"(bf|[fiuc])(\d+\w*)", short)
    return _DTYPES[match[1]] + match[2] if match else short


def _rank_name(rank: int) -> str:
    return str(rank) if rank < _LARGEST_RANK else f"{_LARGEST_RANK}+"


def _in_any(pattern: re.Pattern[str], texts: Iterable[str]) -> set[str]:
    return {name for text in texts for name in pattern.findall(text)}


def _by_frequency(counter: Counter[K]) -> dict[K, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
