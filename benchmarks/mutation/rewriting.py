"""The same module or jaxpr, written otherwise: what a verifier has to take as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random

from mutation import hlo, jaxpr, python_rewriting, stablehlo
from mutation.edit import Edit, applied
from mutation.names import fresh
from mutation.statement import Statement

Rewriting = Callable[[str, Random], str]

_SYMBOL = re.compile(r"func\.func (?:\w+ )?@([\w.-]+)")
_MLIR_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|%[\w$.-]+|\^\w+|@[\w.-]+')
_HLO_DEFINED = re.compile(r"^ +(?:ROOT )?%?([\w.-]+) = ", re.MULTILINE)
_HLO_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) (?:\(.*)?\{$", re.MULTILINE)
_HLO_PARAMETER = re.compile(r"[(,] ?([\w.-]+): ")
_HLO_CALLED = re.compile(
    r"(?:to_apply|calls|condition|body|select|scatter|\w+_computation)=%?([\w.-]+)"
)
_HLO_CALLED_LIST = re.compile(r"(?:\w+_computations|control-predecessors)=\{([^}]*)\}")
_HLO_NAME = re.compile(r"%?([\w.-]+)")
_LET = re.compile(r"\blet (\w+) = (?=\{ lambda)")
# In a jaxpr, what is no name: strings, `<function f at …>`, axes of types as `{V:i}` and `4@i`, and
# words around `=`, which are parameters, their values and primitives.
_JAXPR_WORD = re.compile(
    r"""'[^'\n]*'|"[^"\n]*"|<(?! |-)[^<>\n]*>|\{[A-Z]:[^}]*\}|@\w+"""
    r"""|(?<![\w.-])(?P<name>[a-z_]\w*)(?![\w=])"""
)
_JAXPR_PRIMITIVE = re.compile(r"(?<!\+)= $")
_JAXPR_VALUE = re.compile(r"\w=$")
_TEXT = "a comment"


def renamed_stablehlo(text: str, rng: Random) -> str:
    """Other names of values, blocks and functions, but for `main`."""
    functions = {f"@{name}" for name in _SYMBOL.findall(text)} - {"@main"}
    found = {m[0] for m in _MLIR_NAME.finditer(text) if m[0][0] in "%^"} | functions
    table = fresh(sorted(name[1:] for name in found), rng)
    return _MLIR_NAME.sub(lambda m: m[0][0] + table[m[0][1:]] if m[0] in found else m[0], text)


def renamed_hlo(text: str, rng: Random) -> str:
    """Other names of instructions and computations."""
    spans = [m.span(1) for m in (*_HLO_DEFINED.finditer(text), *_HLO_CALLED.finditer(text))]
    for header in _HLO_COMPUTATION.finditer(text):
        spans.append(header.span(1))
        spans += [m.span(1) for m in _HLO_PARAMETER.finditer(text, *header.span())]
    for called in _HLO_CALLED_LIST.finditer(text):
        spans += [m.span(1) for m in _HLO_NAME.finditer(text, *called.span(1))]
    for statement in hlo.statements(text):
        spans += [(use.start + use.name.startswith("%"), use.end) for use in statement.operands]
    return _renamed(text, spans, rng)


def renamed_jaxpr(text: str, rng: Random) -> str:
    """Other names of variables, and of the jaxprs that are named first."""
    variables = {m["name"] for m in jaxpr.BINDER.finditer(text)} - {"_", "in"}
    lets = set(_LET.findall(text))
    spans = []
    for word in _JAXPR_WORD.finditer(text):
        before = text[max(0, word.start() - 20) : word.start()]
        if _JAXPR_PRIMITIVE.search(before):
            continue
        is_let = word["name"] in lets and not before.endswith("name=")
        is_variable = word["name"] in variables and not _JAXPR_VALUE.search(before)
        if is_let or is_variable:
            spans.append(word.span("name"))
    return _renamed(text, spans, rng)


def _renamed(text: str, spans: Iterable[tuple[int, int]], rng: Random) -> str:
    return applied(text, _edits(text, spans, rng))


def _edits(text: str, spans: Iterable[tuple[int, int]], rng: Random) -> set[Edit]:
    where = sorted(set(spans))
    table = fresh((text[start:end] for start, end in where), rng)
    return {Edit(start, end, table[text[start:end]]) for start, end in where}


