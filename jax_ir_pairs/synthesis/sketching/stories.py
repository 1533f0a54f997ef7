"""Steps that follow from each other: what one sketch gives, the next one takes by its role."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from keyword import iskeyword
from typing import Any

from jax_ir_pairs.synthesis.sketching.drawing import Drawing
from jax_ir_pairs.synthesis.sketching.fit import Unfit
from jax_ir_pairs.synthesis.sketching.library import Library
from jax_ir_pairs.synthesis.sketching.roles import ROLES, fits
from jax_ir_pairs.synthesis.sketching.source import Sketch
from jax_ir_pairs.synthesis.sketching.types import Array, Type
from jax_ir_pairs.synthesis.stream import Stream

_LENGTHS = ((2, 46.0), (3, 26.0), (4, 14.0), (5, 8.0), (7, 4.0), (10, 2.0))
"""Steps of a program that has several, and how often there are as many, where some fit."""
_USUAL_SIZE = 270
"""Nodes of a sketch that is a whole program as often as not: longer ones are so more often."""
_PREPARED = 0.6
"""Arguments of the first sketch that another step makes, where one can and the length allows it."""
_TRIES = 4
KEY = "key"
"""The name of the entry point's random key; each step that takes one has one of its own."""
_OF_KEYS = frozenset({KEY, "subkey", "keys"})
"""Names that the entry point gives to keys."""


@dataclass(eq=False)
class Value:
    """Something that the entry point has: an argument, or what a step gave."""

    name: str
    type: Type
    is_input: bool = False
    used: bool = False
    replaced: bool = False
    """Whether a later value has its name."""

    @property
    def is_open(self) -> bool:
        """Whether a step made it that no other has used."""
        return not (self.is_input or self.used)


@dataclass(frozen=True)
class Step:
    """One call in the entry point."""

    sketch: Sketch
    arguments: tuple[str, ...]
    results: tuple[str, ...]


@dataclass
class Story:
    """An entry point of one or more steps under way."""

    drawing: Drawing
    steps: list[Step] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    num_keys: int = 0
    num_spare: int = 0
    """Steps that may be added for arguments that could be inputs as well."""

    @property
    def inputs(self) -> list[Value]:
        """The arguments of the entry point."""
        return [value for value in self.values if value.is_input]

    @property
    def returned(self) -> list[str]:
        """What no step has used."""
        return [value.name for value in self.values if value.is_open]

    @property
    def roles(self) -> set[str]:
        """The roles of what no step has used."""
        found = (value.type for value in self.values if value.is_open)
        return {type.role for type in found if isinstance(type, Array) and _is_handed_on(type)}

    def state(self) -> tuple[Any, ...]:
        """Gives what [`restore`][] takes, once."""
        values = [(value, value.used, value.replaced) for value in self.values]
        return self.drawing.state(), [*self.steps], values, self.num_keys

    def restore(self, state: tuple[Any, ...]) -> None:
        """Makes the story what it was."""
        drawing, self.steps, values, self.num_keys = state
        self.values = []
        for value, value.used, value.replaced in values:
            self.values.append(value)
        self.drawing.restore(drawing)

    def step(self, sketch: Sketch, *, has_to_use: bool = False) -> None:
        """Adds a step; raises [`Unfit`][], and then the story may be half way.

        One that does not say what it gives is the last step: what it gives is returned.
        """
        signature = self.drawing.add(sketch)
        was_open = [value for value in self.values if value.is_open]
        arguments: list[str] = []
        taken: list[Value] = []
        for name, type in signature.takes:
            if isinstance(type, Array) and type.dtype.startswith("key"):
                arguments.append(f"{KEY} {self.num_keys}")
                self.num_keys += 1
                continue
            value = self._argument(name, type, taken, sketch)
            value.used = True
            taken.append(value)
            arguments.append(value.name)
        if has_to_use and not any(value in was_open for value in taken):
            raise Unfit(f"{sketch.name} goes on with nothing")
        gives = signature.gives
        if gives is None and self.returned:
            raise Unfit(f"{sketch.name} would be returned beside other values")
        parts = () if gives is None else gives if isinstance(gives, tuple) else (gives,)
        made = [self._result(part, sketch, taken) for part in parts]
        self.steps.append(Step(sketch, tuple(arguments), tuple(value.name for value in made)))

    def _argument(self, name: str, type: Type, taken: list[Value], sketch: Sketch) -> Value:
        value = self._available(type, taken)
        if value is None and (not is_input(type) or self._is_prepared(type)):
            value = self._produced(type, taken)
        if value is None:
            role = type.role if isinstance(type, Array) else ""
            free = self._free(name, role, f"{sketch.name.split('_')[0]}_{name}")
            value = Value(free, type, is_input=True)
            self.values.append(value)
        return value

    def _available(self, type: Type, taken: list[Value]) -> Value | None:
        """Gives a value of a type, rather one that nothing has used, and the latest of those."""
        if isinstance(type, Array) and not _is_handed_on(type):
            return None
        is_tree = not isinstance(self.drawing.fit.decided(type), Array)
        known = [v for v in self.values if v not in taken and not v.replaced]
        latest = [v for v in reversed(known) if is_tree or not v.is_input]
        for value in sorted(latest, key=lambda value: value.used):
            before = copy(self.drawing.fit)
            try:
                self.drawing.fit.unify(type, value.type)
            except Unfit:
                self.drawing.fit = before
                continue
            return value
        return None

    def _is_prepared(self, type: Type) -> bool:
        """Tells whether a step makes an argument that could be an input as well."""
        if not self.num_spare or not isinstance(type, Array) or not _is_handed_on(type):
            return False
        return self.drawing.stream.chance(_PREPARED)

    def _produced(self, type: Type, taken: list[Value]) -> Value | None:
        """Adds a step that gives a value of a type, and gives that value.

        Where there is none, it gives nothing for what may be an input, or raises [`Unfit`][].
        """
        assert isinstance(type, Array)
        candidates = [
            sketch
            for sketch in giving(self.drawing.library, type.role)
            if sketch.name not in self.drawing.spaces and all(map(is_input, sketch.takes.values()))
        ]
        spare, self.num_spare = self.num_spare, 0  # what it takes is an input
        for _ in range(min(_TRIES, len(candidates))):
            chosen = _drawn_from(candidates, self.drawing.stream)
            before = self.state()
            try:
                self.step(chosen)
                if (value := self._available(type, taken)) is None:
                    raise Unfit(f"{chosen.name} gives no {type}")
            except Unfit:
                self.restore(before)
                continue
            self.num_spare = max(spare - 1, 0)
            return value
        self.num_spare = spare
        if not is_input(type):
            raise Unfit(f"nothing gives {type}")
        return None

    def _free(self, name: str, *others: str) -> str:
        """Gives the first of some names that is free, or the first one with a number."""
        taken = {value.name for value in self.values} | self.drawing.spaces.keys() | _OF_KEYS
        for candidate in (name, *others):
            if candidate and candidate not in taken:
                return candidate
        numbered = (f"{name}_{number}" for number in count(2))
        return next(candidate for candidate in numbered if candidate not in taken)

    def _result(self, type: Type, sketch: Sketch, taken: list[Value]) -> Value:
        """Adds a result, under the name of what it is made of where both are called the same."""
        word = sketch.name.rpartition("_")[2]
        word = "result" if iskeyword(word) else word
        if isinstance(type, Array):
            word = (type.doc if type.doc.isidentifier() else type.role) or word
        old = next((v for v in taken if v.name == word and not v.replaced), None)
        if old is not None:
            old.replaced = True
        value = Value(self._free(word) if old is None else word, type)
        self.values.append(value)
        return value


