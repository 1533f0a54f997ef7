from __future__ import annotations

import numpy as np
import pytest
from jax import lax

from jax_ir_pairs.scoring.jaxpr_binding.rules import leaves
from jax_ir_pairs.scoring.jaxpr_binding.values import aval_of, parameter
from jax_ir_pairs.scoring.module import NotRunnableError


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("axes", "(0, 1)", (0, 1)),
        ("axes", "()", ()),
        ("y", "-1", -1),
        ("dimension_numbers", "(([1], [0]), ([], []))", (((1,), (0,)), ((), ()))),
        ("mode", "GatherScatterMode.CLIP", lax.GatherScatterMode.CLIP),
        ("new_dtype", "bfloat16", np.dtype("bfloat16")),
        ("precision", "DEFAULT", lax.Precision.DEFAULT),
        ("rounding_method", "1", lax.RoundingMethod.TO_NEAREST_EVEN),
        ("side", "left", "left"),
        ("names", "frozenset({'i', 'j'})", frozenset({"i", "j"})),
        ("names", "frozenset({})", frozenset()),
        (
            "dimension_numbers",
            "ConvDimensionNumbers(lhs_spec=(0, 1), rhs_spec=(1, 0), out_spec=(0, 1))",
            lax.ConvDimensionNumbers((0, 1), (1, 0), (0, 1)),
        ),
    ],
)
def test_a_parameter_is_made_from_its_text(key: str, text: str, value: object) -> None:
    assert parameter(key, text) == value


@pytest.mark.parametrize(
    "text",
    [
        "left",
        "<function f>",
        "__import__('os').system('true')",
        "GatherScatterMode.__class__",
        "Precision.from_string('x')",
        "lambda: 0",
        "(" * 5000,
        "-" * 5000 + "1",
        "9" * 30_000,
        "1 +",
    ],
)
def test_what_is_no_value_is_not_made(text: str) -> None:
    with pytest.raises(NotRunnableError, match="cannot be made"):
        parameter("axes", text)


def test_avals() -> None:
    for text in ("f32[8,16]", "bf16[]", "bool[2]", "f8_e4m3fn[1]", "i4[3]", "c64[]"):
        assert aval_of(text) is not None, text
    for text in ("f33[]", "f32[8@x]", "f32[2]{V:i}", "Ref{f32[2]}", "key<no>[]"):
        assert aval_of(text) is None, text


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("((), (None,), (None, None))", [0, 1, 2]),
        ("((None,), (RightsOnly(Left(None)), RightsOnly(Right(None))), ())", [1, 1, 0]),
        ("Pytree(vals=[None, None], tree=PyTreeDef((([], []), ([], [*]), ([*],))))", [0, 1, 1]),
        ("((), Pytree(vals=[None], tree=PyTreeDef(([], [*, None]))), (None,))", [0, 1, 1]),
    ],
)
def test_the_leaves_of_a_tree_are_counted(text: str, counts: list[int]) -> None:
    assert leaves(text) == counts
