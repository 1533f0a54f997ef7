"""Lines as the formatter wants them: calls that are too long for one line."""

from __future__ import annotations

import re

WIDTH = 88

_CALLED_ON = re.compile(r"[)\]}](?:\.\w+)*\Z")
_CLOSING = {")": "(", "]": "[", "}": "{"}


def statement(prefix: str, expression: str, indent: int, suffix: str = "") -> list[str]:
    """Gives the lines of `prefix` + `expression`, split at its last bracket where too long.

    As the formatter does: the content of the bracket on a line of its own, or else one element a
    line with a trailing comma.
    """
    margin = " " * indent
    line = f"{margin}{prefix}{expression}{suffix}"
    if len(line) <= WIDTH:
        return [line]
    if expression[-1:] not in _CLOSING:
        return _in_parentheses(prefix, expression, indent) or [line]
    if expression.startswith("(") and len(links := _links(expression)) > 2:
        return [
            f"{margin}{prefix}(",
            *(f"{margin}    {link}" for link in links),
            f"{margin}){suffix}",
        ]
    start, end = _opening(expression, len(expression) - 1), len(expression) - 1
    while len(margin + prefix) + start >= WIDTH or start + 1 == end:
        before = _CALLED_ON.search(expression, 0, start)
        if before is None:
            break
        start, end = _opening(expression, before.start()), before.start()
    content = expression[start + 1 : end]
    if not content:
        return [line]
    head, tail = f"{margin}{prefix}{expression[: start + 1]}", f"{margin}{expression[end:]}{suffix}"
    inner = f"{margin}    {content}"
    if len(inner) <= WIDTH and expression[start] == "(" and start > 0:
        return [head, inner, tail]
    lines = [head]
    elements = _split(content)
    if len(elements) == 1 and " for " in content:
        each, _, over = content.partition(" for ")
        lines += [*statement("", each, indent + 4), *statement("for ", over, indent + 4)]
        return [*lines, tail]
    for element in elements:
        lines += statement("", element, indent + 4)
        lines[-1] += ","
    return [*lines, tail]


def _in_parentheses(prefix: str, expression: str, indent: int) -> list[str]:
    """Gives the lines of a tuple or a quotient that is too long, or nothing of anything else."""
    if prefix.endswith(("= ", "return ")) and len(elements := _split(expression)) > 1:
        return statement(prefix, f"({', '.join(elements)})", indent)
    left, slash, right = expression.rpartition(" / ")
    if not slash or not prefix.endswith(("= ", "return ")):
        return []
    margin = " " * indent
    inner = f"{margin}    {expression}"
    lines = [inner]
    if len(inner) > WIDTH:
        lines = [*statement("", left, indent + 4), f"{margin}    / {right}"]
    return [f"{margin}{prefix}(", *lines, f"{margin})"]


def _links(expression: str) -> list[str]:
    """Gives a chain of methods with each of its calls apart: `(a > b)`, `.at[i]`, `.get()`."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(expression):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0 and expression[place + 1 : place + 2] not in {"(", "["}:
                parts.append(expression[start : place + 1])
                start = place + 1
    return parts if all(part.startswith(".") for part in parts[1:]) else []


def _opening(expression: str, end: int) -> int:
    """Gives the place of the bracket that the one at `end` closes."""
    depth = 0
    for place in range(end, -1, -1):
        if expression[place] in _CLOSING:
            depth += 1
        elif expression[place] in _CLOSING.values():
            depth -= 1
            if depth == 0:
                return place
    raise AssertionError(f"unbalanced: {expression}")


def _split(content: str) -> list[str]:
    """Splits at the commas that are in no bracket, no string and no lambda's parameters."""
    parts, depth, start, in_lambda, in_string = [], 0, 0, False, False
    for place, char in enumerate(content):
        if char == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif depth == 0 and content.startswith("lambda ", place):
            in_lambda = True
        elif depth == 0 and char == ":":
            in_lambda = False
        elif depth == 0 and char == "," and not in_lambda:
            parts.append(content[start:place].strip())
            start = place + 1
    parts.append(content[start:].strip())
    return [part for part in parts if part]
