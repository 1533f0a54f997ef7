"""Texts read back as the languages that they are in. In the child."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.extraction.hlo_module import parse_hlo
from jax_ir_pairs.scoring.languages import optimized_hlo
from jax_ir_pairs.scoring.module import NotRunnableError


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is wrong with the texts that are none of their language, by column."""

    problems: dict[str, str]


def parse(row: Mapping[str, Any], columns: Sequence[str]) -> Parsed:
    """Parses the texts in `columns`; StableHLO is verified too, types and shapes."""
    problems = {}
    for column in columns:
        try:
            _parser(column)(row[column])
        except NotRunnableError:
            pass  # a TPU's SparseCore, for which no parser is at hand
        except Exception as error:  # of any kind: it is what the parser says
            problems[column] = str(error)[:2000] or type(error).__name__
    return Parsed(problems)


def _parser(column: str) -> Callable[[str], object]:
    if column == "python":
        return ast.parse
    if column.startswith("stablehlo"):
        return _stablehlo
    # Of another target a text may have what ends XLA's parser, or what it prints and refuses.
    of_target = column.startswith("optimized_hlo_")
    return optimized_hlo.hold_to_syntax if of_target else parse_hlo


def _stablehlo(text: str) -> None:
    with make_ir_context():
        ir.Module.parse(text)
