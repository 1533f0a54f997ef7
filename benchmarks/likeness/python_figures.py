"""The figures of programs' Python, ours beside real code.

Ours are whole programs. Real programs are self-contained units, functions with what they need of
their file; real functions alone are all functions and methods, without it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from jax_ir_pairs.inspect.near_duplicates import python_tokens
from likeness import classifier
from likeness.corpus import Corpus, by_package
from likeness.ngrams import Help, measure_help
from likeness.novelty import novelty
from likeness.report import Line
from likeness.style import code_alone, style
from likeness.units import Unit

_MOST_REAL = 3_000
_TESTED = 600
_NOVELTY_AT = (1_000, 3_000, 6_000)
_AIMS = {
    "if": "≥ 25 %",
    "for": "≥ 6 %",
    "raise or assert": "≥ 8 %",
    ".shape": "≥ 12 %",
    "and/or": "≥ 6 %",
    "f-string": "≥ 4 %",
    "conditional expression": "≥ 5 %",
    "comprehension": "≥ 6 %",
    "jnp.add( and its like": "≤ 2 %",
    "stores under the 20 commonest names": "≤ 27 %",
    "stores under single letters": "≤ 22 %",
    "assignments of one op": "≤ 50 %",
    "distinct first lines of docstrings per 3,000 programs": "≥ 600",
    "docstrings under the commonest opening word": "≤ 15 %",
}
_T = TypeVar("_T")


def style_lines(ours: Sequence[str], corpus: Corpus, seed: int) -> Iterator[Line]:
    """Gives the style counts."""
    programs = [unit.program for unit in corpus.all if unit.self_contained]
    alone = [unit.alone for unit in shuffled(corpus.all, seed)[:_MOST_REAL]]
    of_ours, of_programs, of_alone = map(style, (ours, programs, alone))
    for name, value in of_ours.items():
        counted = name.startswith("distinct") and "per" in name
        yield Line(
            *(name, value, of_programs[name], of_alone[name]),
            aim=_AIMS.get(name, ""),
            unit="number" if counted else "share",
        )


def bits_lines(ours: Sequence[str], corpus: Corpus, seed: int) -> Iterator[Line]:
    """Gives bits a byte of real code that was held out, and what ours does to them.

    Programs are of packages that the model did not see. Functions alone are of the packages held
    out, and so is what the model reads of real ones, as in the measurement that began this.
    """
    seen = [unit.program for unit in _contained(corpus.seen, seed)]
    held_out = [unit.program for unit in _contained(corpus.held_out, seed)]
    alone = [unit.alone for unit in shuffled(corpus.held_out, seed)]
    yield from help_lines("programs", measure_help(seen, ours, held_out))
    plain = [list(map(code_alone, texts)) for texts in (seen, ours, held_out)]
    yield from help_lines("programs without prose", measure_help(*plain))
    tested = min(_TESTED, len(alone) // 4)
    functions = measure_help(alone[tested:], ours, alone[:tested])
    yield from help_lines("functions alone", functions, "≥ 50 %")


def help_lines(name: str, found: Help, aim: str = "") -> Iterator[Line]:
    """Gives the lines of one measurement of bits a byte."""
    yield Line(f"{name}: 0.3 MB of real code", found.alone)
    yield Line(f"{name}: with more of ours, of real code", found.with_ours, found.with_real)
    yield Line(f"{name}: MB of either more", found.more / 1e6, found.more / 1e6)
    share = f"{name}: gained, of what real code gains"
    yield Line(share, found.share, 1.0, aim=aim, unit="share")


def classifier_lines(ours: Sequence[str], corpus: Corpus, seed: int) -> Iterator[Line]:
    """Gives how well a linear classifier tells tokens of ours from those of real programs."""
    seen, held_out = (
        [classifier.code_tokens(unit.program) for unit in _contained(units, seed)]
        for units in (corpus.seen, corpus.held_out)
    )
    real = {
        package: [classifier.code_tokens(unit.program) for unit in found]
        for package, found in by_package(_contained(corpus.all, seed)).items()
    }
    own = list(map(classifier.code_tokens, ours))
    yield from area_lines("Python tokens", own, seen, held_out, real, "≤ 0.98")


def area_lines(
    name: str,
    own: classifier.Documents,
    seen: classifier.Documents,
    held_out: classifier.Documents,
    real: dict[str, list[list[str]]],
    aim: str,
) -> Iterator[Line]:
    """Gives the lines of one classifier, the controls beside ours."""
    controls = classifier.control_areas(real)
    control = f"{min(controls):.3f} to {max(controls):.3f}"
    found = classifier.held_out_area(own, seen, held_out)
    yield Line(f"{name}: AUC, packages held out", found, control, aim=aim)
    found = classifier.folded_area(own, real)
    yield Line(f"{name}: AUC, every fifth of the packages", found, control)


def novelty_lines(ours: Sequence[str], corpus: Corpus, seed: int) -> Iterator[Line]:
    """Gives how much of the last tenth of the rows is new, as their number grows."""
    own = [python_tokens(text) for text in ours[: max(_NOVELTY_AT)]]
    real = [python_tokens(unit.program) for unit in _contained(corpus.all, seed)]
    for rows in _NOVELTY_AT:
        if len(own) >= rows:
            of_real = novelty(real[:rows]) if len(real) >= rows else None
            aim = "≥ 65 %" if rows == max(_NOVELTY_AT) else ""
            name = f"8-grams that are new, {rows:,} rows"
            yield Line(name, novelty(own[:rows]), of_real, aim=aim, unit="share")


def shuffled(found: Sequence[_T], seed: int) -> list[_T]:
    """Gives all in an order drawn by seed."""
    return random.Random(seed).sample(found, len(found))


def _contained(units: Sequence[Unit], seed: int) -> list[Unit]:
    return [unit for unit in shuffled(units, seed) if unit.self_contained]
