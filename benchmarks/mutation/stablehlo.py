"""StableHLO's text: its statements, and what can be mutated in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mutation import loops
from mutation.axes import along, broadcast, permuted, reduced
from mutation.operators import Language, operators
from mutation.statement import Statement, Use, Value, parts

_LINE = re.compile(
    r"(?:(?P<results>%[\w$.-]+(?::\d+)?(?:, %[\w$.-]+)*) = )?"
    r"\"?(?P<op>(?:(?P<dialect>[a-z]+)\.)?(?P<name>[a-z_0-9]+))\b"
)
_SSA = re.compile(r"%[\w$.-]+(?:#\d+)?")
_ARGUMENT = re.compile(r"(%[\w$.-]+): (tensor<[^>]*(?:<\w+>)?>)")
_ITERATED = re.compile(r"(%iterArg\w*) = ")
_HEADERS = ("^", "func.func", "module", "reducer", "cond", "do")


@dataclass
class _Region:
    """What is visible where a region is read."""

    values: list[Value]
    at_start: int
    """Number of values that were visible when it began, for the region next to it."""
    gives: str = ""
    """Names of the results of the operation that it belongs to, until their types are read."""


def statements(text: str) -> list[Statement]:
    """Gives the operations of a module that stand on one line, as JAX prints them, in order."""
    found: list[Statement] = []
    regions = [_Region([], 0)]
    loop: list[Value] = []
    place = 0
    for line in text.splitlines(keepends=True):
        start, place = place + len(line) - len(line.lstrip()), place + len(line)
        body = line.strip()
        values = regions[-1].values
        if body.startswith("}"):
            closed = regions.pop() if len(regions) > 1 else regions[0]
            if body.endswith("{"):
                inner = closed.values[: closed.at_start]
                regions.append(_Region(inner, len(inner), closed.gives))
            elif closed.gives:
                regions[-1].values.extend(_results(closed.gives, _types(body)))
            continue
        if body.startswith(_HEADERS):
            inner = [] if body.startswith("func.func") else [*values, *loop]
            if body.endswith("{"):
                regions.append(_Region(inner, len(inner)))
            regions[-1].values.extend(Value(*pair) for pair in _ARGUMENT.findall(body))
            loop = []
            continue
        statement = _statement(text, start, start + len(body), values)
        if statement is None:
            continue
        found.append(statement)
        values.extend(statement.results)
        if statement.op == "while":
            types = [value.type for value in statement.results]
            loop = [Value(*pair) for pair in zip(_ITERATED.findall(body), types, strict=False)]
        if body.endswith("{"):
            names = body.partition(" = ")[0] if body.startswith("%") else ""
            inner = [*values, *(Value(*pair) for pair in _ARGUMENT.findall(body))]
            regions.append(_Region(inner, len(inner), names))
    return found


def _types(typed: str) -> list[str]:
    """Gives the types of the results, the last of what ends a statement."""
    kinds = typed.rpartition(" : ")[2].rpartition(" -> ")[2].strip("()")
    return [kinds[start:end] for start, end in parts(kinds, 0, len(kinds))]


def _statement(text: str, start: int, end: int, scope: list[Value]) -> Statement | None:
    match = _LINE.match(text, start, end)
    if match is None or (match["results"] is None and match["name"] != "return"):
        return None
    opens = text[end - 1] == "{"
    typed = end if opens else text.rfind(" : ", match.end(), end)
    if typed < 0:
        return None
    kinds = [] if opens else _types(text[typed:end])
    stable = match["dialect"] == "stablehlo"
    by_name = {value.name: value.type for value in scope}
    return Statement(
        op=match["name"] if stable or match["dialect"] is None else match["op"],
        start=match.start("name") if stable else match.start("op"),
        operands=tuple(
            Use(use.start(), use.end(), use[0], by_name.get(use[0], ""))
            for use in _SSA.finditer(text, match.end(), typed)
            if use[0] in by_name
        ),
        results=_results(
            match["results"] or "", kinds[-1:] if match["name"] == "select" else kinds
        ),
        body=(match.start("op"), end),
        attributes=(match.end(), typed),
        scope=scope,
        seen=len(scope),
    )


def _results(names: str, kinds: Sequence[str]) -> tuple[Value, ...]:
    name, _, count = names.partition(":")
    if not count:
        return tuple(Value(*pair) for pair in zip(names.split(", "), kinds, strict=False))
    return tuple(Value(f"{name}#{place}", kind) for place, kind in enumerate(kinds))


def _forward(statement: Statement, use: Use) -> str:
    return f"stablehlo.reshape {use.name} : ({use.type}) -> {use.type}"


_DIMS = r"dims = \[([\d, ]+)\]"
_KINDS = ("add", "maximum", "minimum", "multiply")

LANGUAGE = Language(
    read=statements,
    spell=str,
    forward=_forward,
    # Of a constant, which ends its line; lists in the parameters of other operations do not.
    constant=re.compile(
        r"(?<=[<\[( ])(?P<number>-?\d[\w.+-]*|true|false)"
        r"(?=[\]), \w.+\-\[(]{0,400}> : tensor<(?:\d+x)*(?:complex<)?(?P<type>\w+)>+$)",
        re.MULTILINE,
    ),
    select="select",
    axes={
        "reduce": (r"across dimensions = \[([\d, ]+)\]", reduced),
        "transpose": (_DIMS, permuted),
        "broadcast_in_dim": (_DIMS, broadcast),
        "reverse": (_DIMS, along),
        "iota": (r"dim = (\d+)", along),
        "sort": (r"dimension = (\d+)", along),
    },
    reductions={
        r"applies stablehlo\.(\w+)": _KINDS,
        r"\^bb0\(.*\):\n +%\S+ = stablehlo\.(add|maximum|minimum|multiply)\b": _KINDS,
    },
    shifts={
        "slice": r"(\d+):(\d+)(?!:)",
        "pad": r"low = \[(?P<low>\d+)\], high = \[(\d+)\]",
    },
    lists={
        "gather": r"start_index_map = \[([\d, ]+)\]",
        "scatter": r"scatter_dims_to_operand_dims = \[([\d, ]+)\]",
        "dot_general": r"contracting_dims = \[([\d, ]+)\]",
    },
    direction=re.compile(r"compare ([A-Z]{2}),"),
)

MUTATIONS = {**operators(LANGUAGE), "loop bound": loops.of_stablehlo}