def is_input(type: Type) -> bool:
    """Tells whether an ordinary input of a program may be of a type."""
    return not isinstance(type, Array) or ROLES[type.role].is_input


def _is_handed_on(type: Array) -> bool:
    """Tells whether one step may give what another takes; a place in something is only an input."""
    return type.role != "" and not ROLES[type.role].is_index


@lru_cache(maxsize=4096)
def giving(library: Library, role: str) -> tuple[Sketch, ...]:
    """Gives the sketches one of whose results has a role."""
    return tuple(s for s in library.sketches.values() if _gives(s, role))


def _gives(sketch: Sketch, role: str) -> bool:
    parts = sketch.gives if isinstance(sketch.gives, tuple) else (sketch.gives,)
    return any(isinstance(part, Array) and fits(role, part.role) for part in parts)


@lru_cache(maxsize=4096)
def _taking(library: Library, role: str) -> tuple[Sketch, ...]:
    return tuple(s for s in library.sketches.values() if _takes(s, role))


def _takes(sketch: Sketch, role: str) -> bool:
    required = (type for name, type in sketch.takes.items() if name not in sketch.optional)
    return any(isinstance(t, Array) and t.role and fits(t.role, role) for t in required)


def taking(library: Library, roles: set[str]) -> list[Sketch]:
    """Gives the sketches that go on with a value of one of the roles."""
    return list(dict.fromkeys(s for role in sorted(roles) for s in _taking(library, role)))


def draw_story(drawing: Drawing, first: Sketch, *, alone: bool = False) -> Story:
    """Gives a story that begins with a sketch: without steps where that is the whole program.

    **Raises:** [`Unfit`][] where nothing gives what the sketch takes.
    """
    stream = drawing.stream
    story = Story(drawing)
    signature = drawing.add(first)
    length = stream.weighted([n for n, _ in _LENGTHS], [w for _, w in _LENGTHS])
    size = first.num_nodes**2
    if alone or stream.chance(size / (size + _USUAL_SIZE**2)):
        if any(not is_input(type) for _, type in signature.takes):
            story.step(first)
        return story
    story.num_spare = length - 1
    story.step(first)
    story.num_spare = 0
    while len(story.steps) < length:
        candidates = [
            sketch
            for sketch in taking(drawing.library, story.roles)
            if sketch.name not in drawing.spaces
        ]
        if not _go_on(story, candidates):
            break
    # One step is the whole program, which then needs no entry point of its own.
    return story if len(story.steps) > 1 else Story(drawing)


def _go_on(story: Story, candidates: list[Sketch]) -> bool:
    """Adds a step of one of the candidates, and tells whether one fits."""
    stream = story.drawing.stream
    for _ in range(min(_TRIES, len(candidates))):
        chosen = _drawn_from(candidates, stream)
        before = story.state()
        try:
            story.step(chosen, has_to_use=True)
        except Unfit:
            story.restore(before)
            continue
        return True
    return False


def _drawn_from(candidates: list[Sketch], stream: Stream) -> Sketch:
    """Takes one of the candidates out, rather a short one: steps are what others build on."""
    chosen = stream.weighted(candidates, [s.weight / s.num_nodes**2 for s in candidates])
    candidates.remove(chosen)
    return chosen
