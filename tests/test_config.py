from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from jax_ir_pairs.config import (
    THEME_NEEDS,
    Config,
    Recipe,
    config_names,
    family_names,
    load_config,
    theme_names,
)
from jax_ir_pairs.errors import UsageError

GOOD = """\
name: mine
description: for tests
splits: {train: 105, validation: 10, test: 10}
rows_per_shard: 50
recipe: {families: {expression: 1}}
"""


def written(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_the_projects_configs() -> None:
    assert config_names() == [
        *("hlo-100", "hlo-1k", "passes-1k", "targets-1k", "hlo-10k", "hlo-100k", "hlo-1m")
    ]
    same_mix = [name for name in config_names() if name.startswith("hlo-")]
    for name, rows in zip(same_mix, [100, 1000, 10_000, 100_000, 1_000_000], strict=True):
        splits = load_config(name).splits
        assert (splits.train, splits.validation) == (rows, max(10, rows // 50))
        assert splits.test == splits.validation == splits.test_ops == splits.test_compositions


def test_a_config_is_read_from_a_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.splits.rows("train") == 105
    assert load_config(str(tmp_path / "mine.yaml")) == config


def test_a_split_of_no_rows_is_not_there(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.splits.names == ("train", "validation", "test")
    assert config.num_shards("test_ops") == 0
    splits = {"train": 1, "validation": 1, "test": 1, "test_compositions": 60}
    more = load_config(tmp_path / "mine.yaml", splits=splits)
    assert more.splits.names == ("train", "validation", "test", "test_compositions")
    assert more.num_shards("test_compositions") == 2
    assert more.fingerprint() != config.fingerprint()


def test_keywords_replace_keys(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert load_config(path, seed=7).seed == 7
    with pytest.raises(UsageError, match=r"mine\.yaml: seed: -1: Input should be greater than or"):
        load_config(path, seed=-1)
    with pytest.raises(UsageError, match=r"mine\.yaml: sead: unknown key; allowed are checks, "):
        load_config(path, sead=1)
    with pytest.raises(UsageError, match="not JSON serializable; use plain values"):
        load_config(path, seed={1})


def test_a_file_extends_another_by_whole_keys(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    path = written(tmp_path, "extends: mine\nname: more\nrows_per_shard: 7\n", "more")
    config = load_config(path)
    assert (config.rows_per_shard, config.splits.train) == (7, 105)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seed", "1.5"), "seed: 1.5: Input should be a valid integer"),
        (("seed", "'1'"), 'seed: "1": Input should be a valid integer'),
        (("seed", "true"), "seed: true: Input should be a valid integer"),
        (("seed", str(2**23)), "seed: 8388608: Input should be less than 8388608"),
        (("rows_per_shard", "0"), "rows_per_shard: 0: Input should be greater than or equal to 1"),
        (("splits", "{train: 1}"), "splits.validation: is missing."),
        (("splits", "{train: 1, validation: 1, test: -1}"), "splits.test: -1: Input should be "),
        (("splits", "{train: 1, validation: 1, test: 1, dev: 1}"), "splits.dev: unknown key; allo"),
        (("splits", "{train: 1, validation: 1, test: 1, test_ops: -1}"), "splits.test_ops: -1: In"),
        (("splits", "3"), "splits: 3: "),
        (("recipe", "{families: {exprssion: 1}}"), "unknown family 'exprssion'; there are ["),
        (
            ("recipe", "{families: {autodiff: 0}}"),
            "at least one family or theme needs a weight over 0",
        ),
        (("recipe", "{families: {calls: -1}}"), "recipe.families.calls: -1: Input should be gre"),
        (("recipe", "{families: {autodiff: .inf}}"), "recipe.families.autodiff: "),
        (("recipe", "{families: {calls: 1}, size: {median: 90, largest: 20}}"), "median 90 is ov"),
        (
            ("recipe", "{families: {autodiff: 1}, size: {media: 9}}"),
            "recipe.size.media: unknown key;",
        ),
        (("targets", "[cpu, cpu]"), "targets: "),
        (("targets", "[gpu]"), "targets: [\"gpu\"]: unknown target 'gpu'"),
        (("text_limits", "{hlo: 3}"), "text_limits.hlo: 3: Input should be greater than or equal "),
        (("limits", "{seconds: 0}"), "limits.seconds: 0: Input should be greater than 0"),
        (("spare_share", "2"), "spare_share: 2: Input should be less than or equal to 1"),
        (("description", "7"), "description: 7: Input should be a valid string"),
        (("name", "Mine"), 'name: "Mine": String should match pattern'),
        (("name", "yours"), "name is 'yours'; it must be the file's, 'mine'."),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    key, value = change
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    path = written(tmp_path, "\n".join([*lines, f"{key}: {value}", ""]))
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        load_config(path)
    assert str(error.value).startswith(f"{path}: ")


def test_every_problem_has_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "seed: x\ncolour: red\n")
    with pytest.raises(UsageError) as error:
        load_config(path)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [1,\n", "is not YAML of plain values: while parsing a flow node"),
        ("a: !!python/object:os.system x\n", "is not YAML of plain values"),
        ("- name\n", "must hold keys and values, such as 'name: mine'"),
        ("", "must hold keys and values"),
        ("extends: nothing\n", "extends: there is no "),
        ("extends: mine\n", "extends: 'mine' must be the name of another config"),
        ("extends: ../mine\n", "extends: '../mine' must be the name of another config"),
        ("extends: 7\n", "extends: 7 must be the name of another config"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        load_config(written(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not YAML of plain values"):
        load_config(tmp_path / "mine.yaml")


def test_extends_goes_one_step(tmp_path: Path) -> None:
    written(tmp_path, "extends: other\n" + GOOD)
    path = written(tmp_path, "extends: mine\nname: more\n", "more")
    with pytest.raises(UsageError, match="extends: unknown key"):
        load_config(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hlo-10", "There is no config 'hlo-10': did you mean 'hlo-10k'?"),
        ("zzz", "There is no config 'zzz': there are hlo-100, "),
        ("_standard", "There is no config '_standard': "),
        ("nowhere/mine.yaml", "There is no config file 'nowhere/mine.yaml'."),
    ],
)
def test_configs_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        load_config(name)


def test_rows_are_dealt_evenly_to_shards(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.num_shards("train") == 3
    assert [config.shard_rows("train", shard) for shard in range(3)] == [35, 35, 35]
    config = load_config(tmp_path / "mine.yaml", rows_per_shard=4)
    rows = [config.shard_rows("test", shard) for shard in range(config.num_shards("test"))]
    assert rows == [4, 3, 3]


def test_data_is_a_forbidden_name(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("name: mine", "name: data"), "data")
    with pytest.raises(UsageError, match='name "data" is reserved by the Hub'):
        load_config(path)


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ({"description": "another"}, True),
        ({"limits": {"seconds": 1}}, True),
        ({"max_rejected_share": 1}, True),
        ({"seed": 1}, False),
        ({"text_limits": {"hlo": 1000}}, False),
        ({"text_limits": {"passes": 1000}}, True),
        ({"passes": True}, False),
        ({"recipe": {"families": {"autodiff": 1}}}, False),
    ],
)
def test_what_decides_the_fingerprint(tmp_path: Path, override: dict[str, Any], same: bool) -> None:
    path = written(tmp_path, GOOD)
    one, other = load_config(path), load_config(path, **override)
    assert (one.fingerprint() == other.fingerprint()) is same


def test_the_limit_of_passes_counts_where_there_are_any(tmp_path: Path) -> None:
    path = written(tmp_path, f"{GOOD}passes: true\n")
    shorter = load_config(path, text_limits={"passes": 1000})
    assert shorter.fingerprint() != load_config(path).fingerprint()


def test_a_config_cannot_be_changed(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_the_standard_mix_has_every_family_and_theme() -> None:
    config = load_config("hlo-100")
    assert sorted(config.recipe.families) == family_names()
    assert sorted(config.recipe.sketches) == sorted({*theme_names()} - {*THEME_NEEDS})
    assert isinstance(config, Config)


def test_a_theme_of_an_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'jax-ir-pairs\[modules\]'"):
        Recipe(sketches={"modules": 1.0})
    Recipe(sketches={"modules": 0.0, "losses": 1.0})


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (
            "[cpu, tpu-v9]",
            r"targets: .*unknown target 'tpu-v9'; there are cpu, tpu-v4, .*cuda-b200",
        ),
        ("[tpu-v5e, cpu]", "targets: .*the first target must be cpu"),
        ("[cpu, tpu-v5e, tpu-v5e]", "targets: .*a target is named twice"),
        ("[]", "targets: "),
    ],
)
def test_targets_are_those_of_the_table(tmp_path: Path, targets: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        load_config(written(tmp_path, f"{GOOD}targets: {targets}\n"))


def test_a_config_needs_no_package_to_be_read(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, f"{GOOD}targets: [cpu, tpu-v5e, cuda-h100]\n"))
    assert config.targets == ("cpu", "tpu-v5e", "cuda-h100")
    assert (
        config.fingerprint() != load_config(tmp_path / "mine.yaml", targets=["cpu"]).fingerprint()
    )
    assert load_config("targets-1k").targets[0] == "cpu"
