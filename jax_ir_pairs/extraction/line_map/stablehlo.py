"""The lines of a StableHLO module: MLIR prints the location of each operation."""

from __future__ import annotations

import re
from collections import defaultdict

from jax_ir_pairs.extraction.line_map.inheritance import NOWHERE, Lines, with_inherited

_ALIAS = re.compile(r"(#loc\d*) = loc\((.*)\)$")
_REFERENCE = re.compile(r'#loc\d*|"((?:[^"\\]|\\.)*)":(\d+):\d+')
_LOCATION = re.compile(r" loc\((#loc\d*|unknown)\)$")
_FUNCTION = re.compile(r"\s*func\.func .*@(\"(?:[^\"\\]|\\.)*\"|[\w.$-]+)\(")
_CALL = re.compile(r"(?:^|= )(?:func\.)?call @(\"(?:[^\"\\]|\\.)*\"|[\w.$-]+)\(")


def lines_of(debug_text: str, file_name: str) -> list[Lines]:
    """Gives the lines of `file_name` that each line of a module comes from.

    `debug_text` is the module as printed with its locations, whose tables are no lines of it. An
    operation of a function that has no place of its own comes from the lines that call it.
    """
    aliases: dict[str, str] = {}
    text: list[str] = []
    for line in debug_text.strip("\n").split("\n"):
        if alias := _ALIAS.match(line):
            aliases[alias[1]] = alias[2]
        else:
            text.append(line)
    return _with_callers(text, _own_lines(text, _Locations(aliases, file_name)))


class _Locations:
    """Resolves `#loc` aliases to lines, each once."""

    def __init__(self, aliases: dict[str, str], file_name: str) -> None:
        self._aliases = aliases
        self._file_name = file_name
        self._known: dict[str, Lines] = {}

    def lines(self, alias: str) -> Lines:
        if alias not in self._known:
            self._known[alias] = NOWHERE
            self._known[alias] = self._resolve(self._aliases.get(alias, ""))
        return self._known[alias]

    def _resolve(self, body: str) -> Lines:
        """Of a call site, the callee comes first: the innermost place in the file counts."""
        found = NOWHERE
        for reference in _REFERENCE.finditer(body):
            if reference[2] is None:
                lines = self.lines(reference[0])
            else:
                lines = frozenset({int(reference[2])} if reference[1] == self._file_name else ())
            found |= lines
            if found and not body.startswith("fused"):
                break
        return found


def _own_lines(text: list[str], locations: _Locations) -> list[Lines]:
    """Gives each line the location of its operation, which ends with it.

    An operation with regions goes on at its own indent until the line that ends it.
    """
    own = [NOWHERE] * len(text)
    begun: dict[int, list[int]] = {}
    for number, line in enumerate(text):
        indent = len(line) - len(line.lstrip(" "))
        is_header = _FUNCTION.match(line) or line.startswith("module ")
        if location := _LOCATION.search(line):
            parts = [*begun.pop(indent, ()), number]
            if not (_FUNCTION.match(text[parts[0]]) or text[parts[0]].startswith("module ")):
                for part in parts:
                    own[part] = locations.lines(location[1])
        elif is_header:
            begun[indent] = [number]
        elif not line.lstrip().startswith("^"):
            begun.setdefault(indent, []).append(number)
    return own


def _with_callers(text: list[str], own: list[Lines]) -> list[Lines]:
    calls: dict[str, list[int]] = defaultdict(list)
    within: list[str] = []
    function = ""
    for number, line in enumerate(text):
        if found := _FUNCTION.match(line):
            function = found[1]
        elif found := _CALL.search(line.lstrip()):
            calls[found[1]].append(number)
        within.append(function)
    operations = {
        number: lines
        for number, lines in enumerate(own)
        if lines or not _is_without_place(text[number])
    }
    lines = with_inherited(operations, lambda number: calls[within[number]])
    return [lines.get(number, NOWHERE) for number in range(len(text))]


def _is_without_place(line: str) -> bool:
    """Whether a line holds no operation that could come from somewhere."""
    stripped = line.lstrip()
    return (
        not stripped.startswith(("%", "stablehlo.", "call ", "func.call ", "sdy.", "chlo."))
        or stripped.startswith("stablehlo.return")
        or "= stablehlo.constant" in line
    )
