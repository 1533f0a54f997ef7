"""Coverage as tables for the terminal, as a page of Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.inspect.coverage import Coverage, Known

_TITLES = {
    "primitives": "primitives",
    "stablehlo_ops": "StableHLO ops",
    "hlo_opcodes": "HLO opcodes",
    "dtypes": "dtypes",
}
_TOP = 40


def summary(coverage: Coverage, least: int) -> str:
    """Gives the line that says how well the primitives are covered."""
    known = coverage.known["primitives"]
    return (
        f"{known.in_at_least(least):,} of {known.reachable:,} reachable primitives "
        f"in at least {_rows(least)}"
    )


def tables(coverage: Coverage, least: int) -> RenderableType:
    """Gives the coverage for the terminal."""
    title = f"{coverage.config}: {coverage.rows:,} rows, against JAX {coverage.jax_version}"
    totals = Table(title=title, title_justify="left", title_style="bold", box=None)
    for number, heading in enumerate(_headings(least)):
        totals.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for cells in _totals(coverage, least):
        totals.add_row(*cells)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", overflow="fold", max_width=20)
    facts.add_column(overflow="fold")
    for name, text in _facts(coverage, least):
        facts.add_row(name, text)
    return Group(totals, Text(), facts, Text(), Text(f"{summary(coverage, least)}."))


def markdown(coverage: Coverage, least: int) -> str:
    """Gives the coverage as Markdown, of which each build with the same rows has the same."""
    headings = _headings(least)
    lines = [
        f"# Coverage of {coverage.config}",
        "",
        f"{coverage.rows:,} rows, against what JAX {coverage.jax_version} knows on CPU: "
        f"{summary(coverage, least)}. Counts are of rows. Written by "
        f"`jax-ir-pairs coverage DIR --config {coverage.config} --markdown FILE`.",
        "",
        f"| {' | '.join(headings)} |",
        "|---|" + "---:|" * (len(headings) - 1),
        *(f"| {' | '.join(cells)} |" for cells in _totals(coverage, least)),
        "",
    ]
    for kind, known in coverage.known.items():
        title = _TITLES[kind]
        lines += [f"## {title[0].upper()}{title[1:]}", "", f"In rows: {_counts(known.rows)}.", ""]
        lines += [f"- {name}: {text}" for name, text in _gaps(known)]
        lines += [f"- {class_}: {text}" for class_, text in _reasons(known)]
        lines.append("")
    lines += ["## Structure", ""]
    lines += [f"- {name}: {text}" for name, text in _structure(coverage)]
    return "\n".join(lines) + "\n"


def as_json(coverage: Coverage, least: int) -> str:
    """Gives everything that was counted, and the reasons, as JSON."""
    document = {
        "config": coverage.config,
        "rows": coverage.rows,
        "jax_version": coverage.jax_version,
        "least": least,
        "summary": summary(coverage, least),
        **{kind: _known_document(known, least) for kind, known in coverage.known.items()},
        "fusion_kinds": dict(coverage.fusion_kinds),
        "custom_call_targets": dict(coverage.custom_call_targets),
        "ranks": dict(coverage.ranks),
        "transforms": dict(coverage.transforms),
        "transform_pairs": _pairs_document(coverage.transform_pairs),
        "def_use": _pairs_document(coverage.def_use),
    }
    return json.dumps(document, indent=1) + "\n"


def _known_document(known: Known, least: int) -> dict[str, object]:
    return {
        "known": len(known.names),
        "covered": len(known.covered),
        "reachable": known.reachable,
        "in_at_least": known.in_at_least(least),
        "rows": dict(known.rows),
        "missing": known.missing,
        "explained": {
            name: {"class": reason.class_, "reason": reason.text}
            for name, reason in known.explained.items()
        },
        "stale": known.stale,
        "unknown": known.unknown,
    }


def _pairs_document(pairs: Mapping[tuple[str, str], int]) -> list[list[object]]:
    return [[first, second, rows] for (first, second), rows in pairs.items()]


def _headings(least: int) -> list[str]:
    return ["", "known", "explained", "reachable", "in rows", f"in {least:,} or more", "no reason"]


def _totals(coverage: Coverage, least: int) -> Iterator[list[str]]:
    for kind, known in coverage.known.items():
        counts = (
            len(known.names),
            len(known.explained),
            known.reachable,
            len(known.covered),
            known.in_at_least(least),
            len(known.missing),
        )
        yield [_TITLES[kind], *(f"{count:,}" for count in counts)]


def _facts(coverage: Coverage, least: int) -> Iterator[tuple[str, str]]:
    for kind, known in coverage.known.items():
        rare = {name: known.rows[name] for name in known.covered if known.rows[name] < least}
        if rare:
            yield f"{_TITLES[kind]} in fewer than {_rows(least)}", _counts(rare)
        for name, text in _gaps(known):
            yield f"{_TITLES[kind]}: {name}", text
    yield from _structure(coverage)


def _gaps(known: Known) -> Iterator[tuple[str, str]]:
    if known.missing:
        yield "no reason yet", ", ".join(known.missing)
    if known.stale:
        yield "stale reason, since rows have it", ", ".join(known.stale)
    if known.unknown:
        counts = _counts({name: known.rows[name] for name in known.unknown})
        yield "in rows but not known to JAX's registry", counts


def _reasons(known: Known) -> Iterator[tuple[str, str]]:
    """Gives the classes of the reasons, and the names of each sentence in them."""
    classes: dict[str, dict[str, list[str]]] = {}
    for name, reason in known.explained.items():
        classes.setdefault(reason.class_, {}).setdefault(reason.text, []).append(name)
    for class_, sentences in classes.items():
        yield (
            class_,
            " ".join(f"{', '.join(names)} ({text})" for text, names in sentences.items()),
        )


def _structure(coverage: Coverage) -> Iterator[tuple[str, str]]:
    yield "fusion kinds", _counts(coverage.fusion_kinds)
    yield "custom-call targets", _counts(coverage.custom_call_targets)
    yield "ranks", _counts(coverage.ranks)
    yield "transformations", _counts(coverage.transforms)
    yield from _pairs("transformations, outer and inner", coverage.transform_pairs)
    yield from _pairs("primitive and the one that reads its value", coverage.def_use)


def _pairs(title: str, pairs: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, str]]:
    top = {f"{a} → {b}": rows for (a, b), rows in islice(pairs.items(), _TOP)}
    more = ", …" if len(pairs) > len(top) else ""
    yield f"{title}, {len(pairs):,} pairs", f"{_counts(top)}{more}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in counts.items()) or "none"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
