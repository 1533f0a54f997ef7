"""What `card --analyze` counts, and that the card takes it for the very build it is of."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.hub.card import write_card
from jax_ir_pairs.inspect.analysis import ANALYSIS, analyze


@pytest.fixture(scope="module")
def analyzed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a copy of the small build with its analysis."""
    out = tmp_path_factory.mktemp("analyzed") / "out"
    shutil.copytree(tiny, out)
    analyze(out)
    return out


def test_everything_is_counted(analyzed: Path) -> None:
    found = json.loads((analyzed / "tiny" / ANALYSIS).read_bytes())
    manifest = json.loads((analyzed / "tiny" / "manifest.json").read_bytes())
    assert found["fingerprint"] == manifest["fingerprint"]
    assert found["coverage"]["rows"] == found["near_duplicates"]["levels"]["python"]["rows"] == 11
    assert found["statistics"]["config"] == "tiny"
    assert found["page"].startswith("# Statistics of tiny\n\n11 rows.")
    assert "Near-duplicates: python" in found["page"]
    assert len(found["plots"]) == 4
    for plot in found["plots"]:
        assert (analyzed / plot["path"]).is_file()


def test_the_card_shows_it(analyzed: Path) -> None:
    text = write_card(analyzed).read_text(encoding="utf-8")
    assert "## Coverage" in text
    assert "| primitives of JAX |" in text
    assert "near-duplicate at the level `python`" in text
    assert "## Statistics\n\n11 rows." in text
    assert "Checked by: interpreter" in text
    assert re.search(r"Executed: \d+\.\d%", text)
    assert text.count("](plots/tiny/") == 4


def test_the_card_leaves_out_what_was_counted_of_another_build(
    analyzed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(analyzed, out)
    manifest = json.loads((out / "tiny" / "manifest.json").read_bytes())
    content = json.dumps(manifest | {"fingerprint": "0" * 16})
    (out / "tiny" / "manifest.json").write_text(content, encoding="utf-8")
    text = write_card(out).read_text(encoding="utf-8")
    assert "## Coverage" not in text
    assert "## Statistics" not in text


def test_a_missing_extra_is_said_and_left_out(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(tiny, out)
    monkeypatch.setitem(sys.modules, "datasketch", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said: list[str] = []
    analyze(out, said.append)
    assert said[0] == "Counting tiny"
    assert "[near-duplicates]" in said[1]
    assert "[plots]" in said[2]
    found = json.loads((out / "tiny" / ANALYSIS).read_bytes())
    assert "near_duplicates" not in found
    assert found["plots"] == []
    assert "## Statistics" in write_card(out).read_text(encoding="utf-8")


def test_a_folder_without_a_sealed_build_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no finished build"):
        analyze(tmp_path)
