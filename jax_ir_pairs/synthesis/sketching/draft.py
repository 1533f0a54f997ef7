"""A program drawn from sketches, before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from jax_ir_pairs.synthesis.canonical import digests
from jax_ir_pairs.synthesis.held_out import Kind
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.sketching.choices import Choice, choices_left
from jax_ir_pairs.synthesis.sketching.drawing import Drawing, usual_range
from jax_ir_pairs.synthesis.sketching.facts import Facts, facts
from jax_ir_pairs.synthesis.sketching.fit import Unfit, value
from jax_ir_pairs.synthesis.sketching.library import Library
from jax_ir_pairs.synthesis.sketching.outline import Outline, pieces
from jax_ir_pairs.synthesis.sketching.sizes import draw_sizes
from jax_ir_pairs.synthesis.sketching.source import Sketch
from jax_ir_pairs.synthesis.sketching.stories import Story, draw_story
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.types import (
    Array,
    Fields,
    Repeated,
    Type,
    Variable,
    dim,
    parse,
    symbols,
    within,
)
from jax_ir_pairs.synthesis.sketching.writing import entry_parameters, write
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, Tree, leaves, to_json

_TRIES = 20
_DTYPES = {"f32": 90.0, "bf16": 6.0, "f16": 2.0, "f64": 2.5}
_WIDE = {"f": "f64", "i": "i64", "c": "c128"}
_NARROW = {"i": "i32", "c": "c64"}
_MOST_ELEMENTS = 1 << 16
"""Of all inputs together."""


@dataclass(frozen=True)
class SketchDraft:
    """A program as sketches with their choices made. Only the writing draws from `style`."""

    drawing: Drawing
    story: Story
    entry: Sketch
    outcomes: Mapping[Choice, int | str]
    passed: frozenset[str]
    """The optional parameters of the entry point that are inputs."""
    inputs: tuple[Tree, ...]
    results: list[Aval] | None
    """The avals of what the program gives, where its sketch states them."""
    dtype: str
    style: Stream

    @property
    def family(self) -> str:
        """The theme of the sketch that it began with."""
        return self.entry.file.theme

    @property
    def canonical_hash(self) -> str:
        """Hash of the program up to names and spelling: equal ones are duplicates."""
        return self._hashes[0]

    @property
    def structure_hash(self) -> str:
        """Hash of the program up to names, spelling, shapes, dtypes and numbers."""
        return self._hashes[1]

    @property
    def held_out(self) -> Kind:
        """What of the program is held out of training."""
        return self._facts.held_out

    @property
    def outline(self) -> Outline:
        """What the program is made of, to compare it with others before it is written."""
        order = self.drawing.order
        found = (piece for item in order for piece in pieces(item.segment, self.outcomes))
        return Outline(tuple(item.name for item in order), frozenset(found))

    def transforms(self) -> tuple[str, ...]:
        """Gives the distinct transformations, in order from outside in."""
        return self._facts.transforms

    def program(self) -> Program:
        """Gives the program as source."""
        written = write(self, Style.draw(self.style), self.style)
        inputs = to_json(list(zip(written.parameters, self.inputs, strict=True)))
        return Program(
            written.source, written.entry, inputs, self.family, self.transforms(),
            self.structure_hash,
            written.purpose,
            tuple(item.name for item in self.drawing.order if isinstance(item, Sketch)),
        )  # fmt: skip

    @cached_property
    def _facts(self) -> Facts:
        return facts(self)

    @cached_property
    def _hashes(self) -> tuple[str, str]:
        drawing = self.drawing
        parts = [f"{self.entry.name} {sorted(self.passed)}\0{self.dtype}{self.inputs}\1"]
        for item in drawing.order:
            parts.append(f"\n{item.name}")
            for choice in choices_left(item.segment, self.outcomes):
                outcome = self.outcomes[choice]
                parts.append(f" {outcome}" if choice.alternatives else f" \0{outcome}\1")
        parts += (f"\n{hole.name}={s.name}" for hole, s in drawing.fillers.items() if s)
        parts += (f"\n{step.sketch.name}{step.arguments}" for step in self.story.steps)
        return digests("".join(parts))


def draw_sketch(library: Library, theme: str, stream: Stream, style: Stream) -> SketchDraft:
    """Gives a program of a theme."""
    sketches = library.by_theme[theme]
    for _ in range(_TRIES):
        first = stream.weighted(sketches, [sketch.weight for sketch in sketches])
        try:
            return draw_from(library, first, stream, style)
        except Unfit:
            continue
    raise AssertionError(f"no sketch of {theme} makes a program")


def draw_from(
    library: Library, first: Sketch, stream: Stream, style: Stream, *, alone: bool = False
) -> SketchDraft:
    """Gives a program that begins with a sketch.

    Where it is `alone`, other steps are only those that make what no input can be.

    **Raises:** [`Unfit`][] where this time nothing fits.
    """
    drawing = Drawing(stream, library)
    story = draw_story(drawing, first, alone=alone)
    signature = drawing.signatures[first.name]
    passed = frozenset(n for n, _ in signature.optional if not story.steps and stream.chance(0.6))
    dtype = _dtype(drawing)
    dtypes = {"f": dtype, **(_WIDE if dtype == "f64" else _NARROW)}
    types: list[Type]
    if story.steps:
        types = [v.type for v in story.inputs]
        trees_of_keys = [parse("key")] if story.num_keys else []
    else:
        known = dict((*signature.takes, *signature.optional))
        types = [known[name] for name in entry_parameters(drawing, first, passed)]
        trees_of_keys = []
    for type in types:
        _settle(drawing, type)
    sizes = draw_sizes(stream, drawing.fit, drawing.ranges)
    trees = tuple(drawing.fit.tree(type, sizes, dtypes) for type in [*trees_of_keys, *types])
    results = None
    if not story.steps and signature.gives is not None:
        results = leaves(drawing.fit.tree(signature.gives, sizes, dtypes))
    if sum(leaf.size for tree in trees for leaf in leaves(tree)) > _MOST_ELEMENTS:
        raise Unfit("the inputs are too large")
    return SketchDraft(
        drawing, story, first, _with_sizes(drawing, sizes), passed, trees, results, dtype, style
    )


_PARAMETERS = (
    parse({"w": "f[d, h]", "b": "f[h]"}),
    parse({"weights": "f[d, h]", "bias": "f[h]", "scale": "f[]"}),
    parse([{"w": "f[d, h]", "b": "f[h]"}, {"w": "f[h, c]", "b": "f[c]"}]),
    parse({"layers": ("l", {"w": "f[d, d]", "b": "f[d]"}), "head": "f[d, c]"}),
    parse({"encoder": {"w": "f[d, h]", "b": "f[h]"}, "decoder": {"w": "f[h, d]", "b": "f[d]"}}),
)
"""What a type that nothing decides may be: parameters as models have them."""


def _settle(drawing: Drawing, type: Type) -> None:
    """Decides what nothing else has: how many axes a `*s` is, and what a variable is."""
    match drawing.fit.decided(type):
        case Variable(name):
            space = f"{name}.of"
            chosen = within(drawing.stream.choice(_PARAMETERS), space)
            drawing.fit.types[name] = chosen
            drawing.ranges |= {s: usual_range(s.rpartition(".")[2]) for s in symbols(chosen)}
        case Array(dims=dims):
            first = drawing.fit.shape(dims)[:1]
            if first and isinstance(first[0], str) and first[0].startswith("*"):
                name = first[0][1:]
                number = drawing.stream.weighted((0, 1, 2), (1.0, 4.0, 2.0))
                axes = tuple(f"{name}{axis}" for axis in range(number))
                drawing.fit.several[first[0]] = axes
                drawing.ranges |= dict.fromkeys(axes, drawing.ranges.get(name, (2, 64)))
        case Fields(items):
            for _, part in items:
                _settle(drawing, part)
        case Repeated(element=element):
            _settle(drawing, element)
        case tuple() as parts:
            for part in parts:
                _settle(drawing, part)


def _dtype(drawing: Drawing) -> str:
    sketches = [item for item in drawing.order if isinstance(item, Sketch)]
    shared = [d for d in _DTYPES if all(d in sketch.dtypes for sketch in sketches)]
    if not shared:
        raise Unfit("the sketches share no dtype")
    return drawing.stream.weighted(shared, [_DTYPES[d] for d in shared])


def _with_sizes(drawing: Drawing, sizes: Mapping[str, int]) -> dict[Choice, int | str]:
    """Gives the outcomes with the sizes that some of them stand for."""
    outcomes = dict(drawing.outcomes)
    for item in drawing.order:
        space = drawing.spaces[item.name]
        for choice in choices_left(item.segment, outcomes):
            if choice.kind == "size":
                wanted = within(dim(choice.arguments[0]), space)
                outcomes[choice] = str(value(drawing.fit.resolved(wanted), sizes))
    return outcomes
