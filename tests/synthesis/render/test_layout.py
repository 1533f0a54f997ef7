from __future__ import annotations

from jax_ir_pairs.synthesis.render.layout import statement


def test_a_line_that_fits_stays() -> None:
    assert statement("x = ", "f(a, b)", 4) == ["    x = f(a, b)"]


def test_a_long_call_puts_its_arguments_on_a_line_of_their_own() -> None:
    arguments = ", ".join(["argument"] * 8)
    assert statement("x = ", f"f({arguments})", 4) == [
        "    x = f(",
        f"        {arguments}",
        "    )",
    ]


def test_a_longer_call_has_a_line_for_each_argument() -> None:
    arguments = ["lambda a, b: g(a, b)", '"ij,jk->ik"', *["argument"] * 8]
    lines = statement("x = ", f"f({', '.join(arguments)})", 0)
    assert lines == ["x = f(", *(f"    {argument}," for argument in arguments), ")"]


def test_the_arguments_before_the_last_bracket_are_split_where_they_are_too_long() -> None:
    inner = ", ".join(["argument"] * 7)
    lines = statement("result = ", f"transform(function, {inner})(x)", 4)
    assert lines == ["    result = transform(", f"        function, {inner}", "    )(x)"]


def test_a_long_chain_of_methods_on_a_bracket_has_a_line_for_each() -> None:
    arguments = ", ".join(["argument"] * 7)
    lines = statement("x = ", f"(a > 2).at[b].get({arguments})", 0)
    assert lines == ["x = (", "    (a > 2)", "    .at[b]", f"    .get({arguments})", ")"]
