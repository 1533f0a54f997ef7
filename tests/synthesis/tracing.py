"""Programs traced by JAX, for tests that hold what the synthesis says against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jax_ir_pairs.config import Recipe, load_config
from jax_ir_pairs.extraction.levels import abstract_arguments, load
from jax_ir_pairs.synthesis import Draft, Program, draw

RECIPE: Recipe = load_config("hlo-100").recipe


def shown(program: Program, seed: int | str) -> str:
    """Gives what a failing test prints: the program to paste, and its seed."""
    return f"seed {seed}\n{program.inputs}\n{program.python}"


def traced(program: Program, seed: int | str = "") -> Any:
    """Gives the jaxpr of a program."""
    try:
        function = load(program.python, program.entry_point)
        return function.trace(*abstract_arguments(program.inputs)).jaxpr
    except Exception as error:
        raise AssertionError(f"{error}\n{shown(program, seed)}") from error


def out_avals(jaxpr: Any) -> list[str]:
    """Gives the avals of a jaxpr's results as the synthesis prints them."""
    return [re.sub(r"\{.*?\}|~", "", aval.str_short(short_dtypes=True)) for aval in jaxpr.out_avals]


def primitives(jaxpr: Any) -> Iterator[str]:
    """Gives the primitive of every equation, sub-jaxprs included."""
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for value in eqn.params.values():
            for item in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(item, "jaxpr", item)
                if hasattr(inner, "eqns"):
                    yield from primitives(inner)


def drafts(count: int, recipe: Recipe = RECIPE) -> Iterator[tuple[int, Draft]]:
    """Gives the drafts of the first seeds."""
    for seed in range(count):
        yield seed, draw(recipe, seed)
