"""Ops that read parts of arrays by subscripts: ints, slices, new axes, ellipses, index arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import EllipsisType
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.graph import Code, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.ops.rows import broadcast
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import MOVABLE, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

INDEX_TYPES = ("i32", "i64", "u8", "i16", "u32")
"""The dtypes of indices; the first two are the common ones."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index array in a subscript, by its place among the operands; `column` adds an axis."""

    place: int
    column: bool = False


Part: TypeAlias = int | slice | EllipsisType | Index | None
"""An element of a subscript."""


def subscript(parts: Sequence[Part]) -> str:
    """Gives the source of a subscript: `:, 1:-1, 0`, index arrays as places of a template."""
    return ", ".join(map(_part, parts))


def _part(part: Part) -> str:
    if isinstance(part, Index):
        return f"{{{part.place}}}[:, None]" if part.column else f"{{{part.place}}}"
    if isinstance(part, slice):
        start = "" if part.start is None else part.start
        stop = "" if part.stop is None else part.stop
        return f"{start}:{stop}" + ("" if part.step is None else f":{part.step}")
    return "..." if part is Ellipsis else str(part)


def indexed_shape(
    shape: tuple[int, ...], parts: Sequence[Part], indices: Mapping[int, Aval] | None = None
) -> tuple[int, ...]:
    """Gives the shape of `x[parts]` by NumPy's rules, index arrays by place; raises `IllTyped`."""
    spare = len(shape) - sum(part is not None and part is not Ellipsis for part in parts)
    if spare < 0:
        raise IllTyped("too many indices")
    if not any(part is Ellipsis for part in parts):
        parts = (*parts, Ellipsis)
    sides, result = iter(shape), list[int]()
    arrays: list[Aval] = []
    marks: list[tuple[int, int]] = []
    for place, part in enumerate(parts):
        if part is None:
            result.append(1)
        elif part is Ellipsis:
            result += islice(sides, spare)
        elif isinstance(part, slice):
            result.append(len(range(*part.indices(next(sides)))))
        else:
            side = next(sides)
            marks.append((place, len(result)))
            if isinstance(part, int):
                if not -side <= part < side:
                    raise IllTyped("index out of range")
                continue
            assert isinstance(part, Index)
            own = (indices or {})[part.place]
            arrays.append(own.with_shape(*own.shape, 1) if part.column else own)
    if arrays:
        apart = marks[-1][0] - marks[0][0] >= len(marks)
        start = 0 if apart else marks[0][1]
        result[start:start] = broadcast(*arrays)
    if 0 in result:
        raise IllTyped("empty slice")
    return tuple(result)


def reading(parts: Sequence[Part]) -> dict[str, Any]:
    """Gives the parameters of the op `getitem` for these parts."""
    return {"parts": tuple(parts), "subscript": subscript(parts)}


def part_of(scope: Scope, x: Var, *parts: Part, role: str = "") -> Var:
    """Gives `x[parts]`."""
    return scope.let("getitem", x, role=role, **reading(parts))


def draw_parts(scope: Scope, shape: tuple[int, ...], *, new_axes: bool = True) -> list[Part]:
    """Gives a subscript for an array of this shape, as a person would write it."""
    stream = scope.stream
    if len(shape) > 1 and stream.chance(0.18):
        last = stream.choice((0, -1, slice(None, -1), slice(1, None), slice(None, None, 2), None))
        if last is not None or new_axes:
            return [Ellipsis, last]
    place = stream.integer(0, min(len(shape), 3) - 1)
    parts: list[Part] = [slice(None)] * place
    parts.append(_draw_slice(scope, shape[place]))
    while len(parts) < len(shape) and stream.chance(0.2):
        parts.append(_draw_slice(scope, shape[len(parts)]))
    if new_axes and len(shape) < 6 and stream.chance(0.15):
        parts.insert(stream.integer(0, len(parts)), None)
    return parts


