"""The text of one item of a program: its choices, names, spelling and remarks as edits."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import TypeGuard

from jax_ir_pairs.synthesis.sketching.hand import Hand
from jax_ir_pairs.synthesis.sketching.head import doc_lines, head, inlined_numbers
from jax_ir_pairs.synthesis.sketching.objects import as_object, fields_of
from jax_ir_pairs.synthesis.sketching.source import Item, Sketch
from jax_ir_pairs.synthesis.sketching.spelling import spelling
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.text import Text, item_spans, renaming, tidy


def written(hand: Hand, item: Item, *, is_entry: bool) -> tuple[str, str]:
    """Gives the text of an item, and what it is for where it is a sketch."""
    drawing, style = hand.drawing, hand.style
    names, flags = hand.names(item), hand.flags_of(item)
    inlined = inlined_numbers(item, hand) if isinstance(item, Sketch) else {}
    fields = fields_of(item, hand, inlined) if isinstance(item, Sketch) else []
    inlined |= {field.parameter: f"self.{field.name}" for field in fields if field.parameter}
    in_fields = {field.option: f"self.{field.name}" for field in fields if field.option}
    work = Text(item, hand.outcomes, {**flags, **in_fields})
    work.choices(item.segment)
    purpose = ""
    if isinstance(item, Sketch):
        purpose = hand.stream.choice(item.purposes)
        signature = drawing.signatures.get(item.name) or drawing.signature(item)
        parameters = {o: name for o, name in flags.items() if o not in in_fields}
        head(work, item, signature, hand, purpose, inlined, parameters)
        names |= inlined
    else:
        _docs_of_others(work, style)
    own = frozenset(i.name for i in drawing.order if not isinstance(i.node, ast.Assign))
    work.edits.extend(renaming(item, names, own | item.bound))
    work.edits.extend(spelling(item, style))
    if style.guards == "drop":
        _drop_guards(work)
    _comments(work, names, keep=style.comments)
    text = tidy(work.result())
    if isinstance(item, Sketch) and fields:
        return as_object(text, item, hand, fields, is_entry=is_entry), purpose
    if is_entry and style.jitted and not text.startswith("@") and _takes_arrays_only(item):
        text = f"@jax.jit\n{text}"
    return text, purpose


def _takes_arrays_only(item: Item) -> bool:
    """Tells whether `jit` takes the function as it is, without static arguments."""
    assert isinstance(item.node, ast.FunctionDef)
    return not item.node.args.defaults and not item.node.args.kwonlyargs


def _comments(work: Text, names: Mapping[str, str], *, keep: bool) -> None:
    file = work.file
    spans = item_spans(work.item)
    for start, end in file.comments:
        if not any(first <= start < last for first, last in spans):
            continue
        text = file.text[start:end]
        keep_this = keep and not text.startswith(("# fmt:", "# noqa"))
        line_start = file.text.rindex("\n", 0, start) + 1
        if keep_this:
            new = re.sub(r"`(\w+)`", lambda m: f"`{names.get(m[1], m[1])}`", text)
            work.edits.append((start, end, new))
        elif not file.text[line_start:start].strip():
            work.edits.append((line_start, end + 1, ""))
        else:
            work.edits.append((len(file.text[:start].rstrip()), end, ""))


def _docs_of_others(work: Text, style: Style) -> None:
    """Takes docstrings away in a style without any."""
    for node in work.item.nodes if style.docs == "none" else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and len(node.body) > 1:
            lines = doc_lines(node)
            if lines is not None:
                work.lines(*lines)


def _drop_guards(work: Text) -> None:
    """Takes away statements that only check and fail, with the comments right above them."""
    text, starts = work.file.text, work.file.line_starts
    for node in work.item.nodes:
        if _is_guard(node) and not _leaves_a_name_idle(work.item, node):
            first = node.lineno
            while text[starts[first - 2] :].lstrip(" ").startswith("#"):
                first -= 1
            assert node.end_lineno is not None
            work.lines(first, node.end_lineno)


def _is_guard(node: ast.AST) -> TypeGuard[ast.Assert | ast.If]:
    """Tells whether a statement only checks and fails."""
    match node:
        case ast.Assert() | ast.If(body=[ast.Raise()], orelse=[]):
            return True
    return False


def _leaves_a_name_idle(item: Item, guard: ast.AST) -> bool:
    """Tells whether something is only assigned for a check, or only checks are in its block."""
    inside = {id(n) for n in ast.walk(guard)}
    read = {n.id for n in ast.walk(guard) if isinstance(n, ast.Name)} & item.bound
    elsewhere = {
        node.id
        for node in item.nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in inside
    }
    blocks = (getattr(node, "body", None) for node in item.nodes)
    alone = any(isinstance(block, list) and _only_checks(block, guard) for block in blocks)
    return alone or not read <= elsewhere


def _only_checks(block: list[ast.stmt], guard: ast.AST) -> bool:
    rest = (node for node in block if not isinstance(node, ast.Expr))  # a docstring
    return guard in block and all(map(_is_guard, rest))
