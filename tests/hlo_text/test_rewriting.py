from __future__ import annotations

import pytest

from jax_ir_pairs.hlo_text.rewriting import NoMeaningError, runnable


def rewritten(*instructions: str) -> list[str]:
    """Gives the instructions that those of an entry become."""
    body = "\n".join(f"  {each}" for each in instructions)
    text = runnable(f"HloModule m, is_scheduled=true\n\nENTRY %e {{\n{body}\n}}\n")
    begin = text.index("{\n") + 2
    return [line.strip() for line in text[begin : text.index("\n}")].split("\n")]


X = "%x = f32[2,3]{0,1} parameter(0)"


def test_how_and_when_are_dropped() -> None:
    attributes = 'control-predecessors={%x}, metadata={op_name="}"}, backend_config={"a":1}'
    assert rewritten(X, f"ROOT %y = f32[2]{{0}} reduce(%x), dimensions={{1}}, {attributes}") == [
        "%x = f32[2,3] parameter(0)",
        "ROOT %y = f32[2] reduce(%x), dimensions={1}",
    ]
    heads = "HloModule m, is_scheduled=true, num_partitions=2\n\n%f (a: f32[2]{0}) -> f32[2]{0} {\n"
    text = runnable(heads + '  ROOT %a = f32[2]{0} parameter(0)\n}, execution_thread="main"\n')
    assert text.startswith("HloModule m\n\n%f (a: f32[2]) -> f32[2] {\n")
    assert text.endswith("}\n")


def test_what_nests_is_dropped_as_a_whole() -> None:
    attributes = "output_to_operand_aliasing={{0}: (0, {})}, sharding={{devices=[2]<=[2]}, {}}"
    rule = 'frontend_attributes={a="([i, j])->([k], {i=1}, custom)"}'
    assert rewritten(X, f"ROOT %y = f32[2,3]{{1,0}} negate(%x), {attributes}, {rule}")[1:] == [
        "ROOT %y = f32[2,3] negate(%x)"
    ]


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
    same = rewritten("%x = f32[6]{0} parameter(0)", "ROOT %y = f32[6]{0} bitcast(%x)")[1:]
    assert same == ["ROOT y = f32[6] copy(x)"]


def test_a_bitcast_goes_by_the_layout_of_the_copy() -> None:
    copy = "%y = f32[2,3]{1,0} copy(%x)"
    assert rewritten(X, copy, "ROOT %z = f32[6]{0} bitcast(%y)")[1:] == [
        "%y = f32[2,3] copy(%x)",
        "ROOT z = f32[6] reshape(y)",
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


def test_names_are_of_one_computation() -> None:
    other = "%f {\n  ROOT %x = f32[6]{0} parameter(0)\n}\n\n"
    body = f"  {X}\n  ROOT %y = f32[6]{{0}} bitcast(%x)\n"
    text = runnable(f"HloModule m\n\n{other}ENTRY %e {{\n{body}}}\n")
    assert "transpose(x)" in text
    with pytest.raises(KeyError):
        rewritten("ROOT %y = f32[6]{0} bitcast(%x)")


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
