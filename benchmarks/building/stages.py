"""What extraction costs, as `docs/architecture.md` has it: by way, and stage by stage."""

from __future__ import annotations

from building.figures import CHECKS, COSTED, Results, Speed, Way
from building.pages import milliseconds, table
from building.report import name_of


def stage_tables(results: Results) -> str:
    """Gives both tables, and what has to be known to read them."""
    return "\n\n".join([_ways(results), _stages(results), _notes(results)])


def _ways(results: Results) -> str:
    builds = [Way("local", 1, checks) for checks in CHECKS]
    shown = [results.of(way) for way in (Way("naive"), Way("floor"), *builds)]
    head = ["way", "CPU ms a row", "naive's CPU / its", "wall ms a row", "naive's wall / its"]
    return table(head, [[name_of(speed.way), *_figures(speed, results.naive)] for speed in shown])


def _figures(speed: Speed, naive: Speed) -> list[str]:
    assert speed.cpu is not None
    assert naive.cpu is not None
    return [
        milliseconds(speed.cpu),
        f"{naive.cpu / speed.cpu:.2f}",
        milliseconds(speed.wall),
        f"{naive.wall / speed.wall:.2f}",
    ]


def _stages(results: Results) -> str:
    costs = results.costs
    stages = list(dict.fromkeys(stage for cost in costs for stage in cost.stages))
    return table(
        ["stage, CPU ms a row", *(f"`{cost.config}`" for cost in costs)],
        [
            *(
                [stage.replace("_", " "), *(milliseconds(cost.of(stage)) for cost in costs)]
                for stage in stages
            ),
            ["plan", *(milliseconds(cost.plan) for cost in costs)],
            ["sum", *(milliseconds(cost.total) for cost in costs)],
        ],
    )


def _notes(results: Results) -> str:
    return (
        f"The ways: medians of {results.rounds} rounds by turns over the same {results.rows:,} "
        "programs; builds with their start and seal, and a plan that is there. The stages: one "
        f"worker, checks `{COSTED}`, the first {results.costs[1].rows:,} rows of each config, "
        "without the worker's start; `driver` is synthesis, Parquet and all else outside of the "
        f"worker. On {results.machine}."
    )
