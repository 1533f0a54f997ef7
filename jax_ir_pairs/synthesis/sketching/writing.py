"""A drawn program as a module: its items in one style, under the imports that they need."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jax_ir_pairs.synthesis.render.imports import module
from jax_ir_pairs.synthesis.render.layout import WIDTH, statement
from jax_ir_pairs.synthesis.sketching.drawing import Drawing, Signature
from jax_ir_pairs.synthesis.sketching.naming import drawn_names, names_in
from jax_ir_pairs.synthesis.sketching.remarks import docstring, guard, kind
from jax_ir_pairs.synthesis.sketching.source import Choice, Item, Sketch
from jax_ir_pairs.synthesis.sketching.spelling import spelling
from jax_ir_pairs.synthesis.sketching.stories import Story
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.text import Text, item_span, nodes, renaming, tidy
from jax_ir_pairs.synthesis.sketching.types import Type
from jax_ir_pairs.synthesis.stream import Stream

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.sketching.draft import SketchDraft

_LONGEST_PURPOSE = 90
_CLASHES = re.compile(
    r"(?<![\w.])(random|jr|nn|lax|grad|vmap|jit|hessian|checkpoint)\b *(?:=[^=]|,|\)|:| in )"
)
"""A variable with a name that some dialects use for a module or a function of JAX."""
_DEFINITION = re.compile(r"( *)(def \w+)(\(.*\))((?: -> .+)?:)")
_STATEMENT = re.compile(r"( *)((?:return |[\w, ]+ = )?)(.+)")


@dataclass(frozen=True)
class Written:
    """A program as source, the names of its entry point and parameters, and its purpose."""

    source: str
    entry: str
    parameters: tuple[str, ...]
    purpose: str


@dataclass(frozen=True)
class _Hand:
    """What decides how the items of one program are written."""

    drawing: Drawing
    outcomes: Mapping[Choice, int | str]
    style: Style
    stream: Stream
    functions: Mapping[str, str]
    """New names of functions of the module, and of what fills a hole, by the names in the sketches."""
    variables: Mapping[str, Mapping[str, str]]
    """New names of variables, by the sketch whose items have them."""

    def names(self, item: Item) -> dict[str, str]:
        """Gives the new names that count in an item."""
        return {**self.functions, **self.variables.get(self.drawing.spaces[item.name], {})}


def write(draft: SketchDraft, style: Style, stream: Stream) -> Written:
    """Gives a program as source."""
    drawing, story, entry = draft.drawing, draft.story, draft.entry
    hand = _hand(draft, style, stream)
    constants: list[str] = []
    definitions: list[list[str]] = []
    purpose = ""
    for item in drawing.order:
        is_entry = item is entry and not story.steps
        text, said = _written(hand, item, is_entry=is_entry)
        if isinstance(item.node, ast.Assign):
            constants += text.split("\n")
        else:
            definitions.append(text.split("\n"))
        purpose = said if is_entry else purpose
    if story.steps:
        name, lines, purpose = _entry(hand, story)
        definitions.append(lines)
        parameters = [*(["key"] if story.num_keys else []), *(v.name for v in story.inputs)]
    else:
        names = hand.names(entry)
        name = names.get(entry.name, entry.name)
        parameters = [names.get(p, p) for p in entry_parameters(drawing, entry, draft.passed)]
    blocks = [*([constants] if constants else []), *definitions]
    if not any(_CLASHES.search(line) for block in blocks for line in block):
        blocks = [style.dialect("\n".join(block)).split("\n") for block in blocks]
    source = module([_fitted(block) for block in blocks], x64=draft.dtype == "f64")
    if style.module_doc:
        source = f'"""{purpose}"""\n\n{source}'
    return Written(source, name, tuple(parameters), purpose)


def _fitted(lines: list[str]) -> list[str]:
    """Gives lines with each statement that is too long for one line on several."""
    found: list[str] = []
    for line in lines:
        if len(line) > WIDTH and (match := _DEFINITION.fullmatch(line)) is not None:
            found += statement(match[2], match[3], len(match[1]), match[4])
            continue
        match = _STATEMENT.match(line) if len(line) > WIDTH else None
        if match is None or not _is_whole(line):
            found.append(line)
        else:
            margin, prefix, expression = match.groups()
            found += statement(prefix or "", expression, len(margin))
    return found


def _is_whole(line: str) -> bool:
    try:
        ast.parse(line.strip().removeprefix("return "))
    except SyntaxError:
        return False
    return '"' not in line and "#" not in line


def entry_parameters(drawing: Drawing, entry: Sketch, passed: frozenset[str]) -> list[str]:
    """Gives the names of a sketch's parameters that are inputs of the program, in their order."""
    signature = drawing.signatures[entry.name]
    kept = {name for name, _ in signature.takes} | passed
    order = [a.arg for a in (*entry.function.args.args, *entry.function.args.kwonlyargs)]
    return [name for name in order if name in kept]


