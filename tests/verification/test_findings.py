from __future__ import annotations

import json

from jax_ir_pairs.verification.findings import Finding, Report, difference


def test_findings_are_counted_and_the_first_are_kept() -> None:
    report = Report()
    report.add(Finding("id", f"row {number}", "id") for number in range(3000))
    assert report.counts["id"] == 3000
    assert len(report.findings["id"]) == 1000
    assert json.loads(report.as_json())["counts"] == {"id": 3000}


def test_a_difference_is_that_of_the_first_line() -> None:
    assert difference("a\nb\nc", "a\nx\nc") == ("line 2: b", "line 2: x")
    assert difference("a\n", "a\nb\n") == ("line 2: ", "line 2: b")
    assert difference(["a"], ["b"]) == ("['a']", "['b']")
    assert len(difference("a" * 5000, "b")[0]) < 250
