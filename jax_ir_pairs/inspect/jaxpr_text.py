"""Equations out of the text of a jaxpr: what makes a value, what uses it, and the avals in it.

The text is what `str(jaxpr)` gives: parameters over several lines, jaxprs within them, and reads
and writes of references with arrows. A name means one value in all of a text, and a nested jaxpr
shares the names of what goes in and out with the equation that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DTYPE = r"key<\w+>|float0|bool|bf16|[fiuc]\d+(?:_\w+)?"
_AVAL = re.compile(rf"(?<![\w.])({_DTYPE})\[([^\[\]]*)\]")
# `a:f32[3] b:Ref{i32[]} = add`, or, where nothing is bound, the primitive at the start of a line.
# Variables have at most three letters, primitives without results more than that.
_EQUATION = re.compile(
    r"(?P<outputs>(?:[A-Za-z_]\w*:[^\s=]+\s+)+)= (?P<primitive>[A-Za-z_][\w\-]*)"
    r"|^ *(?P<effect>[a-z]\w{3,})(?=\[[a-z_]+=|\[$|(?: [a-z]+)+$)",
    re.MULTILINE,
)
# `c:f32[8] <- b[...]`, `b[...] <- d`, `g:f32[], b[0] <- b[0], a` and `b[0] += g`.
_STATE = re.compile(
    r"^ *(?:.*\blet )?(?P<left>[^=\n{}]*?) (?P<arrow><-|\+=) (?P<right>.*?)(?: in \(.*)?$",
    re.MULTILINE,
)
_TOKEN = re.compile(r"""[\[\](){}]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")
_END = re.compile(r"\bin \(|;|\}")
_SPACES = re.compile(" *")
_NAME = re.compile(r"(?<![\w.:<])[a-z]+(?![\w:.(=])")
_LONGEST_OPERANDS = 4096


@dataclass(frozen=True, slots=True)
class Equation:
    """One equation: the names that it binds, its primitive, and the names that it reads."""

    outputs: tuple[str, ...]
    primitive: str
    inputs: tuple[str, ...]


def equations(text: str) -> Iterator[Equation]:
    """Gives the equations of a jaxpr's text, those of the jaxprs in their parameters included."""
    for match in _EQUATION.finditer(text):
        primitive = match["primitive"] or match["effect"]
        outputs = tuple(word.partition(":")[0] for word in (match["outputs"] or "").split())
        yield Equation(outputs, primitive, _inputs(text, match.start(), match.end()))
    if "Ref{" in text:
        yield from map(_state_equation, _STATE.finditer(text))


def def_use_pairs(text: str) -> set[tuple[str, str]]:
    """Gives the pairs of primitives of which the second reads a value that the first makes.

    A value that comes out of a nested jaxpr is made by the primitive in it and by the one that
    holds it.
    """
    found = list(equations(text))
    makers: dict[str, set[str]] = {}
    for equation in found:
        for name in equation.outputs:
            makers.setdefault(name, set()).add(equation.primitive)
    makers.pop("_", None)
    return {
        (maker, equation.primitive)
        for equation in found
        for name in equation.inputs
        for maker in makers.get(name, ())
    }


def avals(text: str) -> set[tuple[str, int]]:
    """Gives the dtype, in short as in `bf16`, and the rank of each aval in a jaxpr's text."""
    return {(dtype, _rank(shape)) for dtype, shape in set(_AVAL.findall(text))}


def _rank(shape: str) -> int:
    sizes = re.sub(r"@\([^()]*\)", "", shape)  # a size may name the mesh axes that split it
    return sizes.count(",") + 1 if sizes.strip() else 0


def _inputs(text: str, start: int, place: int) -> tuple[str, ...]:
    """Gives the names read by the equation at `start`, whose primitive ends at `place`."""
    indent = _indent(text, text.rfind("\n", 0, start) + 1)
    if text.startswith("[", place):
        place = _after_parameters(text, place, indent)
    first, *others = text[place : place + _LONGEST_OPERANDS].split("\n")
    lines = [first]
    for line in others:  # operands that did not fit on the line
        if _indent(line, 0) <= indent or _END.search(lines[-1]):
            break
        lines.append(line)
    operands = " ".join(lines)
    end = _END.search(operands)
    return tuple(_NAME.findall(operands[: end.start()] if end else operands))


def _indent(text: str, line_start: int) -> int:
    spaces = _SPACES.match(text, line_start)
    return len(spaces[0]) if spaces else 0


def _after_parameters(text: str, place: int, indent: int) -> int:
    """Gives the place after the bracket that closes the one at `place`.

    Over several lines it is the next one at the start of an equally indented line, whatever is
    between, which may be any text of a user's; on one line it is found by counting.
    """
    if text.startswith("[\n", place):
        end = text.find(f"\n{' ' * indent}]", place)
        return len(text) if end < 0 else end + indent + 2
    depth = 0
    for match in _TOKEN.finditer(text, place):
        depth += (match[0] in "([{") - (match[0] in ")]}")
        if depth == 0:
            return match.end()
    return len(text)


def _state_equation(match: re.Match[str]) -> Equation:
    left, right = match["left"], match["right"]
    read = tuple(_NAME.findall(right))
    bound, _, written = left.rpartition(", ") if re.search(r", [a-z]+\[", left) else ("", "", left)
    if match["arrow"] == "<-" and ":" in written:
        return Equation((written.partition(":")[0],), "get", read)
    outputs = (bound.partition(":")[0],) if bound else ()
    primitive = "addupdate" if match["arrow"] == "+=" else "swap"
    return Equation(outputs, primitive, (*_NAME.findall(written), *read))
