"""What a sketch leaves open, decided: ways, numbers, and the sketches in its holes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jax_ir_pairs.synthesis.sketching.choices import (
    KEPT,
    Choice,
    Segment,
    all_choices,
    all_names,
    left,
)
from jax_ir_pairs.synthesis.sketching.fit import Fit, Unfit
from jax_ir_pairs.synthesis.sketching.library import Library
from jax_ir_pairs.synthesis.sketching.sizes import Range
from jax_ir_pairs.synthesis.sketching.source import Hole, Item, Sketch
from jax_ir_pairs.synthesis.sketching.types import Type, symbols, within
from jax_ir_pairs.synthesis.stream import Stream

_DEPTH = 3
"""Sketches inside of sketches."""
_TRIES = 6
_REVERSE = frozenset(
    {"grad", "value_and_grad", "jacrev", "jacobian", "hessian", "vjp", "filter_grad",
     "filter_value_and_grad", "filter_vjp"}
)  # fmt: skip
"""Where one of them is, no loop may be inside whose steps nobody knows."""
_DEVICES = frozenset({"shard_map", "pmap", "make_mesh", "Mesh", "NamedSharding"})
"""Words of what runs on several devices."""
_SHARED = ("stream", "library")
"""What a drawing has of its program's whole."""
_KEPT = 0.2
"""Of the options that can stay as flags."""


@dataclass(frozen=True)
class Signature:
    """What a sketch takes and gives here: parameters that nothing reads are gone."""

    takes: tuple[tuple[str, Type], ...]
    optional: tuple[tuple[str, Type], ...]
    gives: Type | None


