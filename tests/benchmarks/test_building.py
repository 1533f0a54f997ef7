"""Tables, estimates and the picture of benchmarks/build.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from build import PAGES, read_results
from building import drawing, pages, report, scaling, stages
from building.figures import CHECKS, Round, Speed, Way, from_json
from building.speed import turns, ways
from tests.benchmarks import made_up

ROOT = Path(__file__).parents[2]
RAY = made_up.speed(Way("ray", 1, "texts"), 0.4, 0.4, 0.4, cpu=None)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_the_tables_of_the_figures(page: str) -> None:
    """`python benchmarks/build.py --draw` writes them where only their words are others."""
    text = (ROOT / page).read_text(encoding="utf-8")
    tables = PAGES[page](read_results())
    assert pages.with_region(text, tables) == text
    assert tables in text


def test_only_what_is_between_the_marks_is_replaced() -> None:
    begin, end = "<!-- benchmarks/build.py writes this -->", "<!-- and no more -->"
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    assert pages.with_region(page, "new") == f"before\n{begin}\nnew\n{end}\nafter\n"
    with pytest.raises(ValueError, match="has no place for it"):
        pages.with_region("before\n", "new")


def test_a_table() -> None:
    assert pages.table(["", "a"], [["b", "1"], ["c", ""]]) == (
        "| | a |\n|---|---:|\n| b | 1 |\n| c | |"
    )


def test_figures_come_out_of_a_file_as_they_went_in() -> None:
    results = made_up.results(RAY)
    assert from_json(json.loads(json.dumps(asdict(results)))) == results


def test_a_speed_is_the_median_of_its_rounds() -> None:
    speed = Speed(Way("naive"), (Round(0.1, 0.2), Round(0.4, 0.4), Round(0.2, 0.3)))
    assert (speed.wall, speed.cpu) == (0.2, 0.3)
    assert speed.spread == pytest.approx(1.5)
    assert speed.cores == pytest.approx(1.5)


def test_the_cpu_time_of_others_is_unknown() -> None:
    assert RAY.cpu is None
    assert RAY.cores is None


def test_each_round_has_all_and_begins_elsewhere() -> None:
    found = list(turns("abcdef", 3))
    assert found == [
        *((0, each) for each in "abcdef"),
        *((1, each) for each in "cdefab"),
        *((2, each) for each in "efabcd"),
    ]


def test_the_ways_are_the_scripts_and_a_build_by_each_of_the_checks() -> None:
    found = ways(with_ray=False)
    assert found[:2] == (Way("naive"), Way("floor"))
    assert [way.checks for way in found[2:]] == [each for each in CHECKS for _ in range(2)]
    assert set(ways(with_ray=True)) - set(found) == {Way("ray", 1, "texts"), Way("ray", 2, "texts")}


def test_builds_stand_beside_the_naive_script() -> None:
    lines = report.speed_tables(made_up.results(RAY)).splitlines()
    assert "| naive script | 5.00 | 1 | 300 | 1 |" in lines
    assert "| `none`, 1 worker | 10.00 | 2.00 | 100 | 3.00 |" in lines
    assert "| `texts`, 2 workers | 10.00 | 2.00 | 200 | 1.50 |" in lines
    assert "| `texts` by Ray, 1 worker | 2.50 | 0.50 | | |" in lines
    assert not any(line.startswith("| floor") for line in lines)


def test_a_row_has_its_checks_beside_all_else() -> None:
    lines = report.speed_tables(made_up.results()).splitlines()
    assert "| CPU ms, plan included | 100 | 120 |" in lines
    # 15 % of 98 ms and of 118 ms, and 15 % of these and the plan's 2 ms.
    assert "| of it checks, and as a share of all else | 14.7 (17.2%) | 17.7 (17.3%) |" in lines
    assert "| of it outside JAX, XLA and the interpreter | 16.7 (16.7%) | 19.7 (16.4%) |" in lines


def test_the_notes_say_how_it_was_measured() -> None:
    notes = report.speed_tables(made_up.results())
    assert (
        "Medians of 3 rounds in which all take turns; those of one way lie up to 10% apart" in notes
    )
    assert "its start left out, and alone keeps 1.5 cores busy" in notes
    assert "grows by 3.0% of a row" in notes


def test_stages_add_up() -> None:
    lines = stages.stage_tables(made_up.results()).splitlines()
    assert "| floor | 50.0 | 6.00 | 50.0 | 4.00 |" in lines
    start = lines.index("| stage, CPU ms a row | `hlo-1k` | `hlo-10k` |")
    figures = [[float(cell) for cell in line.split("|")[2:4]] for line in lines[start + 2 : -2]]
    *parts, total = figures
    assert [sum(part) for part in zip(*parts, strict=True)] == pytest.approx(total)


def test_stages_are_shares_of_cpu_time_by_the_clock() -> None:
    cost = made_up.cost("hlo-1k", 98.0)
    assert cost.of("trace") == pytest.approx(0.0147)
    assert cost.compiler + cost.check + cost.own == pytest.approx(cost.total)
    assert cost.of("no such stage") == 0


def test_an_estimate() -> None:
    found = scaling.estimate(36_000_000, seconds_per_row=0.25, bytes_per_row=6_500.0)
    assert found.core_hours == 2_500
    assert found.dollars == pytest.approx(2_500 * scaling.DOLLARS_PER_CORE_HOUR)
    assert found.days_on_cores == pytest.approx(2_500 / scaling.CORES / 24)
    assert found.gigabytes == pytest.approx(234)


def test_estimates_are_of_the_large_config() -> None:
    lines = scaling.size_table(made_up.results()).splitlines()
    assert "| 1,000,000,000 | 33,333 | 1.4 days | $1,333 | 6,000 GB |" in lines


@pytest.mark.parametrize("further", [(), (RAY,)])
def test_the_picture_has_all_ways(tmp_path: Path, further: tuple[Speed, ...]) -> None:
    drawing.draw(made_up.results(*further), tmp_path / "build.png")
    assert (tmp_path / "build.png").read_bytes().startswith(b"\x89PNG")
