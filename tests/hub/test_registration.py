from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from jax_ir_pairs.hub.registration import importable, is_builder_script, register

ROOT = Path(__file__).parent.parent.parent

Python = Callable[..., str]

SUBCLASS = """
import datasets
import jax_ir_pairs

class Mine(datasets.GeneratorBasedBuilder):
    def _info(self):
        return datasets.DatasetInfo(features=datasets.Features({"n": datasets.Value("int64")}))
    def _split_generators(self, dl_manager):
        return [datasets.SplitGenerator("train", gen_kwargs={"shards": [0, 1]})]
    def _generate_examples(self, shards):
        for shard in shards:
            yield shard, {"n": shard}
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from jax_ir_pairs.hub.builder import JaxIrPairs", True),
        ("import jax_ir_pairs.hub.builder as hub", True),
        ("from jax_ir_pairs.hub import builder", True),
        (SUBCLASS, True),
        ("import jax_ir_pairs\nprint(jax_ir_pairs.__version__)", False),
        ("import datasets\nclass B(datasets.GeneratorBasedBuilder): ...  # jax_ir_pairs", False),
        ("from jax_ir_pairs_of_others.hub import B", False),
        ("from .jax_ir_pairs import hub", False),
        ("def f():\n    from jax_ir_pairs.hub.builder import JaxIrPairs", False),
        ("", False),
    ],
)
def test_which_script_is_ours(tmp_path: Path, source: str, expected: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(source)
    assert is_builder_script(str(script)) is expected
    assert is_builder_script(script) is expected


def test_other_paths_are_not_ours(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("from jax_ir_pairs.hub.builder import JaxIrPairs")
    folder = tmp_path / "folder.py"
    folder.mkdir()
    for path in (text, folder, tmp_path / "missing.py", "csv", "someone/something", 3, None):
        assert not is_builder_script(path)


def test_script_that_is_not_python_says_where(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("from jax_ir_pairs.hub.builder import JaxIrPairs\nclass B(\n")
    with pytest.raises(SyntaxError) as caught:
        is_builder_script(str(script))
    assert caught.value.filename == str(script)


def test_the_shipped_script_is_ours() -> None:
    assert is_builder_script(str(ROOT / "builder_script.py"))


def test_edited_script_is_another_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = tmp_path / "some.script.py"
    names = []
    for value in (1, 2, 1):
        script.write_text(f"value = {value}\n")
        name, digest = importable(script, tmp_path / "cache")
        assert importlib.import_module(name).value == value
        names.append((name, digest))
    assert names[0] == names[2] != names[1]
    assert sys.path.count(str(tmp_path / "cache")) == 1


def fake_load(**extra: Any) -> ModuleType:
    load = ModuleType("load")
    vars(load).update(
        dataset_module_factory=lambda path, *args, **kwargs: (path, args, kwargs),
        config=SimpleNamespace(HF_MODULES_CACHE="unused"),
        **extra,
    )
    return load


def test_registers_once() -> None:
    load = fake_load()
    register(load)
    wrapped = load.dataset_module_factory
    register(load)
    assert load.dataset_module_factory is wrapped


def test_every_argument_is_passed_on() -> None:
    load = fake_load()
    register(load)
    factory = load.dataset_module_factory
    assert factory("csv", 1, data_files="x") == ("csv", (1,), {"data_files": "x"})
    assert factory(path="csv") == ("csv", (), {})


def test_datasets_that_load_scripts_are_left_alone() -> None:
    load = fake_load(LocalDatasetModuleFactoryWithScript=object)
    before = load.dataset_module_factory
    register(load)
    assert load.dataset_module_factory is before


OUTCOMES = """
import datasets, json, sys
def outcome(call):
    try:
        return repr(call())
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
folder = sys.argv[1]
paths = [
    f"{folder}/foreign.py", f"{folder}/missing.py", f"{folder}/missing", "nobody/nothing",
    "csv", f"{folder}/csv", f"{folder}/json", f"{folder}/parquet", f"{folder}/script", "",
    f"{folder}/uses.py", "hf://datasets/nobody/nothing", f"{folder}/csv/", "nothing",
]
results = {}
for path in paths:
    results[path] = [
        outcome(lambda: datasets.load_dataset(path, cache_dir=f"{folder}/cache")),
        outcome(lambda: datasets.get_dataset_config_names(path)),
        outcome(lambda: datasets.get_dataset_split_names(path)),
    ]
