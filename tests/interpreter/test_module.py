"""The interpreter on modules written by hand, whose results are known."""

from __future__ import annotations

from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest

from jax_ir_pairs.interpreter.operation import Array, UnsupportedError
from tests.interpreter.running import interpret
from tests.quality.programs import stablehlo

TYPES: dict[str, Any] = {
    "i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
    "ui8": np.uint8, "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64,
    "i2": ml_dtypes.int2, "i4": ml_dtypes.int4, "ui2": ml_dtypes.uint2, "ui4": ml_dtypes.uint4,
    "f16": np.float16, "f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn, "f8E3M4": ml_dtypes.float8_e3m4,
    "f8E4M3": ml_dtypes.float8_e4m3, "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "f8E5M2": ml_dtypes.float8_e5m2, "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
    "complex<f32>": np.complex64, "complex<f64>": np.complex128,
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("shape", [(4,), (2, 1), ()])
def test_every_type_goes_in_and_comes_out(name: str, shape: tuple[int, ...]) -> None:
    sizes = "".join(f"{size}x" for size in shape)
    text = (
        f"func.func @main(%x: tensor<{sizes}{name}>) -> (tensor<{sizes}{name}>, tensor<i32>) {{\n"
        "  %c = stablehlo.constant dense<7> : tensor<i32>\n"
        f"  return %x, %c : tensor<{sizes}{name}>, tensor<i32>\n}}"
    )
    count = int(np.prod(shape))
    value = np.resize(np.array([1, 0.5, 1, 0.5]), count).reshape(shape).astype(TYPES[name])
    if value.dtype.kind == "c":
        value = value * value.dtype.type(1 - 2j)
    one, seven = interpret(text, [np.asarray(value)])
    assert (one.dtype, one.shape, one.tobytes()) == (value.dtype, shape, value.tobytes())
    assert (seven.dtype, seven.shape, int(seven)) == (np.dtype(np.int32), (), 7)


@pytest.mark.parametrize("name", TYPES)
def test_constants_of_every_type(name: str) -> None:
    values = "[(1.0, -2.0), (0.5, 4.0)]" if "complex" in name else "[1, 0]"
    if name.startswith(("f", "bf")):
        values = "[1.0, 0.5]"
    if name == "i1":
        values = "[true, false]"
    text = (
        f"func.func @main() -> tensor<2x{name}> {{\n"
        f"  %c = stablehlo.constant dense<{values}> : tensor<2x{name}>\n"
        f"  return %c : tensor<2x{name}>\n}}"
    )
    [found] = interpret(text, [])
    expected = [1 - 2j, 0.5 + 4j] if "complex" in name else [1, 0.5 if "." in values else 0]
    np.testing.assert_array_equal(found, np.array(expected).astype(TYPES[name]))


def of(body: str, *pairs: tuple[str, Array]) -> list[Array]:
    return interpret(stablehlo(body, *(aval for aval, _ in pairs)), [value for _, value in pairs])


def test_a_loop() -> None:
    body = "def f(x):\n    return lax.fori_loop(0, 5, lambda i, y: 2 * y + i, x)"
    [found] = of(body, ("i32[2]", np.array([1, -1], np.int32)))
    assert found.tolist() == [32 + 26, -32 + 26]


def test_a_call_and_a_branch() -> None:
    body = (
        "@jax.jit\ndef g(x):\n    return x * x\n\n\n"
        "def f(x):\n    return lax.cond(x[0] > 0, g, lambda y: -g(y), g(x))"
    )
    assert "call @" in stablehlo(body, "f32[2]")
    [found] = of(body, ("f32[2]", np.array([2, -3], np.float32)))
    assert found.tolist() == [16.0, 81.0]


def test_keys_are_words_in_and_out() -> None:
    words = np.array([0, 42], np.uint32)
    found = of("def f(k):\n    return jax.random.split(k, 3)", ("key<fry>[]", words))
    expected = jax.random.key_data(
        jax.random.split(jax.random.wrap_key_data(jax.numpy.asarray(words)), 3)
    )
    assert (found[0] == np.asarray(expected)).all()


def test_an_op_of_chlo_becomes_others() -> None:
    body = "def f(x):\n    return lax.lgamma(x), lax.erf_inv(x / 9)"
    assert "chlo." in stablehlo(body, "f32[2]")
    gamma, _ = of(body, ("f32[2]", np.array([1, 5], np.float32)))
    assert gamma == pytest.approx([0.0, np.log(24)], abs=1e-6)


def test_open_shapes_are_those_of_the_inputs() -> None:
    body = (
        "from jax import export\n\n"
        "exported = export.export(jax.jit(lambda x: jnp.abs(x) - x))(\n"
        "    jax.ShapeDtypeStruct(export.symbolic_shape('b, 2'), jnp.float32)\n)\n\n\n"
        "def f(x):\n    return exported.call(x)"
    )
    assert "x?x" in stablehlo(body, "f32[3,2]") or "<?x" in stablehlo(body, "f32[3,2]")
    [found] = of(body, ("f32[3,2]", np.full((3, 2), -1, np.float32)))
    assert found.tolist() == [[2.0, 2.0]] * 3


VALUE = np.array([[4, 1], [1, 3]], np.float32)
OF_STABLEHLO: dict[str, tuple[str, Any]] = {
    "cholesky": ("stablehlo.cholesky %x, lower = true", np.linalg.cholesky(VALUE)),
    "upper cholesky": ("stablehlo.cholesky %x, lower = false", np.linalg.cholesky(VALUE).T),
    "map": (
        '"stablehlo.map"(%x) <{dimensions = array<i64: 0, 1>}> ({\n^bb0(%a: tensor<f32>):\n'
        "  %b = stablehlo.add %a, %a : tensor<f32>\n  stablehlo.return %b : tensor<f32>\n})",
        VALUE * 2,
    ),
    "if": (
        '"stablehlo.if"(%p) ({\n  %a = stablehlo.negate %x : tensor<2x2xf32>\n'
        "  stablehlo.return %a : tensor<2x2xf32>\n}, {\n"
        "  stablehlo.return %x : tensor<2x2xf32>\n})",
        -VALUE,
    ),
    "logistic": ("stablehlo.logistic %x", 1 / (1 + np.exp(-VALUE))),
    "layout": ("stablehlo.custom_call @LayoutConstraint(%x)", VALUE),
    "replica": (
        "stablehlo.convert %x : tensor<2x2xf32>\n%t = stablehlo.create_token : !stablehlo.token\n"
        "%u = stablehlo.after_all %t : !stablehlo.token",
        VALUE,
    ),
    "dimension": (
        "stablehlo.negate %x : tensor<2x2xf32>\n"
        "%d = stablehlo.get_dimension_size %x, dim = 1 : (tensor<2x2xf32>) -> tensor<i32>",
        -VALUE,
    ),
    "tuple": (
        "stablehlo.get_tuple_element %u[1] : (tuple<tensor<i1>, tensor<2x2xf32>>) -> "
        "tensor<2x2xf32>",
        VALUE,
    ),
}


@pytest.mark.parametrize("name", OF_STABLEHLO)
def test_what_jax_does_not_lower_to(name: str) -> None:
    operation, expected = OF_STABLEHLO[name]
    kind = "tensor<2x2xf32>"
    if ":" not in operation.split("\n")[0] or name in ("map", "if"):
        takes = {"map": f"({kind})", "if": "(tensor<i1>)", "layout": f"({kind})"}.get(name)
        operation += f" : {takes} -> {kind}" if takes else f" : {kind}"
    text = (
        f"func.func @main(%x: {kind}) -> {kind} {{\n"
        "%p = stablehlo.constant dense<true> : tensor<i1>\n"
        f"%u = stablehlo.tuple %p, %x : tuple<tensor<i1>, {kind}>\n"
        f"%y = {operation}\nreturn %y : {kind}\n}}"
    )
    if "%u = stablehlo.after_all" in text:
        text = text.replace(f"%u = stablehlo.tuple %p, %x : tuple<tensor<i1>, {kind}>\n", "")
    [found] = interpret(text, [VALUE])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("stablehlo.custom_call @of_nobody(%x) : (tensor<2xf32>) -> tensor<2xf32>",
         "calls of_nobody"),
        ("stablehlo.custom_call @lapack_sxyz_ffi(%x) : (tensor<2xf32>) -> tensor<2xf32>",
         "calls lapack_sxyz_ffi"),
        ('"stablehlo.rng"(%c, %c, %s) {rng_distribution = #stablehlo<rng_distribution UNIFORM>} : '
         "(tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<2xf32>", r"has stablehlo\.rng"),
    ],
)  # fmt: skip
def test_what_it_lacks_is_refused(operation: str, said: str) -> None:
    text = (
        "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
        "%c = stablehlo.constant dense<0.0> : tensor<f32>\n"
        f"%s = stablehlo.constant dense<2> : tensor<1xi64>\n%y = {operation}\n"
        "return %y : tensor<2xf32>\n}"
    )
    with pytest.raises(UnsupportedError, match=said):
        interpret(text, [np.zeros(2, np.float32)])


