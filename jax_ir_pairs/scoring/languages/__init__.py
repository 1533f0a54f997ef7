"""One language, one file: each reads an answer and gives it as StableHLO. In the child."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jax_ir_pairs.scoring.module import Module

LANGUAGES = ("python", "jaxpr", "stablehlo", "hlo", "optimized_hlo")
"""Each a module of this folder."""

Read = Callable[[str, Mapping[str, Any]], Module]
"""Reads the text of an answer to a row.

**Raises:** [`NotParsedError`][], [`NotValidError`][] and [`NotRunnableError`][].
"""


def reader(language: str) -> Read:
    """Gives what reads a language."""
    import importlib

    read: Read = importlib.import_module(f"jax_ir_pairs.scoring.languages.{language}").read
    return read