@dataclass
class Drawing:
    """A program under way: the items that it has so far, and what was decided about them."""

    stream: Stream
    library: Library
    order: list[Item] = field(default_factory=list)
    """The items of the program, each after what it reads."""
    spaces: dict[str, str] = field(default_factory=dict)
    """The name space of each item's symbols: the sketch that it was drawn for."""
    outcomes: dict[Choice, int | str] = field(default_factory=dict)
    options: dict[tuple[str, str], bool] = field(default_factory=dict)
    flags: dict[tuple[str, str], bool] = field(default_factory=dict)
    """By sketch and option: the default of each option that stays as a parameter."""
    reads: dict[str, frozenset[str]] = field(default_factory=dict)
    """The names that what is left of each item reads."""
    fillers: dict[Hole, Sketch | None] = field(default_factory=dict)
    """The sketch in each hole, or nothing while one is looked for."""
    signatures: dict[str, Signature] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    fit: Fit = field(default_factory=Fit)
    devices: str = ""
    """The name space of what runs on several devices: a program has one set of them."""
    reverse: bool = False
    """Whether something of the program is differentiated in reverse."""

    def add(self, sketch: Sketch, depth: int = 0) -> Signature:
        """Takes a sketch in, with all that it needs, and gives its signature.

        **Raises:** [`Unfit`][], and then the drawing is as it was.
        """
        if sketch.name in self.signatures:
            return self.signatures[sketch.name]
        before = self.state()
        try:
            self._collect(sketch, sketch.name, depth)
            signature = self.signature(sketch)
        except Unfit:
            self.restore(before)
            raise
        self.signatures[sketch.name] = signature
        return signature

    def state(self) -> dict[str, Any]:
        """Gives what [`restore`][] takes, once."""
        return {name: copy(value) for name, value in vars(self).items() if name not in _SHARED}

    def restore(self, state: dict[str, Any]) -> None:
        """Makes the drawing what it was."""
        vars(self).update(state)

    def _collect(self, item: Item, space: str, depth: int) -> None:
        if not _DEVICES.isdisjoint(item.words):
            if self.devices not in ("", space):
                raise Unfit("the program is on other devices")
            self.devices = space
        if item.name in self.spaces:
            if self.spaces[item.name] != space and _has_sizes(item):
                raise Unfit(f"{item.name} has the sizes of another sketch")
            return
        self.spaces[item.name] = space
        self.reverse |= not _REVERSE.isdisjoint(item.words)
        if isinstance(item, Sketch):
            stated = {s for type in item.takes.values() for s in symbols(type)} | set(item.sizes)
            for symbol in sorted(stated):
                self.ranges[f"{space}.{symbol}"] = item.sizes.get(symbol) or usual_range(symbol)
        names = frozenset(self._decide(item.segment, item))
        self.reads[item.name] = names
        for name in sorted(names):
            if name in item.file.items and name != item.name:
                self._collect(item.file.items[name], space, depth)
            elif name in item.file.holes:
                self._fill(item.file.holes[name], item, space, depth)
        self.order.append(item)

    def _decide(self, segment: Segment, item: Item) -> Iterable[str]:
        yield from segment.names
        for choice in segment.choices:
            outcome = self._outcome(choice, item)
            for alternative in left(choice, outcome):
                yield from self._decide(alternative, item)

    def _outcome(self, choice: Choice, item: Item) -> int | str:
        stream, given = self.stream, choice.arguments
        outcome: int | str
        match choice.kind:
            case "one_of":
                outcome = stream.integer(0, len(choice.alternatives) - 1)
            case "maybe":
                key = (f"{item.file.theme}/{item.file.stem}", choice.option)
                if key not in self.options:
                    self.options[key] = stream.chance(given[0])
                    value = self.options[key]
                    if _can_be_flag(item, choice.option, value) and stream.chance(_KEPT):
                        self.flags[item.name, choice.option] = value
                outcome = int(self.options[key] == choice.negated)
                if (item.name, choice.option) in self.flags:
                    outcome += KEPT
            case "number":
                outcome = number(stream, *given)
            case "integer":
                outcome = str(stream.integer(*given))
            case _:
                outcome = ""  # a size, which is known later
        self.outcomes[choice] = outcome
        return outcome

    def _fill(self, hole: Hole, item: Item, space: str, depth: int) -> None:
        if hole not in self.fillers:
            if depth >= _DEPTH:
                raise Unfit(f"{hole.name} is too deep")
            self.fillers[hole] = None
            self.fillers[hole] = self._filler(hole, item, space, depth)
        filler = self.fillers[hole]
        if filler is None or filler.name in item.bound:
            raise Unfit(f"{hole.name} of {item.name} would be filled by itself or be hidden")
        if self.reverse and "while_loop" in filler.words:
            raise Unfit(f"{filler.name} has a loop whose steps nobody knows")
        # Another sketch of the file may have the same hole, and hands its own values on.
        self._connect(hole, filler, space)

    def _filler(self, hole: Hole, item: Item, space: str, depth: int) -> Sketch:
        candidates = [
            s for s in fitting(self.library, hole)
            if s.name not in self.spaces and s.name not in item.bound
            and not (self.reverse and "while_loop" in s.words)
        ]  # fmt: skip
        for _ in range(min(_TRIES, len(candidates))):
            chosen = self.stream.weighted(candidates, [s.weight for s in candidates])
            candidates.remove(chosen)
            before = self.state()
            try:
                self.add(chosen, depth + 1)
                self._connect(hole, chosen, space)
            except Unfit:
                self.restore(before)
                continue
            return chosen
        raise Unfit(f"nothing fits {hole.name} of {item.name}")

    def _connect(self, hole: Hole, filler: Sketch, space: str) -> None:
        """Makes the types of a hole in a name space those of the sketch in it."""
        signature = self.signatures[filler.name]
        if signature.gives is None or len(signature.takes) != len(hole.takes):
            raise Unfit(f"{filler.name} does not fit {hole.name}")
        for wanted, (_, given) in zip(hole.takes, signature.takes, strict=True):
            # What the hole is given has to be taken, so the other way round.
            self.fit.unify(given, within(wanted, space))
        self.fit.unify(within(hole.gives, space), signature.gives)

    def functions(self, item: Item) -> dict[str, str]:
        """Gives the sketch that each hole of an item's file stands for, by the hole's name."""
        filled = ((name, self.fillers.get(hole)) for name, hole in item.file.holes.items())
        return {name: sketch.name for name, sketch in filled if sketch is not None}

    def signature(self, sketch: Sketch) -> Signature:
        """Gives what a sketch of the program takes and gives."""
        read = self.reads[sketch.name]
        space = self.spaces[sketch.name]
        order = [a.arg for a in (*sketch.function.args.args, *sketch.function.args.kwonlyargs)]
        kept = [(name, within(sketch.takes[name], space)) for name in order
                if name in sketch.takes and name in read]  # fmt: skip
        return Signature(
            tuple((name, type) for name, type in kept if name not in sketch.optional),
            tuple((name, type) for name, type in kept if name in sketch.optional),
            None if sketch.gives is None else within(sketch.gives, space),
        )


