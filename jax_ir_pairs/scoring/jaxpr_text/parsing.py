"""The text of a jaxpr, parsed. Linear in its length, and bounded in depth.

The grammar is that of `jax._src.core.pp_jaxpr` and of the rules in `pp_eqn_rules`, with any white
space. Three places need more than a token: a parameter's value is any text, and ends before the
next `name=` or the bracket that closes; a variable may be called `in`; and where nothing is bound,
an equation begins with a name that no variable has.
"""

from __future__ import annotations

import re

from jax_ir_pairs.scoring.jaxpr_text import patterns
from jax_ir_pairs.scoring.jaxpr_text.cursor import Cursor
from jax_ir_pairs.scoring.jaxpr_text.syntax import (
    HOLE,
    Atom,
    Binder,
    Equation,
    Jaxpr,
    Literal,
    Reference,
    Value,
)
from jax_ir_pairs.scoring.module import NotParsedError

LONGEST = 4_000_000
"""Characters over which a text is refused."""
DEEPEST = 100
"""Jaxprs within each other over which a text is refused."""
_HOLD_NAMES = frozenset({"branches", "call"})
"""Parameters of `cond` and `custom_vmap_call` that are jaxprs, and named without saying so."""


def parse(text: str) -> Jaxpr:
    """Gives the syntax tree of a printed jaxpr.

    **Raises:** [`NotParsedError`][], with the line.
    """
    if len(text) > LONGEST:
        raise NotParsedError(f"the text is over {LONGEST:,} characters long")
    if HOLE in text:
        raise NotParsedError("the text has a nul byte")
    parser = _Parser(text)
    jaxpr = parser.program(0)
    if not text[parser.at :].isspace() and parser.at < len(text):
        parser.fail("something follows the jaxpr")
    _refuse_cycles(jaxpr)
    return jaxpr


