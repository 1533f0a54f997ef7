from __future__ import annotations

import pytest

from tests.hlo_text.test_rewriting import rewritten as all_rewritten


def rewritten(instruction: str) -> list[str]:
    inputs = ("%a = f32[4] parameter(0)", "%b = f32[4] parameter(1)")
    return all_rewritten(*inputs, f"ROOT {instruction}")[2:]


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        ("mesh['x'=2,'y'=3] {'y'}", "{{0,1,2},{3,4,5}}"),
        ("mesh['x'=2,'y'=3] {'x'}", "{{0,3},{1,4},{2,5}}"),
        ("mesh['x'=2,'y'=3] {'x','y'}", "{{0,1,2,3,4,5}}"),
        ("mesh['x'=2,'y'=2], device_ids=([2,2]T(1,0)) {'x'}", "{{0,1},{2,3}}"),
        ("mesh['x'=2,'y'=2], device_ids=(3,2,1,0) {'y'}", "{{3,2},{1,0}}"),
        ("mesh['x'=4] {'x':(2)2}", "{{0,1},{2,3}}"),
        ("mesh['x'=4] {'x':(1)2}", "{{0,2},{1,3}}"),
        ("mesh['x'=2,'y'=4] {'y':(1)2,'x'}", "{{0,4,2,6},{1,5,3,7}}"),
        ("[2,3]<=[6]", "{{0,1,2},{3,4,5}}"),
        ("[3,2]<=[2,3]T(1,0)", "{{0,3},{1,4},{2,5}}"),
        ("{{0,1},{2,3}}", "{{0,1},{2,3}}"),
    ],
)
def test_groups_are_listed(written: str, groups: str) -> None:
    [found] = rewritten(f"%r = f32[8] all-gather(%a), replica_groups={written}, dimensions={{0}}")
    assert found == f"ROOT r = f32[8] all-gather(a), replica_groups={groups}, dimensions={{0}}"


def test_each_operand_is_reduced_alone() -> None:
    assert rewritten("%r = (f32[4], f32[4]) all-reduce(%a, %b), to_apply=f") == [
        "r.part0 = f32[4] all-reduce(a), to_apply=f",
        "r.part1 = f32[4] all-reduce(b), to_apply=f",
        "ROOT r = (f32[4], f32[4]) tuple(r.part0, r.part1)",
    ]


def test_an_exchange_of_a_tuple_is_one_of_slices() -> None:
    assert rewritten("%r = (f32[4], f32[4]) all-to-all(%a, %b), replica_groups={{0,1}}") == [
        "r.row0 = f32[1,4] reshape(a)",
        "r.row1 = f32[1,4] reshape(b)",
        "r.sent = f32[2,4] concatenate(r.row0, r.row1), dimensions={0}",
        "r.whole = f32[2,4] all-to-all(r.sent), replica_groups={{0,1}}, dimensions={0}",
        "r.slice0 = f32[1,4] slice(r.whole), slice={[0:1], [0:4]}",
        "r.slice1 = f32[1,4] slice(r.whole), slice={[1:2], [0:4]}",
        "r.part0 = f32[4] reshape(r.slice0)",
        "r.part1 = f32[4] reshape(r.slice1)",
        "ROOT r = (f32[4], f32[4]) tuple(r.part0, r.part1)",
    ]