def _hand(draft: SketchDraft, style: Style, stream: Stream) -> _Hand:
    drawing, story, entry = draft.drawing, draft.story, draft.entry
    taken = names_in(drawing.order) | {v.name for v in story.values}
    functions = {hole: sketch.name for hole, sketch in drawing.fillers.items()}
    if style.private:
        for item in drawing.order:
            is_entry = item is entry and not story.steps
            if isinstance(item.node, ast.FunctionDef) and not is_entry and item.name[0] != "_":
                functions[item.name] = f"_{item.name}"
    functions |= {hole: functions.get(name, name) for hole, name in functions.items()}
    groups: dict[str, list[Item]] = {}
    for item in drawing.order:
        groups.setdefault(drawing.spaces[item.name], []).append(item)
    variables = {
        space: drawn_names(stream, items, taken, style.renaming) for space, items in groups.items()
    }
    return _Hand(drawing, draft.outcomes, style, stream, functions, variables)


def _written(hand: _Hand, item: Item, *, is_entry: bool) -> tuple[str, str]:
    """Gives the text of an item, and what it is for where it is a sketch."""
    drawing, style = hand.drawing, hand.style
    names = hand.names(item)
    work = Text(item, hand.outcomes, [], {})
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
    elif isinstance(item.node, ast.FunctionDef | ast.ClassDef):
        _helper_docs(work, style)
    text = tidy(work.result(item_span(item)))
    if is_entry and style.jitted and "@" not in text.split("\n")[0] and _is_plain(item):
        text = f"@jax.jit\n{text}"
    return text, purpose


def _is_plain(item: Item) -> bool:
    """Tells whether all parameters are arrays, so that `jit` takes the function as it is."""
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
        alone = not file.text[line_start:start].strip()
        if keep:
            new = re.sub(r"`(\w+)`", lambda m: f"`{names.get(m[1], m[1])}`", text)
            work.edits.append((start, end, new))
        elif alone:
            work.edits.append((line_start, end + 1, ""))
        else:
            work.edits.append((len(file.text[:start].rstrip()), end, ""))


def _doc_lines(work: Text, node: ast.FunctionDef | ast.ClassDef) -> tuple[int, int] | None:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        assert first.end_lineno is not None
        return first.lineno, first.end_lineno
    return None


def _helper_docs(work: Text, style: Style) -> None:
    for node in nodes(work.item):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and style.docs == "none":
            lines = _doc_lines(work, node)
            if lines is not None and len(node.body) > 1:
                work.lines(*lines)


def _head(work: Text, sketch: Sketch, signature: Signature, hand: _Hand, purpose: str) -> None:
    """Makes the edits of a sketch's docstring, its annotations and the checks of its arguments."""
    style, names, file = hand.style, hand.names(sketch), work.file
    node = sketch.function
    lines = _doc_lines(work, node)
    assert lines is not None
    details = sketch.details if style.docs != "line" else ""
    new: list[str] = []
    if style.docs != "none":
        new += docstring(
            purpose, details, signature, names, style.docs, style.annotations or "array"
        )
    if style.guards and not _checks(node):
        number = hand.stream.integer(0, 59)
        checks = guard(signature, names, hand.drawing.fit, style.guards, number)
        new += [*checks, *([""] if checks and style.guards == "raise" else [])]
    starts = file.line_starts
    text = "".join(f"    {line}\n" if line else "\n" for line in new)
    work.edits.append((starts[lines[0] - 1], starts[lines[1]], text))
    _parameters(work, sketch, signature, hand)


def _checks(node: ast.FunctionDef) -> bool:
    return any(isinstance(part, ast.Raise | ast.Assert) for part in ast.walk(node))


