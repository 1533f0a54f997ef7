from __future__ import annotations

import pytest

from jax_ir_pairs.hlo_text.parsing import Line, instruction_of, line_of, shape_of
from jax_ir_pairs.hlo_text.shapes import ArrayShape, TupleShape
from jax_ir_pairs.hlo_text.syntax import Instruction


def read(text: str) -> Instruction:
    line = line_of(f"  {text}")
    assert line is not None
    return instruction_of(line)


def test_the_head_of_a_line() -> None:
    assert line_of("  ROOT %t.1 = (f32[2]{0}, /*index=1*/s32[]) tuple(%f, %c)") == Line(
        True, "t.1", "(f32[2]{0}, /*index=1*/s32[])", "tuple", "%f, %c)"
    )
    assert line_of("ENTRY %main (x: f32[2]) -> f32[2] {") is None
    assert line_of("}") is None
    assert line_of("") is None


def test_operands_and_attributes() -> None:
    call = read(
        '%f = f32[2]{0} custom-call(f32[2]{0} %r, /*index=1*/%x), custom_call_target="a, b=c", '
        'backend_config={"a":{"b":1}}'
    )
    assert (call.operands, call.shape) == (("r", "x"), ArrayShape("f32", (2,), (0,)))
    assert call.attributes == {
        "custom_call_target": '"a, b=c"',
        "backend_config": '{"a":{"b":1}}',
    }


def test_values_that_commas_do_not_end() -> None:
    reduced = read("%r = f32[2]{0} all-reduce(%x), replica_groups=mesh['a'=2,'b'=2] {'a'}, to=%s")
    assert reduced.attributes == {"replica_groups": "mesh['a'=2,'b'=2] {'a'}", "to": "%s"}
    cut = read("%c = f32[1]{0} slice(%r), slice={[0:1], [2:3]}, control-predecessors={%x, %y}")
    assert cut.attributes == {"slice": "{[0:1], [2:3]}", "control-predecessors": "{%x, %y}"}


def test_layouts_of_other_machines() -> None:
    assert shape_of("f32[2,3]{0,1:T(8,128)S(1)}") == ArrayShape("f32", (2, 3), (0, 1))
    parts = (ArrayShape("f32", (2,), (0,)), TupleShape((ArrayShape("s32", ()),)))
    assert shape_of("(f32[2]{0}, /*index=1*/(s32[]))") == TupleShape(parts)


def test_an_instruction_is_written_as_it_reads() -> None:
    text = "ROOT r = f32[2] reduce(x, y), dimensions={1}, to_apply=%add"
    line = line_of("  ROOT %r = f32[2] reduce(%x, %y), dimensions={1}, to_apply=%add")
    assert line is not None
    assert str(instruction_of(line)) == text


@pytest.mark.parametrize("text", ["%a = f32[2 abs(%x)", "%a = f32[2] abs(%x", "%a = x abs(%x)"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"no shape|not closed"):
        read(text)
