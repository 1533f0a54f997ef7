from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect import near_duplicates as module
from jax_ir_pairs.inspect.near_duplicates import (
    NearDuplicates,
    as_json,
    jaxpr_tokens,
    near_duplicates,
    python_tokens,
)
from jax_ir_pairs.inspect.parquet_files import find_config
from tests.inspect.shard_files import write

PROGRAM = """\
import jax.numpy as jnp


def {f}({x}, axis=0):
    # {f}
    {y} = jnp.sum({x}, axis=axis)
    return jnp.sin({y}) + jnp.cos({y}) * {x}.size
"""
JAXPR = """\
{{ lambda ; {a}:f32[3] b:f32[3]. let
    {c}:f32[] = reduce_sum[axes=(0,) out_sharding=None] {a}
    d:f32[] = sin {c}
    e:f32[] = cos {c}
    f:f32[] = mul d e
    g:f32[3] = add b f
  in (g,) }}"""


def test_names_that_a_program_binds_are_renamed() -> None:
    one = python_tokens(PROGRAM.format(f="f", x="x", y="y"))
    two = python_tokens(PROGRAM.format(f="compute", x="data", y="total"))
    assert one == two
    assert "jnp" in one
    assert one[one.index("sum") + 4 : one.index("sum") + 7] == ["axis", "=", "v2"]
    assert python_tokens(PROGRAM.format(f="f", x="x", y="x")) != one


def test_variables_of_a_jaxpr_are_renamed() -> None:
    assert jaxpr_tokens(JAXPR.format(a="a", c="c")) == jaxpr_tokens(JAXPR.format(a="x", c="ba"))
    assert "reduce_sum" in jaxpr_tokens(JAXPR.format(a="a", c="c"))
    assert jaxpr_tokens("a:f32[] = f[a=1] a") == ["v0", ":", "f32", *"[]=f[a=1]", "v0"]


def test_rows_are_counted_over_shards(tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    other = "def g(a, b):\n    return a @ b, a - b, a * b, a ** b, a // b, a % b\n"
    train = [
        {"python": PROGRAM.format(f="f", x="x", y="y"), "jaxpr": JAXPR.format(a="a", c="c")},
        {"python": other, "jaxpr": "{ lambda ; a:i32[]. let b:i32[] = neg a in (b,) }"},
        {"python": PROGRAM.format(f="g", x="a", y="b"), "jaxpr": JAXPR.format(a="k", c="l")},
    ]
    test = [
        {"python": PROGRAM.format(f="h", x="q", y="r"), "jaxpr": "{ lambda ; . let in () }"},
    ]
    write(tmp_path / "mine", "train", train)
    write(tmp_path / "mine", "test", test)
    found = near_duplicates(find_config(tmp_path))
    assert found == {"python": NearDuplicates(4, 3, 2), "jaxpr": NearDuplicates(4, 2, 3)}
    assert found == near_duplicates(find_config(tmp_path))
    assert found["python"].share == 0.75
    levels = json.loads(as_json(found))["levels"]
    assert levels["python"] == {
        "rows": 4,
        "with_near_duplicate": 3,
        "remaining": 2,
        "share": 0.75,
    }


def test_similarity_decides() -> None:
    pytest.importorskip("datasketch")
    words = [f"word{number}" for number in range(200)]
    close = [*words[:100], "other", *words[101:]]  # 5 of 196 shingles differ
    far = [*words[:100], *(f"other{number}" for number in range(100))]
    assert module.count([words, close]) == NearDuplicates(2, 2, 1)
    assert module.count([words, far]) == NearDuplicates(2, 0, 2)
    assert module.count([[], ["a"], []]).with_near_duplicate == 2


def test_shingles_are_runs_of_five_in_order() -> None:
    pytest.importorskip("numpy")
    assert len(module.shingles([*"abcdefg"])) == 3
    assert len(module.shingles([*"aaaaaaa"])) == 1
    assert len(module.shingles([*"abc"])) == 1
    assert module.shingles([*"abcde"]) != module.shingles([*"abced"])


def test_without_datasketch_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    write(tmp_path / "mine", "train", [{"python": "x = 1"}])
    with pytest.raises(UsageError, match=r"jax-ir-pairs\[near-duplicates\]"):
        near_duplicates(find_config(tmp_path))
