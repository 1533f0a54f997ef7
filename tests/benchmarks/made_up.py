"""Figures that nobody measured, with round numbers."""

from __future__ import annotations

from building.figures import CHECKS, Cost, Results, Round, Speed, Way


def speed(way: Way, *walls: float, cpu: float | None) -> Speed:
    """Gives a way with such a time by the clock in each round, and the same CPU time in all."""
    return Speed(way, tuple(Round(wall, cpu) for wall in walls))


def cost(config: str, milliseconds: float) -> Cost:
    """Gives a row that takes so many ms of CPU time, without its plan, and half as many more."""
    tenth = milliseconds / 10_000
    stages = {
        **dict.fromkeys(("trace", "lower", "texts", "compile"), 1.5 * tenth),
        **{"line_map": tenth, "analysis": tenth, "check": 1.5 * tenth, "driver": 0.5 * tenth},
    }
    return Cost(config, 300, 10 * tenth, 0.002, stages, 6_000.0)


def results(*further: Speed) -> Results:
    """Gives all figures: the naive script takes 200 ms of 1.5 cores, a build 100 ms of one."""
    builds = [
        speed(Way("local", workers, checks), 0.1 * (place + 1) / workers, cpu=0.1 * (place + 1))
        for place, checks in enumerate(CHECKS)
        for workers in (1, 2)
    ]
    return Results(
        machine="2 cores of a kind",
        rows=300,
        speeds=(
            speed(Way("naive"), 0.19, 0.2, 0.21, cpu=0.3),
            speed(Way("floor"), 0.05, 0.05, 0.05, cpu=0.05),
            *builds,
            *further,
        ),
        costs=(cost("hlo-1k", 98.0), cost("hlo-10k", 118.0)),
        reading={"load_dataset": 1.06, "streaming": 0.82, "streaming row by row": 0.43},
        first_row={"with its plan": 21.6, "planned before": 2.2},
    )
