from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from likeness.novelty import novelty
from likeness.report import Line, Report


def test_the_table_and_the_file_have_the_same_figures(tmp_path: Path) -> None:
    report = Report({"rows": 3})
    report.add("Style", [Line("if", 0.125, 0.5, aim="≥ 25 %", unit="share")])
    report.add("Style", [Line("bits", 1.25), Line("rows", 1200, other="some")])
    shown = io.StringIO()
    report.show(Console(file=shown, width=120))
    for text in ("12.5 %", "50.0 %", "≥ 25 %", "1.2500", "1,200", "some"):
        assert text in shown.getvalue()
    report.write(tmp_path / "figures.json")
    assert json.loads((tmp_path / "figures.json").read_text()) == {
        "rows": 3,
        "Style": {
            "if": {"ours": 0.125, "real": 0.5},
            "bits": {"ours": 1.25},
            "rows": {"ours": 1200, "real functions alone": "some"},
        },
    }


def test_the_last_tenth_is_new_where_nothing_like_it_was_before() -> None:
    same = [list("abcdefghij")] * 10
    assert novelty(same) == 0
    assert novelty([*same[:9], list("klmnopqrst")]) == 1
    assert novelty([*same[:9], list("abcdefghix")]) == 1 / 3
    assert novelty([]) == 0
