"""A drawn program as a module: its items in one style, under the imports that they need."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jax_ir_pairs.synthesis.render.imports import module
from jax_ir_pairs.synthesis.render.layout import WIDTH, statement
from jax_ir_pairs.synthesis.sketching.drawing import Drawing
from jax_ir_pairs.synthesis.sketching.entry import entry_point, parameters_of
from jax_ir_pairs.synthesis.sketching.hand import hand_of
from jax_ir_pairs.synthesis.sketching.items import written
from jax_ir_pairs.synthesis.sketching.source import Sketch
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.stream import Stream

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.sketching.draft import SketchDraft

_CLASHES = re.compile(
    r"(?<![\w.])(random|jr|nn|lax|grad|vmap|jit|hessian|checkpoint)\b *(?:=[^=]|,|\)|:| in )"
)
"""A variable with a name that some dialects use for a module or a function of JAX."""
_LINEN = re.compile(r"(?<![\w.])nn\.[A-Z]")
"""A class of `flax.linen`, which has the name that some dialects use for `jax.nn`."""
_DEFINITION = re.compile(r"( *)(def \w+)(\(.*\))((?: -> .+)?:)")
_OPENED, _CLOSED = re.compile(r" *def \w+\("), re.compile(r" *\)(?: -> .+)?:")
_SUBSCRIPT = re.compile(r"[\w)\]]\[\Z")
_STATEMENT = re.compile(r"( *)((?:return |[\w, ]+ = )?)(.+)")


@dataclass(frozen=True)
class Written:
    """A program as source, the names of its entry point and parameters, and its purpose."""

    source: str
    entry: str
    parameters: tuple[str, ...]
    purpose: str


def write(draft: SketchDraft, style: Style, stream: Stream) -> Written:
    """Gives a program as source."""
    drawing, story, entry = draft.drawing, draft.story, draft.entry
    hand = hand_of(draft, style, stream)
    constants: list[str] = []
    definitions: list[list[str]] = []
    purpose = ""
    for item in drawing.order:
        if item in hand.literals:
            continue
        is_entry = item is entry and not story.steps
        text, said = written(hand, item, is_entry=is_entry)
        if isinstance(item.node, ast.Assign) and not item.more:
            constants += text.split("\n")
        else:
            definitions.append(text.split("\n"))
        purpose = said if is_entry else purpose
    if story.steps:
        name, lines, purpose = entry_point(hand, story)
        definitions.append(lines)
        parameters = parameters_of(story)
    else:
        names = hand.names(entry)
        name = names.get(entry.name, entry.name)
        parameters = [names.get(p, p) for p in entry_parameters(drawing, entry, draft.passed)]
    blocks = [*([constants] if constants else []), *definitions]
    variables = frozenset().union(*(item.bound for item in drawing.order))
    if not any(_CLASHES.search(line) for block in blocks for line in block):
        texts = ["\n".join(block) for block in blocks]
        has_linen = any(map(_LINEN.search, texts))
        dialect = replace(style.dialect, nn=False) if has_linen else style.dialect
        blocks = [dialect(text).split("\n") for text in texts]
    source = module(
        [_fitted(without_idle(block)) for block in blocks],
        x64=draft.dtype == "f64",
        variables=variables,
    )
    if style.module_doc:
        source = f'"""{purpose}"""\n\n{source}'
    return Written(source, name, tuple(parameters), purpose)


def entry_parameters(drawing: Drawing, entry: Sketch, passed: frozenset[str]) -> list[str]:
    """Gives the names of a sketch's parameters that are inputs of the program, in their order."""
    kept = {name for name, _ in drawing.signatures[entry.name].takes} | passed
    order = (*entry.function.args.args, *entry.function.args.kwonlyargs)
    return [argument.arg for argument in order if argument.arg in kept]


def _fitted(lines: list[str]) -> list[str]:
    """Gives lines with each statement that is too long for one line on several."""
    found: list[str] = []
    for line in _joined(lines):
        if len(line) <= WIDTH:
            found.append(line)
        elif (match := _DEFINITION.fullmatch(line)) is not None:
            found += statement(match[2], match[3], len(match[1]), match[4])
        elif (match := _STATEMENT.fullmatch(line)) is not None:
            several = statement(match[2], match[3], len(match[1]))
            # A line that is a little long reads better than a subscript on three.
            splits_subscript = any(_SUBSCRIPT.search(part) for part in several)
            keeps = splits_subscript or not _same("\n".join(several), line)
            found += [line] if keeps else several
        else:
            found.append(line)
    return found


def without_idle(lines: list[str]) -> list[str]:
    """Gives lines without assignments that nothing reads: what choices and checks leave behind."""
    while True:
        tree = ast.parse("\n".join(lines))
        names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
        read = {name.id for name in names if isinstance(name.ctx, ast.Load)}
        idle = next(_idle(tree, read), None)
        if idle is None:
            return lines
        first = idle.lineno - 1
        while lines[first - 1].lstrip().startswith("#"):
            first -= 1
        lines = lines[:first] + lines[idle.end_lineno :]


def _idle(tree: ast.Module, read: set[str]) -> Iterator[ast.Assign]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef) or not isinstance(body, list):
            continue
        for part in body if len(body) > 1 else ():
            match part:
                case ast.Assign(targets=[ast.Name(id=name)]) if name not in read:
                    yield part


def _joined(lines: list[str]) -> list[str]:
    """Gives lines with the head of each function on one line, where it fits on one again."""
    found: list[str] = []
    for line in lines:
        found.append(line)
        if len(found) > 2 and _OPENED.fullmatch(found[-3]) and _CLOSED.fullmatch(line):
            head = found[-3] + found[-2].strip().rstrip(",") + line.strip()
            if len(head) <= WIDTH:
                found[-3:] = [head]
    return found


def _same(text: str, line: str) -> bool:
    """Tells whether a text means what a line does, which is a statement without remarks."""
    if '"' in line or "#" in line:
        return False
    try:
        trees = [ast.parse(part.strip().removeprefix("return ")) for part in (text, line)]
    except SyntaxError:
        return False
    return ast.dump(trees[0]) == ast.dump(trees[1])
