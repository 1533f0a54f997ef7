"""Statistics as tables for the terminal, and as a short page of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.schema import LEVELS

if TYPE_CHECKING:
    from jax_ir_pairs.inspect.distribution import Distribution
    from jax_ir_pairs.inspect.statistics import SplitStatistics, Statistics

_TOP = 12

Write = Callable[[float], str]


def tables(statistics: Statistics) -> RenderableType:
    """Gives the statistics for the terminal; 80 columns are enough."""
    found = [_lengths(statistics, "bytes")]
    if statistics.tokenizer is not None:
        found.append(_lengths(statistics, "tokens"))
    found += [_splits(statistics), _numbers(statistics)]
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    for name, text in _facts(statistics).items():
        facts.add_row(name, text)
    return Group(*(part for table in found for part in (table, Text())), facts)


def markdown(statistics: Statistics) -> str:
    """Gives the statistics as Markdown of at most 20 lines.

    Builds with the same rows have the same.
    """
    tokens = statistics.tokenizer is not None
    counted = f" Tokens by `{statistics.tokenizer}`, counted in {_counted(statistics)}." * tokens
    headings = ["", "total", "mean", "10%", "median", "90%", "99%", "longest", "distinct"]
    headings += ["tokens", "median"] * tokens
    splits = "; ".join(map(_split, statistics.splits.items()))
    sizes = ", ".join(
        f"{write(found.percentile(50))} ({write(found.percentile(90))}, {write(found.greatest)}) "
        f"{name}"
        for name, found, write in _spreads(statistics)
    )
    joined = (
        ". ".join(f"{name}: {text}" for name, text in facts.items())
        for facts in (_compiled(statistics), _outcome(statistics))
    )
    lines = [
        f"# Statistics of {statistics.config}",
        "",
        f"{statistics.rows:,} rows. Written by `jax-ir-pairs stats DIR --config "
        f"{statistics.config}{' --tokenizer NAME' * tokens} --markdown FILE`.{counted}",
        "",
        f"| {' | '.join(headings)} |",
        "|---|" + "---:|" * (len(headings) - 1),
        *(f"| {' | '.join(_level(statistics, level))} |" for level in LEVELS),
        "",
        f"- Splits: {splits}",
        *(f"- {name}: {text}" for name, text in _names(statistics).items()),
        f"- Median (90%, greatest): {sizes}",
        *(f"- {line}" for line in joined),
    ]
    return "\n".join(lines) + "\n"


def _lengths(statistics: Statistics, unit: str) -> Table:
    of = f"{statistics.rows:,} rows; bytes of their texts"
    write: Write = readable_bytes
    if unit == "tokens":
        of, write = f"tokens of {_counted(statistics)}, by {statistics.tokenizer}", readable_number
    headings = ["total", "mean", "median", "90%", "longest", "distinct"]
    table = _table(f"{statistics.config}: {of}", headings)
    for name, texts in statistics.texts.items():
        found, total = texts.bytes, texts.bytes.total
        if unit == "tokens":
            found, total = texts.tokens or found, statistics.tokens(name)
        numbers = [total, found.mean, found.percentile(50), found.percentile(90), found.greatest]
        unique = f"{'' if texts.exact else '≈'}{texts.unique:,}"
        table.add_row(name, *map(write, numbers), unique)
    return table


def _counted(statistics: Statistics) -> str:
    """Says in how many rows tokens were counted."""
    counted, rows = statistics.token_rows or 0, statistics.rows
    return f"{rows:,} rows" if counted == rows else f"{counted:,} of {rows:,} rows"


def _splits(statistics: Statistics) -> Table:
    table = _table("By split", statistics.splits)
    splits = statistics.splits.values()
    rows: dict[str, Iterable[str]] = {
        "rows": (f"{split.rows:,}" for split in splits),
        "files": (f"{split.shards:,}" for split in splits),
        "on disk": (readable_bytes(split.stored_bytes) for split in splits),
        "structures": (f"{split.structures:,}" for split in splits),
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    for level in statistics.texts:
        table.add_row(level, *(readable_bytes(split.text_bytes.get(level, 0)) for split in splits))
    for level in statistics.texts if statistics.tokenizer is not None else ():
        tokens = (split.text_tokens or {} for split in splits)
        table.add_row(f"{level} tokens", *(readable_number(of.get(level, 0)) for of in tokens))
    return table


def _table(title: str, headings: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    table.add_column("", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _level(statistics: Statistics, level: str) -> list[str]:
    texts = statistics.texts[level]
    found = texts.bytes
    percentiles = map(found.percentile, (10, 50, 90, 99))
    sizes = [found.total, found.mean, *percentiles, found.greatest]
    unique = f"{texts.unique:,} ({_share(texts.unique, found.count)})"
    cells = [level, *map(readable_bytes, sizes), unique if texts.exact else f"≈ {unique}"]
    if texts.tokens is not None:
        cells += map(readable_number, (statistics.tokens(level), texts.tokens.percentile(50)))
    return cells


def _split(item: tuple[str, SplitStatistics]) -> str:
    name, split = item
    text = readable_bytes(sum(split.text_bytes.values()))
    return (
        f"{name} {split.rows:,} rows ({split.structures:,} structures, {text} of text, "
        f"{readable_bytes(split.stored_bytes)} on disk)"
    )


def _numbers(statistics: Statistics) -> Table:
    percents = {"10%": 10, "median": 50, "90%": 90, "99%": 99}
    table = _table("By row", ["mean", *percents, "greatest"])
    for name, found, write in _spreads(statistics):
        spread = [found.percentile(percent) for percent in percents.values()]
        table.add_row(name, *map(write, [found.mean, *spread, found.greatest]))
    return table


def _spreads(statistics: Statistics) -> Iterator[tuple[str, Distribution, Write]]:
    """Gives what is known of rows: name, distribution, and how its numbers are written.

    The name says of how many rows, where others have no such number; one that none has is left out.
    """
    ratio = "{:.2f}".format
    yield "HLO after ÷ before", statistics.optimization.ratio, ratio
    for column, found in statistics.numbers.items():
        if not found.count:
            continue
        name = (
            column.removeprefix("num_")
            .replace("_", " ")
            .replace("stablehlo", "StableHLO")
            .replace("hlo ", "HLO ")
        )
        write: Write = readable_number
        if column.endswith("_error"):
            write = "{:.1e}".format
        elif "bytes" in column:
            name, write = name.replace(" bytes", "").replace("bytes ", ""), readable_bytes
        if found.count < statistics.rows:
            name = f"{name} ({found.count:,} rows)"
        yield name, found, write


def _facts(statistics: Statistics) -> dict[str, str]:
    return _names(statistics) | _compiled(statistics) | _outcome(statistics)


def _names(statistics: Statistics) -> dict[str, str]:
    rows = statistics.rows
    return {
        "Families": _shares(statistics.families, rows),
        "Transformations": _shares(statistics.transforms, rows),
        f"Primitives, {len(statistics.primitives)}": _top(statistics.primitives, rows),
    }


def _compiled(statistics: Statistics) -> dict[str, str]:
    """Says what rows were compiled for, and what changed them."""
    rows = statistics.rows
    devices = (f"{n} ({_share(count, rows)})" for n, count in statistics.devices.items())
    facts = {"Devices": ", ".join(devices)}
    if statistics.targets is not None:
        facts["Compiled for"] = _shares(statistics.targets, rows)
    if statistics.passes is not None:
        facts[f"Passes, {len(statistics.passes)}"] = _top(statistics.passes, rows)
    return facts


def _outcome(statistics: Statistics) -> dict[str, str]:
    """Says what came of the candidates, and how far the rows are apart."""
    rejections, shared = statistics.rejections, statistics.shared_structures
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in (rejections or {}).items())
    facts = {"Rejected": "not sealed yet" if rejections is None else reasons or "none"}
    if statistics.oracles is not None:
        facts["Checked by"] = _shares(statistics.oracles, statistics.rows)
    if statistics.executed is not None:
        facts["Executed"] = _share(statistics.executed, statistics.rows)
    near = {
        level: of.near_duplicates
        for level, of in statistics.texts.items()
        if of.near_duplicates is not None
    }
    if near:
        facts["Near-duplicates"] = ", ".join(f"{k} {of.share:.1%}" for k, of in near.items())
    return facts | {
        "Structures in two splits": "too many to tell" if shared is None else f"{shared:,}",
        "Made with JAX": ", ".join(statistics.jax_versions),
    }


def _top(counts: Mapping[str, int], rows: int) -> str:
    top = _shares(dict(islice(counts.items(), _TOP)), rows)
    return f"{top}, …" if len(counts) > _TOP else top


def _shares(counts: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{name} {_share(count, total)}" for name, count in counts.items())


def _share(count: int, total: int) -> str:
    return f"{count / max(total, 1):.1%}"


def readable_bytes(number: float) -> str:
    """Writes a number of bytes with three digits or so, in decimal units."""
    return _readable(number, (" B", " kB", " MB", " GB", " TB"))


def readable_number(number: float) -> str:
    """Writes a number with three digits or so, in thousands, millions, …."""
    return _readable(number, ("", "k", "M", "G", "T"))


def _readable(number: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if abs(number) < 1000:
            return f"{number:.0f}{unit}" if unit == units[0] else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f}{units[-1]}"
