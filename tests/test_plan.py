from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from jax_ir_pairs import plan as plan_module
from jax_ir_pairs.blocks import planned_seeds
from jax_ir_pairs.config import Config, Recipe, Splits, load_config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.plan import (
    Plan,
    enumerate_plan,
    make_plan,
    plan_fingerprint,
    split_of,
)
from jax_ir_pairs.schema import SPLITS
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.graph import Call, Function, Transformed, Var
from jax_ir_pairs.synthesis.held_out import Kind, kind_of
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.types import Aval

CONFIG = Config(
    name="tiny",
    description="for tests",
    seed=3,
    splits=Splits(train=101, validation=11, test=12),
    rows_per_shard=10,
    recipe=Recipe(families={"expression": 1.0}),
)


def entry_of(*ops: str, nested: bool = False) -> Function:
    """Gives an entry point that calls these ops, or the gradient of a function that maps one."""
    x = Var(Aval("f32", (2,)))
    calls = tuple(Call(TABLE[op], (x,), {}, Var(x.type)) for op in ops)
    if nested:
        callee = Transformed("vmap", Function("inner", (x,), (), x))
        loss = Function("loss", (x,), (Call(TABLE["apply"], (callee, x), {}, Var(x.type)),), x)
        calls += (Call(TABLE["apply"], (Transformed("grad", loss), x), {}, Var(x.type)),)
    return Function("entry", (x,), calls, x)


PLAIN = entry_of("sin")


@dataclass(frozen=True)
class FakeDraft:
    """`number` tells canonical forms apart; four of them have one structure."""

    number: int
    entry: Function = PLAIN

    @property
    def canonical_hash(self) -> str:
        return f"{self.number * 0x9E3779B97F4A7C15 % 2**64:016x}"

    @property
    def held_out(self) -> Kind:
        return kind_of(self.entry)

    @property
    def structure_hash(self) -> str:
        return f"{self.number // 4 * 0xD1342543DE82EF95 % 2**64:016x}"


