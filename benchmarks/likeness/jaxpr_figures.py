"""The figures of jaxprs, ours beside those of real functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from jax_ir_pairs.inspect.near_duplicates import TOKENS, count
from likeness import jaxpr_counts as counts
from likeness.ngrams import measure_help
from likeness.packages import HELD_OUT, SEEN
from likeness.python_figures import area_lines, help_lines, shuffled
from likeness.reading import Row
from likeness.report import Line
from likeness.tracing import Traced

_T = TypeVar("_T")
_DTYPES = ("f32", "f64", "f16", "bf16", "i32", "i64", "u32", "bool", "key", "c64")
_LONGEST = 40_000  # characters; one text may not be most of what a model reads


def size_lines(rows: Sequence[Row], real: Sequence[Traced]) -> Iterator[Line]:
    """Gives components, equations, sides and dtypes; of real ones no sides, which were guessed."""
    texts = ours, others = [row.jaxpr for row in rows], [traced.jaxpr for traced in real]
    own, real_ones = (_share(of, lambda text: counts.components(text) > 1) for of in (ours, others))
    yield Line("two or more components", own, real_ones, aim="≤ 8 %", unit="share")
    sizes, real_sizes = ([len(counts.primitives(text)) for text in of] for of in (ours, others))
    for share, aim in ((0.5, "≥ 30"), (0.9, "≥ 170"), (0.99, "≥ 900")):
        values = counts.quantile(sizes, share), counts.quantile(real_sizes, share)
        yield Line(f"equations, p{100 * share:.0f}", *values, aim=aim)
    few = _share(sizes, lambda size: size <= 3), _share(real_sizes, lambda size: size <= 3)
    yield Line("three equations or fewer", *few, aim="≤ 3 %", unit="share")
    large = _share(rows, lambda row: counts.has_large_side(row.inputs))
    yield Line("an argument side of 128 or more", large, aim="≥ 20 %", unit="share")
    of_ours, of_real = (Counter(d for text in of for d in counts.dtypes(text)) for of in texts)
    for dtype in _DTYPES:
        shares = of_ours[dtype] / len(ours), of_real[dtype] / len(others)
        yield Line(f"with {dtype}", *shares, unit="share")


def bits_lines(rows: Sequence[Row], real: Sequence[Traced], seed: int) -> Iterator[Line]:
    """Gives bits a byte of real jaxprs, of packages that the model did not read.

    Drawn from all packages alike, real ones would teach what is a package's own, and the few sizes
    that arguments were guessed with.
    """
    traced = [each for each in shuffled(real, seed) if len(each.jaxpr) <= _LONGEST]
    seen, held_out = (
        [each.jaxpr for each in traced if each.package in of] for of in (SEEN, HELD_OUT)
    )
    ours = [row.jaxpr for row in rows if len(row.jaxpr) <= _LONGEST]
    yield from help_lines("jaxprs", measure_help(seen, ours, held_out))


def classifier_lines(rows: Sequence[Row], real: Sequence[Traced]) -> Iterator[Line]:
    """Gives how well a linear classifier tells the sequences of primitives apart."""
    own = [counts.primitives(row.jaxpr) for row in rows]
    of: dict[str, list[list[str]]] = {}
    for traced in real:
        of.setdefault(traced.package, []).append(counts.primitives(traced.jaxpr))
    seen, held_out = (
        [document for package in names for document in of.get(package, [])]
        for names in (SEEN, HELD_OUT)
    )
    yield from area_lines("primitives", own, seen, held_out, of, "≤ 0.85")


def near_duplicate_lines(rows: Sequence[Row]) -> Iterator[Line]:
    """Gives the share of rows with a near-duplicate among all that were drawn."""
    texts = {"python": [row.python for row in rows], "jaxpr": [row.jaxpr for row in rows]}
    aims = {"python": "≤ 0.4 %", "jaxpr": "≤ 2.1 %"}
    for level, of_level in texts.items():
        if all(of_level):
            share = count(map(TOKENS[level], of_level)).share
            name = f"with a near-duplicate among {len(rows):,}: {level}"
            yield Line(name, share, aim=aims[level], unit="share")


def bigram_lines(rows: Sequence[Row], real: Sequence[Traced]) -> Iterator[Line]:
    """Gives the pairs of primitives that ours have too much and too little of."""
    ours = counts.bigram_shares(row.jaxpr for row in rows)
    others = counts.bigram_shares(traced.jaxpr for traced in real)
    for (maker, reader), share, other in counts.most_apart(ours, others):
        yield Line(f"more in ours: {maker} → {reader}", share, other, unit="share")
    for (maker, reader), other, share in counts.most_apart(others, ours):
        yield Line(f"less in ours: {maker} → {reader}", share, other, unit="share")


def _share(found: Sequence[_T], test: Callable[[_T], bool]) -> float:
    return sum(map(test, found)) / max(len(found), 1)
