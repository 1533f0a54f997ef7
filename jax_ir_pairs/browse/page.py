"""The page: template, styles and scripts joined into one document that asks nobody for anything."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.browse.index import Index, Named
from jax_ir_pairs.browse.rows import Rows
from jax_ir_pairs.errors import BuildError

_ASSETS = Path(__file__).parent / "assets"
_VENDORED = ("vendor/dagre.min.js", "vendor/diff.min.js")
_MODULES = (
    *("dom", "store", "tokens", "hlo", "links", "state", "pane", "levels", "optimization"),
    *("graph_layout", "graph", "compare", "filters", "rows", "keys", "app"),
)
_STYLES = ("base", "rows", "code", "views")
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """A document, and the policy that it is to be shown under, which lets nothing else run."""

    html: str
    policy: str


def served_page(title: str) -> Page:
    """Gives the page that reads its rows from where it comes from."""
    return _page(title, connect="'self'", blocks=())


def write_html(rows: Rows, path: Path, limit: int) -> int:
    """Writes the page and the first `limit` rows into one file, and gives their number.

    **Raises:** [`BuildError`][] where a shard cannot be read, or the file cannot be written.
    """
    number = min(limit, len(rows.index))
    index = _first(rows.index, number).as_json(rows.title)
    blocks = [("index", _packed(index)), *_row_blocks(rows, number)]
    page = _page(rows.title, connect="'none'", blocks=blocks)
    try:
        replace_text(path, page.html)
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}; give --html another place.") from None
    return number


def _first(index: Index, number: int) -> Index:
    return replace(
        index,
        id=index.id[:number],
        entry_point=index.entry_point[:number],
        named={k: Named(named.names, named.codes[:number]) for k, named in index.named.items()},
        sizes={name: sizes[:number] for name, sizes in index.sizes.items()},
    )


def _row_blocks(rows: Rows, number: int) -> Iterator[tuple[str, str]]:
    for place in range(number):
        yield f"row-{place}", _packed(rows.row(place))


def _packed(content: dict[str, Any]) -> str:
    """Gives JSON compressed, in letters and digits, so that no text of a row can end a script."""
    # The same bytes each time: no clock in the header.
    packed = gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0)
    return base64.b64encode(packed).decode()


def _page(title: str, *, connect: str, blocks: Sequence[tuple[str, str]]) -> Page:
    vendored = [_asset(name) for name in _VENDORED]
    script = "".join(_module(name) for name in _MODULES)
    style = "".join(_asset(f"{name}.css") for name in _STYLES)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, [*vendored, script]))}",
            f"style-src {_digest(style)}",
            "img-src data:",
            f"connect-src {connect}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    environment = Environment(
        loader=FileSystemLoader(_ASSETS), autoescape=True, undefined=StrictUndefined
    )
    html = environment.get_template("page.html").render(
        title=title,
        policy=policy,
        style=Markup(style),
        vendored=[Markup(text) for text in vendored],
        script=Markup(script),
        blocks=blocks,
        licences="\n".join(_asset(name.replace(".min.js", ".LICENSE")) for name in _VENDORED),
    )
    return Page(html, policy)


def _module(name: str) -> str:
    """Gives a module without its imports and exports: joined, all of them share one scope."""
    return _EXPORT.sub("", _IMPORT.sub("", _asset(f"{name}.js")))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
