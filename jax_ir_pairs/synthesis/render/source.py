"""The renderer: one walk over the graph that writes statements, nested functions and lambdas."""

from __future__ import annotations

import re
from typing import Any

from jax_ir_pairs.synthesis.graph import (
    Call,
    Code,
    Defined,
    Function,
    Literal,
    Transformed,
    Var,
    functions_in,
    walk,
)
from jax_ir_pairs.synthesis.render import remarks
from jax_ir_pairs.synthesis.render.body import Body
from jax_ir_pairs.synthesis.render.expressions import Expr, Expressions, literal
from jax_ir_pairs.synthesis.render.imports import module
from jax_ir_pairs.synthesis.render.layout import WIDTH, statement
from jax_ir_pairs.synthesis.render.names import Names
from jax_ir_pairs.synthesis.render.sharing import functions_used_by, shared_functions
from jax_ir_pairs.synthesis.render.style import Style
from jax_ir_pairs.synthesis.stream import Stream

_LONGEST_INLINE = 30
_LONGEST_LAMBDA = {0: 56, 1: 28}
"""By the number of transformations around it; under more, a function is always defined."""


def render(
    entry: Function, name: str, stream: Stream, *, x64: bool = False
) -> tuple[str, list[str]]:
    """Gives the module with `entry` as function `name`, and the names of the entry's parameters."""
    renderer = _Renderer(stream, Style.draw(stream))
    renderer.names.function(name)
    renderer.name_constants(entry)
    parameters, lines = renderer.define(entry, name, set(), indent=0, is_entry=True)
    constants = [[f"{name} = {value}" for name, value in renderer.write.constants.values()]]
    definitions = [*constants[: bool(constants[0])], *renderer.hoisted, lines]
    return module(definitions, x64=x64), parameters


