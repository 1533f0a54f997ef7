"""The text of one item of a program: its choices, names, spelling and remarks as edits."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from jax_ir_pairs.synthesis.sketching.choices import hole_call
from jax_ir_pairs.synthesis.sketching.drawing import Signature
from jax_ir_pairs.synthesis.sketching.guards import guard
from jax_ir_pairs.synthesis.sketching.hand import Hand
from jax_ir_pairs.synthesis.sketching.remarks import docstring, kind
from jax_ir_pairs.synthesis.sketching.source import Item, Sketch
from jax_ir_pairs.synthesis.sketching.spelling import spelling
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.text import Text, item_span, renaming, tidy
from jax_ir_pairs.synthesis.sketching.types import Type

_GUARDED = 0.5
"""Of the functions of a program whose style has guards."""


def written(hand: Hand, item: Item, *, is_entry: bool) -> tuple[str, str]:
    """Gives the text of an item, and what it is for where it is a sketch."""
    drawing, style = hand.drawing, hand.style
    names = hand.names(item)
    work = Text(item, hand.outcomes)
    work.choices(item.segment)
    own = frozenset(i.name for i in drawing.order if isinstance(i.node, ast.FunctionDef))
    work.edits.extend(renaming(item, names, own | item.bound))
    work.edits.extend(spelling(item, style))
    _comments(work, names, keep=style.comments)
    purpose = ""
    if isinstance(item, Sketch):
        purpose = hand.stream.choice(item.purposes)
        signature = drawing.signatures.get(item.name) or drawing.signature(item)
        _head(work, item, signature, hand, purpose)
        _parameters(work, item, signature, hand)
    elif isinstance(item.node, ast.FunctionDef | ast.ClassDef):
        _docs_of_others(work, style)
    text = tidy(work.result(item_span(item)))
    if is_entry and style.jitted and not text.startswith("@") and _takes_arrays_only(item):
        text = f"@jax.jit\n{text}"
    return text, purpose


def _takes_arrays_only(item: Item) -> bool:
    """Tells whether `jit` takes the function as it is, without static arguments."""
    assert isinstance(item.node, ast.FunctionDef)
    return not item.node.args.defaults and not item.node.args.kwonlyargs


def _comments(work: Text, names: Mapping[str, str], *, keep: bool) -> None:
    file = work.file
    first, last = item_span(work.item)
    for start, end in file.comments:
        if not first <= start < last:
            continue
        text = file.text[start:end]
        line_start = file.text.rindex("\n", 0, start) + 1
        if keep:
            new = re.sub(r"`(\w+)`", lambda m: f"`{names.get(m[1], m[1])}`", text)
            work.edits.append((start, end, new))
        elif not file.text[line_start:start].strip():
            work.edits.append((line_start, end + 1, ""))
        else:
            work.edits.append((len(file.text[:start].rstrip()), end, ""))


def _doc_lines(node: ast.FunctionDef | ast.ClassDef) -> tuple[int, int] | None:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        assert first.end_lineno is not None
        return first.lineno, first.end_lineno
    return None


def _docs_of_others(work: Text, style: Style) -> None:
    """Takes docstrings away in a style without any."""
    for node in work.item.nodes if style.docs == "none" else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and len(node.body) > 1:
            lines = _doc_lines(node)
            if lines is not None:
                work.lines(*lines)


def _head(work: Text, sketch: Sketch, signature: Signature, hand: Hand, purpose: str) -> None:
    """Makes the edits of a sketch's docstring and of a check of its arguments."""
    style, names, node = hand.style, hand.names(sketch), sketch.function
    lines = _doc_lines(node)
    assert lines is not None
    new: list[str] = []
    if style.docs != "none":
        details = sketch.details if style.docs != "line" else ""
        array = style.annotations or "array"
        new += docstring(purpose, details, signature, names, style.docs, array)
    if style.guards and not sketch.has_checks and hand.stream.chance(_GUARDED):
        checks = guard(signature, names, hand.drawing.fit, style.guards, hand.stream)
        new += [*checks, *([""] if checks and style.guards == "raise" else [])]
    starts = work.file.line_starts
    text = "".join(f"    {line}\n" if line else "\n" for line in new)
    work.edits.append((starts[lines[0] - 1], starts[lines[1]], text))


def _parameters(work: Text, sketch: Sketch, signature: Signature, hand: Hand) -> None:
    """Makes the edits of parameters: those that nothing reads go, others are annotated."""
    file, node, array = work.file, sketch.function, hand.style.annotations
    types = dict((*signature.takes, *signature.optional))
    arguments = node.args.args
    missing = len(arguments) - len(node.args.defaults)
    defaults = [*[None] * missing, *node.args.defaults]
    ends = [file.span(d or a)[1] for a, d in zip(arguments, defaults, strict=True)]
    reads = hand.drawing.reads[sketch.name]
    last = max((n for n, argument in enumerate(arguments) if argument.arg in reads), default=-1)
    if last + 1 < len(arguments):
        start = ends[last] if last >= 0 else file.span(arguments[0])[0]
        work.edits.append((start, ends[-1], ""))
    for number, (argument, default) in enumerate(zip(arguments, defaults, strict=True)):
        start, end = file.span(argument)
        if number > last:
            break
        if argument.arg not in reads:
            work.edits.append((start, file.span(arguments[number + 1])[0], ""))
        elif array and argument.annotation is None:
            hint = _hint(types.get(argument.arg), default, array)
            if hint and default is not None:
                work.edits.append((end, file.span(default)[0], f": {hint} = "))
            elif hint:
                work.edits.append((end, end, f": {hint}"))
    result = kind(signature.gives, array) if array and node.returns is None else ""
    if result:
        colon = file.text.rindex("):", 0, file.span(node.body[0])[0]) + 1
        work.edits.append((colon, colon, f" -> {result}"))


def _hint(type: Type | None, default: ast.expr | None, array: str) -> str:
    """Gives the annotation of a parameter, or nothing."""
    if type is not None:
        text = kind(type, array)
        is_none = isinstance(default, ast.Constant) and default.value is None
        return f"{text} | None" if is_none and text else text
    if default is not None and (hole := hole_call(default)):
        return {"number": "float", "integer": "int", "size": "int"}.get(hole, "")
    if isinstance(default, ast.Constant):
        name = default.value.__class__.__name__
        return name if name in {"int", "float", "bool", "str"} else ""
    return ""