def test_inputs_have_to_be_as_many_as_those_of_main() -> None:
    text = stablehlo("def f(x):\n    return x + 1", "f32[2]")
    with pytest.raises(UnsupportedError, match="other inputs"):
        interpret(text, [])


def test_what_takes_too_long_is_refused_as_it_runs() -> None:
    body = "def f(x):\n    return lax.while_loop(lambda y: y[0] < {}, lambda y: y + 1, x)"
    start = np.zeros(3, np.float32)
    [found] = interpret(stablehlo(body.format(20), "f32[3]"), [start], limit=1_000)
    assert found.tolist() == [20.0] * 3
    with pytest.raises(UnsupportedError, match="takes too long"):
        interpret(stablehlo(body.format(10**6), "f32[3]"), [start], limit=1_000)


def test_a_loop_without_operations_ends_as_well() -> None:
    text = """func.func @main() -> tensor<i1> {
  %a = stablehlo.constant dense<true> : tensor<i1>
  %b = stablehlo.while(%x = %a) : tensor<i1> cond {
    stablehlo.return %x : tensor<i1>
  } do {
    stablehlo.return %x : tensor<i1>
  }
  return %b : tensor<i1>
}"""
    with pytest.raises(UnsupportedError, match="takes too long"):
        interpret(text, [])


