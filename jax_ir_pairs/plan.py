"""The plan: which candidate seeds a config uses, deduplicated, split and dealt to shards.

Candidates are enumerated and only drafted, which costs about a millisecond each; nothing is
traced. The plan of a block is the same on every machine and knows of no other block, so shards
need no communication. One that several shards share is kept in a cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import threading
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.atomic import replacing
from jax_ir_pairs.blocks import (
    EXPECTED_OF_1000,
    SHARE_OF_1000,
    Block,
    block,
    block_of,
    planned_in,
    planned_seeds,
)
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.fingerprint import code_digest
from jax_ir_pairs.synthesis import Draft, draw
from jax_ir_pairs.synthesis.functions import num_programs
from jax_ir_pairs.synthesis.sketching.draft import SketchDraft
from jax_ir_pairs.synthesis.sketching.outline import NEARLY, Outline

Progress = Callable[[int, int], None]
"""Called now and then with the seeds found so far and the seeds wanted."""

_SPLIT_OF_KIND = {
    "ops": "test_ops",
    "compositions": "test_compositions",
    # Each of the two tests one thing, so what has both is in neither.
    "both": None,
}

_WINDOW = 10_000
"""Candidates after which the yield is looked at."""
_LEAST_YIELD = 1 / 50
"""Of the seeds that a window gives to a split where nothing is a duplicate."""
_PROBE = 2_000
"""Candidates that are looked at before a large config is built."""
_REMEMBERED = 64
"""Plans in memory: threads that build shards of different blocks take turns."""


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """What became of the candidates that are not in the plan."""

    candidates: int
    duplicates: int
    """Candidates whose canonical form an earlier one had, or that are nearly the same as one."""
    surplus: int
    """Candidates of no split, or of one that was full while another was not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The seeds of a block by split, in order, and the shards that they are dealt to."""

    seeds: Mapping[str, array[int]]
    shards: Mapping[str, range]
    counts: PlanCounts

    def candidates(self, split: str, shard: int) -> tuple[int, ...]:
        """Gives the seeds of one shard in order: first those of its rows, then spares."""
        shards = self.shards[split]
        return tuple(self.seeds[split][shards.index(shard) :: len(shards)])


def split_of(draft: Draft | SketchDraft) -> str | None:
    """Gives the split that a program belongs to in every config, if any.

    Its structure alone decides it: ops and compositions are part of the structure, and its hash
    picks one of the other splits. So no two splits of any configs have a structure in common.
    """
    if (kind := draft.held_out) != "none":
        return _SPLIT_OF_KIND[kind]
    return _split_of_structure(draft.structure_hash)


def _split_of_structure(structure_hash: str) -> str:
    place = int(structure_hash, 16) % 1000
    for split, share in SHARE_OF_1000.items():
        if place < share:
            return split
        place -= share
    raise AssertionError("shares add up to 1000")


def make_plan(config: Config, number: int = 0, on_progress: Progress | None = None) -> Plan:
    """Gives the plan of a block of `config`, from memory or the cache folder where it is there.

    The cache folder is `$JAX_IR_PAIRS_CACHE`, or else `jax-ir-pairs` in `$XDG_CACHE_HOME` or
    `~/.cache`; one that cannot be read or written costs time and is no error. A module of functions
    is planned at once: its examples in order, all `train`, without spares. Of threads that want the
    same plan one makes it.

    **Raises:** [`BuildError`][] where the recipe has too few different programs.
    """
    if config.recipe.functions is not None:
        return _plan_of_functions(config, num_programs(config.recipe.functions))
    order = _Order(plan_fingerprint(config), number, config, on_progress)
    with _lock_of(order):
        return _remembered(order)


def plan_of(config: Config, split: str, shard: int) -> Plan:
    """Gives the plan of the block that a shard is in; see [`make_plan`][]."""
    return make_plan(config, block_of(config, split, shard))


def check_recipe(config: Config) -> None:
    """Raises [`BuildError`][] where the recipe has no program for a split, as far as a look tells.

    A block of a large config may have shards of one split only, so that the fault of another one
    would show after days.
    """
    drafts = (draw(config.recipe, seed) for seed in block(config, 0).seeds[:_PROBE])
    found = {split_of(draft) for draft in drafts}
    for split in config.splits.names:
        if split not in found:
            counts = PlanCounts(_PROBE, 0, _PROBE)
            raise _too_few(config, split, 0, planned_seeds(config, split), counts)


def plan_fingerprint(config: Config) -> str:
    """Gives 16 hex digits that stand for all that decides the plan, the code included."""
    content = {
        "config": config.model_dump(
            mode="json", include={"seed", "splits", "rows_per_shard", "recipe", "spare_share"}
        ),
        "code": code_digest("synthesis", "blocks.py", "plan.py"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _plan_of_functions(config: Config, number: int) -> Plan:
    if config.splits.names != ("train",) or config.splits.train != number:
        raise BuildError(
            f"{config.name}: its functions have {number} examples, so its splits must be "
            f"train: {number}, validation: 0, test: 0."
        )
    shards = block(config, 0).shards
    return Plan({"train": array("Q", range(number))}, shards, PlanCounts(number, 0, 0))


@dataclass(frozen=True, slots=True)
class _Order:
    """A plan to be had; the fingerprint and the block tell two orders apart."""

    fingerprint: str
    number: int
    config: Config = field(compare=False)
    on_progress: Progress | None = field(compare=False)


@functools.lru_cache(maxsize=_REMEMBERED)
def _lock_of(order: _Order) -> threading.Lock:
    return threading.Lock()


@functools.lru_cache(maxsize=_REMEMBERED)
def _remembered(order: _Order) -> Plan:
    config, wanted = order.config, block(order.config, order.number)
    if sum(map(len, wanted.shards.values())) == 1:  # nobody else would read it
        return enumerate_plan(config, order.number, order.on_progress)
    name = f"plan-{config.name}-{order.fingerprint}-{order.number:05d}.parquet"
    path = _cache_folder() / name
    plan = _read(path, config, wanted)
    if plan is None:
        plan = enumerate_plan(config, order.number, order.on_progress)
        with contextlib.suppress(OSError):
            _write(path, plan)
    return plan


def enumerate_plan(config: Config, number: int = 0, on_progress: Progress | None = None) -> Plan:
    """Makes the plan of a block of `config` without any cache; see [`make_plan`][]."""
    of_block = block(config, number)
    splits = config.splits.names
    wanted = {split: planned_in(config, split, of_block.shards[split]) for split in splits}
    seeds = {split: array("Q") for split in splits}
    found = dict.fromkeys(splits, 0)
    earlier = _Earlier()
    candidates = duplicates = surplus = 0
    while lacking := [split for split in splits if len(seeds[split]) < wanted[split]]:
        if candidates == len(of_block.seeds):
            counts = PlanCounts(candidates, duplicates, surplus)
            raise _too_few(config, lacking[0], len(seeds[lacking[0]]), wanted[lacking[0]], counts)
        seed = of_block.seeds[candidates]
        candidates += 1
        draft = draw(config.recipe, seed)
        if not earlier.add(draft):
            duplicates += 1
        else:
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
                    raise _too_few(config, s, found[s], wanted[s], counts)
    return Plan(seeds, of_block.shards, PlanCounts(candidates, duplicates, surplus))


class _Earlier:
    """The programs of a block so far, as far as the next ones must differ from them."""

    def __init__(self) -> None:
        self._canonical: set[int] = set()
        self._outlines: dict[tuple[str, ...], list[Outline]] = {}

    def add(self, draft: Draft | SketchDraft) -> bool:
        """Adds a program and tells whether it is new; one that is not is not added."""
        canonical = int(draft.canonical_hash, 16)
        if canonical in self._canonical:
            return False
        if isinstance(draft, SketchDraft):
            outline = draft.outline
            like = self._outlines.setdefault(outline.items, [])
            if any(outline.similarity(other) >= NEARLY for other in like):
                return False
            like.append(outline)
        self._canonical.add(canonical)
        return True


def _is_poor(split: str, before: int, found: int, wanted: int) -> bool:
    """Says whether a split got next to nothing out of a window, and still lacks seeds."""
    expected = _WINDOW * EXPECTED_OF_1000[split] / 1000
    return found < wanted and found - before < expected * _LEAST_YIELD


def _too_few(config: Config, split: str, found: int, wanted: int, counts: PlanCounts) -> BuildError:
    if not found and split in _SPLIT_OF_KIND.values():
        return BuildError(
            f"{config.name}: the recipe has no program for {split}: none of "
            f"{counts.candidates:,} candidates is one; set {split} to 0 in splits, or add families."
        )
    return BuildError(
        f"{config.name}: the recipe has too few different programs: after "
        f"{counts.candidates:,} candidates, {counts.duplicates:,} of them duplicates, there are "
        f"{found:,} of {wanted:,} seeds for {split}; ask for fewer rows, larger programs or more "
        "families."
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


def _read(path: Path, config: Config, wanted: Block) -> Plan | None:
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
    if any(len(seeds[s]) != planned_in(config, s, wanted.shards[s]) for s in seeds):
        return None
    return Plan(seeds, wanted.shards, counts)
