"""Measures how much the programs of a build are like real code.

    python benchmarks/realism.py [out hlo-10k] [--rows 3000] [--quick] [--write FILE]
    python benchmarks/realism.py --sources DIR

Real code is what `likeness/packages.py` lists, downloaded once into a folder (`--corpus`) and cut
into units as `likeness/units.py` says: functions that use JAX, with what they need of their file.
The packages that are held out are for this benchmark alone: who writes programs does not look at
them. The rows are drawn by seed from the train split, of the shards that are there, of
`data/sample` where no build is named; `--sources` measures Python that was not built, a folder of
`.py` files or lines of JSON with `python`. `--quick` leaves out what is not style, bits a byte or a
classifier. `--print N` shows the first programs that are drawn, and measures nothing.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from likeness import corpus as real_code
from likeness import jaxpr_figures, python_figures, tracing
from likeness.corpus import Corpus
from likeness.reading import Row, build_rows, source_rows
from likeness.report import Line, Report
from likeness.tracing import Traced

Sections = dict[str, Callable[[], Iterable[Line]]]

_MOST = 10_000
_SAMPLE = Path(__file__).parent.parent / "data" / "sample"


def _default_corpus() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "jax-ir-pairs" / "real-code"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=_SAMPLE)
    parser.add_argument("config", nargs="?")
    parser.add_argument("--sources", type=Path)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=_default_corpus())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--print", type=int, default=0, dest="shown", metavar="N")
    parser.add_argument("--write", type=Path)
    return parser.parse_args()


def _rows(asked: argparse.Namespace) -> list[Row]:
    count = asked.rows if asked.quick else max(asked.rows, _MOST)
    if asked.sources:
        return source_rows(asked.sources, count, asked.seed)
    return build_rows(asked.folder, asked.config, count, asked.seed)


def _python_sections(asked: argparse.Namespace, every: list[Row], corpus: Corpus) -> Sections:
    seed = asked.seed
    whole = [row.python for row in every]
    python = whole[: asked.rows]
    found: Sections = {
        "Style, share of programs": lambda: python_figures.style_lines(python, corpus, seed),
        "Bits a byte": lambda: python_figures.bits_lines(python, corpus, seed),
        "Classifier": lambda: python_figures.classifier_lines(python, corpus, seed),
    }
    if not asked.quick:
        found["Novelty"] = lambda: python_figures.novelty_lines(whole, corpus, seed)
        found["Near-duplicates"] = lambda: jaxpr_figures.near_duplicate_lines(every)
    return found


def _jaxpr_sections(asked: argparse.Namespace, every: list[Row], real: list[Traced]) -> Sections:
    rows = every[: asked.rows]
    return {
        "Jaxprs": lambda: jaxpr_figures.size_lines(rows, real),
        "Jaxprs, bits a byte": lambda: jaxpr_figures.bits_lines(rows, real, asked.seed),
        "Jaxprs, classifier": lambda: jaxpr_figures.classifier_lines(rows, real),
        "Pairs of primitives": lambda: jaxpr_figures.bigram_lines(rows, real),
    }


def main() -> None:
    """Prints the table, or programs."""
    asked = _arguments()
    started = time.perf_counter()
    every = _rows(asked)
    rows = every[: asked.rows]
    if asked.shown:
        for number, row in enumerate(rows[: asked.shown], 1):
            print(f"# {number}\n{row.python}")
        return
    corpus = real_code.load(asked.corpus)
    report = Report({"rows": len(rows), "seed": asked.seed})
    sections = _python_sections(asked, every, corpus)
    if not asked.quick and rows[0].jaxpr:
        sections |= _jaxpr_sections(asked, every, tracing.load(asked.corpus, corpus.all))
    seconds = {}
    for name, lines in sections.items():
        begun = time.perf_counter()
        report.add(name, lines())
        seconds[name] = round(time.perf_counter() - begun, 1)
    report.facts["seconds"] = {**seconds, "all": round(time.perf_counter() - started, 1)}
    report.show(Console())
    print(report.facts)
    if asked.write:
        report.write(asked.write)


if __name__ == "__main__":
    main()
