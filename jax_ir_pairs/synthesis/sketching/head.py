"""The head of a sketch's function: its parameters, its docstring, and checks of its arguments."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from jax_ir_pairs.synthesis.sketching.choices import Choice, hole_call
from jax_ir_pairs.synthesis.sketching.drawing import Signature
from jax_ir_pairs.synthesis.sketching.guards import guard
from jax_ir_pairs.synthesis.sketching.hand import Hand
from jax_ir_pairs.synthesis.sketching.remarks import docstring, kind
from jax_ir_pairs.synthesis.sketching.source import Item, Sketch
from jax_ir_pairs.synthesis.sketching.style import Hints
from jax_ir_pairs.synthesis.sketching.text import Text
from jax_ir_pairs.synthesis.sketching.types import Type

_MOST_INLINED = 2
"""Uses of a number that stands in the body rather than be a parameter."""


def doc_lines(node: ast.FunctionDef | ast.ClassDef) -> tuple[int, int] | None:
    """Gives the first and the last line of a docstring."""
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        assert first.end_lineno is not None
        return first.lineno, first.end_lineno
    return None


def head(
    work: Text, sketch: Sketch, signature: Signature, hand: Hand, purpose: str,
    inlined: Mapping[str, str], flags: Mapping[str, str],
) -> None:  # fmt: skip
    """Makes the edits of the head; parameters that are `inlined` go, and `flags` are added."""
    style, names = hand.style, hand.names(sketch)
    lines = doc_lines(sketch.function)
    assert lines is not None
    new: list[str] = []
    if style.docs != "none":
        details = sketch.details if style.docs != "line" else ""
        new += docstring(purpose, details, signature, names, style.docs, style.hints)
    if style.guards in {"raise", "assert"} and not sketch.has_checks:
        checks = guard(signature, names, hand.drawing.fit, style.guards, hand.stream)
        new += [*checks, *([""] if checks and style.guards == "raise" else [])]
    starts = work.file.line_starts
    text = "".join(f"    {line}\n" if line else "\n" for line in new)
    work.edits.append((starts[lines[0] - 1], starts[lines[1]], text))
    _parameters(work, sketch, signature, hand, inlined, flags)


def _parameters(
    work: Text, sketch: Sketch, signature: Signature, hand: Hand,
    inlined: Mapping[str, str], flags: Mapping[str, str],
) -> None:  # fmt: skip
    file, node, hints = work.file, sketch.function, hand.style.hints
    types = dict((*signature.takes, *signature.optional))
    arguments, defaults = node.args.args, defaults_of(node)
    ends = [file.span(d or a)[1] for a, d in zip(arguments, defaults, strict=True)]
    kept = [a.arg in hand.drawing.reads[sketch.name] and a.arg not in inlined for a in arguments]
    last = max((number for number, stays in enumerate(kept) if stays), default=-1)
    if last + 1 < len(arguments):
        start = ends[last] if last >= 0 else file.span(arguments[0])[0]
        work.edits.append((start, ends[-1], ""))
    for number in range(last + 1):
        argument, default = arguments[number], defaults[number]
        start, end = file.span(argument)
        if not kept[number]:
            work.edits.append((start, file.span(arguments[number + 1])[0], ""))
        elif hints is not None and argument.annotation is None:
            said = _hint(types.get(argument.arg), default, hints)
            if said and default is not None:
                work.edits.append((end, file.span(default)[0], f": {said} = "))
            elif said:
                work.edits.append((end, end, f": {said}"))
    for option, name in flags.items():
        value = hand.drawing.flags[sketch.name, option]
        said = f"{name}={value}" if hints is None else f"{name}: bool = {value}"
        place = ends[last] if last >= 0 else file.span(arguments[0])[0]
        start = file.span(arguments[last])[0]
        before = file.text[file.text.rindex("\n", 0, start) + 1 : start]
        gap = " " if before.strip() else f"\n{before}"  # as the parameter before it stands
        work.edits.append((place, place, f",{gap}{said}" if last >= 0 else said))
    result = "" if hints is None else kind(signature.gives, hints, hints.result)
    if result and node.returns is None:
        colon = file.text.rindex("):", 0, file.span(node.body[0])[0]) + 1
        work.edits.append((colon, colon, f" -> {result}"))


def defaults_of(node: ast.FunctionDef) -> list[ast.expr | None]:
    """Gives the default of each positional parameter, or none."""
    missing = len(node.args.args) - len(node.args.defaults)
    return [*[None] * missing, *node.args.defaults]


def _hint(type: Type | None, default: ast.expr | None, hints: Hints) -> str:
    """Gives the annotation of a parameter, or nothing."""
    if type is not None:
        text = kind(type, hints, hints.array)
        is_none = isinstance(default, ast.Constant) and default.value is None
        return hints.optional.format(text) if is_none and text else text
    return hint_of(default)


def hint_of(default: ast.expr | None) -> str:
    """Gives the annotation of a parameter that is no array, or nothing."""
    if default is not None and (hole := hole_call(default)):
        return {"number": "float", "integer": "int", "size": "int"}.get(hole, "")
    if isinstance(default, ast.UnaryOp):  # a negative number
        return hint_of(default.operand)
    if isinstance(default, ast.Constant):
        name = default.value.__class__.__name__
        return name if name in {"int", "float", "bool", "str"} else ""
    return ""


def inlined_numbers(sketch: Sketch, hand: Hand) -> dict[str, str]:
    """Gives the parameters whose numbers stand in the body instead, and the numbers."""
    known = {choice.node: choice for choice in hand.outcomes}
    found: dict[str, str] = {}
    for argument, default in zip(
        sketch.function.args.args, defaults_of(sketch.function), strict=True
    ):
        if not hand.stream.chance(hand.style.inlining) or default is None:
            continue
        number = value_of(default, known, hand.outcomes)
        is_number = number[:1].isdigit() and hole_call(default) != "size"
        if is_number and _stands_for_itself(argument.arg, sketch, hand.drawing.order):
            found[argument.arg] = number
    return found


def value_of(
    default: ast.expr, known: Mapping[ast.AST, Choice], outcomes: Mapping[Choice, int | str]
) -> str:
    """Gives the text of a default that is a constant or a number left open, or nothing."""
    plain = default.operand if isinstance(default, ast.UnaryOp) else default
    if isinstance(plain, ast.Constant) and plain.value is not None:
        return ast.unparse(default).replace("e-0", "e-").replace("'", '"')
    if hole_call(default) in {"number", "integer"} and default in known:
        return str(outcomes[known[default]])
    return ""


def _stands_for_itself(name: str, sketch: Sketch, items: list[Item]) -> bool:
    """Tells whether a parameter is only read, a few times, in no test, and never passed."""
    reads = 0
    for node in sketch.nodes:
        match node:
            case ast.JoinedStr():
                if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node)):
                    return False
            case ast.Name(id=other, ctx=ast.Load()) if other == name:
                reads += 1
            case ast.Name(id=other) if other == name:
                return False
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(test)):
                    return False
    arguments = sum(isinstance(n, ast.arg) and n.arg == name for n in sketch.nodes)
    calls = (n for item in items if item is not sketch for n in item.nodes)
    passed = any(isinstance(n, ast.Name) and n.id == sketch.name for n in calls)
    return 0 < reads <= _MOST_INLINED and arguments == 1 and not passed
