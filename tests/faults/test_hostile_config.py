"""Configs that were made to do harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from jax_ir_pairs.cli.app import app
from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.errors import UsageError
from tests.faults.running import YAML

BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)

HOSTILE = {
    "runs a command": (YAML + "x: !!python/object/apply:os.system ['touch ran']\n", "constructor"),
    "makes an object": (YAML + "x: !!python/object:os.stat_result {}\n", "constructor"),
    "calls a module": (YAML + "x: !!python/module:antigravity\n", "constructor"),
    "expands without end": (YAML + BOMB, "an alias is no plain value"),
    "holds itself": (YAML + "x: &x [*x]\n", "an alias is no plain value"),
    "is nested without end": (YAML + "x: " + "[" * 100_000, "nested too deep"),
    "is long without end": (YAML + "#" * (1 << 24), "too long for a config, over 16 MiB"),
    "has a number without end": (YAML + f"seed: {'9' * 5000}\n", "Exceeds the limit"),
    "has a large number": (YAML + f"seed: {'9' * 400}\n", "seed: 999"),
    "has a date that is none": (YAML + "x: 2001-13-45\n", "month must be in 1..12"),
    "has a limit that is no number": (YAML + "limits: {seconds: .nan}\n", "limits.seconds: NaN"),
    "never ends": (YAML + "limits: {seconds: .inf}\n", "limits.seconds: Infinity"),
    "has shares that are none": (YAML.replace("0.5", ".nan"), "spare_share: NaN"),
    "has weights over all numbers": (
        YAML + "recipe: {families: {expression: 1.0e+308, calls: 1.0e+308}}\n",
        "less than or equal to 1000000000",
    ),
    "has bytes": (YAML + "x: !!binary aGVsbG8=\n", "bytes is not JSON serializable"),
    "has a NUL": (YAML + "x: a\0b\n", "unacceptable character #x0000"),
    "extends what is elsewhere": ("extends: ../../etc/passwd\n", "must be the name of another"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_refused_in_a_sentence_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    yaml, message = HOSTILE[what]
    (tmp_path / "quick.yaml").write_text(yaml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["build", "quick.yaml", "--out", "out"])

    assert done.exit_code == 2
    assert done.stderr.startswith("error: quick.yaml: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["quick.yaml"]


TRICKS = """../x /x .. . a/b a\\b -a data ~ $(x) %2e%2e con. a\0b \u0430dmin quick\u202e \uff51uick
quick\u0301"""
NAMES = st.one_of(
    st.sampled_from([*TRICKS.split(), "", "a b", "a\n", "a" * 61]),
    st.text(max_size=70),
    st.from_regex(r"[a-z0-9./\\-]{0,70}", fullmatch=True),
)


@given(NAMES)
def test_a_name_is_one_plain_folder_or_refused(name: str) -> None:
    content = load_config("hlo-100").model_dump(mode="json")
    try:
        config = Config.model_validate({**content, "name": name}, strict=False)
    except ValidationError:
        return
    assert config.name == name
    assert 0 < len(name) <= 60
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert Path(name).name == name


@given(NAMES)
def test_a_config_that_is_not_there_is_refused(name: str) -> None:
    if name.startswith("hlo-"):
        return
    with pytest.raises(UsageError, match=r"There is no config|must be"):
        load_config(name)
