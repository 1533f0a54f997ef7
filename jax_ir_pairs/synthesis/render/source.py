"""The renderer: one walk over the graph that writes statements, nested functions and lambdas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
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
    functions_in,
    vars_in,
)
from jax_ir_pairs.synthesis.op import ATOM, LOOSEST, POWER, UNARY, Slot, Spelling
from jax_ir_pairs.synthesis.ops.higher_order import TRANSFORMS
from jax_ir_pairs.synthesis.render.layout import WIDTH, module, statement
from jax_ir_pairs.synthesis.render.names import Names
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import LONG_NAMES, Record

_RAW = {"subscript", "method", "field"}
_SIMPLE = re.compile(r"-?[\w.]+")
_LONGEST_INLINE = 30
_LONGEST_LAMBDA = {0: 56, 1: 28}
"""By the number of transformations around it; under more, a function is always defined."""


@dataclass(frozen=True, slots=True)
class Expr:
    """Source of an expression, and how tightly it binds."""

    text: str
    binding: int = ATOM

    def at(self, needs: int) -> str:
        """Gives the text, in parentheses where the place needs a tighter binding."""
        return self.text if self.binding >= needs else f"({self.text})"


def render(
    entry: Function, name: str, stream: Stream, *, x64: bool = False
) -> tuple[str, list[str]]:
    """Gives the module with `entry` as function `name`, and the names of the entry's parameters."""
    renderer = _Renderer(stream)
    renderer.names.function(name)
    parameters, lines = renderer.define(entry, name, set(), indent=0)
    return module([*renderer.hoisted, lines], x64=x64), parameters


