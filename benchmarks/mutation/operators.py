"""The mutations that all IRs have: each is a function of a language and a text.

An operation is only made into one whose types still fit, as far as its line tells. What is wrong
with a mutant ought to show in its results, not in its types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from mutation import vocabulary
from mutation.axes import Axes, Rule
from mutation.edit import Edit, Mutations
from mutation.numbers import others
from mutation.statement import Statement, Use, shape_of

_ALTERNATIVES = 3
_LIST = re.compile(r"\d+")


@dataclass(frozen=True)
class Language:
    """What tells one IR's text from another's."""

    read: Callable[[str], Sequence[Statement]]
    spell: Callable[[str], str]
    """Gives the language's name of an operation of the vocabulary."""
    forward: Callable[[Statement, Use], str]
    """Gives the body of a statement whose result is that operand as it is."""
    constant: re.Pattern[str]
    """The literals, with the groups `number` and `type`, the latter a name of an element type."""
    select: str
    """The name of the operation whose last two operands `select` swaps."""
    axes: Mapping[str, tuple[str, Rule]]
    """By operation: a pattern with one group, the axes; and which others fit."""
    reductions: Mapping[str, Sequence[str]]
    """By pattern, whose first group is the kind of a reduction: other kinds."""
    shifts: Mapping[str, str]
    """By operation: a pattern with two groups, numbers that change by one in opposite ways."""
    lists: Mapping[str, str]
    """By operation: a pattern with one group, a list whose first two numbers change places."""
    direction: re.Pattern[str] | None = None
    """The direction of a comparison, where it is not an operation of its own."""
    directions: Mapping[str, Sequence[str]] = field(default_factory=lambda: vocabulary.DIRECTIONS)


def operators(language: Language) -> Mutations:
    """Gives the mutations of an IR by name."""
    return {
        "operation": partial(operation, language),
        "constant": partial(constant, language),
        "operand order": partial(operand_order, language),
        "other operand": partial(other_operand, language),
        "dropped term": partial(dropped_term, language),
        "dropped operation": partial(dropped_operation, language),
        "select": partial(select_swapped, language),
        "direction": partial(direction, language),
        "axis": partial(axis, language),
        "dimension numbers": partial(list_order, language),
        "reduction": partial(reduction, language),
        "bounds": partial(bounds, language),
    }


@lru_cache(maxsize=4)
def _statements(
    language_read: Callable[[str], Sequence[Statement]], text: str
) -> Sequence[Statement]:
    return language_read(text)


def _of(language: Language, text: str) -> Sequence[Statement]:
    return _statements(language.read, text)


def operation(language: Language, text: str) -> Iterator[Edit]:
    """Another operation of the same types."""
    table = {language.spell(op): others for op, others in vocabulary.SWAPPED.items()}
    for statement in _of(language, text):
        if statement.op not in table or _is_boolean(statement):
            continue
        start, end = statement.start, statement.start + len(statement.op)
        for other in table[statement.op]:
            if not _takes_integers(other) and _is_integer(statement):
                continue
            yield Edit(start, end, language.spell(other))


def constant(language: Language, text: str) -> Iterator[Edit]:
    """Another number of the same type."""
    for found in language.constant.finditer(text):
        for number in others(found["number"], found["type"]):
            yield Edit(*found.span("number"), number)


def operand_order(language: Language, text: str) -> Iterator[Edit]:
    """The first two operands of a non-commutative operation swapped."""
    ordered = {language.spell(op) for op in vocabulary.ORDERED}
    for statement in _of(language, text):
        if statement.op in ordered and len(statement.operands) >= 2:
            yield from _swap(text, *statement.operands[:2])


def select_swapped(language: Language, text: str) -> Iterator[Edit]:
    """The two cases of a selection swapped."""
    for statement in _of(language, text):
        if statement.op == language.select and len(statement.operands) == 3:
            yield from _swap(text, *statement.operands[1:])


def other_operand(language: Language, text: str) -> Iterator[Edit]:
    """Another value of the same type in place of an operand."""
    for statement in _of(language, text):
        by_type: dict[str, list[str]] = {}
        for value in statement.visible:
            by_type.setdefault(value.type, []).append(value.name)
        for use in statement.operands:
            known = [name for name in by_type.get(use.type, ()) if name != use.name]
            # The nearest ones, and one from far away.
            for name in {*known[-_ALTERNATIVES + 1 :], *known[:1]}:
                yield Edit(use.start, use.end, name)


def dropped_term(language: Language, text: str) -> Iterator[Edit]:
    """One operand of an operation as its result, the other forgotten."""
    terms = {language.spell(op) for op in vocabulary.TERMS}
    for statement in _of(language, text):
        if statement.op in terms and len(statement.operands) == 2:
            yield from _forwarded(language, statement)


def dropped_operation(language: Language, text: str) -> Iterator[Edit]:
    """The operand of an operation as its result."""
    unary = {language.spell(op) for op in vocabulary.UNARY}
    for statement in _of(language, text):
        if statement.op in unary:
            yield from _forwarded(language, statement)


