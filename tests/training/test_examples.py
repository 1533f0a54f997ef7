from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets.distributed import split_dataset_by_node
from datasets.fingerprint import Hasher

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring.tasks import TASKS
from jax_ir_pairs.training import FORMS, Examples, Form, Tally, examples, to_examples
from tests.training.rows import ROWS, for_all_targets

TASK = "python_to_stablehlo"
UNKNOWN: Any = "chat"
MIX = {TASK: 3.0, "cost": 1.0, "line_map_jaxpr": 1.0}


@pytest.fixture(scope="module")
def rows() -> datasets.Dataset:
    return datasets.Dataset.from_list(ROWS)


def test_forms_are_those_of_trl() -> None:
    row = ROWS[0]
    [plain] = to_examples(row, TASK)
    assert list(plain) == ["prompt", "completion", "task", "id"]
    assert (plain["completion"], plain["task"], plain["id"]) == (row["stablehlo"], TASK, row["id"])
    [text] = to_examples(row, TASK, "text")
    assert text["text"] == plain["prompt"] + plain["completion"]
    asked = [{"role": "user", "content": plain["prompt"].rstrip("\n")}]
    answered = [{"role": "assistant", "content": plain["completion"]}]
    [messages] = to_examples(row, TASK, "messages")
    assert messages["messages"] == asked + answered
    [turns] = to_examples(row, TASK, "conversational")
    assert (turns["prompt"], turns["completion"]) == (asked, answered)


@pytest.mark.parametrize("form", FORMS)
def test_a_dataset_a_stream_and_processes_give_the_same(rows: datasets.Dataset, form: Form) -> None:
    asked = Examples(MIX, form)
    expected = [example for row in rows for example in asked.of_row(row)]
    made = asked.of(rows)
    assert made.features == asked.features
    assert list(made) == expected
    stream = asked.of(rows.to_iterable_dataset(num_shards=3))
    assert stream.features == asked.features
    assert list(stream) == expected
    split = asked.of(datasets.DatasetDict(train=rows, test=rows.select([0])))
    assert [len(split["train"]), len(split["test"])] == [len(expected), len(asked.of_row(rows[0]))]


_TWO_PROCESSES = """
import datasets
from jax_ir_pairs.training import Examples

rows = datasets.load_dataset("parquet", data_files="data/sample/*.parquet", split="train[:10]")
asked = Examples({"python_to_stablehlo": 1, "cost": 1}, max_tokens=100_000)
assert list(asked.of(rows, num_proc=2)) == list(asked.of(rows))
"""


def test_two_processes_give_the_same(tmp_path: Path) -> None:
    # In a process of its own: where JAX runs, as in that of other tests, it warns of every fork.
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path)}
    root = Path(__file__).parent.parent.parent
    ran = subprocess.run(
        [sys.executable, "-c", _TWO_PROCESSES], cwd=root, env=environment, stderr=subprocess.PIPE
    )
    assert ran.returncode == 0, ran.stderr.decode()


def test_it_is_ready_for_map(rows: datasets.Dataset) -> None:
    asked = Examples(TASK)
    mapped = rows.map(asked, batched=True, remove_columns=rows.column_names)
    assert list(mapped) == list(asked.of(rows))


def test_a_stream_of_unknown_columns(rows: datasets.Dataset) -> None:
    stream = datasets.IterableDataset.from_generator(lambda: iter(ROWS))
    assert stream.column_names is None
    assert list(Examples(TASK).of(stream)) == list(Examples(TASK).of(rows))


