"""How a config's plan falls into blocks, each of which can be planned without the others.

A small config is one block. A large one has a block for each shard of its largest split, and the
shards of the other splits spread evenly over them, so that a shard of any config is planned in
the time that its own candidates take, wherever it is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from jax_ir_pairs.config import Config

SHARE_OF_1000: Mapping[str, int] = {"train": 950, "validation": 25, "test": 25}
"""Structures of each split, of those in which nothing is held out. The same for all configs, so
that a structure in the test split of one config is in the train split of none."""

EXPECTED_OF_1000: Mapping[str, int] = {"test_ops": 25, "test_compositions": 25, **SHARE_OF_1000}
"""Candidates of each split, nearly: what is held out has no fixed share, as recipes differ."""

_ONE_BLOCK = 25_000
"""Candidates that are planned at once, in well under a minute: some 20,000 rows."""
_SEED_BITS = 40
_LEAST_SPARES = 4


@dataclass(frozen=True, slots=True)
class Block:
    """The shards of each split that are planned together, and the seeds to find theirs among."""

    shards: Mapping[str, range]
    seeds: range


def num_blocks(config: Config) -> int:
    """Gives the number of blocks of a config; each has a shard at least."""
    splits = config.splits.names
    expected = max(planned_seeds(config, s) * 1000 / EXPECTED_OF_1000[s] for s in splits)
    if config.recipe.functions is not None or expected <= _ONE_BLOCK:
        return 1
    return max(map(config.num_shards, splits))


def block_of(config: Config, split: str, shard: int) -> int:
    """Gives the number of the block that a shard is in."""
    # The first block whose shards, and those of all blocks before it, are more than `shard`.
    return -(-(shard + 1) * num_blocks(config) // config.num_shards(split)) - 1


def block(config: Config, number: int) -> Block:
    """Gives a block by its number.

    It has a share of the config's 2⁴⁰ seeds to itself: all of them where it is the only one.
    """
    blocks = num_blocks(config)
    shards = {
        split: range(number * of // blocks, (number + 1) * of // blocks)
        for split, of in ((split, config.num_shards(split)) for split in config.splits.names)
    }
    size = 1 << _SEED_BITS - (blocks - 1).bit_length()
    first = (config.seed << _SEED_BITS) + number * size
    return Block(shards, range(first, first + size))


def planned_seeds(config: Config, split: str) -> int:
    """Gives the number of seeds planned for a split: rows and spares."""
    return config.splits.rows(split) + config.num_shards(split) * _spares(config, split)


def planned_in(config: Config, split: str, shards: range) -> int:
    """Gives the number of seeds planned for some shards of a split."""
    rows = sum(config.shard_rows(split, shard) for shard in shards)
    return rows + len(shards) * _spares(config, split)


def _spares(config: Config, split: str) -> int:
    """Gives the spares of a shard: the expected rejections and four standard deviations.

    So one shard with bad luck does not fail a build.
    """
    expected = config.shard_rows(split, 0) * config.spare_share
    return math.ceil(expected + 4 * math.sqrt(expected)) + _LEAST_SPARES