class _Parser(Cursor):
    """Each method gives what the text has at its place, and moves past it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._defined = set(patterns.DEFINED.findall(text))
        self._begins = True  # whether an equation may begin here that binds nothing
        self._unclosed = 0  # up to where no quote closes

    def program(self, depth: int) -> Jaxpr:
        definitions: dict[str, Jaxpr] = {}
        references: list[Reference] = []
        while (match := self.take(patterns.DEFINITION)) is not None:
            if match[1] in definitions:
                self.fail(f"{match[1]} is defined twice")
            definitions[match[1]] = self.jaxpr(depth + 1, definitions, references)
            if self.take(patterns.IN) is None:
                self.fail("expected 'in' after a definition")
        jaxpr = self.jaxpr(depth + 1, definitions, references)
        for reference in references:
            if reference.name not in definitions:
                self.fail(f"no jaxpr is called {reference.name}")
        return jaxpr

    def jaxpr(
        self, depth: int, definitions: dict[str, Jaxpr], references: list[Reference]
    ) -> Jaxpr:
        if depth > DEEPEST:
            self.fail(f"over {DEEPEST} jaxprs within each other")
        if self.take(patterns.JAXPR) is None:
            self.fail("expected a jaxpr, '{ lambda …'")
        bound: set[str] = set()
        constants = self.binders(bound)
        bound.update(binder.name for binder in constants)
        self.expect(";")
        inputs = self.binders(bound)
        bound.update(binder.name for binder in inputs)
        self.expect(".")
        self.expect("let")
        equations: list[Equation] = []
        while True:
            start = self.at
            while self.take(patterns.SEPARATOR) is not None:
                pass
            if patterns.END.match(self.text, self.at):
                break
            self.take(patterns.SPACE)
            self._begins = not equations or not {"\n", ";"}.isdisjoint(self.text[start : self.at])
            equation = self.equation(depth, bound, definitions, references)
            bound.update(binder.name for binder in equation.binders)
            equations.append(equation)
        self.expect("in")
        self.expect("(")
        results: list[Atom] = []
        while (atom := self.atom(bound)) is not None:
            results.append(atom)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        self.expect(")")
        self.expect("}")
        return Jaxpr(constants, inputs, tuple(equations), tuple(results))

    def binders(self, bound: set[str]) -> tuple[Binder, ...]:
        found = []
        names = set()
        while (match := self.take(patterns.BINDER)) is not None:
            name = match[1]
            if name != "_" and (name in bound or name in names):
                self.fail(f"{name} is bound twice")
            names.add(name)
            found.append(Binder(name, match[2].replace(" ", "")))
        return tuple(found)

    def atom(self, bound: set[str]) -> Atom | None:
        match = patterns.LITERAL.match(self.text, self.at)
        # A variable may be called `nan` too; it is bound where `=` follows.
        if match is not None and not patterns.EQUALS.match(self.text, match.end()):
            self.at = match.end()
            return Literal(match[1], match[2].replace(" ", ""))
        match = patterns.NAME.match(self.text, self.at)
        if match is None or match[1] not in bound or self.text.startswith(":", match.end()):
            return None
        self.at = match.end()
        return match[1]

    def equation(
        self,
        depth: int,
        bound: set[str],
        definitions: dict[str, Jaxpr],
        references: list[Reference],
    ) -> Equation:
        line = self.line()
        binders = self.binders(bound)
        if binders:
            self.take(patterns.SPACE)
            if not self.text.startswith("=", self.at):
                return self.read_or_swap(binders, bound, line)
            self.at += 1
        elif (index := patterns.INDEX.match(self.text, self.at)) is not None and index[1] in bound:
            return self.write(bound, line)
        elif not self._begins:
            name = patterns.NAME.match(self.text, self.at)
            self.fail(
                "expected an equation" if name is None else f"no variable is called {name[1]}"
            )
        match = self.take(patterns.PRIMITIVE)
        if match is None or (not binders and match[1] in bound):
            self.fail("expected an equation or 'in ('")
        params: tuple[tuple[str, Value], ...] = ()
        if self.text.startswith("[", self.at) and not self.text.startswith("[...]", self.at):
            self.at += 1
            params = self.params(depth, definitions, references)
        operands = []
        while not (
            patterns.END.match(self.text, self.at) or patterns.SEPARATOR.match(self.text, self.at)
        ):
            # A write to a reference begins the next line as an operand would go on.
            if patterns.INDEX.match(self.text, self.at) and patterns.BREAK.match(
                self.text, self.at
            ):
                break
            if (atom := self.atom(bound)) is None:
                break
            operands.append(atom)
        return Equation(binders, match[1], params, tuple(operands), line)

    def params(
        self, depth: int, definitions: dict[str, Jaxpr], references: list[Reference]
    ) -> tuple[tuple[str, Value], ...]:
        found: dict[str, Value] = {}
        while (match := self.take(patterns.KEY)) is not None:
            if match[1] in found:
                self.fail(f"{match[1]} is given twice")
            found[match[1]] = self.value(match[1], depth, definitions, references)
        self.expect("]")
        return tuple(found.items())

    def value(
        self, key: str, depth: int, definitions: dict[str, Jaxpr], references: list[Reference]
    ) -> Value:
        """Gives a value, white space in it as one space between words and none beside a bracket."""
        text, start = self.text, self.at
        holds_names = self._defined and (key in _HOLD_NAMES or key.endswith(("jaxpr", "jaxprs")))
        pieces: list[str] = []
        parts: list[Jaxpr | Reference] = []
        closing: list[str] = []
        space = False
        while self.at < len(text):
            if text[self.at].isspace():
                if not closing and patterns.NEXT_KEY.match(text, self.at):
                    break
                self.take(patterns.SPACE)
                space = True
                continue
            char = text[self.at]
            if not closing and char == "]":
                break
            if (char == "{" or char == "l") and patterns.NESTED.match(text, self.at):
                parts.append(
                    self.program(depth + 1)
                    if char == "l"
                    else self.jaxpr(depth + 1, definitions, references)
                )
                piece = HOLE
            elif char in patterns.CLOSING:
                closing.append(patterns.CLOSING[char])
                piece, self.at = char, self.at + 1
            elif char in ")]}":
                if not closing or closing.pop() != char:
                    self.fail(f"{char!r} closes nothing")
                piece, self.at = char, self.at + 1
            elif char in "'\"" and self.at >= self._unclosed:
                if (string := self.take(patterns.STRING)) is None:
                    end = text.find("\n", self.at)
                    self._unclosed = len(text) if end < 0 else end
                    continue
                piece = string[0]
            elif (word := self.take(patterns.PLAIN)) is not None:
                piece = word[0]
                if holds_names and piece in self._defined:
                    references.append(Reference(piece, definitions))
                    parts.append(references[-1])
                    piece = HOLE
            else:  # a quote that closes nothing
                piece, self.at = char, self.at + 1
            if space and pieces and pieces[-1] not in "([{" and piece not in ")]}":
                pieces.append(" ")
            space = False
            pieces.append(piece)
        else:
            self.at = start
            self.fail(f"the value of {key} does not end")
        if not pieces:
            return Value("")
        return Value("".join(pieces), tuple(parts))

    def indexed(self, bound: set[str]) -> tuple[str, str, list[Atom]]:
        """Gives the reference of `b[i,0:8]`, its index with holes, and what goes into them."""
        match = self.take(patterns.INDEX)
        if match is None or match[1] not in bound:
            self.fail("expected a reference with an index, as b[...]")
        names: list[Atom] = []

        def hole(name: re.Match[str]) -> str:
            if name[0] not in bound:
                self.fail(f"{name[0]} is not bound")
            names.append(name[0])
            return HOLE

        return match[1], patterns.INDEX_NAME.sub(hole, match[2].replace(" ", "")), names

    def read_or_swap(self, binders: tuple[Binder, ...], bound: set[str], line: int) -> Equation:
        if self.text.startswith(",", self.at):
            self.at += 1
            target = self.indexed(bound)
            self.expect("<-")
            if self.indexed(bound) != target:
                self.fail("a swap reads what it writes: b:f32[], a[...] <- a[...], c")
            self.expect(",")
            return self.written("swap", binders, target, bound, line)
        self.expect("<-")
        reference, index, names = self.indexed(bound)
        return Equation(binders, "get", (("index", Value(index)),), (reference, *names), line)

    def write(self, bound: set[str], line: int) -> Equation:
        target = self.indexed(bound)
        self.take(patterns.SPACE)
        adds = self.text.startswith("+=", self.at)
        self.expect("+=" if adds else "<-")
        return self.written("addupdate" if adds else "swap", (), target, bound, line)

    def written(
        self,
        primitive: str,
        binders: tuple[Binder, ...],
        target: tuple[str, str, list[Atom]],
        bound: set[str],
        line: int,
    ) -> Equation:
        reference, index, names = target
        if (value := self.atom(bound)) is None:
            self.fail("expected what is written")
        params = (("index", Value(index)),)
        return Equation(binders, primitive, params, (reference, value, *names), line)


def _refuse_cycles(root: Jaxpr) -> None:
    done: set[int] = set()
    open_: set[int] = set()
    stack = [(root, root.nested())]
    while stack:
        jaxpr, rest = stack[-1]
        open_.add(id(jaxpr))
        following = next(rest, None)
        if following is None:
            open_.discard(id(jaxpr))
            done.add(id(jaxpr))
            stack.pop()
        elif id(following) in open_:
            raise NotParsedError("a jaxpr is defined by itself")
        elif id(following) not in done:
            stack.append((following, following.nested()))
        if len(stack) > 10 * DEEPEST:
            raise NotParsedError(f"over {10 * DEEPEST} jaxprs within each other")
