"""Tables and estimates of benchmarks/build.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from building import report, scaling

ROOT = Path(__file__).parents[2]
RESULTS: dict[str, Any] = json.loads(
    (ROOT / "benchmarks" / "results" / "build.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("page", "table"), [("README.md", report.table), ("docs/scaling.md", scaling.table)]
)
def test_the_page_has_the_table_of_the_figures(page: str, table: Any) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert report.with_region(text, table(RESULTS)) == text
    assert table(RESULTS) in text


def test_only_what_is_between_the_marks_is_replaced() -> None:
    begin, end = "<!-- benchmarks/build.py writes this -->", "<!-- and no more -->"
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    assert report.with_region(page, "new") == f"before\n{begin}\nnew\n{end}\nafter\n"
    with pytest.raises(ValueError, match="has no place for it"):
        report.with_region("before\n", "new")


def test_an_estimate() -> None:
    found = scaling.estimate(36_000_000, seconds_per_row=0.25, bytes_per_row=6_500.0)
    assert found.core_hours == 2_500
    assert found.dollars == pytest.approx(2_500 * scaling.DOLLARS_PER_CORE_HOUR)
    assert found.days_on_cores == pytest.approx(2_500 / scaling.CORES / 24)
    assert found.gigabytes == pytest.approx(234)


def test_the_picture_has_all_ways(tmp_path: Path) -> None:
    report.draw(RESULTS, tmp_path / "build.png")
    assert (tmp_path / "build.png").read_bytes().startswith(b"\x89PNG")
