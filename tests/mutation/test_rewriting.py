"""Texts written otherwise are other texts, and the same programs."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_ir_pairs.scoring.jaxpr_text.names import same_up_to_names
from mutation.edit import mutants
from mutation.judge import difference, judge
from mutation.languages import MUTATIONS
from mutation.names import fresh
from mutation.rewriting import REWRITINGS, rewritten
from tests.mutation.test_mutations import JAXPR, TEXTS

SOURCE = """\
import jax
import jax.numpy as jnp


def body(i, total):
    step = total * 0.5
    return step + i


def main(x, y):
    z = jnp.where(x > y, jnp.sin(x), y - 1.0)
    total = jax.lax.fori_loop(0, 3, body, z)
    return jnp.sum(total, axis=0), total[1]
"""
INPUTS = '[["x", "f32[4,3]"], ["y", "f32[4,3]"]]'
RUN = ("python", "stablehlo", "hlo")


@pytest.fixture(scope="module")
def row() -> dict[str, object]:
    namespace: dict[str, Any] = {}
    exec(compile(SOURCE, "program.py", "exec"), namespace)
    sides = jax.ShapeDtypeStruct((4, 3), jnp.float32)
    lowered = jax.jit(namespace["main"]).lower(sides, sides)
    return {
        "python": SOURCE,
        "entry_point": "main",
        "inputs": INPUTS,
        "stablehlo": lowered.as_text(),
        "hlo": lowered.as_text(dialect="hlo"),
        "seed": 5,
        "num_devices": 1,
    }


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("level", RUN)
def test_rewriting_keeps_the_meaning(level: str, row: dict[str, object]) -> None:
    text = str(row[level])
    for name, other in rewritten(level, text, Random(3)):
        assert other != text, name
        assert judge(level, other, row).kind == "same", (name, other)


@pytest.mark.parametrize("level", RUN)
def test_the_judge_tells_what_mutants_change(level: str, row: dict[str, object]) -> None:
    made = mutants(str(row[level]), MUTATIONS[level], Random(0))
    one = next(mutant for mutant in made if mutant.mutation == "select")
    verdict = judge(level, one.text, row)
    assert (verdict.kind, verdict.detail[:8]) == ("changed", "result 0")


def test_the_judge_tells_what_is_invalid_or_of_another_signature(row: dict[str, object]) -> None:
    assert judge("stablehlo", "module @jit_f {", row).kind == "invalid"
    other = SOURCE.replace("axis=0", "axis=1")
    assert judge("python", other, row).kind == "signature"


@pytest.mark.parametrize("level", TEXTS)
def test_renaming_takes_every_name(level: str) -> None:
    defined = {"jaxpr": "l:f32[2]", "stablehlo": "%arg0", "python": "w ="}.get(level, "lt.1")
    renamed = REWRITINGS[level]["renamed"](TEXTS[level], Random(7))
    assert defined in TEXTS[level]
    assert defined not in renamed
    assert renamed == REWRITINGS[level]["renamed"](TEXTS[level], Random(7))
    assert renamed != REWRITINGS[level]["renamed"](TEXTS[level], Random(8))


def test_renaming_a_jaxpr_renames_uses_with_what_they_use() -> None:
    renamed = REWRITINGS["jaxpr"]["renamed"](JAXPR, Random(0))
    name = renamed.split(":f32[4,4]")[0].split()[-1]
    assert f"= sub {name} " in renamed
    for word in ("reduce_sum", "length=3", "axes=(0,)", "2.5:f32[]", "select_n"):
        assert word in renamed


def test_renaming_a_jaxpr_takes_references_and_jaxprs_on_one_line() -> None:
    text = """\
{ lambda ; a:Ref{f32[2]} b:c128[]. let
    c:f32[2] <- a[...]
    d:f32[2] = scatter-add[
      update_jaxpr={ lambda ; e:f32[] f:f32[]. let g:f32[] = add e f in (g,) }
    ] c
    a[...] <- d
    h:c128[] = mul b (1+0j):c128[]
  in (h,) }
"""
    renamed = REWRITINGS["jaxpr"]["renamed"](text, Random(0))
    [read] = re.findall(r"(\w+):f32\[2\] <- (\w+)\[", renamed)
    [(written, last)] = re.findall(r"(\w+)\[\.\.\.\] <- (\w+)", renamed)
    assert written == read[1] != "a"
    assert f"{written}:Ref{{f32[2]}}" in renamed
    assert f"{last}:f32[2] = scatter-add[" in renamed
    assert f"] {read[0]}\n" in renamed
    inner = r"(\w+):f32\[\] (\w+):f32\[\]\. let (\w+):f32\[\] = add \1 \2 in \(\3,"
    assert re.search(inner, renamed)
    assert "(1+0j):c128[]" in renamed


def test_renaming_a_jaxpr_takes_all_names_and_no_other_words() -> None:
    text = """\
let jaxpr = { lambda ; i:f32[2]{V:i}. let
    n:f32[2]{V:i} = mul i 2.0:f32[]
  in (n,) } in
let fft = { lambda ; a:c64[8]. let b:c64[8] = fft[fft_lengths=(14,)] a in (b,) } in
{ lambda ; f:Ref<default>{f32[4,2]} i:f32[2@i] mul:i32[]. let
    inspect_sharding[callback=<built-in function f>] i
    j:i32[] = mul mul 2:i32[]
    k:f32[2] <- f[j:j+2,:]
    f[...] += k
    l:f32[2] = cond[
      branches=(
        { lambda ; m:f32[2]. let n:f32[2] = sin m in (n,) }
        jaxpr
      )
      axes=('i',)
    ] j k
    o:c64[8] = jit[name=fft jaxpr=fft] l
  in (o,) }
"""
    renamed = REWRITINGS["jaxpr"]["renamed"](text, Random(0))
    assert same_up_to_names(text, renamed)
    for kept in ("{V:i}", "2@i", "('i',)", "function f>", "name=fft ", "= fft[", "= mul "):
        assert renamed.count(kept) == text.count(kept)
    assert not re.search(r"\bjaxpr\b(?!=)|\b[ajkln]\b|f\[\.", renamed)


def test_renaming_hlo_takes_operands_behind_the_comments_that_count_them() -> None:
    operands = ", ".join(("/*index=5*/" if n == 5 else "") + f"%lt.{n}" for n in range(7))
    lines = [f"  %lt.{n} = f32[] parameter({n})\n" for n in range(7)]
    text = f"ENTRY %main {{\n{''.join(lines)}  ROOT %all = f32[] tuple({operands})\n}}\n"
    assert "/*index=5*/%lt.5" in text
    assert "lt." not in REWRITINGS["hlo"]["renamed"](text, Random(0))


def test_no_fresh_name_is_a_word_of_python() -> None:
    table = fresh([f"v{number}" for number in range(600)], Random(0))
    assert not [name for name in table.values() if keyword.iskeyword(name)]
    assert len({name for name in table.values() if len(name) == 2}) > 50


def test_a_difference_is_one_of_the_greatest_magnitude() -> None:
    expected = [jnp.array([1000.0, 1.0]).__array__()]
    near, far = ([jnp.array([1000.0, 1.0 + by]).__array__()] for by in (0.005, 0.05))
    assert not difference(near, expected, [1e-5])
    assert difference(far, expected, [1e-5])
