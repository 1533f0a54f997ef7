"""The texts of a row against the languages that they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.verification.findings import Finding, shortened
from jax_ir_pairs.verification.process import Verifier

_LEVELS = ("python", "stablehlo", "hlo", "optimized_hlo")
_OF_TARGETS = ("stablehlo_", "optimized_hlo_")


def columns_of(row: Mapping[str, Any]) -> list[str]:
    """Gives the columns whose texts a parser is at hand for, those of further targets too."""
    further = [name for name in row if name.startswith(_OF_TARGETS) and row[name] is not None]
    return [*_LEVELS, *further]


def unparsed(
    place: str,
    row: Mapping[str, Any],
    columns: Sequence[str],
    verifier: Verifier,
    *,
    is_of_this_jaxlib: bool,
) -> tuple[list[Finding], list[str]]:
    """Gives each text in `columns` that its parser refuses, or that ends it.

    Neither StableHLO as it is printed nor HLO is the same language in all versions, so what the
    parsers refuse of another jaxlib is no finding: its columns are given beside those.
    """
    findings, not_read = [], []
    for column, problem in verifier.problems(row, columns).items():
        language = _language(column)
        if is_of_this_jaxlib or column == "python":
            findings.append(Finding("text", place, column, language, shortened(problem)))
        else:
            not_read.append(column)
    return findings, not_read


def _language(column: str) -> str:
    if column == "python":
        return "Python"
    return "StableHLO" if column.startswith("stablehlo") else "HLO"
