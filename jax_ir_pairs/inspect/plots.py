"""Statistics as pictures; each is drawn from a [`Statistics`][] alone, the same bytes each time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.row_counts import CELLS
from jax_ir_pairs.inspect.statistics import Statistics
from jax_ir_pairs.inspect.statistics_view import readable_bytes
from jax_ir_pairs.schema import LEVELS

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.figure import Figure

_DPI = 120
_INK, _FAINT, _COLOR = "#1f2328", "#d0d7de", "#0969da"
_MOST_PRIMITIVES = 40
_BINS = 4
"""Bars of a length for each doubling of it."""
_DOUBLINGS = 4
"""The least range of an axis, so that a power of ten is on it."""

_STYLE: Any = {  # the names of settings are a type of matplotlib's own
    "font.size": 10,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def check_installed() -> None:
    """Raises [`UsageError`][] where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UsageError("Plots need matplotlib: pip install 'jax-ir-pairs[plots]'.") from None


def draw(statistics: Statistics, folder: Path) -> list[Path]:
    """Draws all plots as PNG files into `folder`, which is made, and gives their paths.

    **Raises:** [`UsageError`][] where matplotlib is not installed.
    """
    check_installed()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, plot in PLOTS.items():
        path = folder / f"{name}.png"
        with _style():
            figure = plot(statistics)
            # The version of matplotlib, which it would note, is left out.
            figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})
        paths.append(path)
    return paths


def lengths(statistics: Statistics) -> Figure:
    """Draws how long the texts of each level are."""
    found = {level: statistics.texts[level].bytes for level in LEVELS}
    present = [of for of in found.values() if of.count] or list(found.values())
    first = math.floor(_BINS * math.log2(max(min(of.least for of in present), 1)))
    last = math.ceil(_BINS * math.log2(max(max(of.greatest for of in present), 2))) + 1
    last = max(last, first + _BINS * _DOUBLINGS)
    edges = 2 ** (np.arange(first, last + 1) / _BINS)
    figure = _figure(8, 5.2)
    rows = figure.subplots(len(found), 1, sharex=True)
    for axes, (level, of) in zip(rows, found.items(), strict=True):
        shares, _ = np.histogram(of.values, edges, weights=np.divide(of.counts, max(of.count, 1)))
        axes.stairs(shares, edges, fill=True, color=_COLOR, alpha=0.85)
        axes.set_xscale("log")
        axes.set_yticks([])
        axes.set_ylim(0, 1.3 * max(shares.max(initial=0), 0.01))  # the median's name has its place
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(level, rotation=0, ha="right", va="center")
        axes.tick_params(axis="x", which="both", length=0)
        axes.grid(axis="x", color=_FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        if median := of.percentile(50):
            axes.axvline(median, color=_INK, linewidth=1.2)
            axes.annotate(
                f"median {readable_bytes(median)}",
                (median, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, 0),
                textcoords="offset points",
                va="top",
                fontsize=9,
            )
    rows[-1].set_xlim(edges[0], edges[-1])
    _bytes_axis(rows[-1].xaxis)
    rows[-1].set_xlabel("bytes of the text; the height is the share of rows")
    _title(figure, statistics, "how long the texts are")
    return figure


def primitives(statistics: Statistics) -> Figure:
    """Draws how many rows have each of the most frequent primitives."""
    top = list(statistics.primitives.items())[:_MOST_PRIMITIVES]
    shares = [100 * count / max(statistics.rows, 1) for _, count in top]
    figure = _figure(8, 1.2 + 0.19 * max(len(top), 10))
    axes = figure.subplots()
    axes.barh(range(len(top)), shares, color=_COLOR, height=0.75)
    axes.set_yticks(range(len(top)), [name for name, _ in top], fontsize=9)
    axes.set_ylim(len(top) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the rows")
    number = len(statistics.primitives)
    _title(figure, statistics, f"the {len(top)} most frequent of {number} primitives")
    return figure


def family_transform(statistics: Statistics) -> Figure:
    """Draws the share of each family's rows that have each transformation."""
    names, families = list(statistics.transforms), list(statistics.families)
    shares = np.zeros((len(families), len(names)))
    for row, family in enumerate(families):
        for column, name in enumerate(names):
            rows = statistics.family_transforms[family].get(name, 0)
            shares[row, column] = 100 * rows / statistics.families[family]
    figure = _figure(8.5, 1.9 + 0.24 * max(len(families), 5))
    axes = figure.subplots()
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=100, edgecolors="white", linewidth=1)
    for (row, column), share in np.ndenumerate(shares):
        if share > 0:
            text = f"{math.floor(share + 0.5)}" if share >= 0.5 else "·"
            color = "white" if share > 55 else _INK
            axes.text(
                column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=color
            )
    axes.set_xticks(
        np.arange(len(names)) + 0.5, names, rotation=40, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(np.arange(len(families)) + 0.5, families)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _title(figure, statistics, "% of a family's rows with a transformation (· under 0.5)")
    return figure


def optimization(statistics: Statistics) -> Figure:
    """Draws the sizes of the modules before and after optimization against each other."""
    cells = np.array(statistics.optimization.cells or ((0, 0, 0),), dtype=np.int64)
    before, after, rows = cells.T
    least = int(np.min(cells[:, :2]))
    number = max(int(np.max(cells[:, :2])) + 1 - least, CELLS * _DOUBLINGS)
    density = np.zeros((number, number))
    density[after - least, before - least] = rows
    edges = 2.0 ** (np.arange(least, least + number + 1) / CELLS)
    figure = _figure(8, 6.4)
    axes = figure.subplots()
    most = max(int(np.max(density)), 2)
    image = axes.pcolormesh(
        edges, edges, np.ma.masked_equal(density, 0), cmap=_blues(), norm=_log_norm(most)
    )
    ends = edges[[0, -1]]
    axes.plot(ends, ends, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        "same size",
        (0.85, 0.84),
        xycoords="axes fraction",
        xytext=(2, -4),
        textcoords="offset points",
        va="top",
        fontsize=9,
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(edges[0], edges[-1])
    axes.set_aspect("equal")
    _bytes_axis(axes.xaxis)
    _bytes_axis(axes.yaxis)
    axes.grid(color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("bytes of hlo")
    axes.set_ylabel("bytes of optimized_hlo")
    tens = [10**power for power in range(len(str(most)))]
    ticks = [*(rows for rows in tens if 1.5 * rows < most), most]
    bar = figure.colorbar(image, ax=axes, label="rows", shrink=0.8, format="%d", ticks=ticks)
    bar.ax.minorticks_off()
    _title(figure, statistics, "size of the module before and after optimization")
    return figure


PLOTS: Mapping[str, Callable[[Statistics], Figure]] = {
    "lengths": lengths,
    "primitives": primitives,
    "family_transform": family_transform,
    "optimization": optimization,
}
"""The plots by the name of their file."""


@contextmanager
def _style() -> Iterator[None]:
    """Draws with settings of our own, whatever the user's are, and leaves those as they were."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # not pyplot, which keeps figures and picks a window

    return Figure(figsize=(width, height), layout="constrained")


def _title(figure: Figure, statistics: Statistics, text: str) -> None:
    title = f"{statistics.config}, {statistics.rows:,} rows: {text}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")


def _bytes_axis(axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(base=10))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda size, _: readable_bytes(size).replace(".0", "")))


def _log_norm(most: int) -> LogNorm:
    from matplotlib.colors import LogNorm

    return LogNorm(1, most)


def _blues() -> ListedColormap:
    """Gives blues of which the lightest can be told from the background."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["Blues"](np.linspace(0.25, 1, 256)))
