"""Lines as the formatter wants them: imports, blank lines, and calls too long for one line."""

from __future__ import annotations

import re

WIDTH = 88

_IMPORTS = (
    (re.compile(r"\bjax\.(?!numpy)"), "import jax"),
    (re.compile(r"\bjnp\."), "import jax.numpy as jnp"),
    (re.compile(r"\blax\."), "from jax import lax"),
)
_CLOSING = {")": "(", "]": "[", "}": "{"}


def statement(prefix: str, expression: str, indent: int) -> list[str]:
    """Gives the lines of `prefix` + `expression`, split at its last bracket where too long.

    As the formatter does: the content of the bracket on a line of its own, or else one element a
    line with a trailing comma.
    """
    margin = " " * indent
    line = f"{margin}{prefix}{expression}"
    if len(line) <= WIDTH or expression[-1:] not in _CLOSING:
        return [line]
    start, end = _opening(expression, len(expression) - 1), len(expression) - 1
    if len(margin + prefix) + start >= WIDTH and expression[start - 1] in _CLOSING:
        start, end = _opening(expression, start - 1), start - 1
    content = expression[start + 1 : end]
    head, tail = f"{margin}{prefix}{expression[: start + 1]}", f"{margin}{expression[end:]}"
    inner = f"{margin}    {content}"
    if len(inner) <= WIDTH and expression[start] == "(" and start > 0:
        return [head, inner, tail]
    lines = [head]
    for element in _split(content):
        lines += statement("", element, indent + 4)
        lines[-1] += ","
    return [*lines, tail]


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


def module(definitions: list[list[str]]) -> str:
    """Gives the module of these top-level definitions, under the imports that they need."""
    body = "\n\n\n".join("\n".join(lines) for lines in definitions)
    imports = [line for pattern, line in _IMPORTS if pattern.search(body)]
    return "\n".join(imports) + "\n\n\n" + body + "\n" if imports else body + "\n"
