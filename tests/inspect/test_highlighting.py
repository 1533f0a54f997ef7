from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pygments.token import Token

from jax_ir_pairs.inspect.highlighting import ModuleLexer, highlighted
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.rows import row_at
from jax_ir_pairs.schema import LEVELS


def kinds(line: str) -> dict[str, Any]:
    return {text: kind for kind, text in ModuleLexer().get_tokens(line) if text.strip()}


def test_the_parts_of_an_instruction_differ() -> None:
    found = kinds("  ROOT %add.1 = f32[2,3]{1,0} add(%x, %y), index=4")
    assert found["ROOT"] is Token.Keyword
    assert found["%add.1"] is Token.Name.Variable
    assert found["f32[2,3]{1,0}"] is Token.Keyword.Type
    assert found["add"] is Token.Name.Function
    assert found["index"] is Token.Name.Attribute
    assert found["4"] is Token.Literal.Number


def test_the_parts_of_an_operation_differ() -> None:
    found = kinds('%0 = stablehlo.add %arg0, %c : tensor<2x3xf32> {name = "y"}')
    assert found["stablehlo.add"] is Token.Name.Function
    assert found["tensor<2x3xf32>"] is Token.Keyword.Type
    assert found['"y"'] is Token.Literal.String


def test_the_parts_of_an_equation_differ() -> None:
    found = kinds("{ lambda ; a:f32[3] k:key<fry>[]. let b:f32[3] = mul a 2.0:f32[] in (b,) }")
    assert found["lambda"] is Token.Keyword
    assert found["f32[3]"] is Token.Keyword.Type
    assert found["key<fry>[]"] is Token.Keyword.Type
    assert found["2.0"] is Token.Literal.Number


@pytest.mark.parametrize("level", LEVELS)
def test_color_leaves_the_text_as_it_is(tiny: Path, level: str) -> None:
    files = find_config(tiny)
    for number in range(7):
        text = row_at(files, "train", number)[level].rstrip("\n")
        colored = highlighted(level, text)
        assert colored.plain == text
        assert len({span.style for span in colored.spans}) > 2
        if level != "python":
            assert Token.Error not in [kind for kind, _ in ModuleLexer().get_tokens(text)]
