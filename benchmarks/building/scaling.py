"""What larger builds cost, from what a small one was measured to."""

from __future__ import annotations

from dataclasses import dataclass

from building.figures import COSTED, Results
from building.pages import table

SIZES = (1_000_000, 100_000_000, 1_000_000_000)
CORES = 1_000
DOLLARS_PER_CORE_HOUR = 0.04
"""An assumption: about what clouds ask on demand. Preemptible cores cost a third of it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a build of so many rows takes."""

    rows: int
    core_hours: float
    dollars: float
    days_on_cores: float
    """On `CORES` cores that have nothing else to do."""
    gigabytes: float


def estimate(rows: int, seconds_per_row: float, bytes_per_row: float) -> Estimate:
    """Gives what `rows` cost where each costs what those measured did, in seconds of a core."""
    core_hours = rows * seconds_per_row / 3600
    return Estimate(
        rows=rows,
        core_hours=core_hours,
        dollars=core_hours * DOLLARS_PER_CORE_HOUR,
        days_on_cores=core_hours / CORES / 24,
        gigabytes=rows * bytes_per_row / 1e9,
    )


def size_table(results: Results) -> str:
    """Gives the estimates of all sizes in Markdown."""
    large = results.costs[1]
    price = f"at ${DOLLARS_PER_CORE_HOUR:.2f} a core hour"
    found = [estimate(rows, large.total, large.bytes) for rows in SIZES]
    sizes = table(
        ["rows", "core hours", f"on {CORES:,} cores", price, "files"],
        [
            [
                f"{size.rows:,}",
                f"{size.core_hours:,.0f}",
                _wall(size.days_on_cores),
                f"${size.dollars:,.0f}",
                f"{size.gigabytes:,.0f} GB",
            ]
            for size in found
        ],
        first="---:",
    )
    return (
        f"{sizes}\n\nFrom {large.total:.3f} s of a core, {1e3 * large.plan:.1f} ms of them for the "
        f"plan, and {large.bytes:,.0f} bytes a row: {large.rows:,} rows of `{large.config}` with "
        f"checks `{COSTED}` on {results.machine}."
    )


def _wall(days: float) -> str:
    return f"{days:,.1f} days" if days >= 1 else f"{days * 24 * 60:,.0f} minutes"