@pytest.fixture
def fake_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third candidate is like the one before it."""

    def fake(recipe: Recipe, seed: int) -> FakeDraft:
        return FakeDraft(seed - (seed % 3 == 2))

    monkeypatch.setattr(plan_module, "draw", fake)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JAX_IR_PAIRS_CACHE", str(tmp_path / "cache"))
    plan_module._remembered.cache_clear()
    return tmp_path / "cache"


def seeds_of(plan: Plan) -> list[int]:
    return [seed for split in CONFIG.splits.names for seed in plan.seeds[split]]


@pytest.mark.usefixtures("fake_draw")
def test_candidates_are_dealt_round_robin() -> None:
    plan = enumerate_plan(CONFIG)

    for split in CONFIG.splits.names:
        number = CONFIG.num_shards(split)
        shards = [plan.candidates(split, shard) for shard in range(number)]
        assert sorted(seed for shard in shards for seed in shard) == sorted(plan.seeds[split])
        for shard, candidates in enumerate(shards):
            assert candidates == tuple(plan.seeds[split])[shard::number]
            spares = len(candidates) - CONFIG.shard_rows(split, shard)
            # 10 rows at 5 %: 0.5 expected, 4 deviations of 0.7, and 4; the others have 6 rows.
            assert spares == (8 if split == "train" else 7)
        assert len(plan.seeds[split]) == planned_seeds(CONFIG, split)


@pytest.mark.usefixtures("fake_draw")
def test_no_canonical_form_is_there_twice_and_every_candidate_is_counted() -> None:
    plan = enumerate_plan(CONFIG)
    seeds = seeds_of(plan)

    assert all(seed >> 40 == 3 and seed % 3 != 2 for seed in seeds)
    counts = plan.counts
    assert counts.duplicates == sum((3 << 40 | n) % 3 == 2 for n in range(counts.candidates))
    assert counts.candidates == len(seeds) + counts.duplicates + counts.surplus


@pytest.mark.usefixtures("fake_draw")
def test_structures_are_in_one_split() -> None:
    plan = enumerate_plan(CONFIG)

    structures = [{seed // 4 for seed in plan.seeds[split]} for split in CONFIG.splits.names]
    assert sum(map(len, structures)) == len(set().union(*structures))


@pytest.mark.usefixtures("fake_draw")
def test_a_split_keeps_its_structures_in_every_config() -> None:
    larger = CONFIG.model_copy(
        update={"splits": Splits(train=400, validation=40, test=40), "seed": 4, "rows_per_shard": 7}
    )
    homes: dict[str, set[str]] = {}
    for config in (CONFIG, larger):
        plan = enumerate_plan(config)
        for split in CONFIG.splits.names:
            for seed in plan.seeds[split]:
                homes.setdefault(FakeDraft(seed).structure_hash, set()).add(split)
    assert {len(home) for home in homes.values()} == {1}


def test_shares_of_the_splits() -> None:
    shares = Counter(split_of(FakeDraft(4 * n)) for n in range(40_000))  # type: ignore[arg-type]
    assert shares["train"] == pytest.approx(38_000, rel=0.01)
    assert shares["validation"] == pytest.approx(1_000, rel=0.1)
    assert shares["test"] == pytest.approx(1_000, rel=0.1)


def test_real_programs_are_distinct_and_split_by_structure() -> None:
    config = CONFIG.model_copy(update={"splits": Splits(train=50, validation=2, test=2)})
    plan = enumerate_plan(config)
    drafts = {seed: draw(config.recipe, seed) for seed in seeds_of(plan)}

    assert len({draft.canonical_hash for draft in drafts.values()}) == len(drafts)
    for split in CONFIG.splits.names:
        assert {split_of(drafts[seed]) for seed in plan.seeds[split]} == {split}
    assert enumerate_plan(config) == plan


@pytest.mark.parametrize(
    ("entry", "split"),
    [
        (entry_of("clz"), "test_ops"),
        (entry_of("sin", "cumprod"), "test_ops"),
        (entry_of("sin", nested=True), "test_compositions"),
        (entry_of("clz", nested=True), None),
    ],
)
def test_what_is_held_out_has_a_split_of_its_own(entry: Function, split: str | None) -> None:
    for number in range(0, 400, 4):
        assert split_of(FakeDraft(number, entry)) == split  # type: ignore[arg-type]


FIVE = Splits(train=120, validation=3, test=3, test_ops=12, test_compositions=12)
MIXED = load_config("hlo-100").model_copy(update={"splits": FIVE})


def test_real_programs_of_all_five_splits() -> None:
    plan = enumerate_plan(MIXED)
    drafts = {
        split: [draw(MIXED.recipe, seed) for seed in seeds] for split, seeds in plan.seeds.items()
    }
    kinds = {split: {draft.held_out for draft in found} for split, found in drafts.items()}
    assert kinds == {
        "train": {"none"},
        "validation": {"none"},
        "test": {"none"},
        "test_ops": {"ops"},
        "test_compositions": {"compositions"},
    }
    structures = [{draft.structure_hash for draft in found} for found in drafts.values()]
    assert sum(map(len, structures)) == len(set().union(*structures))


def test_held_out_programs_are_in_no_split_of_a_config_without_those_splits() -> None:
    config = MIXED.model_copy(update={"splits": Splits(train=120, validation=3, test=3)})
    plan = enumerate_plan(config)
    assert list(plan.seeds) == ["train", "validation", "test"]
    seeds = [seed for seeds in plan.seeds.values() for seed in seeds]
    assert {draw(config.recipe, seed).held_out for seed in seeds} == {"none"}
    counts = plan.counts
    assert counts.candidates == len(seeds) + counts.duplicates + counts.surplus


@pytest.mark.usefixtures("fake_draw")
@pytest.mark.parametrize("split", ["test_ops", "test_compositions"])
def test_a_recipe_without_what_a_split_needs_is_an_error(split: str) -> None:
    splits = CONFIG.splits.model_copy(update={split: 10})
    message = (
        f"tiny: the recipe has no program for {split}: none of 10,000 candidates is one; "
        f"set {split} to 0 in splits, or add families."
    )
    with pytest.raises(BuildError, match=message):
        enumerate_plan(CONFIG.model_copy(update={"splits": splits}))


def test_the_cache_has_every_split(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(MIXED)
    assert list(plan.seeds) == list(SPLITS)
    monkeypatch.delattr(plan_module, "enumerate_plan")
    plan_module._remembered.cache_clear()
    assert make_plan(MIXED) == plan


def test_a_recipe_that_has_run_dry_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "draw", lambda recipe, seed: FakeDraft(seed % 500))
    with pytest.raises(
        BuildError, match=r"tiny: the recipe has too few different programs: after 20,000 cand"
    ):
        enumerate_plan(
            CONFIG.model_copy(update={"splits": Splits(train=9000, validation=1, test=1)})
        )


@pytest.mark.usefixtures("fake_draw")
def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    config = CONFIG.model_copy(update={"splits": Splits(train=3000, validation=10, test=10)})
    enumerate_plan(config, 0, lambda found, wanted: told.append((found, wanted)))

    wanted = sum(planned_seeds(config, split) for split in CONFIG.splits.names)
    assert {total for _, total in told} == {wanted}
    assert [found for found, _ in told] == sorted(found for found, _ in told)
    assert 600 < told[0][0] <= 1000


@pytest.mark.usefixtures("fake_draw")
def test_a_plan_is_read_from_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(CONFIG)
    (path,) = cache.iterdir()
    assert path.name == f"plan-tiny-{plan_fingerprint(CONFIG)}-00000.parquet"

    monkeypatch.delattr(plan_module, "enumerate_plan")
    plan_module._remembered.cache_clear()
    assert make_plan(CONFIG) == plan


@pytest.mark.usefixtures("fake_draw")
def test_a_plan_is_kept_in_memory(cache: Path) -> None:
    plan = make_plan(CONFIG)
    for path in cache.iterdir():
        path.unlink()
    assert make_plan(CONFIG.model_copy(update={"description": "another"})) is plan


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _flip_a_bit_of_the_seeds(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def _of_another_length(path: Path) -> None:
    plan_module._write(path, enumerate_plan(CONFIG.model_copy(update={"rows_per_shard": 20})))


@pytest.mark.usefixtures("fake_draw")
@pytest.mark.parametrize(
    "damage", [_truncate, _empty, _make_folder, _flip_a_bit_of_the_seeds, _of_another_length]
)
def test_a_corrupt_cache_is_made_again(cache: Path, damage: Callable[[Path], None]) -> None:
    plan = make_plan(CONFIG)
    (path,) = cache.iterdir()
    damage(path)
    plan_module._remembered.cache_clear()
    assert make_plan(CONFIG) == plan


@pytest.mark.usefixtures("fake_draw")
def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    assert make_plan(CONFIG) == enumerate_plan(CONFIG)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"JAX_IR_PAIRS_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/jax-ir-pairs"),
        ({"HOME": "/c"}, "/c/.cache/jax-ir-pairs"),
    ],
)
def test_cache_folder(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    for name in ("JAX_IR_PAIRS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert os.fspath(plan_module._cache_folder()) == folder


@pytest.mark.parametrize(
    ("update", "same"),
    [
        ({"description": "x", "name": "other"}, True),
        ({"max_rejected_share": 0.5}, True),
        ({"seed": 4}, False),
        ({"rows_per_shard": 11}, False),
        ({"splits": Splits(train=102, validation=11, test=12)}, False),
        ({"recipe": Recipe(families={"autodiff": 1.0})}, False),
        ({"spare_share": 0.06}, False),
    ],
)
def test_what_decides_the_fingerprint(update: dict[str, object], same: bool) -> None:
    other = CONFIG.model_copy(update=update)
    assert (plan_fingerprint(other) == plan_fingerprint(CONFIG)) is same


def test_edited_code_decides_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan_fingerprint(CONFIG)
    monkeypatch.setattr(plan_module, "code_digest", lambda *parts: "other")
    assert plan_fingerprint(CONFIG) != before