@lru_cache(maxsize=4096)
def _has_sizes(item: Item) -> bool:
    """Tells whether the text of an item depends on the sizes of the sketch that it came with."""
    is_part = not isinstance(item, Sketch)
    return is_part and any(choice.kind == "size" for choice in all_choices(item.segment))


@lru_cache(maxsize=4096)
def _can_be_flag(item: Item, option: str, value: bool) -> bool:
    """Tells whether an option can stay: what is not taken needs no input of its own."""
    if item.file.flags.get(option) is not item:
        return False
    assert isinstance(item, Sketch)
    for choice in all_choices(item.segment):
        if choice.kind == "maybe" and choice.option == option:
            taken, other = choice.alternatives[:: 1 if value != choice.negated else -1]
            more = all_names(other) - all_names(taken) - item.segment.names
            if not more.isdisjoint(item.takes):
                return False
    return True


@lru_cache(maxsize=4096)
def fitting(library: Library, hole: Hole) -> tuple[Sketch, ...]:
    """Gives the sketches that may fit a hole, as far as their types alone can tell."""
    return tuple(sketch for sketch in library.sketches.values() if _may_fit(sketch, hole))


def _may_fit(sketch: Sketch, hole: Hole) -> bool:
    required = [type for name, type in sketch.takes.items() if name not in sketch.optional]
    if sketch.gives is None or len(required) < len(hole.takes) or not _fills(sketch):
        return False
    if len(required) > len(hole.takes):  # some may not be read
        return _fits(within(hole.gives, "hole"), within(sketch.gives, "sketch"), Fit())
    fit = Fit()
    pairs = [(within(given, "sketch"), within(wanted, "hole"))
             for wanted, given in zip(hole.takes, required, strict=True)]  # fmt: skip
    pairs.append((within(hole.gives, "hole"), within(sketch.gives, "sketch")))
    return all(_fits(wanted, given, fit) for wanted, given in pairs)


def _fills(sketch: Sketch) -> bool:
    """Tells whether a sketch may be called from anywhere: what has a mesh may not be batched."""
    items = sketch.file.items.values()
    return sketch.fills and all(_DEVICES.isdisjoint(item.words) for item in items)


def _fits(wanted: Type, given: Type, fit: Fit) -> bool:
    try:
        fit.unify(wanted, given)
    except Unfit:
        return False
    return True


_USUAL = {
    "b": (2, 64), "t": (4, 256), "s": (4, 256), "d": (4, 512), "n": (4, 512), "m": (4, 256),
    "h": (2, 8), "k": (2, 8), "l": (2, 6), "c": (2, 64), "v": (8, 1024), "w": (4, 64),
}  # fmt: skip


def usual_range(symbol: str) -> tuple[int, int]:
    """Gives the least and the greatest value of a symbol whose sketch states none."""
    return _USUAL.get(symbol, (2, 64))


def number(stream: Stream, low: float, high: float) -> str:
    """Gives a number as a person would write it: one or two digits that count.

    Each magnitude is as likely, or each number where the least is not positive.
    """
    digits = 1 if stream.chance(0.65) else 2
    drawn = stream.uniform()
    magnitude = low * (high / low) ** drawn if low > 0 else low + (high - low) * drawn
    rounded = float(f"{magnitude:.{digits - 1}e}")
    rounded = min(max(rounded, low), high)
    if 0 < abs(rounded) < 1e-3:
        mantissa, exponent = f"{rounded:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return re.sub(r"e\+?(-?)0*", r"e\1", repr(rounded))
