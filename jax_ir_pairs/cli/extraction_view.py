"""An extraction as a page in a terminal, a JSON object or a folder of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.inspect.row_view import facts_table, figures, print_level, tree_text
from jax_ir_pairs.schema import LEVELS

if TYPE_CHECKING:
    from jax_ir_pairs.extraction import Extraction
    from jax_ir_pairs.extraction.user_function import Argument

_LEVELS = LEVELS[1:]
_SUFFIXES = {
    "jaxpr": "jaxpr.txt",
    "stablehlo": "stablehlo.mlir",
    "hlo": "hlo.txt",
    "optimized_hlo": "optimized.hlo.txt",
}


def check_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """Gives the levels below the source in their order; none asked for means all.

    **Raises:** [`UsageError`][] that says which levels there are.
    """
    for level in levels:
        if level not in _LEVELS:
            raise UsageError(f"There is no level {level!r}; there are {', '.join(_LEVELS)}.")
    return tuple(level for level in _LEVELS if not levels or level in levels)


def call(name: str, arguments: Sequence[Argument]) -> str:
    """Writes the call that was extracted, such as `f(f32[8], mode='sum')`."""
    parts = []
    for argument in arguments:
        value = repr(argument.value) if argument.is_static else tree_text(argument.value)
        parts.append(value if argument.name is None else f"{argument.name}={value}")
    return f"{name}({', '.join(parts)})"


def show(
    console: Console,
    title: str,
    extraction: Extraction,
    levels: Sequence[str],
    max_lines: int | None,
) -> None:
    """Prints figures and levels, each of at most `max_lines` lines if there is a limit."""
    refusals = {
        levels_.target: f"refused, {levels_.refusal[0]}: {levels_.refusal[1]}"
        for levels_ in extraction.further
        if levels_.refusal
    }
    facts = {"function": title, **figures(asdict(extraction)), **refusals}
    console.print(facts_table(facts))
    for target, level, text in _texts(extraction, levels):
        print_level(console, level, text, max_lines=max_lines, target=target)


def as_object(extraction: Extraction, levels: Sequence[str]) -> dict[str, Any]:
    """Gives the fields of the extraction for JSON, without the levels not asked for."""
    content = asdict(extraction)
    unwanted = set(_LEVELS) - set(levels)
    content["further"] = [_without(target, unwanted) for target in content["further"]]
    return _without(content, unwanted)


def _without(content: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def write(extraction: Extraction, levels: Sequence[str], folder: Path, name: str) -> Iterator[Path]:
    """Writes `NAME.stablehlo.mlir` and its like, `NAME.TARGET.…` for further targets.

    Gives each path once it is written. **Raises:** [`BuildError`][] where that cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, level, text in _texts(extraction, levels):
            path = folder / ".".join(filter(None, [name, target, _SUFFIXES[level]]))
            replace_text(path, text)
            yield path
    except OSError as error:
        raise BuildError(f"{error.filename or folder}: {error.strerror}.") from None


def _texts(extraction: Extraction, levels: Sequence[str]) -> Iterator[tuple[str | None, str, str]]:
    """Gives target, level and text of what there is; a target's StableHLO only if it is its own."""
    for level in levels:
        yield None, level, getattr(extraction, level)
    for target in extraction.further:
        for level in levels:
            if text := getattr(target, level, None):
                yield target.target, level, text
