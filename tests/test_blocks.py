from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_ir_pairs import plan as plan_module
from jax_ir_pairs.blocks import block, block_of, num_blocks, planned_in, planned_seeds
from jax_ir_pairs.config import Config, Recipe, Splits, load_config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.plan import check_recipe, enumerate_plan, plan_of
from tests.test_plan import FakeDraft


def config_of(train: int, validation: int, test: int, per_shard: int, seed: int = 0) -> Config:
    return Config(
        name="tiny",
        description="for tests",
        seed=seed,
        splits=Splits(train=train, validation=validation, test=test),
        rows_per_shard=per_shard,
        recipe=Recipe(families={"expression": 1.0}),
    )


LARGE = config_of(30_000, 600, 200, 100, seed=5)
"""In 300 blocks; validation has 6 shards, test 2."""

CONFIGS = st.builds(
    config_of,
    train=st.integers(1, 3_000_000),
    validation=st.integers(0, 50_000),
    test=st.integers(0, 50_000),
    per_shard=st.integers(300, 100_000),
    seed=st.integers(0, 2**23 - 1),
)


@given(CONFIGS)
def test_every_shard_is_in_one_block(config: Config) -> None:
    blocks = [block(config, number) for number in range(num_blocks(config))]
    for split in config.splits.names:
        shards = [shard for of_block in blocks for shard in of_block.shards[split]]
        assert shards == list(range(config.num_shards(split)))
        assert [block_of(config, split, shard) for shard in shards] == [
            number for number, of_block in enumerate(blocks) for _ in of_block.shards[split]
        ]
        seeds = sum(planned_in(config, split, of_block.shards[split]) for of_block in blocks)
        assert seeds == planned_seeds(config, split)
    assert all(any(of_block.shards.values()) for of_block in blocks)


@given(CONFIGS)
def test_blocks_share_no_seed(config: Config) -> None:
    blocks = [block(config, number).seeds for number in range(num_blocks(config))]
    ends = [config.seed << 40, *(end for seeds in blocks for end in (seeds.start, seeds.stop))]
    assert ends == sorted(ends)
    assert blocks[-1].stop <= config.seed + 1 << 40 <= 2**63
    assert min(map(len, blocks)) >= 2**20


@pytest.mark.parametrize(
    ("name", "blocks"), [("hlo-100", 1), ("hlo-10k", 1), ("hlo-100k", 400), ("hlo-1m", 2000)]
)
def test_blocks_of_the_configs_here(name: str, blocks: int) -> None:
    assert num_blocks(load_config(name)) == blocks


@pytest.fixture
def fake_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "draw", lambda recipe, seed: FakeDraft(seed))


@pytest.mark.usefixtures("fake_draw")
def test_a_shard_of_a_large_config_is_planned_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found: dict[tuple[str, int], tuple[int, ...]] = {}
    shards = [(s, n) for s in LARGE.splits.names for n in range(LARGE.num_shards(s))]
    for order in (shards, shards[::-1]):
        monkeypatch.setenv("JAX_IR_PAIRS_CACHE", str(tmp_path_factory.mktemp("cache")))
        plan_module._remembered.cache_clear()
        for split, shard in order:
            candidates = plan_of(LARGE, split, shard).candidates(split, shard)
            assert found.setdefault((split, shard), candidates) == candidates
            # 100 rows at 5 %: 5 expected, 4 deviations of 2.2, and 4.
            assert len(candidates) == LARGE.shard_rows(split, shard) + 18
    seeds = [seed for candidates in found.values() for seed in candidates]
    assert len(set(seeds)) == len(seeds) == sum(planned_seeds(LARGE, s) for s in LARGE.splits.names)


@pytest.mark.usefixtures("fake_draw")
def test_only_plans_that_shards_share_are_cached(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("JAX_IR_PAIRS_CACHE", str(cache))
    plan_module._remembered.cache_clear()
    plan_of(LARGE, "train", 0)
    assert not list(cache.iterdir())
    plan_of(LARGE, "test", 0)
    (path,) = cache.iterdir()
    assert path.name.endswith("-00149.parquet")


@pytest.mark.usefixtures("fake_draw")
def test_a_split_without_programs_is_told_before_a_large_build() -> None:
    check_recipe(LARGE)
    splits = LARGE.splits.model_copy(update={"test_ops": 100})
    with pytest.raises(BuildError, match="no program for test_ops: none of 2,000 candidates"):
        check_recipe(LARGE.model_copy(update={"splits": splits}))


def test_the_plan_of_hlo_1k_is_that_of_earlier_versions() -> None:
    assert _digest("hlo-1k") == "7dd18d94960e5c415e6de4a908ce33c95695e2cf384526c8ed8add88fd8a9d2b"


@pytest.mark.slow
def test_the_plan_of_hlo_10k_is_that_of_earlier_versions() -> None:
    assert _digest("hlo-10k") == "4976b65429c55c9fc634ad6d865768020b1ef4d937e137754067dad0213907f8"


def _digest(name: str) -> str:
    seeds = enumerate_plan(load_config(name)).seeds
    content = b"".join(split.encode() + found.tobytes() for split, found in seeds.items())
    return hashlib.sha256(content).hexdigest()
