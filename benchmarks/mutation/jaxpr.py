"""A printed jaxpr: its equations, and what can be mutated in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from mutation import vocabulary
from mutation.axes import along, broadcast, permuted, reduced
from mutation.edit import Edit
from mutation.operators import Language, operators
from mutation.statement import Statement, Use, Value, closing

BINDER = re.compile(
    r"(?<![\w.-])(?P<name>(?!nan:|inf:)[a-z]+|_):"
    r"(?P<type>[a-z]\w*(?:<\w+>)?\[[^\]\s]*\](?:\{[^}\s]*\})?|Ref(?:<\w+>)?\{[^}\s]*\})"
)
_ANONYMOUS = re.sub(r"[?]P<[a-z]+>", "?:", BINDER.pattern)
_EQUATION = re.compile(
    rf"(?:^(?P<indent> *)|(?<= let )|(?<=; ))(?P<outs>(?:{_ANONYMOUS}\s+)+)= (?P<op>[\w-]+)",
    re.MULTILINE,
)
_ATOM = re.compile(r"(?P<literal>\(?-?[\w.+-]+\)?:[a-z]\w*\[\])|(?P<name>[a-z]+)(?![\w:=\[])")
_LAMBDA = "{ lambda "


def statements(text: str) -> list[Statement]:
    """Gives the equations of a jaxpr and of those in it, as JAX prints them, in order."""
    scopes = _Scopes(text)
    found: list[Statement] = []
    for match in _EQUATION.finditer(text):
        scope = scopes.at(match.start("outs"))
        outs = [Value(m["name"], m["type"]) for m in BINDER.finditer(match["outs"])]
        after = (
            closing(text, match.end())
            if text[match.end() : match.end() + 1] == "["
            else match.end()
        )
        end = _arguments_end(text, after, match["indent"])
        by_name = {value.name: value.type for value in scope}
        uses = []
        for atom in _ATOM.finditer(text, after, end):
            written = atom["literal"]
            kind = written.rpartition(":")[2] if written else by_name.get(atom["name"], "")
            uses.append(Use(atom.start(), atom.end(), atom[0], kind))
        found.append(
            Statement(
                op=match["op"],
                start=match.start("op"),
                operands=tuple(uses),
                results=tuple(outs),
                body=(match.start("op"), end),
                attributes=(match.end(), after),
                scope=scope,
                seen=len(scope),
            )
        )
        scope.extend(value for value in outs if value.name != "_")
    return found


def _arguments_end(text: str, start: int, indent: str | None) -> int:
    """Gives the end of an equation's arguments, which go on in lines that are further in.

    Without an indent of its own it is in the line of its jaxpr, which all of it is in.
    """
    end = text.find("\n", start)
    if indent is None:
        ends = [text.find(mark, start) for mark in ("; ", " in (", "\n")]
        return min(place for place in ends if place >= 0)
    while end >= 0:
        following = text.find("\n", end + 1)
        line = text[end + 1 : following if following >= 0 else len(text)]
        if len(line) - len(line.lstrip()) <= len(indent):
            return end
        end = following
    return len(text)


class _Scopes:
    """The values of each jaxpr of a text, which its equations add to."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = [0]
        self._scopes: list[list[Value]] = [[]]
        stack = [self._scopes[0]]
        for brace in re.finditer(r"[{}]", text):
            if brace[0] == "}":
                stack.pop()
            elif text.startswith(_LAMBDA, brace.start()):
                header = text[brace.start() : text.find(". let", brace.start())]
                stack.append([Value(*m.group("name", "type")) for m in BINDER.finditer(header)])
            else:
                stack.append(stack[-1])
            self._starts.append(brace.end())
            self._scopes.append(stack[-1])

    def at(self, place: int) -> list[Value]:
        """Gives the values of the jaxpr around a place."""
        return self._scopes[bisect_right(self._starts, place) - 1]


def _forward(statement: Statement, use: Use) -> str:
    return f"copy {use.name}"


_TUPLE = r"\(([\d, ]+)\)"

LANGUAGE = Language(
    read=statements,
    spell=vocabulary.jaxpr,
    forward=_forward,
    constant=re.compile(r"(?<=\s)(?P<number>-?[\d.][\w.+-]*|True|False):(?P<type>[a-z]+\d*)\[\]"),
    select="select_n",
    axes={
        **dict.fromkeys(
            ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"),
            (rf"axes={_TUPLE}", reduced),
        ),
        **dict.fromkeys(("argmax", "argmin"), (rf"axes={_TUPLE}", reduced)),
        **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin"), (r"axis=(\d+)", along)),
        "transpose": (rf"permutation={_TUPLE}", permuted),
        "broadcast_in_dim": (rf"broadcast_dimensions={_TUPLE}", broadcast),
        "rev": (rf"dimensions={_TUPLE}", along),
        "iota": (r"dimension=(\d+)", along),
        "sort": (r"dimension=(\d+)", along),
    },
    reductions={
        r"= (reduce_(?:sum|max|min|prod))\b": ("reduce_sum", "reduce_max", "reduce_min"),
        r"= (arg(?:max|min))\b": ("argmax", "argmin"),
        r"= (cum(?:sum|max|prod))\b": ("cumsum", "cumprod"),
    },
    shifts={
        "slice": r"limit_indices=\((\d+).*\s+start_indices=\((\d+)",
        "pad": r"\((?P<low>\d+), (\d+), \d+\)",
    },
    lists={
        "gather": rf"start_index_map={_TUPLE}",
        "scatter": rf"scatter_dims_to_operand_dims={_TUPLE}",
        "dot_general": r"dimension_numbers=\(\(\[([\d, ]+)\]",
    },
    directions={
        "lt": ("le", "gt", "ge"),
        "le": ("lt", "ge"),
        "gt": ("ge", "lt", "le"),
        "ge": ("gt", "le"),
        "eq": ("ne",),
        "ne": ("eq",),
    },
)


def loop_length(text: str) -> Iterator[Edit]:
    """Another number of rounds of a scan."""
    for found in re.finditer(r"(?<=\s)length=(\d+)", text):
        for other in (int(found[1]) - 1, int(found[1]) + 1):
            if other > 0:
                yield Edit(*found.span(1), str(other))


def exponent(text: str) -> Iterator[Edit]:
    """Another exponent of an integer power."""
    for found in re.finditer(r"integer_pow\[y=(-?\d+)\]", text):
        yield Edit(*found.span(1), str(int(found[1]) + 1))


MUTATIONS = {
    **operators(LANGUAGE),
    "loop length": loop_length,
    "exponent": exponent,
}
