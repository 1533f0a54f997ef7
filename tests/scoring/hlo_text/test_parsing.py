from __future__ import annotations

import pytest

from jax_ir_pairs.scoring.hlo_text.parsing import SyntaxUnknownError, parse
from jax_ir_pairs.scoring.hlo_text.shapes import ArrayShape, TupleShape

TEXT = """HloModule jit_f, is_scheduled=true, entry_computation_layout={(f32[2]{0})->f32[2]{0}}, \
num_partitions=4

%add.1 (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum.2 = f32[] add(%a, %b)
}

ENTRY %main (x: f32[2]) -> (f32[2], s32[2,2]) {
  %x = f32[2]{0} parameter(0), sharding={devices=[2]<=[2]}, metadata={op_name="a\\"}, {b"}
  %c = s32[2,2]{1,0} constant({
    { 1, -2 },
    { 3, 4 }
  })
  %r = f32[2]{0} all-reduce(%x), replica_groups=mesh['a'=2,'b'=2] {'a'}, to_apply=%add.1
  %cut = f32[1]{0} slice(%r), slice={[0:1]}, control-predecessors={%x}
  %f = f32[2]{0:T(8,128)} custom-call(f32[2]{0} %r, /*index=1*/%x), backend_config={"a":{"b":1}}
  ROOT %t = (f32[2]{0}, /*index=1*/s32[2,2]{0,1}) tuple(%f, %c)
}
"""


def test_all_that_a_text_can_have() -> None:
    module = parse(TEXT)
    assert (module.name, module.attributes["num_partitions"]) == ("jit_f", "4")
    assert [(c.name, c.is_entry) for c in module.computations] == [("add.1", False), ("main", True)]
    x, c, r, cut, f, t = module.entry.instructions
    assert x.attributes["metadata"] == r'{op_name="a\"}, {b"}'
    assert c.operands[0].split() == ["{", "{", "1,", "-2", "},", "{", "3,", "4", "}", "}"]
    assert r.attributes == {
        "replica_groups": "mesh['a'=2,'b'=2] {'a'}",
        "to_apply": "%add.1",
    }
    assert cut.attributes["slice"] == "{[0:1]}"
    assert (f.operands, f.shape) == (("r", "x"), ArrayShape("f32", (2,), (0,)))
    assert f.attributes["backend_config"] == '{"a":{"b":1}}'
    parts = (ArrayShape("f32", (2,), (0,)), ArrayShape("s32", (2, 2), (0, 1)))
    assert (t.shape, t.is_root, module.entry.root) == (TupleShape(parts), True, t)


def test_lines_and_spaces_mean_nothing() -> None:
    parsed = parse(TEXT)
    in_one_line = TEXT.replace("\n", " ").replace("  ", " ")
    assert [str(c).split() for c in parse(in_one_line).computations] == [
        str(c).split() for c in parsed.computations
    ]


def test_what_is_written_reads_the_same() -> None:
    module = parse(TEXT)
    assert str(parse(str(module))) == str(module)


def test_tables_of_the_source_are_passed_over() -> None:
    rows = {
        "FileNames": '"a.py"',
        "FunctionNames": '"f"',
        "FileLocations": "{}",
        "StackFrames": "{}",
    }
    tables = "".join(f"{name}\n1 {row}\n\n" for name, row in rows.items())
    with_tables = TEXT.replace("\n\n", "\n\n" + tables, 1)
    assert str(parse(with_tables)) == str(parse(TEXT))


def test_the_last_is_the_root_where_none_is_marked() -> None:
    text = "HloModule m\nENTRY e {\n a = f32[] parameter(0)\n b = f32[] abs(a)\n}"
    computation = parse(text).entry
    assert computation.root.name == "b"
    assert [p.name for p in computation.parameters] == ["a"]


def test_a_shape_that_nests_too_deep() -> None:
    deep = "(" * 100_000
    with pytest.raises(SyntaxUnknownError, match="nests"):
        parse(f"HloModule m\nENTRY e {{\n a = {deep} parameter(0)\n}}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "line 1 .* 'HloModule'"),
        ("HloModule m", "a computation"),
        ("HloModule m\nENTRY e {\n}", "an instruction"),
        ("HloModule m\nENTRY e {\n a = f32[2 parameter(0)\n}", "line 3 .* a shape"),
        ("HloModule m\nENTRY e {\n a = f32[2] parameter(0\n", "the end of a bracket"),
        ("HloModule m\nENTRY e {\n a = f32[2] parameter(0), \n}", "an attribute"),
    ],
)
def test_what_is_none(text: str, what: str) -> None:
    with pytest.raises(SyntaxUnknownError, match=what):
        parse(text)
