from __future__ import annotations

import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.plots import PLOTS, check_installed, draw
from jax_ir_pairs.inspect.statistics import Statistics, statistics
from jax_ir_pairs.inspect.statistics_json import as_json, from_json
from jax_ir_pairs.schema import LEVELS
from tests.inspect.shard_files import write


def settings() -> dict[str, Any]:
    """Gives matplotlib's settings but for the backend, which is chosen when it is looked at."""
    return {name: value for name, value in matplotlib.rcParams.copy().items() if name != "backend"}


def test_the_pictures_are_small_and_the_same_each_time(
    sample: Statistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import of it would fail
    before = settings()
    with matplotlib.rc_context({"font.size": 20, "figure.facecolor": "black"}):
        paths = draw(sample, tmp_path / "new" / "one")
    again = draw(from_json(as_json(sample)), tmp_path / "two")
    assert settings() == before
    assert [path.name for path in paths] == [f"{name}.png" for name in PLOTS]
    for path, other in zip(paths, again, strict=True):
        content = path.read_bytes()
        assert content == other.read_bytes()
        assert content.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", content[16:24])
        assert 600 <= width <= 1200
        assert 400 <= height <= 1300
        assert len(content) < 150_000
        assert b"tEXt" not in content, "a version or a date is in it"


def test_the_least_build_can_be_drawn(tmp_path: Path) -> None:
    write(tmp_path / "mine", "train", [{}])
    found = statistics(find_config(tmp_path / "mine"))
    assert found.optimization.cells == ()
    assert len(draw(found, tmp_path / "plots")) == len(PLOTS)


def test_each_plot_shows_its_counts(sample: Statistics) -> None:
    few = replace(
        sample,
        primitives={f"p{number}": 50 - number for number in range(50)},
        families={"one": 75, "two": 25},
        transforms={"none": 80, "vmap": 20},
        family_transforms={"one": {"none": 75}, "two": {"none": 5, "vmap": 20}},
        optimization=replace(sample.optimization, cells=((80, 88, 7), (96, 72, 3))),
    )
    bars: Any
    (bars,) = PLOTS["primitives"](few).axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [f"p{n}" for n in range(40)]
    assert [bar.get_width() for bar in bars.patches] == [50 - number for number in range(40)]

    (heat,) = PLOTS["family_transform"](few).axes
    assert [text.get_text() for text in heat.texts] == ["100", "20", "80"]

    density: Any = PLOTS["optimization"](few).axes[0].collections[0].get_array()
    assert sorted(density.compressed()) == [3, 7]

    panels: Any = PLOTS["lengths"](few).axes
    for panel, level in zip(panels, LEVELS, strict=True):
        (steps,) = panel.patches
        assert panel.get_ylabel() == level
        assert steps.get_data().values.sum() == pytest.approx(1)


def test_without_matplotlib_the_extra_is_named(
    sample: Statistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for attempt in (check_installed, lambda: draw(sample, tmp_path / "plots")):
        with pytest.raises(UsageError, match=r"pip install 'jax-ir-pairs\[plots\]'"):
            attempt()
    assert not (tmp_path / "plots").exists()
