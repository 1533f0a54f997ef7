"""A module run in segments: some ops by themselves, and what is between them. In the child.

Loops around such ops are run here, turn by turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from jaxlib.mlir import ir

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.outlining import Value, functions_of, inline, leading, outlined, used

Run = Callable[[Sequence[Array]], Sequence[Array]]
"""Gives the results of a module for its inputs."""

_Known = dict[int, Array]
_Step = Callable[[_Known], None]


@dataclass(frozen=True, slots=True)
class _Segments:
    arguments: list[int]
    steps: list[_Step]
    results: list[int]

    def __call__(self, values: Iterable[Array], known: _Known) -> list[Array]:
        known |= zip(self.arguments, values, strict=True)
        for step in self.steps:
            step(known)
        return [known[number] for number in self.results]


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: Literal["loop", "apart", "rest"]
    ops: list[ir.Operation]


class Segmented:
    """A module whose ops that `is_apart` names are run by themselves; it is changed by that.

    `alone` and `rest` are given modules, those of one such op and those of what is between them,
    and give what runs them. An op in a branch, or in the body of another op than a loop, is left
    where it is. For use within the module's context and a location.
    """

    def __init__(
        self,
        module: ir.Module,
        is_apart: Callable[[ir.Operation], bool],
        alone: Callable[[ir.Module], Run],
        rest: Callable[[ir.Module], Run],
    ) -> None:
        self._functions = functions_of(module)
        self._is_apart, self._alone, self._rest = is_apart, alone, rest
        self._leads = leading(self._functions, is_apart)
        self._numbers: dict[Value, int] = {}
        self._parts: list[ir.Module] = []  # all are kept, since others use their values at first
        self._main = self._segments(self._functions["main"].regions[0].blocks[0])

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Gives the results for `inputs`."""
        return self._main(inputs, {})

    def _of(self, values: Iterable[Value]) -> list[int]:
        # By number: an op that has moved or is gone takes its values along.
        return [self._numbers.setdefault(value, len(self._numbers)) for value in values]

    def _segments(self, block: ir.Block) -> _Segments:
        inline(block, self._functions, self._leads)
        arguments = self._of(block.arguments)
        *ops, end = (op.operation for op in block.operations)
        pieces = self._pieces(ops)
        later = [used([end])]
        for piece in reversed(pieces):
            later.append(later[-1] | used(piece.ops))
        steps, loops = [], []
        for piece, needed in zip(pieces, reversed(later[:-1]), strict=True):
            if piece.kind == "loop":
                steps.append(self._loop(piece.ops[0]))
                loops += piece.ops
            else:
                gives = [value for op in piece.ops for value in op.results if value in needed]
                steps += self._step(piece, gives)
        results = self._of(end.operands)
        # Last first: what uses values of other modules goes before these do.
        for op in (end, *reversed(loops)):
            op.erase()
        return _Segments(arguments, steps, results)

    def _pieces(self, ops: Sequence[ir.Operation]) -> list[_Piece]:
        pieces = [_Piece("rest", [])]
        for op in ops:
            if self._is_apart(op):
                pieces += [_Piece("apart", [op]), _Piece("rest", [])]
            elif op.name == "stablehlo.while" and self._leads(op):
                pieces += [_Piece("loop", [op]), _Piece("rest", [])]
            else:
                pieces[-1].ops.append(op)
        return [piece for piece in pieces if piece.ops]

    def _step(self, piece: _Piece, gives: Sequence[Value]) -> list[_Step]:
        part, takes = outlined(piece.ops, gives, self._functions)
        self._parts.append(part)
        if not gives:
            return []
        prepare = self._alone if piece.kind == "apart" else self._rest
        run, taken, given = prepare(part), self._of(takes), self._of(gives)

        def step(known: _Known) -> None:
            known |= zip(given, run([known[number] for number in taken]), strict=True)

        return [step]

    def _loop(self, op: ir.Operation) -> _Step:
        condition, body = (self._segments(region.blocks[0]) for region in op.regions)
        taken, given = self._of(op.operands), self._of(op.results)

        def step(known: _Known) -> None:
            state = [known[number] for number in taken]
            while condition(state, known)[0]:
                state = body(state, known)
            known |= zip(given, state, strict=True)

        return step