def direction(language: Language, text: str) -> Iterator[Edit]:
    """Another direction of a comparison."""
    if language.direction is not None:
        for found in language.direction.finditer(text):
            for other in language.directions[found[1]]:
                yield Edit(*found.span(1), other)
        return
    for statement in _of(language, text):
        for other in language.directions.get(statement.op, ()):
            yield Edit(statement.start, statement.start + len(statement.op), other)


def axis(language: Language, text: str) -> Iterator[Edit]:
    """Other axes that give the same shapes."""
    for statement in _of(language, text):
        if statement.op not in language.axes:
            continue
        pattern, rule = language.axes[statement.op]
        found = re.compile(pattern).search(text, *statement.attributes)
        operand = shape_of(statement.operands[0].type) if statement.operands else ()
        # An operation with a region has its types at the end of that; its shapes stay.
        result = shape_of(statement.results[0].type) if statement.results else operand
        if found is None or operand is None or result is None:
            continue
        numbers = [int(number) for number in _LIST.findall(found[1])]
        if not numbers or max(numbers) >= max(len(operand), len(result)):
            continue
        for other in rule(tuple(numbers), operand, result):
            yield Edit(*found.span(1), _listed(found[1], other))


def list_order(language: Language, text: str) -> Iterator[Edit]:
    """Two numbers of a list in the parameters swapped."""
    for statement in _of(language, text):
        for found in _matches(language.lists, statement, text):
            numbers = _LIST.findall(found[1])
            if len(numbers) > 1 and numbers[0] != numbers[1]:
                numbers[:2] = numbers[1::-1]
                yield Edit(*found.span(1), _listed(found[1], tuple(map(int, numbers))))


def reduction(language: Language, text: str) -> Iterator[Edit]:
    """Another kind of reduction."""
    for pattern, kinds in language.reductions.items():
        for found in re.finditer(pattern, text, re.MULTILINE):
            for other in kinds:
                if other != found[1]:
                    yield Edit(*found.span(1), other)


def bounds(language: Language, text: str) -> Iterator[Edit]:
    """A window moved by one: what is taken by a slice, or where padding is put."""
    for statement in _of(language, text):
        for found in _matches(language.shifts, statement, text):
            low, high = int(found[1]), int(found[2])
            way = found.re.groupindex  # a slice's bounds move together, padding's apart
            steps = ((1, -1), (-1, 1)) if "low" in way else ((1, 1), (-1, -1))
            for down, up in steps:
                if low + down >= 0 and high + up >= 0 and _within(found, statement, high + up):
                    between = text[found.end(1) : found.start(2)]
                    yield Edit(found.start(1), found.end(2), f"{low + down}{between}{high + up}")


def _matches(table: Mapping[str, str], statement: Statement, text: str) -> Iterator[re.Match[str]]:
    if statement.op in table:
        yield from re.compile(table[statement.op]).finditer(text, *statement.attributes)


def _within(found: re.Match[str], statement: Statement, limit: int) -> bool:
    """Tells whether a slice's limit may lie there, on the longest axis at least."""
    shape = shape_of(statement.operands[0].type) if statement.operands else None
    return "low" in found.re.groupindex or (shape is not None and limit <= max(shape, default=0))


def _swap(text: str, first: Use, second: Use) -> Iterator[Edit]:
    if first.type == second.type and first.name != second.name:
        between = text[first.end : second.start]
        swapped = text[second.start : second.end] + between + text[first.start : first.end]
        yield Edit(first.start, second.end, swapped)


def _forwarded(language: Language, statement: Statement) -> Iterator[Edit]:
    for use in statement.operands:
        if statement.results and use.type == statement.results[0].type:
            yield Edit(*statement.body, language.forward(statement, use))


def _listed(old: str, numbers: Axes) -> str:
    """Gives numbers with what stood between the old ones."""
    left = iter(numbers)
    return _LIST.sub(lambda _: str(next(left)), old)


_ELEMENT = re.compile(r"^tensor<(?:\d+x)*(\w+)|^(\w+)")
_ANY_NUMBER = {
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder", "power"),
    *("and", "or", "xor", "negate", "abs", "sign", "popcnt", "count_leading_zeros"),
    *("shift_left", "shift_right_logical", "shift_right_arithmetic"),
}


def _takes_integers(op: str) -> bool:
    return op in _ANY_NUMBER


def _element(statement: Statement) -> str:
    found = _ELEMENT.match(statement.results[0].type if statement.results else "")
    return (found[1] or found[2]) if found else ""


def _is_boolean(statement: Statement) -> bool:
    logical = ("and", "or", "xor")
    return _element(statement) in {"i1", "pred", "bool"} and statement.op not in logical


def _is_integer(statement: Statement) -> bool:
    return bool(re.fullmatch(r"(ui|[isu])\d+|pred|bool", _element(statement)))
