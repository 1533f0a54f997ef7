from __future__ import annotations

import re

import numpy as np
import pytest

from jax_ir_pairs.quality.roundings import tolerances
from jax_ir_pairs.scoring.draws import EDGES, Input, among, flat_inputs, values
from jax_ir_pairs.scoring.module import Aval, Module
from jax_ir_pairs.scoring.program import Program, new_context
from jax_ir_pairs.scoring.verdict import Reference, difference

F32: Aval = ((4,), "float32")
I32: Aval = ((4,), "int32")
TYPES = {F32: "tensor<4xf32>", I32: "tensor<4xi32>"}
CONTEXT = new_context()


def module(body: str, ins: tuple[Aval, ...] = (F32,), outs: tuple[Aval, ...] = (F32,)) -> Module:
    """Gives a module whose body gives `%r`, or `%r0, %r1, …`."""
    takes = ", ".join(f"%arg{n}: {TYPES[aval]}" for n, aval in enumerate(ins))
    gives = ", ".join(TYPES[aval] for aval in outs)
    names = "%r" if len(outs) == 1 else ", ".join(f"%r{n}" for n in range(len(outs)))
    lines = re.sub(r"\b[FI]\b", lambda m: TYPES[F32 if m.group() == "F" else I32], body)
    text = (
        f"module {{ func.func public @main({takes}) -> ({gives}) {{\n{lines}\n"
        f"return {names} : {gives} }} }}"
    )
    return Module(text, ins, outs)


def verdict(reference: Module, answer: Module, draws: int = 3) -> str:
    own = Program(reference, CONTEXT)
    ins = [Input(shape, np.dtype(dtype)) for shape, dtype in reference.inputs]
    known = Reference(own, ins, 7, tolerances(str(reference.stablehlo)))
    return difference(known, Program(answer, CONTEXT), draws)


TANH = module("%r = stablehlo.tanh %arg0 : F")
DOUBLED = module("%r = stablehlo.add %arg0, %arg0 : F")
ZERO = "%z = stablehlo.constant dense<0.0> : F\n"


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (TANH, TANH),
        (DOUBLED, module("%c = stablehlo.constant dense<2.0> : F\n%r = stablehlo.multiply %arg0, %c : F")),  # noqa: E501
        (  # 1e8 + x - 1e8 is decided by rounding, but the other result is not
            module("%c = stablehlo.constant dense<1.0e8> : F\n%a = stablehlo.add %arg0, %c : F\n"
                   "%r0 = stablehlo.subtract %a, %c : F\n%r1 = stablehlo.tanh %arg0 : F", outs=(F32, F32)),  # noqa: E501
            module("%c = stablehlo.constant dense<1.0e8> : F\n%a = stablehlo.add %c, %arg0 : F\n"
                   "%r0 = stablehlo.subtract %a, %c : F\n%r1 = stablehlo.tanh %arg0 : F", outs=(F32, F32)),  # noqa: E501
        ),
    ],
    ids=["itself", "a product for a sum", "the same rounding"],
)  # fmt: skip
def test_what_agrees(reference: Module, answer: Module) -> None:
    assert verdict(reference, answer) == ""


@pytest.mark.parametrize(
    ("reference", "answer", "where"),
    [
        (TANH, DOUBLED, "On draw 0"),
        (TANH, module("%c = stablehlo.constant dense<0.5> : F\n%r = stablehlo.minimum %c, %c : F"), "On draw 0"),  # noqa: E501
        (  # right on what is ordinary
            TANH,
            module("%c = stablehlo.constant dense<9.0> : F\n"
                   "%z = stablehlo.constant dense<3.0> : F\n"
                   "%m = stablehlo.compare GT, %arg0, %c : (F, F) -> tensor<4xi1>\n"
                   "%t = stablehlo.tanh %arg0 : F\n%r = stablehlo.select %m, %z, %t : tensor<4xi1>, F"),  # noqa: E501
            "On inputs of 'high'",
        ),
        (  # 0 / 0 at the edge
            TANH,
            module("%t = stablehlo.tanh %arg0 : F\n%d = stablehlo.divide %arg0, %arg0 : F\n"
                   "%r = stablehlo.multiply %t, %d : F"),
            "On inputs of 'zeros'",
        ),
        (
            module("%r = stablehlo.add %arg0, %arg0 : I", (I32,), (I32,)),
            module("%r = stablehlo.multiply %arg0, %arg0 : I", (I32,), (I32,)),
            "On draw 0",
        ),
    ],
    ids=["another op", "a constant", "large inputs", "zeros", "integers"],
)  # fmt: skip
def test_what_differs(reference: Module, answer: Module, where: str) -> None:
    assert verdict(reference, answer).startswith(where)


