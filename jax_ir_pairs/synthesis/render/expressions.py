"""Source of expressions: calls of ops, their operands, numbers, parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.synthesis.graph import (
    Call,
    Callee,
    Code,
    Defined,
    Function,
    Literal,
    Transformed,
    Var,
)
from jax_ir_pairs.synthesis.op import ATOM, LOOSEST, POWER, UNARY, Slot, Spelling
from jax_ir_pairs.synthesis.ops.higher_order import TRANSFORMS
from jax_ir_pairs.synthesis.render.style import Style
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import LONG_NAMES

_SIMPLE = re.compile(r"-?[\w.]+")
_RAW = {"subscript", "method", "field"}


@dataclass(frozen=True, slots=True)
class Expr:
    """Source of an expression, and how tightly it binds."""

    text: str
    binding: int = ATOM

    def at(self, needs: int) -> str:
        """Gives the text, in parentheses where the place needs a tighter binding."""
        return self.text if self.binding >= needs else f"({self.text})"


def literal(number: Literal) -> Expr:
    """Gives the source of a number."""
    return Expr(_number(number.value), ATOM if number.value >= 0 else UNARY)


def _number(value: float) -> str:
    text = repr(value)
    if not isinstance(value, float) or value == 0 or 1e-3 <= abs(value) < 1e4:
        return text
    mantissa, _, exponent = f"{value:.15e}".partition("e")
    short = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return short if float(short) == value and len(short) < len(text) else text


def keywords(params: Mapping[str, Any]) -> str:
    """Gives keyword arguments with a leading comma: `, axis=-1, keepdims=True`."""
    return "".join(f", {key}={parameter(key, value)}" for key, value in params.items())


def parameter(key: str, value: Any) -> str:
    """Gives the source of a parameter's value."""
    if isinstance(value, Code):
        return value.text
    if key == "dtype":
        return f"jnp.{LONG_NAMES[value]}"
    if isinstance(value, str):
        return value if key in _RAW else f'"{value}"'
    if isinstance(value, Mapping):
        items = (f'"{name}": {parameter("", part)}' for name, part in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, tuple):
        parts = [parameter("", part) for part in value]
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    return _number(value) if isinstance(value, float) else repr(value)


class Expressions:
    """Writes calls, once the values, functions and blocks that they mention have their names.

    `block` gives the name of a block of the module.
    """

    def __init__(self, stream: Stream, style: Style, block: Callable[[Defined], str]) -> None:
        self.stream = stream
        self.style = style
        self.block = block
        self.values: dict[Var, Expr] = {}
        self.function_names: dict[Function, str] = {}
        self.constants: dict[float, tuple[str, str]] = {}
        self.overrides: dict[tuple[Call, str], Code] = {}
        self._spellings: dict[str, Spelling] = {}

    def _spelling(self, call: Call) -> Spelling:
        spellings = call.op.spellings
        known = self._spellings.get(call.op.name)
        if known is not None:
            return known
        spelling = spellings[0]
        # What has an operator is written with it, but for a few programs.
        if not self.stream.chance(0.65 if spelling.binding == ATOM else 0.98):
            spelling = self.stream.choice(spellings)
        if isinstance(call.operands[0] if call.operands else None, Literal):
            spelling = spellings[0]
        self._spellings[call.op.name] = spelling
        return spelling

    def call(self, call: Call) -> Expr:
        """Gives the expression of a call."""
        spelling = self._spelling(call)
        params = {key: self.overrides.get((call, key), v) for key, v in call.params.items()}
        slots = {part.name for part in spelling.parts if isinstance(part, Slot)}
        pieces: list[str] = []
        for part in spelling.parts:
            if isinstance(part, str):
                pieces.append(part)
            elif part.name == "kw":
                text = keywords({k: v for k, v in params.items() if k not in slots})
                pieces.append(text.removeprefix(", ") if pieces[-1].endswith("(") else text)
            elif part.name.startswith("*"):
                rest_operands = call.operands[int(part.name[1:]) :]
                pieces.append(", ".join(self.operand(o).text for o in rest_operands))
                if not rest_operands and pieces[-2].endswith(", "):
                    pieces[-2] = pieces[-2][:-2]
            elif part.name.isdigit():
                operand = call.operands[int(part.name)]
                if isinstance(operand, tuple) and pieces and pieces[-1].endswith("["):
                    pieces.append(", ".join(self.operand(o).text for o in operand))
                else:
                    pieces.append(self.operand(operand).at(part.needs))
            else:
                pieces.append(parameter(part.name, params[part.name]))
        text = "".join(pieces)
        if spelling.binding == POWER and all(
            _SIMPLE.fullmatch(piece) for piece in text.split(" ** ")
        ):
            text = text.replace(" ** ", "**")
        return Expr(text, spelling.binding)

    def operand(self, operand: Any) -> Expr:
        """Gives the expression of an operand or of a result."""
        if isinstance(operand, Var):
            return self.values[operand]
        if isinstance(operand, Literal):
            known = self.constants.get(operand.value)
            if known is None or not isinstance(operand.value, float):
                return literal(operand)
            return Expr(known[0])
        if isinstance(operand, Function | Transformed | Defined):
            return self._callee(operand)
        if operand is None:
            return Expr("None")
        parts = [self.operand(part).text for part in operand]
        return Expr(f"({', '.join(parts)}{',' * (len(parts) == 1)})")

    def _callee(self, callee: Callee) -> Expr:
        if isinstance(callee, Function):
            text = self.function_names[callee]
            return Expr(text, LOOSEST if text.startswith("lambda") else ATOM)
        if isinstance(callee, Defined):
            return Expr(self.block(callee))
        inner = self._callee(callee.function).text
        return Expr(f"{TRANSFORMS[callee.transform]}({inner}{keywords(callee.params)})")