class _Renderer:
    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.names = Names(stream)
        self.exprs: dict[Var, Expr] = {}
        self.function_names: dict[Function, str] = {}
        self.block_names: dict[Defined, str] = {}
        self.hoisted: list[list[str]] = []
        self.inlining = stream.choice((0.15, 0.5, 0.5, 0.8))
        self.lambdas = stream.choice((0.2, 0.6, 0.9))
        self.hoisting = stream.choice((0.3, 0.8))
        self.spellings: dict[str, Spelling] = {}

    def define(
        self, function: Function, name: str, taken: set[str], indent: int
    ) -> tuple[list[str], list[str]]:
        """Gives the parameter names and the lines of a `def`."""
        parameters = [self._bind(var, "", taken) for var in function.params]
        lines = statement(f"def {name}", f"({', '.join(parameters)})", indent)
        lines[-1] += ":"
        if function.doc:
            lines.append(f'{" " * (indent + 4)}"""{function.doc}"""')
        lines += self._body(function, taken, indent + 4)
        return parameters, lines

    def _bind(self, var: Var, op: str, taken: set[str]) -> str:
        name = self.names.local(var.role, op, taken)
        self.exprs[var] = Expr(name)
        return name

    def _body(self, function: Function, taken: set[str], indent: int) -> list[str]:
        uses = Counter(_direct_uses(function))
        closed_over = set(_closed_over(function))
        lines: list[str] = []
        after_def = False
        for call in function.body:
            definitions = self._definitions(call, taken, indent)
            for definition in definitions:
                lines += [""] * bool(lines) + definition
                after_def = True
            expr = self._expression(call, taken)
            if self._inline(call, expr, uses, closed_over):
                assert isinstance(call.outs, Var)
                self.exprs[call.outs] = expr
                continue
            prefix = self._pattern(call.outs, call.op.name, uses, closed_over, taken)
            lines += [""] * after_def + statement(f"{prefix} = ", expr.text, indent)
            after_def = False
        lines += [""] * after_def
        return lines + statement("return ", self._result(function.result, taken), indent)

    def _inline(self, call: Call, expr: Expr, uses: Counter[Var], closed_over: set[Var]) -> bool:
        if call.op.name == "item":
            return True
        var = call.outs
        if not isinstance(var, Var) or uses[var] != 1 or var in closed_over:
            return False
        if var.role or any(True for o in call.operands for _ in functions_in(o)):
            return False
        return len(expr.text) <= _LONGEST_INLINE and self.stream.chance(self.inlining)

    def _pattern(
        self, outs: Any, op: str, uses: Counter[Var], closed_over: set[Var], taken: set[str]
    ) -> str:
        if isinstance(outs, Var):
            return self._bind(outs, op, taken)
        names = []
        for part in outs:
            if isinstance(part, Var):
                used = uses[part] or part in closed_over
                names.append(self._bind(part, op, taken) if used else "_")
            else:
                names.append(f"({self._pattern(part, op, uses, closed_over, taken)})")
        return ", ".join(names) if len(names) > 1 else f"({names[0]},)"

    def _result(self, result: Any, taken: set[str]) -> str:
        if isinstance(result, tuple):
            parts = [self._operand(part, taken).text for part in result]
            text = ", ".join(parts) + "," * (len(parts) == 1)
            return f"({text})" if len(parts) == 1 or len(text) > WIDTH - 15 else text
        return self._operand(result, taken).text

    def _definitions(self, call: Call, taken: set[str], indent: int) -> list[list[str]]:
        """Defines the functions that the call uses: on module level, or here if they close over."""
        definitions = []
        for operand in call.operands:
            for callee in functions_in(operand):
                if isinstance(callee, Defined):
                    self._block(callee)
                if not isinstance(callee, Function) or callee in self.function_names:
                    continue
                around = sum(isinstance(c, Transformed) for c in functions_in(operand))
                longest = _LONGEST_LAMBDA.get(around, 0)
                if (text := self._lambda(callee, longest)) is not None:
                    self.function_names[callee] = text
                    continue
                free = callee.free_vars
                if not free and (callee.doc or self.stream.chance(self.hoisting)):
                    name = self.names.function(callee.role)
                    self.function_names[callee] = name
                    _, lines = self.define(callee, name, set(), 0)
                    self.hoisted.append(lines)
                else:
                    name = self.names.local(callee.role, "", taken)
                    self.function_names[callee] = name
                    inner = self._visible(callee) | {name}
                    definitions.append(self.define(callee, name, inner, indent)[1])
        return definitions

    def _block(self, block: Defined) -> str:
        """Gives the name of a block; the first call puts it into the module."""
        if block in self.block_names:
            return self.block_names[block]
        others = {f"u{n}": self._block(other) for n, other in enumerate(block.uses)}
        name = self.block_names[block] = self.names.function(block.role)
        if block.me is not None:
            self.exprs[block.me] = Expr(name)
        known = {"name": name, **others, **{k: str(v) for k, v in block.params.items()}}
        for number, function in enumerate(block.functions):
            own = number > 0 or "{f0}" in block.template
            known[f"f{number}"] = self.names.function(function.role) if own else name
            self.function_names[function] = known[f"f{number}"]
        lines: list[str] = []
        for line in block.template.splitlines():
            if line.startswith("{def"):
                function = block.functions[int(line[4:-1])]
                lines += self.define(function, self.function_names[function], set(), 0)[1]
            else:
                lines.append(line.format_map(known))
        self.hoisted.append(lines)
        return name

    def _visible(self, function: Function) -> set[str]:
        """Gives the names that a nested function reads from around it."""
        return {
            word
            for var in function.free_vars
            for word in re.findall(r"[A-Za-z_]\w*", self.exprs[var].text)
        }

    def _lambda(self, function: Function, longest: int) -> str | None:
        if function.doc or len(function.body) > 3 or not self.stream.chance(self.lambdas):
            return None
        nested = any(True for c in function.body for o in c.operands for _ in functions_in(o))
        uses = Counter(_direct_uses(function))
        if nested or isinstance(function.result, Record):
            return None
        for call in function.body:
            single = isinstance(call.outs, Var) and uses[call.outs] == 1
            if not single and call.op.name != "item":
                return None
        inner = self._visible(function)
        names = [self._bind(var, "", inner) for var in function.params]
        for call in function.body:
            assert isinstance(call.outs, Var)
            self.exprs[call.outs] = self._expression(call, inner)
        result = self._operand(function.result, inner).text
        text = f"lambda {', '.join(names)}: {result}" if names else f"lambda: {result}"
        return text if len(text) <= longest else None

    def _expression(self, call: Call, taken: set[str]) -> Expr:
        spelling = self.spellings.get(call.op.name)
        if spelling is None:
            spelling = call.op.spellings[0]
            if not self.stream.chance(0.65):
                spelling = self.stream.choice(call.op.spellings)
            if isinstance(call.operands[0] if call.operands else None, Literal):
                spelling = call.op.spellings[0]
            self.spellings[call.op.name] = spelling
        slots = {part.name for part in spelling.parts if isinstance(part, Slot)}
        pieces: list[str] = []
        for part in spelling.parts:
            if isinstance(part, str):
                pieces.append(part)
            elif part.name == "kw":
                rest = {k: v for k, v in call.params.items() if k not in slots}
                text = keywords(rest)
                pieces.append(text.removeprefix(", ") if pieces[-1].endswith("(") else text)
            elif part.name.startswith("*"):
                rest_operands = call.operands[int(part.name[1:]) :]
                pieces.append(", ".join(self._operand(o, taken).text for o in rest_operands))
                if not rest_operands and pieces[-2].endswith(", "):
                    pieces[-2] = pieces[-2][:-2]
            elif part.name.isdigit():
                operand = call.operands[int(part.name)]
                if isinstance(operand, tuple) and pieces and pieces[-1].endswith("["):
                    pieces.append(", ".join(self._operand(o, taken).text for o in operand))
                else:
                    pieces.append(self._operand(operand, taken).at(part.needs))
            else:
                pieces.append(parameter(part.name, call.params[part.name]))
        text = "".join(pieces)
        if spelling.binding == POWER and all(
            _SIMPLE.fullmatch(piece) for piece in text.split(" ** ")
        ):
            text = text.replace(" ** ", "**")
        return Expr(text, spelling.binding)

    def _operand(self, operand: Any, taken: set[str]) -> Expr:
        if isinstance(operand, Var):
            return self.exprs[operand]
        if isinstance(operand, Literal):
            return Expr(repr(operand.value), ATOM if operand.value >= 0 else UNARY)
        if isinstance(operand, Function | Transformed | Defined):
            return self._callee(operand)
        if operand is None:
            return Expr("None")
        if isinstance(operand, Record):
            if operand.cls is not None:
                fields = (f"{key}={self._operand(v, taken).text}" for key, v in operand.items)
                return Expr(f"{self._block(operand.cls)}({', '.join(fields)})")
            items = (f'"{key}": {self._operand(v, taken).text}' for key, v in operand.items)
            return Expr("{" + ", ".join(items) + "}")
        parts = [self._operand(part, taken).text for part in operand]
        return Expr(f"({', '.join(parts)}{',' * (len(parts) == 1)})")

    def _callee(self, callee: Callee) -> Expr:
        if isinstance(callee, Function):
            text = self.function_names[callee]
            return Expr(text, LOOSEST if text.startswith("lambda") else ATOM)
        if isinstance(callee, Defined):
            return Expr(self._block(callee))
        inner = self._callee(callee.function).text
        return Expr(f"{TRANSFORMS[callee.transform]}({inner}{keywords(callee.params)})")


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
    if isinstance(value, tuple):
        parts = [parameter("", part) for part in value]
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    return repr(value)


def _direct_uses(function: Function) -> list[Var]:
    """Gives the variables that the body itself mentions, not the functions in it."""
    uses = list(vars_in(function.result))
    for call in function.body:
        for operand in call.operands:
            uses += _shallow(operand)
    return uses


def _shallow(operand: Any) -> list[Var]:
    if isinstance(operand, Var):
        return [operand]
    if isinstance(operand, tuple):
        return [var for part in operand for var in _shallow(part)]
    if isinstance(operand, Record):
        return [var for _, part in operand.items for var in _shallow(part)]
    return []


def _closed_over(function: Function) -> list[Var]:
    """Gives the variables that functions in the body take from around them."""
    return [
        var
        for call in function.body
        for operand in call.operands
        for callee in functions_in(operand)
        if isinstance(callee, Function)
        for var in callee.free_vars
    ]
