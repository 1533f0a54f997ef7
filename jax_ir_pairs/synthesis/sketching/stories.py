"""Steps that follow from each other: what one sketch gives, the next one takes by its role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jax_ir_pairs.synthesis.sketching.drawing import Drawing
from jax_ir_pairs.synthesis.sketching.fit import Unfit
from jax_ir_pairs.synthesis.sketching.roles import ROLES, fits
from jax_ir_pairs.synthesis.sketching.source import Library, Sketch
from jax_ir_pairs.synthesis.sketching.types import Array, Type

_LENGTHS = ((1, 40.0), (2, 25.0), (3, 18.0), (4, 10.0), (5, 7.0))
"""Steps of a program, and how often there are as many."""
_TRIES = 4
KEY = "key"
"""The name of the entry point's random key; each step that takes one has one of its own."""


@dataclass
class Value:
    """Something that the entry point has: an argument, or what a step gave."""

    name: str
    type: Type
    is_input: bool = False
    used: bool = False


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

    @property
    def inputs(self) -> list[Value]:
        """The arguments of the entry point."""
        return [value for value in self.values if value.is_input]

    @property
    def returned(self) -> list[str]:
        """What no step has used."""
        return [value.name for value in self.values if not (value.used or value.is_input)]

    @property
    def roles(self) -> set[str]:
        """The roles of what no step has used."""
        open_values = [v for v in self.values if not (v.used or v.is_input)]
        return {v.type.role for v in open_values if isinstance(v.type, Array)} - {""}

    def step(self, sketch: Sketch, *, has_to_use: bool = False) -> None:
        """Adds a step; raises [`Unfit`][], and then the story may be half way."""
        signature = self.drawing.add(sketch)
        if signature.gives is None:
            raise Unfit(f"{sketch.name} does not say what it gives")
        before = {value.name for value in self.values if not value.used}
        arguments: list[str] = []
        for name, type in signature.takes:
            arguments.append(self._argument(name, type, arguments))
        consumed = [v for v in self.values if v.name in arguments and v.name in before]
        if has_to_use and all(value.is_input for value in consumed):
            raise Unfit(f"{sketch.name} goes on with nothing")
        gives = signature.gives
        parts = gives if isinstance(gives, tuple) else (gives,)
        results = tuple(self._result(part, sketch) for part in parts)
        self.values += [Value(n, part) for n, part in zip(results, parts, strict=True)]
        self.steps.append(Step(sketch, tuple(arguments), results))

    def _argument(self, name: str, type: Type, taken: Sequence[str]) -> str:
        if isinstance(type, Array) and type.dtype.startswith("key"):
            self.num_keys += 1
            return f"{KEY} {self.num_keys - 1}"
        value = self._available(type, taken)
        if value is None and not is_input(type):
            self._produce(type)
            value = self._available(type, taken)
            if value is None:
                raise Unfit(f"nothing gives {type}")
        if value is None:
            value = Value(self._free(name, type), type, is_input=True)
            self.values.append(value)
        value.used = True
        return value.name

    def _available(self, type: Type, taken: Sequence[str]) -> Value | None:
        if isinstance(type, Array) and not type.role:
            return None
        # Rather what nothing has used, and the latest of it.
        for value in sorted(reversed(self.values), key=lambda v: v.used):  # noqa: C414 (the latest first)
            if value.name in taken or (value.is_input and not self._is_tree(type)):
                continue
            before = self.drawing.fit.copy()
            try:
                self.drawing.fit.unify(type, value.type)
            except Unfit:
                self.drawing.fit = before
                continue
            return value
        return None

    def _is_tree(self, type: Type) -> bool:
        return not isinstance(self.drawing.fit.decided(type), Array)

    def _produce(self, type: Type) -> None:
        assert isinstance(type, Array)
        library = self.drawing.library
        candidates = [s for s in giving(library, type.role) if s.name not in self.drawing.spaces
                      and all(is_input(t) for t in s.takes.values())]  # fmt: skip
        if not candidates:
            raise Unfit(f"nothing gives {type.role}")
        self.step(self.drawing.stream.choice(candidates))

    def _free(self, name: str, type: Type) -> str:
        taken = {value.name for value in self.values} | self.drawing.spaces.keys()
        if name in taken and isinstance(type, Array) and type.role and type.role not in taken:
            return type.role
        base, number = name, 2
        while name in taken:
            name, number = f"{base}{number}", number + 1
        return name

    def _result(self, type: Type, sketch: Sketch) -> str:
        named = isinstance(type, Array) and (type.doc if type.doc.isidentifier() else type.role)
        return self._free(named or sketch.name.rpartition("_")[2], type)


def is_input(type: Type) -> bool:
    """Tells whether an ordinary input of a program may be of a type."""
    return not isinstance(type, Array) or ROLES[type.role].is_input


def giving(library: Library, role: str) -> list[Sketch]:
    """Gives the sketches whose result has a role."""
    return [s for s in library.sketches.values()
            if isinstance(s.gives, Array) and role and fits(role, s.gives.role)]  # fmt: skip


def taking(library: Library, roles: set[str]) -> list[Sketch]:
    """Gives the sketches that go on with a value of one of the roles."""
    return [
        sketch for sketch in library.sketches.values()
        if sketch.gives is not None
        and any(isinstance(t, Array) and t.role and any(fits(t.role, r) for r in roles)
                for name, t in sketch.takes.items() if name not in sketch.optional)
    ]  # fmt: skip


def draw_story(drawing: Drawing, first: Sketch, *, alone: bool = False) -> Story:
    """Gives a story that begins with a sketch: without steps where that is the whole program.

    **Raises:** [`Unfit`][] where nothing gives what the sketch takes.
    """
    stream = drawing.stream
    story = Story(drawing)
    signature = drawing.add(first)
    length = stream.weighted([n for n, _ in _LENGTHS], [w for _, w in _LENGTHS])
    if signature.gives is None or length == 1 or alone:
        if any(not is_input(type) for _, type in signature.takes):
            story.step(first)
        return story
    story.step(first)
    for _ in range(length - 1):
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
    drawing = story.drawing
    for _ in range(min(_TRIES, len(candidates))):
        chosen = drawing.stream.weighted(candidates, [s.weight for s in candidates])
        candidates.remove(chosen)
        state = drawing.state()
        steps, values, num_keys = (
            [*story.steps],
            [(v, v.used) for v in story.values],
            story.num_keys,
        )
        try:
            story.step(chosen, has_to_use=True)
        except Unfit:
            drawing.restore(state)
            story.steps, story.num_keys = steps, num_keys
            story.values = [value for value, _ in values]
            for value, used in values:
                value.used = used
            continue
        return True
    return False
