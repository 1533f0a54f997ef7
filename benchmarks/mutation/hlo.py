"""HLO's text, optimized or not: its statements, and what can be mutated in it."""

from __future__ import annotations

import re

from mutation import loops, vocabulary
from mutation.axes import along, broadcast, permuted, reduced
from mutation.operators import Language, operators
from mutation.statement import Statement, Use, Value, closing, parts

_RESULT = re.compile(r"^[ ]+(?:ROOT )?(?P<name>%?[\w.-]+) = ", re.MULTILINE)
_OP = re.compile(r" (?P<op>[a-z][\w-]*)\(")
_OPERAND = re.compile(r"%?[\w.-]+")


def statements(text: str) -> list[Statement]:
    """Gives the instructions of a module, as XLA prints them, in order."""
    found: list[Statement] = []
    scope: list[Value] = []
    last = 0
    for match in _RESULT.finditer(text):
        if "\n}" in text[last : match.start()]:
            scope = []
        last = match.start()
        end = text.find("\n", match.end())
        end = len(text) if end < 0 else end
        type_end = (
            closing(text, match.end()) if text[match.end()] == "(" else text.index(" ", match.end())
        )
        if (op := _OP.match(text, type_end, end)) is None:
            continue
        close = (
            text.index(")", op.end()) if op["op"] == "constant" else closing(text, op.end() - 1) - 1
        )
        by_name = {value.name: value.type for value in scope}
        uses = []
        for start, stop in parts(text, op.end(), close):
            # Of a type and a name, or of a name behind the comment that counts operands.
            name = re.split(r" |\*/", text[start:stop])[-1]
            if _OPERAND.fullmatch(name) and name in by_name:
                uses.append(Use(stop - len(name), stop, name, by_name[name]))
        result = Value(match["name"], text[match.end() : type_end])
        found.append(
            Statement(
                op=op["op"],
                start=op.start("op"),
                operands=tuple(uses),
                results=(result,),
                body=(op.start("op"), end),
                attributes=(close, end),
                scope=scope,
                seen=len(scope),
            )
        )
        scope.append(result)
    return found


def _forward(statement: Statement, use: Use) -> str:
    return f"copy({use.name})"


_DIMENSIONS = r"dimensions=\{([\d,]+)\}"
_KINDS = ("add", "maximum", "minimum", "multiply")

LANGUAGE = Language(
    read=statements,
    spell=vocabulary.hlo,
    forward=_forward,
    constant=re.compile(
        r" = (?P<type>[a-z]\w*)\[[\d,]*\]\S* constant\((?:\{[{ ]*)*(?P<number>[^(){}, ]+)"
    ),
    select="select",
    axes={
        "reduce": (_DIMENSIONS, reduced),
        "transpose": (_DIMENSIONS, permuted),
        "broadcast": (_DIMENSIONS, broadcast),
        "reverse": (_DIMENSIONS, along),
        "sort": (_DIMENSIONS, along),
        "iota": (r"iota_dimension=(\d+)", along),
    },
    reductions={
        # Of a computation of two parameters and what is made of them.
        r"parameter\(0\)\n.* parameter\(1\)\n +ROOT \S+ = \S+ (add|maximum|minimum|multiply)\(": (
            _KINDS
        ),
    },
    shifts={"slice": r"(\d+):(\d+)(?!:)", "pad": r"(?<==)(?P<low>\d+)_(\d+)"},
    lists={
        "gather": r"start_index_map=\{([\d,]+)\}",
        "scatter": r"scatter_dims_to_operand_dims=\{([\d,]+)\}",
        "dot": r"lhs_contracting_dims=\{([\d,]+)\}",
    },
    direction=re.compile(r"direction=([A-Z]{2})"),
)

MUTATIONS = {**operators(LANGUAGE), "loop bound": loops.of_hlo}
