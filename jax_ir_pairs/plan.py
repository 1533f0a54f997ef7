"""The plan: which candidate seeds a config uses, deduplicated, split and dealt to shards.

Candidates are enumerated and only drafted, which costs a fraction of a millisecond each; nothing
is traced. The plan is the same on every machine, so shards need no communication, and a plan made
once is kept in a cache folder, since a million rows take minutes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.atomic import replacing
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.fingerprint import code_digest
from jax_ir_pairs.synthesis import Draft, draw
from jax_ir_pairs.synthesis.functions import num_programs
from jax_ir_pairs.synthesis.held_out import kind_of

Progress = Callable[[int, int], None]
"""Called now and then with the seeds found so far and the seeds wanted."""

_SHARE_OF_1000 = {"train": 950, "validation": 25, "test": 25}
"""Structures of each split, of those in which nothing is held out. The same for all configs, so
that a structure in the test split of one config is in the train split of none."""

_SPLIT_OF_KIND = {
    "ops": "test_ops",
    "compositions": "test_compositions",
    # Each of the two tests one thing, so what has both is in neither.
    "both": None,
}

_LEAST_SPARES = 4
_WINDOW = 10_000
"""Candidates after which the yield is looked at."""
_LEAST_YIELD = 1 / 50
"""Of the seeds that a window gives to a split where nothing is a duplicate."""
_EXPECTED_OF_1000 = {"test_ops": 25, "test_compositions": 25} | _SHARE_OF_1000
"""Candidates of each split, nearly: what is held out has no fixed share, as recipes differ."""


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """What became of the candidates that are not in the plan."""

    candidates: int
    duplicates: int
    """Candidates whose canonical form an earlier one had."""
    surplus: int
    """Candidates of no split, or of one that was full while another was not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The seeds of each split in order, and how many shards they are dealt to."""

    seeds: Mapping[str, array[int]]
    num_shards: Mapping[str, int]
    counts: PlanCounts

    def candidates(self, split: str, shard: int) -> tuple[int, ...]:
        """Gives the seeds of one shard in order: first those of its rows, then spares."""
        return tuple(self.seeds[split][shard :: self.num_shards[split]])


def split_of(draft: Draft) -> str | None:
    """Gives the split that a program belongs to in every config, if any.

    Its structure alone decides it: ops and compositions are part of the structure, and its hash
    picks one of the other splits. So no two splits of any configs have a structure in common.
    """
    if (kind := kind_of(draft.entry)) != "none":
        return _SPLIT_OF_KIND[kind]
    return _split_of_structure(draft.structure_hash)


def _split_of_structure(structure_hash: str) -> str:
    place = int(structure_hash, 16) % 1000
    for split, share in _SHARE_OF_1000.items():
        if place < share:
            return split
        place -= share
    raise AssertionError("shares add up to 1000")


def planned_seeds(config: Config, split: str) -> int:
    """Gives the length of a split's plan: rows and spares.

    The spares of a shard are the expected rejections and four standard deviations, so that one
    shard with bad luck does not fail a build.
    """
    expected = config.shard_rows(split, 0) * config.spare_share
    spares = math.ceil(expected + 4 * math.sqrt(expected)) + _LEAST_SPARES
    return config.splits.rows(split) + config.num_shards(split) * spares


def make_plan(config: Config, on_progress: Progress | None = None) -> Plan:
    """Gives the plan of `config`, from memory or the cache folder where it is there.

    The cache folder is `$JAX_IR_PAIRS_CACHE`, or else `jax-ir-pairs` in `$XDG_CACHE_HOME` or
    `~/.cache`; one that cannot be read or written costs time and is no error. A module of functions
    is planned at once: its examples in order, all `train`, without spares.

    **Raises:** [`BuildError`][] where the recipe has too few different programs.
    """
    if config.recipe.functions is not None:
        return _plan_of_functions(config, num_programs(config.recipe.functions))
    return _remembered(_Order(plan_fingerprint(config), config, on_progress))


def plan_fingerprint(config: Config) -> str:
    """Gives 16 hex digits that stand for all that decides the plan, the code included."""
    content = {
        "config": config.model_dump(
            mode="json", include={"seed", "splits", "rows_per_shard", "recipe", "spare_share"}
        ),
        "code": code_digest("synthesis", "plan.py"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _plan_of_functions(config: Config, number: int) -> Plan:
    if config.splits.names != ("train",) or config.splits.train != number:
        raise BuildError(
            f"{config.name}: its functions have {number} examples, so its splits must be "
            f"train: {number}, validation: 0, test: 0."
        )
    shards = {"train": config.num_shards("train")}
    return Plan({"train": array("Q", range(number))}, shards, PlanCounts(number, 0, 0))


@dataclass(frozen=True, slots=True)
class _Order:
    """A plan to be had; only the fingerprint tells two orders apart."""

    fingerprint: str
    config: Config = field(compare=False)
    on_progress: Progress | None = field(compare=False)


@functools.lru_cache(maxsize=8)
def _remembered(order: _Order) -> Plan:
    path = _cache_folder() / f"plan-{order.config.name}-{order.fingerprint}.parquet"
    plan = _read(path, order.config)
    if plan is None:
        plan = enumerate_plan(order.config, order.on_progress)
        with contextlib.suppress(OSError):
            _write(path, plan)
    return plan


def enumerate_plan(config: Config, on_progress: Progress | None = None) -> Plan:
    """Makes the plan of `config` without any cache; see [`make_plan`][]."""
    splits = config.splits.names
    wanted = {split: planned_seeds(config, split) for split in splits}
    seeds = {split: array("Q") for split in splits}
    found = dict.fromkeys(splits, 0)
    seen: set[int] = set()
    candidates = duplicates = surplus = 0
    while any(len(seeds[split]) < wanted[split] for split in splits):
        seed = config.seed << 40 | candidates
        candidates += 1
        draft = draw(config.recipe, seed)
        canonical = int(draft.canonical_hash, 16)
        if canonical in seen:
            duplicates += 1
        else:
            seen.add(canonical)
            split = split_of(draft)
            if split in seeds and len(seeds[split]) < wanted[split]:
                seeds[split].append(seed)
            else:
                surplus += 1
        if candidates % 1000 == 0 and on_progress is not None:
            on_progress(sum(map(len, seeds.values())), sum(wanted.values()))
        if candidates % _WINDOW == 0:
            before, found = found, {split: len(seeds[split]) for split in splits}
            for s in splits:
                if _is_poor(s, before[s], found[s], wanted[s]):
                    counts = PlanCounts(candidates, duplicates, surplus)
                    raise BuildError(f"{config.name}: {_explain(s, found[s], wanted[s], counts)}")
    num_shards = {split: config.num_shards(split) for split in splits}
    return Plan(seeds, num_shards, PlanCounts(candidates, duplicates, surplus))


def _is_poor(split: str, before: int, found: int, wanted: int) -> bool:
    """Says whether a split got next to nothing out of a window, and still lacks seeds."""
    expected = _WINDOW * _EXPECTED_OF_1000[split] / 1000
    return found < wanted and found - before < expected * _LEAST_YIELD


def _explain(split: str, found: int, wanted: int, counts: PlanCounts) -> str:
    if not found and split in _SPLIT_OF_KIND.values():
        return (
            f"the recipe has no program for {split}: none of {counts.candidates:,} candidates is "
            f"one; set {split} to 0 in splits, or add families."
        )
    return (
        f"the recipe has too few different programs: after {counts.candidates:,} candidates, "
        f"{counts.duplicates:,} of them duplicates, there are {found:,} of {wanted:,} seeds for "
        f"{split}; ask for fewer rows, larger programs or more families."
    )


def _cache_folder() -> Path:
    if folder := os.environ.get("JAX_IR_PAIRS_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (without a home, Path.expanduser raises)
    return Path(base) / "jax-ir-pairs"


_COUNTS = b"jax_ir_pairs.plan_counts"


def _write(path: Path, plan: Plan) -> None:
    table = pa.table(
        {
            "split": pa.array(
                [split for split, seeds in plan.seeds.items() for _ in seeds],
                pa.dictionary(pa.int8(), pa.string()),
            ),
            "seed": pa.array([s for seeds in plan.seeds.values() for s in seeds], pa.uint64()),
        },
        metadata={_COUNTS: json.dumps(asdict(plan.counts))},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _read(path: Path, config: Config) -> Plan | None:
    """Gives the plan in the file, or nothing where there is none that is whole."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        counts = PlanCounts(**json.loads(table.schema.metadata[_COUNTS]))
        seeds = {split: array("Q") for split in config.splits.names}
        for split, seed in zip(table["split"].to_pylist(), table["seed"].to_pylist(), strict=True):
            seeds[split].append(seed)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    if any(len(seeds[split]) != planned_seeds(config, split) for split in seeds):
        return None
    return Plan(seeds, {split: config.num_shards(split) for split in seeds}, counts)