def _parameters(work: Text, sketch: Sketch, signature: Signature, hand: _Hand) -> None:
    file, node, style = work.file, sketch.function, hand.style
    types = dict((*signature.takes, *signature.optional))
    arguments = node.args.args
    defaults = [None] * (len(arguments) - len(node.args.defaults)) + list(node.args.defaults)
    ends = [file.span(default or argument)[1]
            for argument, default in zip(arguments, defaults, strict=True)]  # fmt: skip
    read = hand.drawing.reads[sketch.name]
    kept = [argument.arg in read for argument in arguments]
    for number, (argument, default) in enumerate(zip(arguments, defaults, strict=True)):
        start, end = file.span(argument)
        if not kept[number]:
            later = number + 1 < len(arguments)
            first = start if later else (ends[number - 1] if number else start)
            last = file.span(arguments[number + 1])[0] if later else ends[number]
            work.edits.append((first, last, ""))
        elif style.annotations and argument.annotation is None:
            hint = _hint(types.get(argument.arg), default, style.annotations)
            if hint and default is not None:
                work.edits.append((end, file.span(default)[0], f": {hint} = "))
            elif hint:
                work.edits.append((end, end, f": {hint}"))
    if style.annotations and node.returns is None and signature.gives is not None:
        result = kind(signature.gives, style.annotations)
        body = file.span(node.body[0])[0]
        colon = file.text.rindex("):", 0, body) + 1
        if result:
            work.edits.append((colon, colon, f" -> {result}"))


def _hint(type: Type | None, default: ast.expr | None, array: str) -> str:
    if type is not None:
        text = kind(type, array)
        optional = isinstance(default, ast.Constant) and default.value is None
        return f"{text} | None" if optional and text else text
    if isinstance(default, ast.Call) and isinstance(default.func, ast.Name):
        return {"number": "float", "integer": "int", "size": "int"}.get(default.func.id, "")
    if isinstance(default, ast.Constant):
        return {int: "int", float: "float", bool: "bool", str: "str"}.get(
            default.value.__class__, ""
        )
    return ""


def _entry(hand: _Hand, story: Story) -> tuple[str, list[str], str]:
    """Gives the name, the lines and the purpose of an entry point of several steps."""
    stream, style = hand.stream, hand.style
    returned = story.returned
    last = story.steps[-1].sketch
    taken = {item.name for item in hand.drawing.order} | {value.name for value in story.values}
    given = story.inputs[0].name if story.inputs else "key"
    candidates = [f"compute_{returned[-1]}", f"{returned[-1]}_from_{given}", f"{last.name}_of_{given}",
                  f"evaluate_{returned[-1]}", "run", "pipeline", f"{story.steps[0].sketch.name}_then_"
                  f"{last.name}"]  # fmt: skip
    free = [name for name in candidates if name not in taken and len(name) < 40]
    name = stream.choice(free or [f"run_{last.name}"])
    purpose = _joined([hand.stream.choice(step.sketch.purposes) for step in story.steps])
    key = ["key"] if story.num_keys else []
    parameters = [*key, *(value.name for value in story.inputs)]
    if style.annotations:
        types = {value.name: kind(value.type, style.annotations) for value in story.inputs}
        types["key"] = style.annotations
        parameters = [f"{p}: {types[p]}" if types.get(p) else p for p in parameters]
    lines = statement(f"def {name}", f"({', '.join(parameters)})", 0, ":")
    if style.docs != "none":
        lines.append(f'    """{purpose}"""')
    if story.num_keys == 2:
        lines.append("    key, subkey = jax.random.split(key)")
    elif story.num_keys > 2:
        lines.append(f"    keys = jax.random.split(key, {story.num_keys})")
    keys = {"key 0": "key", "key 1": "subkey"} if story.num_keys < 3 else {
        f"key {n}": f"keys[{n}]" for n in range(story.num_keys)}  # fmt: skip
    for step in story.steps:
        function = hand.functions.get(step.sketch.name, step.sketch.name)
        arguments = ", ".join(keys.get(a, a) for a in step.arguments)
        single = step is story.steps[-1] and returned == list(step.results)
        prefix = "return " if single else f"{', '.join(step.results)} = "
        lines += statement(prefix, f"{function}({arguments})", 4)
    if returned != list(story.steps[-1].results):
        as_dict = len(returned) > 1 and stream.chance(0.4)
        text = (
            "{%s}" % ", ".join(f'"{r}": {r}' for r in returned) if as_dict else ", ".join(returned)
        )
        lines += statement("return ", text, 4)
    if style.jitted:
        lines = ["@jax.jit", *lines]
    return name, lines, purpose


def _joined(purposes: list[str]) -> str:
    """Gives one sentence for several purposes, or that of the last step where it would be long."""
    plain = [purposes[0].rstrip("."), *(p[0].lower() + p[1:].rstrip(".") for p in purposes[1:])]
    for parts in (plain, [plain[0], plain[-1]]):
        text = f"{', '.join(parts[:-1])} and {parts[-1]}."
        if len(text) <= _LONGEST_PURPOSE:
            return text
    return purposes[-1]