def _draw_slice(scope: Scope, side: int) -> Part:
    stream, middle = scope.stream, max(1, side // 2)
    common: tuple[Part, ...] = (
        0, -1, slice(1, None), slice(None, -1), slice(None, None, 2), slice(None, None, -1),
        slice(None, middle), slice(middle, None), slice(-middle, None), slice(1, -1),
        slice(1, None, 2), slice(middle - 1, middle + 1), middle, slice(None, None, -2),
        slice(middle, None, -1), slice(None),
    )  # fmt: skip
    return stream.choice(common[: stream.choice((6, 8, 16))])


def _infer_getitem(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    return Aval(x.aval.dtype, indexed_shape(x.aval.shape, params["parts"])), x.bounds


def _draw_getitem(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0)) is None:
        return None
    parts = draw_parts(scope, x.aval.shape)
    if all(part == slice(None) or part is Ellipsis for part in parts):
        return None
    return (x,), reading(parts)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A subscript with index arrays in it."""

    name: str
    parts: tuple[Part, ...]
    weight: float = 1.0

    @property
    def rank(self) -> int:
        """Number of axes that it takes at least."""
        return sum(part is not None and part is not Ellipsis for part in self.parts)

    @property
    def places(self) -> tuple[Index, ...]:
        """Its index arrays."""
        return tuple(part for part in self.parts if isinstance(part, Index))

    def shape(self, operands: Sequence[Any]) -> tuple[int, ...]:
        """Gives the shape of what the operands, array and indices, read; raises `IllTyped`."""
        x, *indices = operands
        avals = {place: index.aval for place, index in enumerate(indices, 1)}
        for part in self.places:
            own = avals[part.place]
            if own.dtype not in INDEX_TYPES or (part.column and own.rank != 1):
                raise IllTyped("index array")
        return indexed_shape(x.aval.shape, self.parts, avals)


_ALL, _I, _J = slice(None), Index(1), Index(2)

PATTERNS = (
    Pattern("", (_I,), 3.0),
    Pattern("_columns", (_ALL, _I)),
    Pattern("_last", (Ellipsis, _I), 0.6),
    Pattern("_pairs", (_I, _J), 1.2),
    Pattern("_mesh", (Index(1, column=True), _J), 0.8),
    Pattern("_tail", (_I, slice(1, None)), 0.3),
    Pattern("_reversed", (_I, slice(None, None, -1)), 0.3),
    Pattern("_first", (0, _I), 0.3),
    Pattern("_ends", (_I, -1), 0.3),
    Pattern("_apart", (_I, _ALL, _J), 0.4),
    Pattern("_inner", (_ALL, _I, _J), 0.4),
    Pattern("_expanded", (_I, None), 0.2),
)
"""Subscripts with index arrays, by what follows `gather` in the name of the op that reads them."""


def index_array(scope: Scope, rank: int, side: int, shape: tuple[int, ...] = ()) -> Var:
    """Gives an index array of this rank, or shape if given, for an axis of `side` elements."""

    def fits(var: Var) -> bool:
        own = var.aval.shape
        return own == shape if shape else len(own) == rank and var.aval.size <= 64

    found = scope.pick(INDEX_TYPES, where=fits)
    if found is not None and scope.stream.chance(0.85):
        return found
    if shape or rank != 1 or (scope.stream.chance(0.6) and not scope.sealed):
        sides = shape or tuple(scope.side() for _ in range(rank))
        if rank == 2:
            sides = shape or (sides[0], scope.stream.choice((2, 3, 4)))
        return scope.input(Aval("i32", sides), scope.stream.choice(("idx", "idx", "ids")), (0, 3))
    stream = scope.stream
    if stream.chance(0.3):
        return scope.let("arange", n=min(side, stream.choice((2, 3, 4))), role="idx")
    numbers = stream.sample(range(min(side, 8)), stream.choice((2, 3, 4)))
    return scope.let("array", values=Code(str(numbers)), role="idx")


def draw_indexed(scope: Scope, pattern: Pattern, dtypes: Sequence[str]) -> tuple[Var, ...] | None:
    """Gives an array and index arrays that a pattern reads from it."""

    def fits(var: Var) -> bool:
        return pattern.rank <= var.aval.rank < 5 and var.aval.size < 2048

    if (x := scope.pick(dtypes, where=fits)) is None:
        return None
    stream = scope.stream
    indices: list[Var] = []
    for part in pattern.places:
        side = x.aval.shape[0 if pattern.name != "_columns" else 1]
        if part.column or (indices and pattern.name == "_mesh"):
            indices.append(index_array(scope, 1, side))
        elif not indices:
            several = stream.weighted((0, 1, 2), (2, 6, 1.5))
            indices.append(index_array(scope, several, side))
        else:
            first = indices[0].aval
            indices.append(index_array(scope, first.rank, side, first.shape))
    return (x, *indices)


def _gather(pattern: Pattern) -> Op:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        x = operands[0]
        return Aval(x.aval.dtype, pattern.shape(operands)), x.bounds

    def draw(scope: Scope) -> Drawn:
        operands = draw_indexed(scope, pattern, MOVABLE)
        return None if operands is None else (operands, {})

    template = f"{{0}}[{subscript(pattern.parts)}]"
    return Op(f"gather{pattern.name}", "indexing", spell(template), infer, draw, pattern.weight)


OPS = (
    Op("getitem", "indexing", spell("{0}[{subscript}]"), _infer_getitem, _draw_getitem, 6.0),
    *(_gather(pattern) for pattern in PATTERNS),
)