def test_what_rounding_decides_everywhere_takes_no_other_answer() -> None:
    noise = module(
        "%c = stablehlo.constant dense<1.0e8> : F\n%a = stablehlo.add %arg0, %c : F\n"
        "%b = stablehlo.subtract %a, %c : F\n%d = stablehlo.constant dense<1.0e8> : F\n"
        "%e = stablehlo.multiply %b, %d : F\n%r = stablehlo.sine %e : F"
    )
    assert verdict(noise, noise) == ""
    assert verdict(noise, TANH) != ""


def test_names_dead_code_and_layout_are_no_difference() -> None:
    ours = Program(module("%t = stablehlo.tanh %arg0 : F\n%r = stablehlo.abs %t : F"), CONTEXT)
    text = (
        str(ours.module.stablehlo).replace("%t", "%q").replace("%arg0", "%x").replace("\n", "\n  ")
    )
    dead = text.replace("%r = ", "%dead = stablehlo.sine %q : tensor<4xf32>\n%r = ")
    assert Program(Module(dead, (F32,), (F32,)), CONTEXT).canonical == ours.canonical
    other = Module(text.replace("abs", "negate"), (F32,), (F32,))
    assert Program(other, CONTEXT).canonical != ours.canonical


def test_what_cannot_be_interpreted_is_compiled() -> None:
    body = (
        "%k = stablehlo.constant dense<1> : tensor<2xui64>\n"
        "%s, %b = stablehlo.rng_bit_generator %k, algorithm = DEFAULT : "
        "(tensor<2xui64>) -> (tensor<2xui64>, tensor<4xui32>)\n"
        "%u = stablehlo.convert %b : (tensor<4xui32>) -> F\n"
        "%v = stablehlo.constant dense<4294967296.0> : F\n"
        "%w = stablehlo.divide %u, %v : F\n"
        "%r = stablehlo.add %w, %arg0 : F"
    )
    reference = module(body)
    assert Program(reference, CONTEXT).interpreter is None
    assert verdict(reference, reference, draws=1) == ""
    other = str(reference.stablehlo).replace("stablehlo.add", "stablehlo.subtract")
    assert verdict(reference, Module(other, (F32,), (F32,)), draws=1).startswith("On draw 0")


def test_inputs_of_a_row() -> None:
    ins = flat_inputs(
        '[["k", "key<fry>[]"], ["p", {"b": "bool[2]", "a": "f64[3]"}], ["i", "i32[5]"]]'
    )
    assert [i.aval for i in ins] == [
        ((2,), "uint32"),
        ((3,), "float64"),
        ((2,), "bool"),
        ((5,), "int32"),
    ]
    assert [i.is_key for i in ins] == [True, False, False, False]
    kept = among(ins, [((2,), "uint32"), ((5,), "int32")])
    assert kept == [ins[0], ins[3]]


def test_edges_keep_to_the_range_of_integers_and_draw_keys() -> None:
    ins = flat_inputs('[["k", "key<fry>[]"], ["i", "i32[5]"], ["x", "f32[4]"], ["m", "bool[3]"]]')
    ordinary = values(ins, 1, 0)
    for edge in EDGES:
        key, integers, floats, mask = values(ins, 1, edge)
        assert (key == ordinary[0]).all()
        assert (np.abs(integers) <= 100).all()
        assert (integers == integers[0]).all()
        assert np.isfinite(floats).all()
        assert mask.dtype == bool
    assert not values(ins, 1, "zeros")[2].any()
    assert (values(ins, 1, "ones")[2] == 1).all()
    assert (values(ins, 1, "low")[2] <= 0).all()
    assert np.abs(values(ins, 1, "high")[2]).max() > 10
    assert any((a != b).any() for a, b in zip(ordinary, values(ins, 1, 1), strict=True))


@pytest.mark.parametrize(
    "dtype", ["float8_e4m3fn", "float4_e2m1fn", "float8_e8m0fnu", "int4", "complex64"]
)
def test_edges_of_narrow_formats(dtype: str) -> None:
    import ml_dtypes  # noqa: F401  (their names)

    kind = Input((3,), np.dtype(dtype))
    for edge in EDGES:
        [value] = values([kind], 1, edge)
        assert value.dtype == kind.dtype
        assert value.shape == (3,)