def test_no_row_with_an_answer_leaves_the_columns(rows: datasets.Dataset) -> None:
    name = "optimized_hlo_tpu_v5e"
    lacking = rows.add_column(name, [None] * len(rows))
    asked = Examples("cpu_to_tpu-v5e")
    for made in (asked.of(lacking), asked.of(lacking.to_iterable_dataset())):
        assert list(made) == []
        assert made.column_names == ["prompt", "completion", "task", "id"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Examples("translate"), "There is no task 'translate'; there are python_to_jaxpr"),
        (lambda: Examples({TASK: 1, "x": 1}), "There is no task 'x'"),
        (lambda: Examples({TASK: 0}), "weight 0 must be over 0"),
        (lambda: Examples({TASK: float("inf")}), "weight inf"),
        (lambda: Examples({}), "There is no task to make"),
        (
            lambda: Examples(TASK, UNKNOWN),
            "There is no form 'chat'; there are prompt_completion",
        ),
        (lambda: Examples(TASK, max_tokens=0), "max_tokens 0 must be at least 1"),
        (lambda: Examples(TASK, tokenizer=7), "int is neither"),
        (lambda: to_examples({"id": "a"}, TASK), "needs the column 'seed'"),
        (lambda: Examples(MIX).of_row({"id": "a"}), "needs the column 'seed'"),
    ],
)
def test_what_cannot_be_is_said_when_it_is_asked_for(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_a_missing_column_is_named_before_anything_runs(rows: datasets.Dataset) -> None:
    for given in (rows, rows.to_iterable_dataset()):
        with pytest.raises(UsageError, match="column 'optimized_hlo_cuda_h100'; there are id, py"):
            Examples("cpu_to_cuda-h100").of(given)


def test_a_stream_has_no_processes_of_its_own(rows: datasets.Dataset) -> None:
    with pytest.raises(UsageError, match="num_proc is for a Dataset"):
        Examples(TASK).of(rows.to_iterable_dataset(), num_proc=2)


def test_no_rows_leave_the_columns(rows: datasets.Dataset) -> None:
    for given in (rows.select([]), datasets.Dataset(rows.features.arrow_schema.empty_table())):
        made = Examples(TASK).of(given)
        assert (len(made), made.features) == (0, Examples(TASK).features)


def test_longer_ones_are_left_out_and_counted() -> None:
    whole = {row["id"]: to_examples(row, TASK, "text")[0]["text"] for row in ROWS}
    limit = sorted(len(text.encode()) for text in whole.values())[5]
    asked = Examples(TASK, "text", max_tokens=limit)
    made = [example for row in ROWS for example in asked.of_row(row)]
    assert len(made) == 6
    assert all(example["text"] == whole[example["id"]] for example in made)
    assert asked.tally(ROWS) == Tally(12, {TASK: 6}, {TASK: 6}, {})
    lacking = for_all_targets(ROWS[0]) | {"optimized_hlo_tpu_v4": None}
    assert Examples("cpu_to_tpu-v4").tally([lacking]) == Tally(1, {}, {}, {"cpu_to_tpu-v4": 1})


def test_a_row_too_long_for_a_task_gives_another() -> None:
    mix = {TASK: 1000.0, "cost": 1.0}
    drawn = Counter(e["task"] for row in ROWS for e in Examples(mix).of_row(row))
    assert drawn == {TASK: 12}
    short = max(len(to_examples(row, "cost", "text")[0]["text"]) for row in ROWS)
    limited = Examples(mix, max_tokens=short)
    found = Counter(e["task"] for row in ROWS for e in limited.of_row(row))
    assert found["cost"] > 3
    assert limited.tally(ROWS).examples == found
    assert limited.tally(ROWS).too_long == {TASK: found["cost"]}


def test_tasks_are_drawn_by_their_weights_and_the_seed() -> None:
    mix = {"python_to_jaxpr": 6.0, "cost": 3.0, "jaxpr_to_python": 1.0}
    rows = [ROWS[0] | {"seed": seed} for seed in range(2000)]
    drawn = [Examples(mix).of_row(row)[0]["task"] for row in rows]
    shares = {name: count / len(rows) for name, count in Counter(drawn).items()}
    assert shares == pytest.approx(
        {"python_to_jaxpr": 0.6, "cost": 0.3, "jaxpr_to_python": 0.1}, abs=0.03
    )
    backwards = Examples(dict(reversed(mix.items())))
    assert [backwards.of_row(row)[0]["task"] for row in rows] == drawn
    assert [Examples(mix, seed=1).of_row(row)[0]["task"] for row in rows] != drawn


def test_ranks_have_all_examples_between_them_and_none_twice(rows: datasets.Dataset) -> None:
    asked = Examples(MIX)
    everything = sorted((e["id"], e["line"] or 0) for e in asked.of(rows))
    for given in (rows, rows.to_iterable_dataset(num_shards=4)):
        ranks = [
            list(split_dataset_by_node(asked.of(given), rank=rank, world_size=2))
            for rank in range(2)
        ]
        assert sorted((e["id"], e["line"] or 0) for rank in ranks for e in rank) == everything
        again = asked.of(split_dataset_by_node(given, rank=1, world_size=2))
        assert {e["id"] for e in again} <= {row["id"] for row in rows}
        if given is not rows:  # ranks take whole shards, before or after
            assert list(again) == ranks[1]


def test_datasets_maps_again_when_a_wording_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Examples(MIX, max_tokens=900)
    before = Hasher.hash(asked)
    asked.of_row(ROWS[0])  # what it keeps for itself does not count
    assert Hasher.hash(asked) == before == Hasher.hash(Examples(MIX, max_tokens=900))
    assert Hasher.hash(Examples(MIX, max_tokens=901)) != before
    monkeypatch.setattr(examples, "code_digest", lambda *parts: "others")
    assert Hasher.hash(Examples(MIX, max_tokens=900)) != before


def test_it_can_be_pickled_and_copied() -> None:
    asked = Examples(MIX, "messages", max_tokens=5000)
    asked.of_row(ROWS[0])
    for other in (pickle.loads(pickle.dumps(asked)), copy.deepcopy(asked)):
        assert other == asked
        assert [other.of_row(row) for row in ROWS] == [asked.of_row(row) for row in ROWS]


def test_columns_are_those_of_its_tasks() -> None:
    asked = Examples(dict.fromkeys(TASKS, 1.0))
    row = for_all_targets(ROWS[0])
    assert asked.of_row({name: row[name] for name in asked.columns}) == asked.of_row(row)
