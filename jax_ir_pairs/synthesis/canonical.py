"""Canonical form of a program: what makes two programs the same, or of the same structure.

Both are hashes of one walk over the graph. The canonical form keeps ops, wiring, parameters,
literals and avals, and forgets names and spelling. The structure forgets shapes, dtypes and every
number too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jax_ir_pairs.synthesis.graph import Call, Defined, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.types import Tree

_SHALLOW = re.compile("\0[^\1]*\1")
"""What only the canonical form has stands between two control characters."""


class _Walk:
    def __init__(self) -> None:
        self.numbers: dict[Var, int] = {}
        self.blocks: dict[Defined, int] = {}
        self.parts: list[str] = []

    def bind(self, pattern: Any) -> None:
        if isinstance(pattern, Var):
            self.numbers.setdefault(pattern, len(self.numbers))
            self.parts.append(_typed(pattern.type))
        else:
            self.parts.append("(")
            for part in pattern:
                self.bind(part)
            self.parts.append(")")

    def operand(self, item: Any) -> None:
        if isinstance(item, Var):
            self.parts.append(f" {self.numbers[item]}")
        elif isinstance(item, Literal):
            self.parts.append(f" =\0{item.value!r}\1")
        elif isinstance(item, Function):
            self.function(item)
        elif isinstance(item, Transformed):
            self.parts.append(f" {item.transform}<")
            self.params(item.params)
            self.operand(item.function)
            self.parts.append(">")
        elif isinstance(item, Defined):
            self.block(item)
        elif item is None:
            self.parts.append(" None")
        else:
            self.parts.append("(")
            for part in item:
                self.operand(part)
            self.parts.append(")")

    def block(self, block: Defined) -> None:
        if block in self.blocks:
            self.parts.append(f" @{self.blocks[block]}")
            return
        self.blocks[block] = len(self.blocks)
        self.parts.append(f" [{block.template}")
        self.params(block.params)
        for other in block.uses:
            self.block(other)
        for function in block.functions:
            self.function(function)
        self.parts.append("]")

    def params(self, params: Mapping[str, Any]) -> None:
        for key, value in params.items():
            deep = isinstance(value, str) and key != "dtype"
            self.parts.append(f" {key}={value}" if deep else f"\0 {key}={value!r}\1")

    def function(self, function: Function) -> None:
        self.parts.append(f"\\{function.decorator}")
        self.bind(function.params)
        for call in function.body:
            self.call(call)
        self.operand(function.result)
        self.parts.append("/")

    def call(self, call: Call) -> None:
        self.parts.append(f"\n{call.op.name}")
        for operand in call.operands:
            self.operand(operand)
        if call.params:
            self.params(call.params)
        self.bind(call.outs)


@lru_cache(maxsize=4096)
def _typed(type: Tree) -> str:
    return f":\0{type}\1"


def hashes(entry: Function, *, x64: bool = False) -> tuple[str, str]:
    """Gives the canonical hash and the structure hash of a program, 16 hex digits each."""
    walk = _Walk()
    walk.function(entry)
    return digests(f"{''.join(walk.parts)}\0{x64}\1")


def digests(canonical: str) -> tuple[str, str]:
    """Gives the hashes of a canonical form: whole, and without what stands between \\0 and \\1."""
    return _digest(canonical), _digest(_SHALLOW.sub("", canonical))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
