"""What an op is: one row of a table that the generator, the renderer and the tests all read."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from jax_ir_pairs.synthesis.types import Aval, Bounds

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.graph import Operand
    from jax_ir_pairs.synthesis.scope import Scope


class IllTyped(Exception):
    """These operands and parameters make no legal or no finite use of the op; draw another."""


Typed: TypeAlias = tuple[Aval, Bounds]

Infer: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any]], Typed | list[Typed]]
"""Operands and parameters to the result's aval and bounds, a list of them for an op of several
results; raises [`IllTyped`][]."""

Draw: TypeAlias = "Callable[[Scope], tuple[tuple[Operand, ...], dict[str, Any]] | None]"
"""Operands of the scope and parameters for one use of the op, or None where there are none."""

ATOM, POWER, UNARY, LOOSEST = 100, 90, 80, 0
_BINARY = {"*": 70, "/": 70, "//": 70, "%": 70, "@": 70, "+": 60, "-": 60, "<<": 55, ">>": 55}
_BINARY |= {"&": 50, "^": 45, "|": 40} | dict.fromkeys(("<", ">", "<=", ">=", "==", "!="), 30)
_BINARY["**"] = POWER
_OPERATOR = re.compile(r"(?:\{0\})? ?(\*\*|//|<<|>>|[<>=!]=|[-+*/@%&^|<>~]) ?(?:\{\w+\}|\d+)")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a spelling: an operand (by number) or a parameter (by name)."""

    name: str
    needs: int = LOOSEST
    """The loosest binding that the text put here may have without parentheses."""


def _outer(parts: Sequence[str | Slot]) -> int:
    """Gives how tightly a longer template binds: `jnp.arange({n}) < {0}` as its `<` does."""
    text = "".join("_" if isinstance(part, Slot) else part for part in parts)
    with suppress(SyntaxError):  # a statement, or a place for several operands
        match ast.parse(text, mode="eval").body:
            case ast.Compare():
                return _BINARY["<"]
            case ast.BinOp(op=ast.Mult() | ast.Div() | ast.FloorDiv() | ast.Mod() | ast.MatMult()):
                return _BINARY["*"]
            case ast.BinOp() | ast.BoolOp() | ast.IfExp() | ast.Lambda():
                return LOOSEST
            case ast.UnaryOp():
                return UNARY
    return ATOM


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write an op, from a template such as `{0} + {1}` or `jnp.sum({0}{kw})`."""

    template: str
    parts: tuple[str | Slot, ...] = field(init=False)
    binding: int = field(init=False)

    def __post_init__(self) -> None:
        operator = _OPERATOR.fullmatch(self.template)
        binary = operator is not None and self.template.startswith("{0}")
        unary = operator is not None and not binary
        parts: list[str | Slot] = []
        for text, name, _, _ in string.Formatter().parse(self.template):
            if text:
                parts.append(text)
            if name is not None:
                parts.append(Slot(name))
        binding = _BINARY[operator[1]] if operator and binary else UNARY if unary else _outer(parts)
        for place, part in enumerate(parts):
            if not isinstance(part, Slot):
                continue
            after = parts[place + 1] if place + 1 < len(parts) else ""
            if isinstance(after, str) and after[:1] in {".", "[", "("}:
                needs = ATOM
            elif unary or (binary and binding == POWER):
                needs = binding + (place == 0 and binding == POWER)
            elif binary:
                needs = binding + (place > 0 or binding == 30)
            else:
                needs = LOOSEST
            parts[place] = Slot(part.name, needs)
        object.__setattr__(self, "parts", tuple(parts))
        object.__setattr__(self, "binding", binding)


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """An op: its name, how it types, how a use of it is drawn, and how it is written."""

    name: str
    group: str
    spellings: tuple[Spelling, ...]
    infer: Infer | None = None
    """None where the family that uses the op gives the results' types itself."""
    draw: Draw | None = None
    """None where only families use the op."""
    weight: float = 1.0
    """How often it is drawn, beside the others of its group."""
    reverse: bool = True
    """Whether reverse-mode differentiation goes through it."""
    widens: Literal["", "integers", "all"] = ""
    """Which of its results have JAX's default dtype, and so 64 bits where those are enabled."""

    def typed(self, operands: Sequence[Any], params: Mapping[str, Any]) -> Typed | list[Typed]:
        """Gives what `infer` does; raises [`IllTyped`][] where bounds leave the numbers too."""
        assert self.infer is not None, self.name
        try:
            return self.infer(operands, params)
        except (OverflowError, ZeroDivisionError):
            raise IllTyped(f"{self.name} may leave the range of every dtype") from None


def widening(op: Op, which: Literal["integers", "all"] = "all") -> Op:
    """Gives the row with the results of JAX's default dtype marked as such."""
    return replace(op, widens=which)


def spell(*templates: str) -> tuple[Spelling, ...]:
    """Gives the spellings for these templates; all of them must trace to the same jaxpr."""
    return tuple(Spelling(template) for template in templates)
