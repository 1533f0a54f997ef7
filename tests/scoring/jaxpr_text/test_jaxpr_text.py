from __future__ import annotations

import random
import re
import time
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jax_ir_pairs.scoring.jaxpr_text import (
    Jaxpr,
    Literal,
    all_binders,
    fingerprint,
    in_order,
    parse,
    printed,
    same_up_to_names,
)
from jax_ir_pairs.scoring.module import NotParsedError
from tests.scoring.jaxprs import BODIES, HEAD

SMALL = "{ lambda ; a:f32[2]. let b:f32[2] = sin a; c:f32[2] = mul a b in (c, 1.0:f32[]) }"


def text_of(name: str) -> str:
    space: dict[str, Any] = {}
    exec(f"{HEAD}def f(x):\n    {BODIES[name]}\n", space)
    return str(jax.make_jaxpr(space["f"])(jax.ShapeDtypeStruct((8,), jnp.float32)))


TEXTS = {name: text_of(name) for name in BODIES}


def renamed(text: str, seed: int) -> str:
    """Gives the text with every variable called something else, the same everywhere."""
    names = sorted({b.name for b in all_binders(parse(text))} - {"_"})
    others = [f"v{place}_" for place in range(len(names))]
    random.Random(seed).shuffle(others)
    new = dict(zip(names, others, strict=True))
    # A name ahead of a type, or an operand: after a space or a bracket, and no `key=` or `f(`.
    pattern = re.compile(r"(?<![\w.<='/-])([a-z]+)(?![\w=(.'>\[-])")
    return pattern.sub(lambda match: new.get(match[1], match[1]), text)


def test_the_parts_of_a_jaxpr() -> None:
    jaxpr = parse(SMALL)
    assert [b.name for b in jaxpr.inputs] == ["a"]
    assert [b.type for b in all_binders(jaxpr)] == ["f32[2]"] * 3
    assert [(e.primitive, e.operands) for e in jaxpr.equations] == [
        ("sin", ("a",)),
        ("mul", ("a", "b")),
    ]
    assert jaxpr.results == ("c", Literal("1.0", "f32[]"))


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_printed_parses_to_the_same(name: str) -> None:
    jaxpr = parse(TEXTS[name])
    again = parse(printed(jaxpr))
    assert fingerprint(again) == fingerprint(jaxpr)
    count = sum(not isinstance(each, Jaxpr) for each in in_order(jaxpr))
    assert count == sum(not isinstance(each, Jaxpr) for each in in_order(again))


@pytest.mark.parametrize("name", ["arithmetic", "scan", "while", "cond", "custom_jvp", "sort"])
def test_names_and_white_space_do_not_matter(name: str) -> None:
    text = TEXTS[name]
    other = renamed(text, seed=1)
    assert other != text
    assert same_up_to_names(text, other)
    assert same_up_to_names(text, other.replace("\n", "\n   "))


def test_what_differs_is_not_the_same() -> None:
    for old, new in [("sin", "cos"), ("mul a b", "mul b a"), ("1.0", "2.0"), ("(c,", "(b,"),
                     ("f32[]", "f16[]"), ("mul a b", "mul a a")]:  # fmt: skip
        assert not same_up_to_names(SMALL, SMALL.replace(old, new)), new


def test_a_jaxpr_in_place_is_the_one_that_is_defined_ahead() -> None:
    inner = "{ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }"
    call = "{{ lambda ; c:f32[]. let d:f32[] = jit[name=f jaxpr={}] c in (d,) }}"
    assert same_up_to_names(call.format(inner), f"let g = {inner} in\n" + call.format("g"))
    other = inner.replace("sin", "cos")
    assert not same_up_to_names(call.format(inner), f"let g = {other} in\n" + call.format("g"))


@pytest.mark.parametrize("key", ["call", "jaxpr", "branches", "cond_jaxpr"])
def test_a_jaxpr_is_known_by_name_wherever_a_parameter_holds_one(key: str) -> None:
    inner = "{ lambda ; a:f32[2]. let b:f32[2] = sin a in (b,) }"
    text = f"{{ lambda ; a:f32[2]. let b:f32[2] = f[{key}=%s name=jaxpr1] a in (b,) }}"
    ahead = f"let jaxpr1 = {inner} in {text % 'jaxpr1'}"
    assert len(parse(ahead).equations[0].params[0][1].parts) == 1
    assert same_up_to_names(ahead, text % inner)
    assert not same_up_to_names(ahead, text % inner.replace("sin", "cos"))


def test_definitions_may_come_after_what_uses_them() -> None:
    text = (
        "let f = { lambda ; a:f32[]. let b:f32[] = jit[jaxpr=g] a in (b,) } in\n"
        "let g = { lambda ; a:f32[]. let b:f32[] = sin a in (b,) } in\n"
        "{ lambda ; a:f32[]. let b:f32[] = jit[jaxpr=f] a; c:f32[] = jit[jaxpr=g] b in (c,) }"
    )
    assert same_up_to_names(text, printed(parse(text)))