def _reformatted(comments: Iterable[str]) -> Rewriting:
    """Another indentation, blank lines, trailing space, and comments where a language has them."""
    kinds = [f"  {comment}" for comment in comments]

    def reformatted(text: str, rng: Random) -> str:
        width = rng.choice((1, 3, 4))
        lines = []
        for line in text.splitlines():
            body = line.lstrip()
            lines.append(
                " " * (len(line) - len(body)) * width + body + rng.choice(["", " ", *kinds])
            )
            if rng.random() < 0.1:
                lines.append("")
        return "\n".join(lines) + "\n"

    return reformatted


def _reordered(read: Callable[[str], Iterable[Statement]]) -> Rewriting:
    """Neighbouring lines exchanged where neither needs the other."""

    def reordered(text: str, rng: Random) -> str:
        lines = text.splitlines()
        starts, place = {}, 0
        for number, line in enumerate(lines):
            starts[place] = number
            place += len(line) + 1
        at: dict[int, Statement] = {}
        for statement in read(text):
            begin = text.rfind("\n", 0, statement.start) + 1
            if not _stays(lines, starts[begin]):
                at[starts[begin]] = statement
        for number in range(len(lines) - 1):
            first, second = at.get(number), at.get(number + 1)
            if first is None or second is None or rng.random() < 0.5:
                continue
            given = {value.name.partition("#")[0] for value in first.results}
            used = {use.name.partition("#")[0] for use in second.operands}
            if not given & used:
                lines[number : number + 2] = lines[number + 1], lines[number]
                at[number], at[number + 1] = second, first
        return "\n".join(lines) + "\n"

    return reordered


def _stays(lines: list[str], number: int) -> bool:
    """Tells whether a line has an effect, ends a block or goes on in the next line."""
    line = lines[number]
    following = lines[number + 1].lstrip() if number + 1 < len(lines) else ""
    effects = ("custom", "return", "outfeed", "infeed", "send", "recv", "control-")
    return (
        line.endswith("{")
        or following.startswith(("cond {", "reducer", "}, "))
        or any(word in line for word in effects)
    )


def generic_stablehlo(text: str, rng: Random) -> str:
    """MLIR's generic form, in which every operation is spelled alike."""
    from jax.interpreters.mlir import make_ir_context
    from jaxlib.mlir import ir

    with make_ir_context():
        module = ir.Module.parse(text)
        return str(module.operation.get_asm(print_generic_op_form=True))


def with_sigils(text: str, rng: Random) -> str:
    """HLO with `%` before each name, as XLA prints it where it is asked for more."""
    spans = [m.span(1) for m in (*_HLO_DEFINED.finditer(text), *_HLO_CALLED.finditer(text))]
    spans += [m.span(1) for m in _HLO_COMPUTATION.finditer(text)]
    for called in _HLO_CALLED_LIST.finditer(text):
        spans += [m.span(1) for m in _HLO_NAME.finditer(text, *called.span(1))]
    for statement in hlo.statements(text):
        spans += [(use.start + use.name.startswith("%"), use.end) for use in statement.operands]
    bare = (start for start, _ in set(spans) if text[start - 1] != "%")
    return applied(text, (Edit(start, start, "%") for start in bare))


REWRITINGS: Mapping[str, Mapping[str, Rewriting]] = {
    "python": python_rewriting.REWRITINGS,
    "jaxpr": {"renamed": renamed_jaxpr, "reformatted": _reformatted(())},
    "stablehlo": {
        "renamed": renamed_stablehlo,
        "reformatted": _reformatted([f"// {_TEXT}"]),
        "reordered": _reordered(stablehlo.statements),
        "generic": generic_stablehlo,
    },
    "hlo": {
        "renamed": renamed_hlo,
        "reformatted": _reformatted([f"/* {_TEXT} */", f"// {_TEXT}"]),
        "reordered": _reordered(hlo.statements),
        "sigils": with_sigils,
    },
    "optimized_hlo": {
        "renamed": renamed_hlo,
        "reformatted": _reformatted([f"/* {_TEXT} */"]),
        "reordered": _reordered(hlo.statements),
    },
}


def rewritten(level: str, text: str, rng: Random) -> Iterator[tuple[str, str]]:
    """Gives the name and the text of each way to write a text of a level otherwise."""
    for name, rewriting in REWRITINGS[level].items():
        yield name, rewriting(text, rng)
