"""What decides how the items of one program are written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jax_ir_pairs.synthesis.sketching.choices import Choice
from jax_ir_pairs.synthesis.sketching.drawing import Drawing
from jax_ir_pairs.synthesis.sketching.naming import drawn_names
from jax_ir_pairs.synthesis.sketching.source import Item
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.text import Text
from jax_ir_pairs.synthesis.stream import Stream

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.sketching.draft import SketchDraft


@dataclass(frozen=True)
class Hand:
    """A style, and the names that a program has in it."""

    drawing: Drawing
    outcomes: Mapping[Choice, int | str]
    style: Style
    stream: Stream
    functions: Mapping[str, str]
    """New names of functions of the module."""
    variables: Mapping[str, Mapping[str, str]]
    """New names of variables, by the sketch whose items have them."""
    flags: Mapping[tuple[str, str], str]
    """The name of each option that stays, by sketch and option."""
    taken: frozenset[str]
    """Every word that the program's sketches have."""
    literals: Mapping[Item, str]
    """The constants that are a text, such as the name of an axis, and stand where they are read."""

    def names(self, item: Item) -> dict[str, str]:
        """Gives the new names that count in an item."""
        holes = {n: self.function(f) for n, f in self.drawing.functions(item).items()}
        variables = self.variables.get(self.drawing.spaces[item.name], {})
        literals = {constant.name: text for constant, text in self.literals.items()}
        return {**self.functions, **holes, **variables, **literals}

    def flags_of(self, item: Item) -> dict[str, str]:
        """Gives the names of the options that stay in an item."""
        return {
            option: name for (sketch, option), name in self.flags.items() if sketch == item.name
        }

    def function(self, name: str) -> str:
        """Gives the name that a function of the module has."""
        return self.functions.get(name, name)


def hand_of(draft: SketchDraft, style: Style, stream: Stream) -> Hand:
    """Gives the hand of a program in a style."""
    drawing, story = draft.drawing, draft.story
    taken = {value.name for value in story.values}.union(*(item.words for item in drawing.order))
    words = frozenset(taken)
    functions: dict[str, str] = {}
    for item in drawing.order if style.private else []:
        is_entry = item is draft.entry and not story.steps
        if isinstance(item.node, ast.FunctionDef) and not is_entry and item.name[0] != "_":
            functions[item.name] = f"_{item.name}"
    groups: dict[str, list[Item]] = {}
    for item in drawing.order:
        groups.setdefault(drawing.spaces[item.name], []).append(item)
    variables = {
        space: drawn_names(stream, items, taken, style.renaming) for space, items in groups.items()
    }
    flags = {flag: _flag_name(stream, flag[1], taken) for flag in drawing.flags}
    literals: dict[Item, str] = {}
    for item in drawing.order:
        text = _literal(item, draft.outcomes)
        if text and stream.chance(style.inlining):
            literals[item] = text
    return Hand(
        drawing, draft.outcomes, style, stream, functions, variables, flags, words, literals
    )


def _flag_name(stream: Stream, option: str, taken: set[str]) -> str:
    names = (f"use_{option}", f"use_{option}", f"with_{option}", option)
    return stream.choice([name for name in names if name not in taken] or [f"has_{option}"])


def _literal(item: Item, outcomes: Mapping[Choice, int | str]) -> str:
    """Gives the source of a constant that is a text, and nothing of any other item."""
    if not isinstance(item.node, ast.Assign):
        return ""
    work = Text(item, outcomes)
    work.choices(item.segment)
    _, _, value = work.result().partition(" = ")
    return value if value[:1] == '"' else ""
