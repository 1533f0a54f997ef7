from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets.distributed import split_dataset_by_node

from jax_ir_pairs.config import load_config
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.schema import columns
from jax_ir_pairs.scoring.tasks import TASKS
from jax_ir_pairs.training import Examples, load_mixture, mixture_names
from tests.training.rows import ROWS

MINE = "name: mine\ndescription: Mine.\ntasks: {cost: 1, python_to_jaxpr: 3.5}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_the_projects_own_are_read() -> None:
    assert "instruct" in mixture_names()
    known = {column.name for column in columns(load_config("targets-1k").targets)}
    for name in mixture_names():
        assert set(load_mixture(name).mapping().columns) <= known


def test_every_task_of_every_config_is_in_instruct() -> None:
    expected = {name for name in TASKS if not name.startswith("cpu_to_")}
    mixture = load_mixture("instruct")
    assert set(mixture.tasks) == expected
    assert set(mixture.mapping().columns) <= {column.name for column in columns()}


def test_a_file_says_what_examples_are_made(tmp_path: Path) -> None:
    mixture = load_mixture(written(tmp_path, MINE), max_tokens=3000, form="text", seed=4)
    asked = Examples({"cost": 1, "python_to_jaxpr": 3.5}, "text", max_tokens=3000, seed=4)
    assert mixture.mapping() == asked
    rows = datasets.Dataset.from_list(ROWS)
    assert list(mixture.examples(rows)) == list(asked.of(rows))
    few = load_mixture(tmp_path / "mine.yaml", max_tokens=20).examples(rows, tokenizer=str.split)
    assert len(few) < len(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"tasks": {"costs": 1}},
            r"mine\.yaml: tasks: .*unknown task 'costs'; there are python_to",
        ),
        ({"tasks": {"cost": 0}}, r"mine\.yaml: tasks\.cost: 0: .*greater than 0"),
        ({"tasks": {}}, r"tasks: \{\}: .*at least 1"),
        ({"form": "chat"}, r"form: \"chat\": .*'prompt_completion'"),
        ({"max_tokens": 0}, r"max_tokens: 0: .*greater than or equal to 1"),
        ({"weights": {}}, r"weights: unknown key; allowed are description, form, max_tokens, name"),
        ({"name": "other"}, r"name is 'other'; it must be the file's, 'mine'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_mixture(written(tmp_path, MINE), **change)


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(UsageError, match="There is no mixture 'instrukt': did you mean 'instruct'"):
        load_mixture("instrukt")


def test_a_stream_is_mixed_and_in_one_order_on_every_rank() -> None:
    stream = datasets.Dataset.from_list(ROWS).to_iterable_dataset(num_shards=4)
    mixture = load_mixture("instruct")
    examples = list(mixture.examples(stream))
    assert examples == list(mixture.examples(stream))
    assert len(Counter(example["task"] for example in examples)) > 4
    ranks = [
        list(mixture.examples(split_dataset_by_node(stream, rank=rank, world_size=2)))
        for rank in range(2)
    ]
    assert not {e["id"] for e in ranks[0]} & {e["id"] for e in ranks[1]}
    assert sorted(map(str, ranks[0] + ranks[1])) == sorted(map(str, examples))


def test_a_stream_goes_on_where_it_stopped() -> None:
    stream = datasets.Dataset.from_list(ROWS).to_iterable_dataset(num_shards=3)
    mixed = load_mixture("instruct").examples(stream)
    examples = list(mixed)
    taken = iter(mixed)
    first = [next(taken) for _ in range(5)]
    state = mixed.state_dict()
    again = load_mixture("instruct").examples(stream)
    again.load_state_dict(state)
    assert first + list(again) == examples


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_ranks_share_shards_that_do_not_divide_among_them(world_size: int) -> None:
    stream = datasets.Dataset.from_list(ROWS).to_iterable_dataset(num_shards=4)
    mixed = load_mixture("instruct").examples(stream)
    ranks = [
        list(split_dataset_by_node(mixed, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert sorted(str(e) for rank in ranks for e in rank) == sorted(map(str, mixed))
