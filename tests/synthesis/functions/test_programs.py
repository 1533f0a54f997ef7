from __future__ import annotations

import json
from pathlib import Path

import pytest

from jax_ir_pairs.config import load_config
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.synthesis.functions import functions_config, num_programs, program_of
from tests.synthesis.functions.modules import LAYERS


def test_a_program_for_each_example() -> None:
    programs = [program_of(LAYERS, number) for number in range(num_programs(LAYERS))]
    assert [p.entry_point for p in programs] == ["layer", "layer", "model", "bad", "add"]
    assert json.loads(programs[1].inputs) == [
        ["x", "f32[2,16]"],
        ["params", {"w": "f32[16,4]", "b": "f32[4]"}],
    ]
    assert json.loads(programs[4].inputs) == [
        ["x", "f32[3]"],
        ["rest_0", "f32[3]"],
        ["rest_1", "f32[3]"],
    ]
    assert len({p.id for p in programs}) == 5
    assert programs[0].structure_hash == programs[1].structure_hash
    assert len({p.structure_hash for p in programs}) == 4
    assert {(p.family, p.transforms) for p in programs} == {("user", ())}


def test_the_config_holds_the_source_and_can_be_read_again(tmp_path: Path) -> None:
    (path := tmp_path / "My Layers_2.py").write_text(LAYERS)
    config = functions_config(path, ("cpu", "tpu-v5e"))
    assert (config.name, config.targets) == ("my-layers-2", ("cpu", "tpu-v5e"))
    assert config.splits.names == ("train",)
    assert config.recipe.functions == LAYERS
    (tmp_path / "my-layers-2.yaml").write_text(json.dumps(config.model_dump(mode="json")))
    assert load_config(tmp_path / "my-layers-2.yaml") == config


def test_the_plan_has_every_example_once(tmp_path: Path) -> None:
    head = "import jax_ir_pairs as j\n\n"
    one = "@j.example_inputs('f32[{n}]')\ndef f{n}(x):\n    return x + {n}\n"
    (path := tmp_path / "many.py").write_text(head + "".join(one.format(n=n) for n in range(45)))
    config = functions_config(path)
    plan = make_plan(config)
    shards = [plan.candidates("train", shard) for shard in range(config.num_shards("train"))]
    assert len(shards) == 3
    assert sorted(seed for shard in shards for seed in shard) == list(range(45))
    assert plan.counts.candidates == 45


def test_splits_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    (path := tmp_path / "layers.py").write_text(LAYERS)
    config = functions_config(path)
    wrong = config.model_copy(update={"splits": config.splits.model_copy(update={"train": 4})})
    with pytest.raises(BuildError, match="its functions have 5 examples, so its splits must be"):
        make_plan(wrong)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("nothing.py", None, "No such file or directory; name a Python file"),
        ("none.py", "def f(x):\n    return x\n", "no function has examples: write @jax_ir_pairs."),
        ("data.py", LAYERS, "a config cannot be called 'data'; rename the file"),
        ("_.py", LAYERS, "a config cannot be called ''"),
        ("latin.py", "\udcff", "is no text in UTF-8"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, name: str, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageError) as error:
        functions_config(tmp_path / name)
    assert problem in str(error.value)
    assert str(error.value).startswith(str(tmp_path / name))
