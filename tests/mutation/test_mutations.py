"""Each mutation on a text written by hand, and what all of them have to keep to."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from mutation.edit import mutants
from mutation.languages import MUTATIONS

PYTHON = """\
import jax.numpy as jnp


def f(x, y, z):
    w = jnp.sin(x) - y * 2.5
    v = jnp.where(x > y, w, z)
    return jnp.sum(v, axis=0, keepdims=True) + v[0]
"""
JAXPR = """\
{ lambda ; a:f32[4,4] b:f32[4,4] c:i32[]. let
    d:f32[4,4] = sub a b
    e:f32[4,4] = sin d
    f:bool[4,4] = lt e a
    g:f32[4,4] = select_n f e b
    h:f32[4] = reduce_sum[axes=(0,) out_sharding=None] g
    i:f32[4] = mul h 2.5:f32[]
    j:i32[] k:f32[4] = scan[
      jaxpr={ lambda ; a:i32[] b:f32[4]. let
          c:i32[] = add a 1:i32[]
        in (c, b) }
      length=3
      reverse=False
    ] c i
    l:f32[2] = slice[limit_indices=(2,) start_indices=(0,) strides=None] k
  in (l,) }
"""
STABLEHLO = """\
module @jit_f {
  func.func public @main(%arg0: tensor<4x4xf32>, %arg1: tensor<4x4xf32>) -> (tensor<2xf32>) {
    %cst = stablehlo.constant dense<2.500000e+00> : tensor<f32>
    %0 = stablehlo.subtract %arg0, %arg1 : tensor<4x4xf32>
    %1 = stablehlo.sine %0 : tensor<4x4xf32>
    %2 = stablehlo.compare LT, %1, %arg0, FLOAT : (tensor<4x4xf32>, tensor<4x4xf32>) \
-> tensor<4x4xi1>
    %3 = stablehlo.select %2, %arg1, %1 : tensor<4x4xi1>, tensor<4x4xf32>
    %4 = stablehlo.reduce(%3 init: %cst) applies stablehlo.add across dimensions = [0] \
: (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %5:2 = stablehlo.while(%iterArg = %c, %iterArg_0 = %4) : tensor<i32>, tensor<4xf32>
    cond {
      %c_1 = stablehlo.constant dense<3> : tensor<i32>
      %7 = stablehlo.compare LT, %iterArg, %c_1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %7 : tensor<i1>
    } do {
      %c_1 = stablehlo.constant dense<1> : tensor<i32>
      %7 = stablehlo.add %iterArg, %c_1 : tensor<i32>
      %8 = stablehlo.abs %iterArg_0 : tensor<4xf32>
      stablehlo.return %7, %8 : tensor<i32>, tensor<4xf32>
    }
    %6 = stablehlo.slice %5#1 [0:2] : (tensor<4xf32>) -> tensor<2xf32>
    return %6 : tensor<2xf32>
  }
}
"""
HLO = """\
HloModule jit_f, entry_computation_layout={(f32[4,4]{1,0}, f32[4,4]{1,0})->f32[2]{0}}

region_0.1 {
  reduce_sum.1 = f32[] parameter(0)
  reduce_sum.2 = f32[] parameter(1)
  ROOT reduce_sum.3 = f32[] add(reduce_sum.1, reduce_sum.2)
}

ENTRY main.2 {
  x.1 = f32[4,4]{1,0} parameter(0)
  y.1 = f32[4,4]{1,0} parameter(1)
  sub.1 = f32[4,4]{1,0} subtract(x.1, y.1)
  sin.1 = f32[4,4]{1,0} sine(sub.1)
  lt.1 = pred[4,4]{1,0} compare(sin.1, x.1), direction=LT
  select_n.1 = f32[4,4]{1,0} select(lt.1, y.1, sin.1)
  constant.1 = f32[] constant(2.5)
  reduce_sum.4 = f32[4]{0} reduce(select_n.1, constant.1), dimensions={0}, to_apply=region_0.1
  ROOT slice.1 = f32[2]{0} slice(reduce_sum.4), slice={[0:2]}
}
"""
TEXTS = {
    "python": PYTHON,
    "jaxpr": JAXPR,
    "stablehlo": STABLEHLO,
    "hlo": HLO,
    "optimized_hlo": HLO,
}

EXPECTED = [
    ("python", "operation", "jnp.sin(x) - y", "(jnp.sin(x) + y * 2.5)"),
    ("python", "operation", "jnp.sin", "jnp.cos"),
    ("python", "constant", "2.5", "3.5"),
    ("python", "operand order", "jnp.sin(x) - y", "(y * 2.5 - jnp.sin(x))"),
    ("python", "other operand", "x > y", "z > y"),
    ("python", "dropped term", "y * 2.5", "- y\n"),
    ("python", "dropped operation", "jnp.sin(x)", "w = x - y"),
    ("python", "select", "w, z", "z, w"),
    ("python", "direction", "x > y", "(x >= y)"),
    ("python", "axis", "axis=0", "axis=1"),
    ("python", "flag", "keepdims=True", "keepdims=False"),
    ("python", "reduction", "jnp.sum", "jnp.max"),
    ("python", "bounds", "v[0]", "v[1]"),
    ("jaxpr", "operation", "sub a b", "add a b"),
    ("jaxpr", "operation", "sin d", "cos d"),
    ("jaxpr", "constant", "2.5:f32[]", "3.500000000e+00:f32[]"),
    ("jaxpr", "operand order", "sub a b", "sub b a"),
    ("jaxpr", "other operand", "sin d", "sin b"),
    ("jaxpr", "dropped term", "sub a b", "copy a"),
    ("jaxpr", "dropped operation", "sin d", "copy d"),
    ("jaxpr", "select", "select_n f e b", "select_n f b e"),
    ("jaxpr", "direction", "lt e a", "ge e a"),
    ("jaxpr", "axis", "axes=(0,)", "axes=(1,)"),
    ("jaxpr", "reduction", "reduce_sum", "reduce_max"),
    ("jaxpr", "bounds", "limit_indices=(2,) start_indices=(0,)", "(3,) start_indices=(1,)"),
    ("jaxpr", "loop length", "length=3", "length=4"),
    ("stablehlo", "operation", "subtract %arg0", "stablehlo.add %arg0"),
    ("stablehlo", "constant", "2.500000e+00", "dense<-2.500000000e+00>"),
    ("stablehlo", "operand order", "%arg0, %arg1 :", "subtract %arg1, %arg0 :"),
    ("stablehlo", "other operand", "sine %0", "sine %arg1"),
    ("stablehlo", "other operand", "abs %iterArg_0", "abs %4"),
    (
        *("stablehlo", "dropped term", "subtract %arg0, %arg1"),
        "%0 = stablehlo.reshape %arg1 : (tensor<4x4xf32>) -> tensor<4x4xf32>",
    ),
    ("stablehlo", "dropped operation", "stablehlo.sine %0", "stablehlo.reshape %0 : ("),
    ("stablehlo", "select", "%arg1, %1 :", "select %2, %1, %arg1 :"),
    ("stablehlo", "direction", "LT, %1", "GE, %1"),
    ("stablehlo", "axis", "dimensions = [0]", "dimensions = [1]"),
    ("stablehlo", "reduction", "applies stablehlo.add", "applies stablehlo.maximum"),
    ("stablehlo", "bounds", "[0:2]", "[1:3]"),
    ("stablehlo", "loop bound", "dense<3>", "dense<4>"),
    ("hlo", "operation", "sine(", " cosine("),
    ("hlo", "constant", "constant(2.5)", "constant(3.500000000e+00)"),
    ("hlo", "operand order", "subtract(x.1, y.1)", "subtract(y.1, x.1)"),
    ("hlo", "other operand", "sine(sub.1)", "sine(y.1)"),
    ("hlo", "dropped term", "subtract(x.1, y.1)", "copy(x.1)"),
    ("hlo", "dropped operation", "sine(sub.1)", "copy(sub.1)"),
    ("hlo", "select", "y.1, sin.1", "select(lt.1, sin.1, y.1)"),
    ("hlo", "direction", "direction=LT", "direction=LE"),
    ("hlo", "axis", "dimensions={0}", "dimensions={1}"),
    ("hlo", "reduction", "f32[] add(", "f32[] minimum("),
    ("hlo", "bounds", "[0:2]", "[1:3]"),
]


@pytest.mark.parametrize(("level", "mutation", "was", "becomes"), EXPECTED)
def test_a_mutation_changes_what_it_is_named_after(
    level: str, mutation: str, was: str, becomes: str
) -> None:
    text = TEXTS[level]
    assert was in text
    assert becomes not in text
    made = [edit.apply(text) for edit in MUTATIONS[level][mutation](text)]
    assert [mutant for mutant in made if becomes in mutant]


def test_a_dimension_list_is_swapped() -> None:
    text = "  d = f32[] parameter(0)\n  g = f32[2] gather(d), start_index_map={0,1}, x={1}\n"
    [edit] = MUTATIONS["hlo"]["dimension numbers"](text)
    assert edit.apply(text) == text.replace("{0,1}", "{1,0}")


def test_padding_moves_from_one_side_to_the_other() -> None:
    text = "%0 = stablehlo.pad %arg0, %cst, low = [1], high = [0], interior = [0] : (i) -> i\n"
    [edit] = MUTATIONS["stablehlo"]["bounds"](text)
    assert "low = [0], high = [1]" in edit.apply(text)


def test_a_condition_of_hlo_has_another_bound() -> None:
    text = (
        "cond.1 {\n  c.1 = s32[] constant(7)\n  i.1 = s32[] parameter(0)\n}\n\n"
        "ENTRY main {\n  w = s32[] while(t), condition=cond.1, body=b\n}\n"
    )
    made = {edit.apply(text) for edit in MUTATIONS["hlo"]["loop bound"](text)}
    assert made == {text.replace("(7)", f"({bound})") for bound in (6, 8)}


def test_an_exponent_is_another() -> None:
    [edit] = MUTATIONS["jaxpr"]["exponent"]("    b:f32[] = integer_pow[y=2] a\n")
    assert edit.becomes == "3"


def test_a_loop_of_python_has_another_bound() -> None:
    text = "lax.fori_loop(1, n, f, x)\n"
    made = {edit.apply(text) for edit in MUTATIONS["python"]["loop bound"](text)}
    assert "lax.fori_loop(1, (n + 1), f, x)\n" in made


@pytest.mark.parametrize("level", TEXTS)
def test_mutants_are_the_same_for_the_same_seed_and_of_many_kinds(level: str) -> None:
    first, again, other = (
        [*itertools.islice(mutants(TEXTS[level], MUTATIONS[level], Random(seed)), 12)]
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len({mutant.mutation for mutant in first[:8]}) == 8
    assert all(mutant.text != TEXTS[level] for mutant in first)


@pytest.mark.parametrize("level", TEXTS)
def test_every_mutation_of_a_level_is_tried_here(level: str) -> None:
    named = {mutation for tried, mutation, *_ in EXPECTED if tried in {level, "hlo"}}
    apart = {"dimension numbers", "loop bound", "exponent"}
    assert {*MUTATIONS[level]} - apart <= named


def test_no_value_of_another_scope_is_taken_as_an_operand() -> None:
    made = [edit.apply(STABLEHLO) for edit in MUTATIONS["stablehlo"]["other operand"](STABLEHLO)]
    after = [mutant.split("    %6 = ")[1] for mutant in made]
    assert not [text for text in after if "%iterArg" in text or "%8" in text]
