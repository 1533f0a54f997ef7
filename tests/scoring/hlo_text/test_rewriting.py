from __future__ import annotations

import pytest

from jax_ir_pairs.scoring.hlo_text.parsing import parse
from jax_ir_pairs.scoring.hlo_text.rewriting import NoMeaningError, runnable


def rewritten(*instructions: str) -> list[str]:
    """Gives the instructions that those of an entry become."""
    body = "\n".join(f"  {each}" for each in instructions)
    module = parse(f"HloModule m, is_scheduled=true\n\nENTRY %e {{\n{body}\n}}\n")
    return [str(each) for each in runnable(module).entry.instructions]


X = "%x = f32[2,3]{0,1} parameter(0)"


def test_how_and_when_are_dropped() -> None:
    attributes = 'control-predecessors={%x}, metadata={op_name="n"}, backend_config={"a":1}'
    assert rewritten(X, f"ROOT %y = f32[2]{{0}} reduce(%x), dimensions={{1}}, {attributes}") == [
        "x = f32[2,3] parameter(0)",
        "ROOT y = f32[2] reduce(x), dimensions={1}",
    ]
    assert not runnable(parse("HloModule m, is_scheduled=true\ne { a = f32[] iota() }")).attributes


def test_a_fusion_is_a_call() -> None:
    fusion = "ROOT %y = f32[2]{0} fusion(%x), kind=kCustom, calls=%f, backend_config={}"
    assert rewritten(X, fusion)[-1] == "ROOT y = f32[2] call(x), to_apply=%f"


def test_a_bitcast_is_what_its_layouts_say() -> None:
    # Column-major x, seen row-major, is its transpose.
    assert rewritten(X, "ROOT %y = f32[3,2]{1,0} bitcast(%x)")[1:] == [
        "ROOT y = f32[3,2] transpose(x), dimensions={1,0}"
    ]
    assert rewritten(X, "ROOT %y = f32[6]{0} bitcast(%x)")[1:] == [
        "y.step1 = f32[3,2] transpose(x), dimensions={1,0}",
        "ROOT y = f32[6] reshape(y.step1)",
    ]


def test_copies_are_what_they_copy() -> None:
    copies = ["%y = f32[2,3]{1,0} copy(%x)", "%z = f32[2,3]{0,1} copy(%y)"]
    assert rewritten(X, *copies, "ROOT %s = f32[2,3]{1,0} add(%z, %y)")[1:] == [
        "ROOT s = f32[2,3] add(x, x)"
    ]
    assert rewritten(X, *copies, "ROOT %r = f32[2,3]{1,0} copy(%z)") == [
        "ROOT x = f32[2,3] parameter(0)"
    ]


def test_a_bitcast_goes_by_the_layout_of_the_copy() -> None:
    copy = "%y = f32[2,3]{1,0} copy(%x)"
    assert rewritten(X, copy, "ROOT %z = f32[6]{0} bitcast(%y)")[1:] == [
        "ROOT z = f32[6] reshape(x)"
    ]


def test_a_custom_call_keeps_its_layouts() -> None:
    call = (
        'custom-call(%x), custom_call_target="lapack_x", operand_layout_constraints={f32[2,3]{0,1}}'
    )
    assert rewritten(X, f"ROOT %y = f32[3,3]{{0,1}} {call}, backend_config={{a = 1 : i64}}")[
        1:
    ] == [
        'ROOT y = f32[3,3]{0,1} custom-call(x), custom_call_target="lapack_x", '
        "operand_layout_constraints={f32[2,3]{0,1}}, backend_config={a = 1 : i64}"
    ]


def test_the_largest_are_an_instruction() -> None:
    call = '(f32[2,2]{1,0}, s32[2,2]{1,0}) custom-call(%x), custom_call_target="TopK"'
    assert rewritten(X, f"ROOT %y = {call}, called_computations={{%c}}")[1:] == [
        "ROOT y = (f32[2,2], s32[2,2]) topk(x), k=2, largest=true"
    ]


@pytest.mark.parametrize(
    "instruction",
    [
        '%y = () custom-call(%x), custom_call_target="xla_ffi_python_cpu_callback"',
        '%y = u64[] custom-call(), custom_call_target="GetRngSeed"',
        "%y = u64[2]{0} rng-get-and-update-state(), delta=64",
    ],
)
def test_what_is_of_another_process(instruction: str) -> None:
    with pytest.raises(NoMeaningError, match=r"^y .* of another process"):
        rewritten(X, instruction)
