"""Programs traced by JAX, for tests that hold what the synthesis says against it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.config import Recipe, load_config
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.synthesis import Draft, Program, draw
from jax_ir_pairs.synthesis.graph import Function, vars_in
from jax_ir_pairs.synthesis.types import leaves

RECIPE: Recipe = load_config("hlo-100").recipe.model_copy(update={"sketches": {}})
"""The families of the standard recipe, whose programs are graphs."""
_EDGE = 2 * 3**0.5
"""Floating inputs of programs lie within it."""


def shown(program: Program, seed: int | str) -> str:
    """Gives what a failing test prints: the program to paste, and its seed."""
    return f"seed {seed}\n{program.inputs}\n{program.python}"


def traced(program: Program, seed: int | str = "") -> Any:
    """Gives the jaxpr of a program."""
    jax.config.update("jax_enable_x64", False)
    try:
        function = load(program.python, program.entry_point)
        return function.trace(*abstract_arguments(program.inputs)).jaxpr
    except Exception as error:
        raise AssertionError(f"{error}\n{shown(program, seed)}") from error


def traced_as_built(program: Program, entry: Function, seed: int | str = "") -> Any:
    """Gives the jaxpr of a program, whose results have the avals that its graph claims."""
    jaxpr = traced(program, seed)
    built = [str(aval) for var in vars_in(entry.result) for aval in leaves(var.type)]
    assert out_avals(jaxpr) == built, shown(program, seed)
    return jaxpr


def ordinary(aval: Any, rng: np.random.Generator) -> Any:
    """Gives an ordinary input: floats standard normal, integers small, keys any."""
    if jnp.issubdtype(aval.dtype, jax.dtypes.prng_key):
        return jax.random.split(jax.random.key(0), aval.shape) if aval.shape else jax.random.key(0)
    if jnp.issubdtype(aval.dtype, jnp.complexfloating):
        parts = rng.standard_normal((2, *aval.shape))
        return jnp.asarray(parts[0] + 1j * parts[1], aval.dtype)
    if jnp.issubdtype(aval.dtype, jnp.floating):
        return jnp.asarray(rng.standard_normal(aval.shape), aval.dtype)
    return jnp.asarray(rng.integers(0, 2 if aval.dtype == bool else 4, aval.shape), aval.dtype)


def at_edges(aval: Any, rng: np.random.Generator) -> Any:
    """Gives an input at the ends of what inputs of programs are."""
    if jnp.issubdtype(aval.dtype, jnp.inexact):
        signs = rng.choice((-1.0, 1.0), (2, *aval.shape))
        part = 1j if jnp.issubdtype(aval.dtype, jnp.complexfloating) else 0
        return jnp.asarray(_EDGE * (signs[0] + part * signs[1]), aval.dtype)
    if jnp.issubdtype(aval.dtype, jax.dtypes.prng_key):
        return ordinary(aval, rng)
    most = 1 if aval.dtype == bool else 3
    return jnp.asarray(rng.choice((0, most), aval.shape), aval.dtype)


def run(
    program: Program, seed: int, value: Callable[[Any, np.random.Generator], Any] = ordinary
) -> list[np.ndarray[Any, Any]]:
    """Gives the results of a program on inputs of one kind, narrow formats as float32."""
    jax.config.update("jax_enable_x64", False)
    rng = np.random.default_rng(seed)
    function = load(program.python, program.entry_point)
    avals = abstract_arguments(program.inputs)
    results = jax.tree.leaves(function(*jax.tree.map(lambda aval: value(aval, rng), avals)))
    return [_as_numpy(result) for result in results]


def _as_numpy(value: Any) -> np.ndarray[Any, Any]:
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(value))
    known = value.dtype.name in np.sctypeDict
    return np.asarray(value if known else value.astype(jnp.float32))


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


def draw_graph(recipe: Recipe, seed: int) -> Draft:
    """Gives the draft of a seed under a recipe without sketches."""
    draft = draw(recipe, seed)
    assert isinstance(draft, Draft)
    return draft


def drafts(count: int, recipe: Recipe = RECIPE) -> Iterator[tuple[int, Draft]]:
    """Gives the drafts of the first seeds."""
    for seed in range(count):
        yield seed, draw_graph(recipe, seed)


def only(*families: str) -> Recipe:
    """Gives the standard recipe with these families alone."""
    return Recipe(families=dict.fromkeys(families, 1.0), size=RECIPE.size)


def primitives_of(recipe: Recipe, count: int) -> Counter[str]:
    """Gives the number of programs with each primitive, and holds each to the avals it claims."""
    found: Counter[str] = Counter()
    for seed, draft in drafts(count, recipe):
        program = draft.program()
        found.update(set(primitives(traced_as_built(program, draft.entry, seed))))
    return found