def test_variables_with_the_names_of_words() -> None:
    text = (
        "{ lambda ; in:f32[]. let nan:f32[] = sin in\n    let:f32[] = add nan in\n"
        "    inf:f32[] = max let nan:f32[] in (inf, in) }"
    )
    assert same_up_to_names(text, text.replace("let:", "q:").replace("max let", "max q"))
    assert parse(text).equations[2].operands == ("let", Literal("nan", "f32[]"))


def test_references_are_read_and_written() -> None:
    text = (
        "{ lambda ; a:Ref{f32[4]} i:i32[]. let\n    b:f32[4] <- a[...]\n    a[i] <- 1.0:f32[]\n"
        "    c:f32[2], a[0:2] <- a[0:2], b\n    a[-1] += 2.0:f32[]\n    free a\n  in (b, c) }"
    )
    jaxpr = parse(text)
    assert [e.primitive for e in jaxpr.equations] == ["get", "swap", "swap", "addupdate", "free"]
    assert jaxpr.equations[1].operands == ("a", Literal("1.0", "f32[]"), "i")
    assert same_up_to_names(text, printed(jaxpr).replace("i:", "j:").replace("[i]", "[j]"))


def test_every_part_of_a_tree_is_compared() -> None:
    jaxpr = parse(SMALL)
    assert fingerprint(replace(jaxpr, results=())) != fingerprint(jaxpr)
    assert fingerprint(replace(jaxpr, equations=jaxpr.equations[:1], results=("b",))) != (
        fingerprint(jaxpr)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a jaxpr"),
        ("def f(x): return x", "expected a jaxpr"),
        (SMALL + " and more", "something follows"),
        (SMALL.replace("sin a", "sin q"), "no variable is called q"),
        (SMALL.replace("c:f32", "b:f32"), "b is bound twice"),
        (SMALL.replace("(c, ", "(q, "), "expected ')'"),
        (SMALL.replace("sin a", "sin[x=(1] a"), "closes nothing"),
        (SMALL.replace("sin a", "sin[x=1 x=2] a"), "x is given twice"),
        (SMALL + "\0", "nul byte"),
        (SMALL[:-10], "line 1"),
        ("let f = { lambda ; a:f32[]. let b:f32[] = jit[jaxpr=f] a in (b,) } in"
         " { lambda ; . let b:f32[] = jit[jaxpr=f] 1.0:f32[] in (b,) }", "defined by itself"),
    ],
)  # fmt: skip
def test_what_is_no_jaxpr_is_said(text: str, reason: str) -> None:
    with pytest.raises(NotParsedError, match=re.escape(reason)):
        parse(text)


LONG = 300_000
HOSTILE = {
    "braces": "{" * LONG,
    "jaxprs": "{ lambda ; . let a:f32[] = f[j=" * 10_000,
    "spaces": " " * LONG + "x",
    "lets": "let " * LONG,
    "let spaces": "let" + " " * LONG,
    "escapes": SMALL.replace("sin a", "sin[x=" + "'\\" * LONG),
    "brackets": SMALL.replace("sin a", "sin[x=" + "(" * LONG),
    "digits": SMALL.replace("1.0", "1" * LONG),
    "operands": SMALL.replace("sin a", "sin " + "a " * LONG),
    "types": "{ lambda ; a:" + "f32[" * LONG,
    "indices": SMALL.replace("sin a", "a[" * LONG),
    "semicolons": SMALL.replace("sin a", ";" * LONG),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end_soon(name: str) -> None:
    start = time.process_time()
    if name == "operands":
        parse(HOSTILE[name])
    else:
        with pytest.raises(NotParsedError):
            parse(HOSTILE[name])
    assert time.process_time() - start < 3


def test_jaxprs_that_call_each_other_twice_take_no_longer() -> None:
    levels = 60
    call = (
        "let f{} = {{ lambda ; a:f32[]. let b:f32[] = jit[jaxpr=f{}] a;"
        " c:f32[] = jit[jaxpr=f{}] b in (c,) }} in\n"
    )
    text = "".join(call.format(n, n + 1, n + 1) for n in range(levels))
    text += f"let f{levels} = {{ lambda ; a:f32[]. let in (a,) }} in\n"
    text += "{ lambda ; a:f32[]. let b:f32[] = jit[jaxpr=f0] a in (b,) }"
    assert same_up_to_names(text, printed(parse(text)))


def test_a_large_jaxpr_of_jax_parses() -> None:
    def function(x: jax.Array) -> jax.Array:
        for _ in range(400):
            x = lax.sin(x) + 1
        return x

    text = str(jax.make_jaxpr(function)(1.0))
    assert len(parse(text).equations) == 800