@pytest.mark.parametrize(
    ("body", "aval", "said"),
    [
        ("def f(x):\n    return lax.bitcast_convert_type(x, jnp.int4)", "i8[4]", "parts of bytes"),
        ("def f(x):\n    return lax.reduce(x, 0.0, lambda a, b: jnp.stack([a, b]).max(), (0,))",
         "f32[4]", "arrays in what is done for each element"),
        ("def f(x):\n    return x[0] + lax.iota(jnp.float32, 10**9)[5]", "f32[4]",
         "takes too long"),
    ],
)  # fmt: skip
def test_what_is_valid_and_not_for_the_interpreter(body: str, aval: str, said: str) -> None:
    text = stablehlo(body, aval)
    with pytest.raises(UnsupportedError, match=said):
        interpret(text, [np.ones(4, np.int8 if aval == "i8[4]" else np.float32)])


def test_many_updates_of_one_place_are_made_in_their_order() -> None:
    body = "def f(x, i):\n    return x.at[i].apply(lambda v: v * 2 + 1), x.at[i].max(3.0)"
    found = of(body, ("f32[2]", np.zeros(2, np.float32)), ("i32[9]", np.zeros(9, np.int32)))
    assert [value.tolist() for value in found] == [[511.0, 0.0], [3.0, 0.0]]


def test_a_module_is_run_as_often_as_one_likes() -> None:
    body = "def f(x):\n    return x.at[0].set(9.0), x"
    text = stablehlo(body, "f32[2]")
    value = np.zeros(2, np.float32)
    for _ in range(2):
        changed, own = interpret(text, [value])
        assert (changed.tolist(), own.tolist(), value.tolist()) == ([9, 0], [0, 0], [0, 0])


DIVISIONS = "def f(x, y):\n    return lax.div(x, y), lax.rem(x, y)"


@pytest.mark.parametrize(
    ("dtype", "dividends", "divisors", "quotients", "remainders"),
    [
        ("i32", [7, -7, 7, -(2**31), 5], [2, 2, -2, -1, 0], [3, -3, -3, -(2**31), -1],
         [1, -1, 1, 0, 5]),
        ("i8", [-128, 100, -1], [-1, 0, 2], [-128, -1, 0], [0, 100, -1]),
        ("u8", [200, 7, 0], [7, 0, 0], [28, 255, 255], [4, 7, 0]),
    ],
)  # fmt: skip
def test_divisions_that_processors_do_not_make(
    dtype: str,
    dividends: list[int],
    divisors: list[int],
    quotients: list[int],
    remainders: list[int],
) -> None:
    kind = np.dtype({"i32": np.int32, "i8": np.int8, "u8": np.uint8}[dtype])
    aval = f"{dtype}[{len(dividends)}]"
    found = of(DIVISIONS, (aval, np.array(dividends, kind)), (aval, np.array(divisors, kind)))
    assert [value.tolist() for value in found] == [quotients, remainders]


SHIFTS = (
    "def f(x, y):\n    return lax.shift_left(x, y), lax.shift_right_logical(x, y), "
    "lax.shift_right_arithmetic(x, y)"
)


def test_shifts_by_the_width_and_more() -> None:
    value, by = np.array([-5, -5, 3], np.int8), np.array([7, 8, 100], np.int8)
    found = of(SHIFTS, ("i8[3]", value), ("i8[3]", by))
    assert [each.tolist() for each in found] == [[-128, 0, 0], [1, 0, 0], [-1, -1, 0]]


def test_conversions_of_what_is_out_of_range() -> None:
    body = "def f(x):\n    return x.astype(jnp.int8), x.astype(jnp.uint32), x.astype(jnp.int32)"
    value = np.array([300.7, -300.7, -1.5, np.nan, np.inf], np.float32)
    found = of(body, ("f32[5]", value))
    assert [each.tolist() for each in found] == [
        [127, -128, -1, 0, 127],
        [300, 0, 0, 0, 2**32 - 1],
        [300, -300, -1, 0, 2**31 - 1],
    ]
