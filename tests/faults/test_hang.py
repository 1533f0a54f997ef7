"""A program that never comes to an end, with the interpreter's lock in its hand."""

from __future__ import annotations

from pathlib import Path

from tests.faults.bad_programs import Rows, build_with


def test_it_is_an_incident_and_costs_no_other_row(tmp_path: Path, harmless: Rows) -> None:
    rows, [incident] = build_with("sum(range(10**12))", tmp_path)

    assert incident == {"seed": 1, "reason": "timeout", "detail": "no answer within 5 s"}
    assert rows == {name: harmless[name] for name in ("before", "after")}
