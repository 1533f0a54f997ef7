"""A drawn program before it is written: enough for the plan, which never renders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from jax_ir_pairs.config import Recipe
from jax_ir_pairs.synthesis.canonical import hashes
from jax_ir_pairs.synthesis.families import family
from jax_ir_pairs.synthesis.graph import (
    Function,
    Result,
    Transformed,
    Var,
    functions_in,
    vars_in,
    walk,
)
from jax_ir_pairs.synthesis.growth import Mix, grow_ops, results
from jax_ir_pairs.synthesis.held_out import Kind, kind_of
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.sketching.draft import SketchDraft, draw_sketch
from jax_ir_pairs.synthesis.sketching.library import library_for
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import WIDE, Aval, leaves, to_json

_SIDES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64)
_DTYPES = (
    ("f32", 68.0), ("bf16", 7.0), ("f16", 4.0), ("f64", 6.0), ("i32", 6.0), ("i16", 1.0),
    ("i8", 1.0), ("i64", 1.0), ("u8", 1.5), ("u16", 0.8), ("u32", 1.0), ("u64", 0.6), ("bool", 0.8),
    ("c64", 2.5), ("c128", 1.0),
)  # fmt: skip
_NAMES = ("f", "fn", "compute", "forward", "run", "main", "apply", "model", "process", "step")
_LONG = 25
_TRIES = 8
"""How often the first family may draw what does not fit before another one has to do."""
_TRANSFORM_OPS = frozenset({"jvp", "vjp", "linearize", "shard_map", "shard_map_defined"})


@dataclass(frozen=True)
class Draft:
    """A program as a graph. `style` is the stream that only the rendering draws from."""

    entry: Function
    name: str
    family: str
    style: Stream
    x64: bool = False

    @cached_property
    def _hashes(self) -> tuple[str, str]:
        return hashes(self.entry, x64=self.x64)

    @property
    def held_out(self) -> Kind:
        """What of the program is held out of training."""
        return kind_of(self.entry)

    @property
    def canonical_hash(self) -> str:
        """Hash of the program up to names and spelling: equal ones are duplicates."""
        return self._hashes[0]

    @property
    def structure_hash(self) -> str:
        """Hash of the program up to names, spelling, shapes, dtypes and numbers."""
        return self._hashes[1]

    @property
    def results(self) -> list[Aval]:
        """The avals of what the program gives."""
        return [aval for var in vars_in(self.entry.result) for aval in leaves(var.type)]

    def transforms(self) -> tuple[str, ...]:
        """Gives the distinct transformations, in order from outside in."""
        found: dict[str, None] = {}
        for call in walk(self.entry):
            if call.op.name in _TRANSFORM_OPS:
                found[call.op.name.removesuffix("_defined")] = None
            for operand in call.operands:
                for callee in functions_in(operand):
                    if isinstance(callee, Transformed):
                        found[callee.transform] = None
        return tuple(found)

    def program(self) -> Program:
        """Gives the program as source."""
        source, parameters = render(self.entry, self.name, self.style, x64=self.x64)
        types = [var.type for var in self.entry.params]
        inputs = to_json(list(zip(parameters, types, strict=True)))
        return Program(
            source, self.name, inputs, self.family, self.transforms(), self.structure_hash
        )


def draw(recipe: Recipe, seed: int) -> Draft | SketchDraft:
    """Gives the program of a seed under a recipe: the same one on every machine."""
    themes = {name: weight for name, weight in sorted(recipe.sketches.items()) if weight > 0}
    families = {name: weight for name, weight in sorted(recipe.families.items()) if weight > 0}
    stream, total = Stream("program", seed), sum((*themes.values(), *families.values()))
    if themes and stream.chance(sum(themes.values()) / total):
        theme = stream.weighted(list(themes), list(themes.values()))
        return draw_sketch(library_for(theme), theme, stream, Stream("style", seed))
    return _draw_graph(recipe, families, stream, seed)


def _draw_graph(recipe: Recipe, shares: Mapping[str, float], stream: Stream, seed: int) -> Draft:
    families, weights = [family(name) for name in shares], list(shares.values())
    mix = Mix(stream, families, weights)
    primary = stream.weighted(families, weights)
    size = recipe.size
    drawn = round(math.exp(math.log(size.median) + size.sigma * stream.normal()))
    budget = max(2, min(size.largest, drawn))

    scope = Scope(stream, TABLE, sides=tuple(stream.sample(_SIDES, 3)))
    scope.dtype = stream.weighted([name for name, _ in _DTYPES], [share for _, share in _DTYPES])
    scope.x64 = scope.dtype in WIDE
    share = max(2, min(budget, round(budget * stream.uniform(0.5, 1.0)), 40))
    for _ in range(_TRIES):
        if scope.attempt(partial(primary.grow, scope, share, mix)) and results(scope):
            break
    first = {var for call in scope.body for var in call.outs_flat}
    budget -= share
    calls = [family for family in families if family.name == "calls"]
    while budget > 0:
        share = min(budget, stream.integer(3, 40))
        # A long program is made of functions.
        inside = calls and budget > _LONG and stream.chance(0.7)
        grown = calls[0] if inside else mix.family(stream)
        if not scope.attempt(partial(grown.grow, scope, share, mix)):
            grow_ops(scope, share, mix)
        budget -= share
    entry = scope.close("entry", _result(scope, first))
    return Draft(entry, stream.choice(_NAMES), primary.name, Stream("style", seed), scope.x64)


def _result(scope: Scope, first: set[Var]) -> Result:
    """Gives what the entry point returns: values that nothing uses, the latest and four at most.

    All of them share data with the latest that the first family made, after which the program is
    labelled. Half of the places are for what that family made.
    """
    if not results(scope):
        scope.let("tanh", scope.input(Aval("f32", (scope.side(),)), "x"))
    made = results(scope)
    main = next((var for var in reversed(made) if var in first), made[-1])
    shares = _sharing(scope, main)
    made = [var for var in made if var in shares]
    kept = dict.fromkeys([v for v in made if v in first][-2:])
    kept |= dict.fromkeys(made[-(4 - len(kept)) :])
    roots = tuple(var for var in made if var in kept)
    return roots[0] if len(roots) == 1 else roots


def _sharing(scope: Scope, var: Var) -> set[Var]:
    """Gives the values that share data with one, through any number of calls."""
    calls = [{*call.used_vars, *call.outs_flat} for call in scope.body]
    found, before = {var}, 0
    while len(found) > before:
        before = len(found)
        for values in calls:
            if not found.isdisjoint(values):
                found |= values
    return found
