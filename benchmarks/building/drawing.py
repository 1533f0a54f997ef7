"""What was measured as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from building.figures import COSTED, Results, Speed

_INK, _NAIVE = "#1f2328", "#8c959f"
_BY_WORKERS = ("#80b3f0", "#0969da")
_PARTS = {"JAX and XLA": "#8250df", "checks": "#bf8700", "all else": "#1a7f37"}


def draw(results: Results, path: Path) -> None:
    """Draws speeds, CPU time, and where that goes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained", facecolor="white")
    speeds, times, parts = figure.subplots(1, 3, width_ratios=[4, 3, 3])
    builds = [speed for speed in results.speeds if speed.way.is_build]
    _draw_speeds(speeds, results.naive, builds)
    _draw_times(times, results.naive, builds)
    _draw_parts(parts, results)
    for axes in (speeds, times, parts):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, colors=_INK)
        axes.title.set(fontsize=10, color=_INK)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


def _draw_speeds(axes: Any, naive: Speed, builds: Sequence[Speed]) -> None:
    """A bar for each way, those of several workers side by side."""
    names = ["naive", *dict.fromkeys(map(_name, builds))]
    widest = max(speed.way.workers for speed in builds)
    width = 0.8 / widest
    _label(axes, axes.bar([0], [1 / naive.wall], width, color=_NAIVE))
    for workers in range(1, widest + 1):
        shown = [speed for speed in builds if speed.way.workers == workers]
        offset = (workers - (widest + 1) / 2) * width
        places = [names.index(_name(speed)) + offset for speed in shown]
        _label(
            axes,
            axes.bar(
                places,
                [1 / speed.wall for speed in shown],
                width,
                color=_BY_WORKERS[(workers - 1) % len(_BY_WORKERS)],
                label=f"{workers} worker{'s' if workers > 1 else ''}",
            ),
        )
    axes.set_xticks(range(len(names)), names)
    axes.margins(y=0.12)
    axes.set_title("rows a second, by checks")
    axes.legend(frameon=False, fontsize=8)


def _draw_times(axes: Any, naive: Speed, builds: Sequence[Speed]) -> None:
    shown = [naive, *(speed for speed in builds if speed.way.workers == 1 and speed.cpu)]
    bars = axes.bar(
        ["naive", *map(_name, shown[1:])],
        [1e3 * (speed.cpu or 0) for speed in shown],
        0.6,
        color=[_NAIVE, *[_BY_WORKERS[0]] * (len(shown) - 1)],
    )
    _label(axes, bars, "%.0f")
    axes.margins(y=0.12)
    axes.set_title("CPU ms of a row, 1 worker")


def _draw_parts(axes: Any, results: Results) -> None:
    names = [cost.config for cost in results.costs]
    bottom = [0.0 for _ in names]
    for part, color in _PARTS.items():
        heights = [
            1e3 * {"JAX and XLA": cost.compiler, "checks": cost.check, "all else": cost.own}[part]
            for cost in results.costs
        ]
        bars = axes.bar(names, heights, 0.6, bottom=bottom, label=part, color=color)
        axes.bar_label(bars, fmt="%.0f", color="white", fontsize=8, label_type="center")
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    axes.set_ylim(0, 1.35 * max(bottom))
    axes.set_title(f"where they go, checks: {COSTED}")
    axes.legend(frameon=False, fontsize=8, ncols=1, reverse=True, loc="upper left")


def _name(speed: Speed) -> str:
    return speed.way.checks if speed.way.engine == "local" else f"{speed.way.checks},\nRay"


def _label(axes: Any, bars: Any, form: str = "%.1f") -> None:
    axes.bar_label(bars, fmt=form, color=_INK, fontsize=8)