class _Renderer:
    def __init__(self, stream: Stream, style: Style) -> None:
        self.stream = stream
        self.style = style
        self.names = Names(stream, wordy=style.wordy)
        self.write = Expressions(stream, style, self._block)
        self.block_names: dict[Defined, str] = {}
        self.hoisted: list[list[str]] = []
        self.defined_here: list[list[Function]] = [[]]
        """The functions that each body under way has defined for itself, innermost last."""

    def statement(self, prefix: str, expression: str, indent: int, suffix: str = "") -> list[str]:
        """Gives the lines of a statement, in the dialect of the program."""
        dialect = self.style.dialect
        return statement(dialect(prefix), dialect(expression), indent, suffix)

    def name_constants(self, entry: Function) -> None:
        """Gives some of the program's numbers a name on module level."""
        for call in walk(entry):
            for operand in call.operands:
                if not isinstance(operand, Literal) or operand.value in self.write.constants:
                    continue
                name = remarks.constant_name(call.op.name, operand.value)
                if name and self.stream.chance(self.style.constants):
                    text = literal(operand).text
                    self.write.constants[operand.value] = (self.names.function(name), text)

    def define(
        self, function: Function, name: str, taken: set[str], indent: int, *, is_entry: bool = False
    ) -> tuple[list[str], list[str]]:
        """Gives the parameter names and the lines of a `def`."""
        stream, style, margin = self.stream, self.style, " " * indent
        parameters = [self._bind(var, "", taken) for var in function.params]
        shown, result = parameters, ""
        if stream.chance(style.hints):
            hints = [remarks.annotation(var.type) for var in function.params]
            shown = [f"{p}: {h}" if h else p for p, h in zip(parameters, hints, strict=True)]
            result = remarks.result_annotation(function)
        before = dict(self.write.overrides)
        static = self._default_argument(function, taken) if indent == 0 else ""
        shown = [*shown, static] if static else shown
        lines = []
        if is_entry and style.jitted:
            names = f'static_argnames=("{static.partition("=")[0]}",)'
            lines.append(style.dialect(f"@partial(jax.jit, {names})" if static else "@jax.jit"))
        elif function.decorator:
            lines.append(style.dialect(f"{margin}@{function.decorator}"))
        lines += self.statement(f"def {name}", f"({', '.join(shown)})", indent, f"{result}:")
        self.defined_here.append([])
        body = self._body(function, taken, indent + 4)
        for local in self.defined_here.pop():
            del self.write.function_names[local]
        self.write.overrides = before
        return parameters, lines + body

    def _default_argument(self, function: Function, taken: set[str]) -> str:
        """Gives `name=value` of an argument that takes the place of a number in the body."""
        if function in self.write.function_names or not self.stream.chance(self.style.defaults):
            return ""
        found = remarks.default_argument(function, taken)
        if found is None:
            return ""
        call, key, name, value = found
        taken.add(name)
        self.write.overrides[call, key] = Code(name)
        return f"{name}={value}"

    def _bind(self, var: Var, op: str, taken: set[str]) -> str:
        name = self.names.local(var.role, op, taken, var.type)
        self.write.values[var] = Expr(name)
        return name

    def _body(self, function: Function, taken: set[str], indent: int) -> list[str]:
        body, after_def = Body(function), False
        lines: list[str] = []
        for call in function.body:
            for definition in self._definitions(call.operands, taken, indent):
                lines += [""] * bool(lines) + definition
                after_def = True
            body.reads(call)
            expr = self.write.call(call)
            if self._inline(call, expr, body):
                assert isinstance(call.outs, Var)
                self.write.values[call.outs] = expr
                body.inlines(call, expr.text)
                continue
            written = self._statement(call, expr, body, taken, indent)
            lines += [""] * after_def + written
            after_def = False
        for definition in self._definitions((function.result,), taken, indent):
            lines += [""] * bool(lines) + definition
            after_def = True
        lines += [""] * after_def
        return lines + self.statement("return ", self._result(function.result), indent)

    def _statement(
        self, call: Call, expr: Expr, body: Body, taken: set[str], indent: int
    ) -> list[str]:
        old = body.rebindable(call, self.write.values)
        if old is not None and self.stream.chance(self.style.rebinding):
            assert isinstance(call.outs, Var)
            prefix = self.write.values[old].text
            self.write.values[call.outs] = self.write.values[old]
            body.rebound(old, call.outs)
        else:
            prefix = self._pattern(call.outs, call.op.name, body, taken)
        lines = self.statement(f"{prefix} = ", expr.text, indent)
        if self.stream.chance(self.style.shapes):
            text = remarks.shape_comment(call)
            if text and len(lines) == 1 and len(lines[0]) + len(text) + 4 <= WIDTH:
                lines = [f"{lines[0]}  # {text}"]
        return lines

    def _inline(self, call: Call, expr: Expr, body: Body) -> bool:
        if call.op.name in ("item", "field"):
            return True
        var = call.outs
        if not isinstance(var, Var) or body.uses[var] != 1 or var in body.closed_over:
            return False
        if call is body.function.body[-1] and var is body.function.result:
            return self.stream.chance(self.style.returning)
        if var.role or any(True for o in call.operands for _ in functions_in(o)):
            return False
        return len(expr.text) <= _LONGEST_INLINE and self.stream.chance(self.style.inlining)

    def _pattern(self, outs: Any, op: str, body: Body, taken: set[str]) -> str:
        if isinstance(outs, Var):
            return self._bind(outs, op, taken)
        names = []
        for part in outs:
            if isinstance(part, Var):
                used = body.uses[part] or part in body.closed_over
                names.append(self._bind(part, op, taken) if used else "_")
            else:
                names.append(f"({self._pattern(part, op, body, taken)})")
        return ", ".join(names) if len(names) > 1 else f"({names[0]},)"

    def _result(self, result: Any) -> str:
        if isinstance(result, tuple):
            parts = [self.write.operand(part).text for part in result]
            text = ", ".join(parts) + "," * (len(parts) == 1)
            return f"({text})" if len(parts) == 1 or len(text) > WIDTH - 15 else text
        return self.write.operand(result).text

    def _definitions(self, operands: Any, taken: set[str], indent: int) -> list[list[str]]:
        """Defines the functions among the operands: on module level, or here if they close over."""
        definitions = []
        for operand in (*shared_functions(operands), *operands):
            for callee in functions_in(operand):
                if isinstance(callee, Defined):
                    self._block(callee)
                if not isinstance(callee, Function) or callee in self.write.function_names:
                    continue
                around = sum(isinstance(c, Transformed) for c in functions_in(operand))
                longest = _LONGEST_LAMBDA.get(around, 0)
                if (text := self._lambda(callee, longest)) is not None:
                    self.write.function_names[callee] = text
                    self.defined_here[-1].append(callee)
                elif self._hoistable(callee) and self.stream.chance(self.style.hoisting):
                    name = self.names.function(callee.role)
                    _, lines = self.define(callee, name, set(), 0)
                    self.write.function_names[callee] = name
                    self.hoisted.append(lines)
                else:
                    name = self.names.local(callee.role, "", taken)
                    self.write.function_names[callee] = name
                    self.defined_here[-1].append(callee)
                    inner = self._visible(callee) | {name}
                    definitions.append(self.define(callee, name, inner, indent)[1])
        return definitions

    def _block(self, block: Defined) -> str:
        """Gives the name of a block; the first call puts it into the module."""
        if block in self.block_names:
            return self.block_names[block]
        others = {f"u{n}": self._block(other) for n, other in enumerate(block.uses)}
        name = self.block_names[block] = self.names.function(block.role)
        known = {"name": name, **others, **{k: str(v) for k, v in block.params.items()}}
        for number, function in enumerate(block.functions):
            own = number > 0 or "{f0}" in block.template
            known[f"f{number}"] = self.names.function(function.role) if own else name
            self.write.function_names[function] = known[f"f{number}"]
        lines: list[str] = []
        for line in block.template.splitlines():
            if line.startswith("{def"):
                function = block.functions[int(line[4:-1])]
                lines += self.define(function, self.write.function_names[function], set(), 0)[1]
            else:
                text = line.format_map(known)
                lines += self.statement("", text.lstrip(), len(text) - len(text.lstrip()))
        self.hoisted.append(lines)
        return name

    def _visible(self, function: Function) -> set[str]:
        """Gives the names that a nested function reads from around it."""
        texts = [self.write.values[var].text for var in function.free_vars]
        known = self.write.function_names
        texts += [known[used] for used in functions_used_by(function) if used in known]
        return {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}

    def _hoistable(self, function: Function) -> bool:
        """Tells whether a function needs nothing of the body around it, not even a function."""
        local = {callee for body in self.defined_here for callee in body}
        return not function.free_vars and local.isdisjoint(functions_used_by(function))

    def _lambda(self, function: Function, longest: int) -> str | None:
        plain = not function.decorator and len(function.body) <= 3
        if not plain or not self.stream.chance(self.style.lambdas):
            return None
        body = Body(function)
        nested = any(True for c in function.body for o in c.operands for _ in functions_in(o))
        if nested:
            return None
        for call in function.body:
            single = isinstance(call.outs, Var) and body.uses[call.outs] == 1
            if not single and call.op.name not in ("item", "field"):
                return None
        inner = self._visible(function)
        names = [self._bind(var, "", inner) for var in function.params]
        for call in function.body:
            assert isinstance(call.outs, Var)
            self.write.values[call.outs] = self.write.call(call)
        result = self.write.operand(function.result).text
        text = f"lambda {', '.join(names)}: {result}" if names else f"lambda: {result}"
        return text if len(text) <= longest else None
