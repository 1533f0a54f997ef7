"""What was measured as a table and as a picture, and both where they belong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jax_ir_pairs.atomic import replace_text

_BEGIN = "<!-- benchmarks/build.py writes this -->"
_END = "<!-- and no more -->"
_INK, _COLORS = "#1f2328", {"local": "#0969da", "ray": "#bf8700", "naive script": "#8c959f"}


def with_region(page: str, content: str) -> str:
    """Gives the text of a page with `content` between its two marks.

    **Raises:** ValueError where the marks are not there.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError("the page has no place for it")
    return f"{before}{begin}\n{content}\n{end}{after}"


def write_region(path: Path, content: str) -> None:
    """Replaces what is between the two marks of a page."""
    replace_text(path, with_region(path.read_text(encoding="utf-8"), content))


def table(results: Mapping[str, Any]) -> str:
    """Gives the figures in Markdown."""
    naive = results["naive_rows_per_second"]
    lines = ["| | rows/s | times naive |", "|---|---:|---:|", f"| naive script | {naive:.2f} | 1 |"]
    for build in results["builds"]:
        speed, number = build["rows_per_second"], build["workers"]
        workers = f"{number} worker{'s' if number > 1 else ''}"
        lines.append(f"| `{build['engine']}`, {workers} | {speed:.2f} | {speed / naive:.2f} |")
    small, large = results["costs"]
    shares = [
        (cost["other"] + cost["plan"]) / (_spent(cost) + cost["plan"]) for cost in (small, large)
    ]
    checks = [cost["check"] / (_spent(cost) - cost["check"]) for cost in (small, large)]
    # Shares of wall time, which whatever else runs stretches alike, of CPU time.
    other = [1e3 * share * _all(cost) for share, cost in zip(shares, (small, large), strict=True)]
    # What JAX takes is of other programs in the two; only the rest can grow with their number.
    growth = (other[1] - other[0]) / (1e3 * _all(small))
    first, reading = results["seconds_to_first_row"], results["reading"]
    return "\n".join(
        [
            *lines,
            "",
            f"| | `{small['config']}` | `{large['config']}` |",
            "|---|---:|---:|",
            f"| CPU ms a row, plan included | {1e3 * _all(small):.0f} | {1e3 * _all(large):.0f} |",
            f"| ms of it outside JAX and XLA | {other[0]:.1f} | {other[1]:.1f} ({growth:+.1%}) |",
            f"| share outside JAX and XLA | {shares[0]:.1%} | {shares[1]:.1%} |",
            f"| checks by execution, on top of all else | {checks[0]:.1%} | {checks[1]:.1%} |",
            "",
            "In brackets: how much more a row of the larger config costs, but for JAX and XLA, "
            "whose part is that of other programs. "
            f"First row of `hlo-10k` after {first['with its plan']:.1f} s, or "
            f"{first['planned before']:.1f} s where its plan is there. Reading in batches of 100, "
            f"as a share of plain pyarrow's speed: `load_dataset` {reading['load_dataset']:.2f}, "
            f"streaming {reading['streaming']:.2f}, and {reading['streaming row by row']:.2f} row "
            f"by row. {results['rows']:,} rows of `hlo-10k` a build, start and seal included, on "
            f"{results['machine']}.",
        ]
    )


def _all(cost: Mapping[str, float]) -> float:
    return cost["cpu"] + cost["plan"]


def _spent(cost: Mapping[str, float]) -> float:
    return cost["compiler"] + cost["check"] + cost["other"]


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draws rows a second of each way, and where the time of a row goes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained", facecolor="white")
    speeds, times = figure.subplots(1, 2)
    bars = [("naive script", "naive script", results["naive_rows_per_second"])]
    for build in results["builds"]:
        name = f"{build['engine']}, {build['workers']}"
        bars.append((build["engine"], name, build["rows_per_second"]))
    names = [name for _, name, _ in bars]
    drawn = speeds.bar(
        names, [speed for *_, speed in bars], color=[_COLORS[way] for way, *_ in bars]
    )
    speeds.bar_label(drawn, fmt="%.1f", color=_INK)
    speeds.set_title("rows a second, by engine and workers", fontsize=10, color=_INK)
    speeds.tick_params("x", labelrotation=30)
    left = [0.0, 0.0]
    configs = [cost["config"] for cost in results["costs"]]
    for part, name in (("compiler", "JAX and XLA"), ("check", "checks"), ("other", "all else")):
        widths = [1e3 * cost[part] for cost in results["costs"]]
        times.barh(configs, widths, left=left, label=name)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    times.set_title("milliseconds of a row, one worker", fontsize=10, color=_INK)
    figure.legend(loc="outside lower right", ncols=3, frameon=False, fontsize=8)
    for axes in (speeds, times):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
