from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

from jax_ir_pairs.browse.page import served_page, write_html
from jax_ir_pairs.browse.rows import FolderRows
from jax_ir_pairs.errors import BuildError
from tests.browse.conftest import HOSTILE

ASSETS = Path(__file__).parent.parent.parent / "jax_ir_pairs" / "browse" / "assets"


def blocks(path: Path) -> dict[str, str]:
    found = re.findall(r'<script type="text/plain" id="([^"]*)">([^<]*)</script>', path.read_text())
    return dict(found)


def test_a_file_has_the_rows_that_were_asked_for(sample: FolderRows, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert write_html(sample, path, 3) == 3
    found = blocks(path)
    assert list(found) == ["index", "row-0", "row-1", "row-2"]
    content = {k: json.loads(gzip.decompress(base64.b64decode(v))) for k, v in found.items()}
    assert content["index"]["id"] == sample.index.id[:3]
    assert len(content["index"]["named"]["primitives"]["codes"]) == 3
    assert content["row-2"] == sample.row(2)


def test_a_file_is_the_same_each_time(sample: FolderRows, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_html(sample, tmp_path / name, 2)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_file_asks_for_nothing(sample: FolderRows, tmp_path: Path) -> None:
    write_html(sample, tmp_path / "page.html", 1)
    text = (tmp_path / "page.html").read_text()
    assert "connect-src &#39;none&#39;" in text
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "sourceMappingURL" not in text


def test_no_text_of_a_row_is_in_a_file_as_it_is(special: FolderRows, tmp_path: Path) -> None:
    write_html(special, tmp_path / "page.html", 2)
    text = (tmp_path / "page.html").read_text()
    assert HOSTILE not in text
    assert "onerror" not in text


def test_a_title_is_text() -> None:
    assert HOSTILE not in served_page(HOSTILE).html


def test_a_file_that_cannot_be_written(sample: FolderRows, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"give --html another place\.$"):
        write_html(sample, tmp_path / "no" / "page.html", 1)


def test_no_script_writes_markup_or_runs_text() -> None:
    for path in ASSETS.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert way not in text, f"{path.name}: {way}"
        assert len(text.splitlines()) <= 300
    assert not [path for path in (ASSETS / "vendor").glob("*.js") if "</script" in path.read_text()]
