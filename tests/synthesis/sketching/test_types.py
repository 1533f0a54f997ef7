from __future__ import annotations

import pytest

from jax_ir_pairs.synthesis.sketching.fit import Fit, Unfit
from jax_ir_pairs.synthesis.sketching.types import (
    Array,
    Fields,
    Repeated,
    Variable,
    interface,
    parse,
    symbols,
    within,
)
from jax_ir_pairs.synthesis.types import Aval, Record

DTYPES = {"f": "bf16", "i": "i32"}


def test_a_type_is_read_from_its_text() -> None:
    assert parse("signal f[n]: evenly sampled") == Array("f", ("n",), "signal", "evenly sampled")
    assert parse("f32[]") == Array("f32", ())
    assert parse("key") == Array("key<fry>", ())
    assert parse("f[b, h*d]") == Array("f", ("b", ("*", "h", "d")))
    assert parse("P") == Variable("P")
    assert parse({"w": "f[d]"}) == Fields((("w", Array("f", ("d",))),))
    assert parse(("l", "f[d]")) == Repeated("l", Array("f", ("d",)))
    assert parse(("f[d]", "f[]")) == (Array("f", ("d",)), Array("f", ()))


@pytest.mark.parametrize("text", ["signal", "signal f", "f[n", "f[n ** 2]", "f[1.5]"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        parse(text)


def test_an_interface_has_parameters_and_results() -> None:
    takes, gives = interface("(params: P, x: features f[b, d]) -> logits f[b, c] & loss f[]")
    assert [name for name, _ in takes] == ["params", "x"]
    assert gives == (Array("f", ("b", "c"), "logits"), Array("f", (), "loss"))
    with pytest.raises(ValueError, match="no interface"):
        interface("x: f[n]")


def test_symbols_are_found_everywhere() -> None:
    type = parse({"w": "f[*s, d]", "layers": ("l", ("f[h*k]", "f[n//2+1]"))})
    assert set(symbols(type)) == {"s", "d", "l", "h", "k", "n"}
    assert set(symbols(within(type, "a"))) == {f"a.{s}" for s in ("s", "d", "l", "h", "k", "n")}


def test_equal_sizes_follow_from_types_that_meet() -> None:
    fit = Fit()
    fit.unify(parse("features f[b, d]"), parse("activations f[n, h*k]"))
    tree = fit.tree(parse({"x": "f[b, d]", "w": "f[d]"}), {"n": 3, "h": 2, "k": 4}, DTYPES)
    assert tree == Record((("x", Aval("bf16", (3, 8))), ("w", Aval("bf16", (8,)))))


def test_any_number_of_axes_fits() -> None:
    fit = Fit()
    fit.unify(parse("f[*s, d]"), parse("f[a, b, c]"))
    sizes = {"a": 2, "b": 3, "c": 4}
    assert fit.tree(parse("f[*s, d, d]"), sizes, DTYPES) == Aval("bf16", (2, 3, 4, 4))


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("f[n]", "f[n, m]"),
        ("f[3]", "f[4]"),
        ("f[n]", "i[n]"),
        ("logits f[n]", "features f[n]"),
        ("f[n, n+1]", "f[m, m]"),
        ("f[*s, d]", "f[]"),
        ("P", "f[n]"),
        ({"w": "f[n]"}, {"v": "f[n]"}),
        (("f[n]", "f[n]"), "f[n]"),
    ],
)
def test_types_that_do_not_fit(wanted: object, given: object) -> None:
    with pytest.raises(Unfit):
        Fit().unify(within(parse(wanted), "a"), within(parse(given), "b"))


def test_a_role_takes_more_special_ones() -> None:
    Fit().unify(parse("features f[n]"), parse("activations f[n]"))
    Fit().unify(parse("f[n]"), parse("logits f[n]"))
    with pytest.raises(Unfit):
        Fit().unify(parse("activations f[n]"), parse("features f[n]"))


def test_a_size_that_nothing_decides_is_refused() -> None:
    with pytest.raises(Unfit, match="nothing decides"):
        Fit().tree(parse("f[n]"), {}, DTYPES)
    with pytest.raises(Unfit, match="multiple"):
        Fit().tree(parse("f[n//2]"), {"n": 3}, DTYPES)
