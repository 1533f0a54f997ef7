"""Functions written as objects: their numbers and switches become fields, as in libraries."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword

from jax_ir_pairs.synthesis.render.layout import statement
from jax_ir_pairs.synthesis.sketching.hand import Hand
from jax_ir_pairs.synthesis.sketching.head import defaults_of, doc_lines, hint_of, value_of
from jax_ir_pairs.synthesis.sketching.source import Item, Sketch


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter with a default, or an option that stays, as a field."""

    name: str
    value: str
    hint: str
    parameter: str = ""
    option: str = ""


def fields_of(sketch: Sketch, hand: Hand, inlined: Mapping[str, str]) -> list[Field]:
    """Gives what becomes a field; nothing where a sketch stays a function."""
    order, names = hand.drawing.order, hand.names(sketch)
    others = [item for item in order if item is not sketch]
    called = any(_reads(item, sketch, hand) for item in others)
    is_plain = len(sketch.function.decorator_list) == 1 and not sketch.more
    if not hand.style.objects or called or not is_plain or class_name(sketch, hand) in hand.taken:
        return []
    known = {choice.node: choice for choice in hand.outcomes}
    found: list[Field] = []
    arguments = sketch.function.args.args
    for argument, default in zip(arguments, defaults_of(sketch.function), strict=True):
        name = argument.arg
        kept = name in hand.drawing.reads[sketch.name] and name not in inlined
        if default is None or not kept or not _is_only_read(name, sketch):
            continue
        value, hint = value_of(default, known, hand.outcomes), hint_of(default)
        if value and hint:
            found.append(Field(names.get(name, name), value, hint, parameter=name))
    for option, name in hand.flags_of(sketch).items() if found else ():
        value = str(hand.drawing.flags[sketch.name, option])
        found.append(Field(name, value, "bool", option=option))
    return found


def _reads(item: Item, sketch: Sketch, hand: Hand) -> bool:
    filled = hand.drawing.functions(item).values()
    return sketch.name in hand.drawing.reads[item.name] or sketch.name in filled


def _is_only_read(name: str, sketch: Sketch) -> bool:
    """Tells whether a name stands for one thing in the whole of a sketch."""
    stored = any(
        isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
        for n in sketch.nodes
    )
    return not stored and sum(isinstance(n, ast.arg) and n.arg == name for n in sketch.nodes) == 1


def class_name(sketch: Sketch, hand: Hand) -> str:
    """Gives the name of the class that a sketch becomes: `_ridge_fit` is `_RidgeFit`."""
    name = hand.function(sketch.name)
    plain = name.lstrip("_")
    return name[: len(name) - len(plain)] + plain.title().replace("_", "")


def as_object(text: str, sketch: Sketch, hand: Hand, fields: list[Field], *, is_entry: bool) -> str:
    """Gives a class for the text of a function that reads `self`, and what stands for the function.

    That is an object under its name, or a function that uses one where it is the entry point.
    """
    stream, name = hand.stream, class_name(sketch, hand)
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    opening, closing, end = _places(text)
    lines = text[end:].strip("\n").split("\n")
    docs: list[str] = []
    if (found := doc_lines(node)) is not None and found[0] == found[1]:
        docs, lines = lines[:1], "\n".join(lines[1:]).strip("\n").split("\n")
    method = stream.choice(("__call__", "__call__", "__call__", "apply", "compute"))
    parameters = " ".join(text[opening + 1 : closing].split()).rstrip(",")
    taken = ", ".join(filter(None, ("self", parameters)))
    lines.insert(0, f"def {method}({taken}){text[closing + 1 : end]}")
    given = stream.chance(0.4)
    head = list(_head(name, fields, docs, hand, given=given))
    values = ", ".join(f"{field.name}={field.value}" for field in fields) if given else ""
    made = f"{name}({values})"
    used = "" if method == "__call__" else f".{method}"
    indented = [f"    {line}" if line else "" for line in lines]
    if not is_entry:
        return "\n".join([*head, "", *indented, "", "", f"{node.name} = {made}{used}"])
    passed = [argument.arg for argument in node.args.args]
    passed += [f"{argument.arg}={argument.arg}" for argument in node.args.kwonlyargs]
    arguments = ", ".join(passed)
    word = sketch.name.rpartition("_")[2]
    words = {*re.findall(r"\w+", text), *hand.taken}
    variable = next(v for v in (word, "model", "instance") if v not in words and not iskeyword(v))
    body = [f"    return {made}{used}({arguments})"]
    if values:
        body = [
            *statement(f"{variable} = ", made, 4),
            f"    return {variable}{used}({arguments})",
        ]
    return "\n".join([*head, "", *indented, "", "", text[:end], *body])


def _places(text: str) -> tuple[int, int, int]:
    """Gives where a function's parameters open and close, and where its head ends."""
    opening, depth = text.index("("), 0
    for place in range(opening, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0:
            return opening, place, text.index(":", place) + 1
    raise AssertionError("a function's parameters are not closed")


def _head(
    name: str, fields: list[Field], docs: list[str], hand: Hand, *, given: bool
) -> Iterator[str]:
    """Gives the lines of a class before its method."""
    hints = hand.style.hints
    if hand.style.objects == "dataclass":
        yield "@dataclass(frozen=True)"
    yield f"class {name}:"
    yield from [*docs, ""] if docs else []
    if hand.style.objects == "dataclass":
        for field in fields:
            yield f"    {field.name}: {field.hint}" + ("" if given else f" = {field.value}")
        return
    typed = [f.name if hints is None else f"{f.name}: {f.hint}" for f in fields]
    equals = "=" if hints is None else " = "
    defaults = ["" if given else f"{equals}{field.value}" for field in fields]
    parameters = [one + other for one, other in zip(typed, defaults, strict=True)]
    yield from statement("def __init__", f"({', '.join(['self', *parameters])})", 4, ":")
    for field in fields:
        yield f"        self.{field.name} = {field.name}"
