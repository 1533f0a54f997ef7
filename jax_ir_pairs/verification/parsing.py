"""Texts read back as the languages that they are in. In the child."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.scoring.languages import hlo, optimized_hlo, stablehlo
from jax_ir_pairs.scoring.module import NotRunnableError


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is wrong with the texts that are none of their language, by column."""

    problems: dict[str, str]


def parse(row: Mapping[str, Any], columns: Sequence[str]) -> Parsed:
    """Parses the texts in `columns`; StableHLO and HLO are verified too, types and shapes."""
    problems = {}
    for column in columns:
        try:
            _parser(column)(row[column], row)
        except NotRunnableError:
            pass  # read, and of another process
        except Exception as error:  # of any kind: it is what the parser says
            problems[column] = str(error)[:2000] or type(error).__name__
    return Parsed(problems)


def _parser(column: str) -> Callable[[str, Mapping[str, Any]], object]:
    if column == "python":
        return lambda text, row: ast.parse(text)
    if column == "hlo":
        return hlo.read
    if column == "stablehlo":
        return stablehlo.read
    if column.startswith("stablehlo"):
        return _of_further_target
    return lambda text, row: optimized_hlo.hold_to_syntax(text)


def _of_further_target(text: str, row: Mapping[str, Any]) -> None:
    with make_ir_context(), ir.Location.unknown():
        stablehlo.parsed(text)