results["kwargs"] = [
    outcome(lambda: datasets.load_dataset("csv", data_files=f"{folder}/csv/a.csv", split="train")),
    outcome(lambda: datasets.load_dataset(f"{folder}/foreign.py", trust_remote_code=True)),
    outcome(lambda: datasets.load_dataset(f"{folder}/csv", data_files={"test": "a.csv"})),
]
print()
print(json.dumps(results))
"""


@pytest.mark.usefixtures("datasets_4")
def test_other_paths_are_as_without_this_project(tmp_path: Path, python: Python) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in ("csv", "json", "parquet", "script"):
        (tmp_path / name).mkdir()
    (tmp_path / "csv" / "a.csv").write_text("a\n1\n")
    (tmp_path / "json" / "a.jsonl").write_text('{"a": 1}\n')
    pq.write_table(pa.table({"a": [1]}), tmp_path / "parquet" / "a.parquet")
    foreign = "import datasets\nclass B(datasets.GeneratorBasedBuilder): ...\n"
    (tmp_path / "script" / "script.py").write_text(foreign)
    (tmp_path / "foreign.py").write_text(foreign)
    (tmp_path / "uses.py").write_text("import jax_ir_pairs\nprint('was run')\n")

    imports = ("", "import jax_ir_pairs\n")
    printed = [python(line + OUTCOMES, str(tmp_path), HF_HUB_OFFLINE="1") for line in imports]
    without, loaded = (json.loads(text.splitlines()[-1]) for text in printed)
    assert loaded == without
    assert "num_rows: 1" in without[f"{tmp_path}/csv"][0]


@pytest.mark.usefixtures("datasets_4")
def test_the_builder_of_the_script_is_what_runs(tmp_path: Path, python: Python) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SUBCLASS)
    code = f"""
import jax_ir_pairs, datasets
for number in (None, 2):
    rows = datasets.load_dataset({str(script)!r}, split="train", num_proc=number)
    print(rows["n"][:], rows.info.builder_name, rows.info.dataset_name)
from pathlib import Path
script = Path({str(script)!r})
script.write_text(script.read_text().replace('"n": shard}}', '"n": 10 + shard}}'))
print(datasets.load_dataset(str(script), split="train")["n"][:])
print([row["n"] for row in datasets.load_dataset(script, split="train", streaming=True)])
"""
    assert python(code).splitlines() == [
        "[0, 1] mine mine",
        "[0, 1] mine mine",
        "[10, 11]",
        "[10, 11]",
    ]


@pytest.mark.usefixtures("datasets_4")
@pytest.mark.parametrize("order", ["jax_ir_pairs, datasets", "datasets, jax_ir_pairs"])
def test_importing_in_any_order_registers(tmp_path: Path, python: Python, order: str) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SUBCLASS)
    code = f"""
import {order}
import datasets.load, datasets.inspect
assert datasets.load.dataset_module_factory is datasets.inspect.dataset_module_factory
print(datasets.get_dataset_config_names({str(script)!r}))
"""
    assert python(code) == "['default']"


@pytest.mark.usefixtures("datasets_4")
def test_workers_that_do_not_fork_find_the_script(tmp_path: Path, python: Python) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SUBCLASS)
    main = tmp_path / "main.py"
    main.write_text(f"""
import jax_ir_pairs, datasets, multiprocess
if __name__ == "__main__":
    multiprocess.set_start_method("spawn")
    print(datasets.load_dataset({str(script)!r}, split="train", num_proc=2)["n"][:])
""")
    code = f"import runpy; runpy.run_path({str(main)!r}, run_name='__main__')"
    assert python(code) == "[0, 1]"
