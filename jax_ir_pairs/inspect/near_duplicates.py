"""Rows that are nearly the same as another: MinHash over 5-grams of tokens, but for names.

Two texts are near-duplicates when the Jaccard similarity of their 5-grams, as 128 hashes estimate
it, is at least 0.7. Variables are renamed by order of appearance before. The hashes are seeded, so
that the same rows give the same counts.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.parquet_files import ConfigFiles

if TYPE_CHECKING:
    import numpy as np

SIMILARITY = 0.7
SHINGLE = 5
_HASHES = 128
_SEED = 1
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that each token of a shingle counts by its place
_LAYOUT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
_JAXPR_TOKEN = re.compile(r"[A-Za-z_][\w\-]*|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[^\s\w]")
_JAXPR_BINDER = re.compile(r"(?<![\w.])([a-z]+|_):(?=[A-Za-z])")


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """How many rows are nearly the same as another, at one level."""

    rows: int
    with_near_duplicate: int
    """Rows to which at least one other row is similar."""
    remaining: int
    """Rows left where each that is similar to an earlier one that stays is dropped."""

    @property
    def share(self) -> float:
        """The share of rows that have a near-duplicate."""
        return self.with_near_duplicate / max(self.rows, 1)


def near_duplicates(files: ConfigFiles) -> dict[str, NearDuplicates]:
    """Counts near-duplicates of a config's rows, of all splits, at the levels python and jaxpr.

    **Raises:** [`UsageError`][] where datasketch is not installed; [`BuildError`][] where a shard
    cannot be read.
    """
    datasketch = _datasketch()
    return {
        level: count(map(tokens, _texts(files, level)), datasketch)
        for level, tokens in TOKENS.items()
    }


def count(documents: Iterable[list[str]], datasketch: ModuleType | None = None) -> NearDuplicates:
    """Counts near-duplicates of documents, which are lists of tokens.

    **Raises:** [`UsageError`][] where datasketch is not installed.
    """
    datasketch = datasketch or _datasketch()
    index = datasketch.MinHashLSH(threshold=SIMILARITY, num_perm=_HASHES)
    empty = datasketch.MinHash(_HASHES, seed=_SEED, hashfunc=int, scheme="affine64")
    signatures: list[Any] = []
    near: set[int] = set()
    kept: set[int] = set()
    for row, tokens in enumerate(documents):
        sketch = empty.copy()
        sketch.update_batch(shingles(tokens))
        values = sketch.hashvalues
        similar = [
            other
            for other in index.query(sketch)
            if (signatures[other] == values).mean() >= SIMILARITY
        ]
        near.update(similar, [row] if similar else [])
        if kept.isdisjoint(similar):
            kept.add(row)
        signatures.append(values)
        index.insert(row, sketch, check_duplication=False)
    return NearDuplicates(len(signatures), len(near), len(kept))


def python_tokens(source: str) -> list[str]:
    """Gives the tokens of a program, the names that it binds renamed by order of appearance."""
    bound, parameters = _bound_names(source)
    names: dict[str, str] = {}
    found = []
    line = [
        token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in _LAYOUT
    ]
    depth = 0
    for place, token in enumerate(line):
        text = token.string
        depth += (text in {"(", "[", "{"}) - (text in {")", "]", "}"})
        if token.type == tokenize.NAME and text in bound:
            attribute = place > 0 and line[place - 1].string == "."
            followed = place + 1 < len(line) and line[place + 1].string == "="
            keyword = followed and depth > 0 and token.start not in parameters
            if not attribute and not keyword:
                text = names.setdefault(text, f"v{len(names)}")
        found.append(text)
    return found


def jaxpr_tokens(text: str) -> list[str]:
    """Gives the tokens of a jaxpr's text, its variables renamed by order of appearance."""
    variables = set(_JAXPR_BINDER.findall(text))
    names: dict[str, str] = {}
    found = []
    for match in _JAXPR_TOKEN.finditer(text):
        token = match[0]
        if token in variables and not text.startswith("=", match.end()):
            token = names.setdefault(token, f"v{len(names)}")
        found.append(token)
    return found


TOKENS: Mapping[str, Callable[[str], list[str]]] = {"python": python_tokens, "jaxpr": jaxpr_tokens}
"""The levels at which near-duplicates are counted, and how their texts are cut."""


def shingles(tokens: list[str]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Gives a 64-bit hash of each distinct run of five tokens, or of all where there are fewer."""
    import numpy as np

    hashes = np.array([_token_hash(token) for token in tokens or [""]], dtype=np.uint64)
    length = min(SHINGLE, len(hashes))
    number = len(hashes) - length + 1
    mixed = np.zeros(number, dtype=np.uint64)
    for place in range(length):
        mixed = mixed * np.uint64(_MULTIPLIER) + hashes[place : place + number]
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def table(counts: Mapping[str, NearDuplicates]) -> Table:
    """Gives the counts for the terminal."""
    found = Table("level", "rows", "with a near-duplicate", "share", "left without them", box=None)
    for column in found.columns[1:]:
        column.justify = "right"
    for level, of_level in counts.items():
        found.add_row(
            level,
            f"{of_level.rows:,}",
            f"{of_level.with_near_duplicate:,}",
            f"{100 * of_level.share:.1f} %",
            f"{of_level.remaining:,}",
        )
    return found


def as_json(counts: Mapping[str, NearDuplicates]) -> str:
    """Gives the counts, and what they were counted with, as JSON."""
    levels = {
        level: {**asdict(of_level), "share": of_level.share} for level, of_level in counts.items()
    }
    settings = {"similarity": SIMILARITY, "shingle": SHINGLE, "hashes": _HASHES, "seed": _SEED}
    return json.dumps({**settings, "levels": levels}, indent=1) + "\n"


def _datasketch() -> ModuleType:
    try:
        import datasketch
    except ImportError:
        raise UsageError(
            "Near-duplicates need datasketch: pip install 'jax-ir-pairs[near-duplicates]'."
        ) from None
    module: ModuleType = datasketch
    return module


def _texts(files: ConfigFiles, level: str) -> Iterator[str]:
    for table in files.tables([level]):
        yield from table[level].to_pylist()


def _bound_names(source: str) -> tuple[set[str], set[tuple[int, int]]]:
    """Gives the names that a program binds but for imports, and where its parameters are."""
    bound: set[str] = set()
    parameters: set[tuple[int, int]] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
            parameters.add((node.lineno, node.col_offset))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
    return bound, parameters


@lru_cache(maxsize=1 << 16)
def _token_hash(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest())
