"""What was measured, as the README has it: builds beside the naive script, and what a row costs."""

from __future__ import annotations

from building.figures import COSTED, Cost, Results, Speed, Way
from building.pages import milliseconds, table


def speed_tables(results: Results) -> str:
    """Gives both tables, and what has to be known to read them."""
    return "\n\n".join([_builds(results), _costs(results), _notes(results)])


def name_of(way: Way) -> str:
    """Gives a way as the tables call it."""
    if not way.is_build:
        return "naive script" if way.engine == "naive" else way.engine
    engine = " by Ray" if way.engine == "ray" else ""
    return f"`{way.checks}`{engine}, {way.workers} worker{'s' if way.workers > 1 else ''}"


def _builds(results: Results) -> str:
    head = ["builds by `checks`", "rows/s", "times naive", "CPU ms a row", "naive's CPU / ours"]
    naive = results.naive
    shown = [naive, *(speed for speed in results.speeds if speed.way.is_build)]
    return table(head, [[name_of(speed.way), *_figures(speed, naive)] for speed in shown])


def _figures(speed: Speed, naive: Speed) -> list[str]:
    times = "1" if speed == naive else f"{naive.wall / speed.wall:.2f}"
    if speed.cpu is None or naive.cpu is None:
        return [f"{1 / speed.wall:.2f}", times, "", ""]
    times_by_cpu = "1" if speed == naive else f"{naive.cpu / speed.cpu:.2f}"
    return [f"{1 / speed.wall:.2f}", times, milliseconds(speed.cpu), times_by_cpu]


def _costs(results: Results) -> str:
    costs = results.costs
    return table(
        [f"a row with checks `{COSTED}`", *(f"`{cost.config}`" for cost in costs)],
        [
            ["CPU ms, plan included", *(milliseconds(cost.total) for cost in costs)],
            ["of it checks, and as a share of all else", *map(_check, costs)],
            ["of it outside JAX, XLA and the interpreter", *map(_own, costs)],
        ],
    )


def _check(cost: Cost) -> str:
    return f"{milliseconds(cost.check)} ({cost.check / (cost.total - cost.check):.1%})"


def _own(cost: Cost) -> str:
    return f"{milliseconds(cost.own)} ({cost.own / cost.total:.1%})"


def _notes(results: Results) -> str:
    reading, first = results.reading, results.first_row
    small, large = results.costs
    cores = results.naive.cores
    busy = "" if cores is None else f", and alone keeps {cores:.1f} cores busy"
    # What JAX takes is of other programs; only the rest can grow with the number of rows.
    growth = (large.own - small.own) / small.total
    spread = max(speed.spread for speed in results.speeds)
    return (
        f"Medians of {results.rounds} rounds in which all take turns; those of one way lie up to "
        f"{spread:.0%} apart. A build makes {results.rows:,} rows by the recipe of `hlo-10k`, the "
        "start of its workers and its seal included. The naive script takes the same programs, its "
        f"start left out{busy}. Costs are of the first {large.rows:,} rows of each config, which "
        f"are other programs; what is outside of JAX grows by {growth:.1%} of a row. "
        f"On {results.machine}.\n\n"
        f"First row of `hlo-10k` after {first['with its plan']:.1f} s, or "
        f"{first['planned before']:.1f} s where its plan is there. Reading in batches of 100, as a "
        f"share of plain pyarrow's speed: `load_dataset` {reading['load_dataset']:.2f}, streaming "
        f"{reading['streaming']:.2f}, and {reading['streaming row by row']:.2f} row by row."
    )
