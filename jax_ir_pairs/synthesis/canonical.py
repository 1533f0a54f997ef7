"""Canonical form of a program: what makes two programs the same, or of the same structure.

Both are hashes of one walk over the graph. The canonical form keeps ops, wiring, parameters,
literals and avals, and forgets names and spelling. The structure forgets shapes, dtypes and every
number too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.synthesis.graph import Call, Defined, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.types import Record


class _Walk:
    def __init__(self) -> None:
        self.numbers: dict[Var, int] = {}
        self.blocks: dict[Defined, int] = {}
        self.canonical: list[str] = []
        self.structure: list[str] = []

    def both(self, text: str) -> None:
        self.canonical.append(text)
        self.structure.append(text)

    def bind(self, pattern: Any) -> None:
        if isinstance(pattern, Var):
            self.numbers.setdefault(pattern, len(self.numbers))
            self.canonical.append(f":{_type(pattern)}")
            self.structure.append(":")
        else:
            self.both("(")
            for part in pattern:
                self.bind(part)
            self.both(")")

    def operand(self, item: Any) -> None:
        if isinstance(item, Var):
            self.both(f" {self.numbers[item]}")
        elif isinstance(item, Literal):
            self.canonical.append(f" ={item.value!r}")
            self.structure.append(" =")
        elif isinstance(item, Function):
            self.function(item)
        elif isinstance(item, Transformed):
            self.both(f" {item.transform}<")
            self.params(item.params)
            self.operand(item.function)
            self.both(">")
        elif isinstance(item, Defined):
            self.block(item)
        elif isinstance(item, Record):
            self.both("{")
            if item.cls is not None:
                self.block(item.cls)
            for key, part in item.items:
                self.canonical.append(key)
                self.operand(part)
            self.both("}")
        else:
            self.both("(")
            for part in item:
                self.operand(part)
            self.both(")")

    def block(self, block: Defined) -> None:
        if block in self.blocks:
            self.both(f" @{self.blocks[block]}")
            return
        self.blocks[block] = len(self.blocks)
        self.both(f" [{block.template}")
        self.params(block.params)
        for other in block.uses:
            self.block(other)
        if block.me is not None:
            self.bind(block.me)
        for function in block.functions:
            self.function(function)
        self.both("]")

    def params(self, params: Mapping[str, Any]) -> None:
        for key, value in params.items():
            self.canonical.append(f" {key}={value!r}")
            if isinstance(value, str) and key != "dtype":
                self.structure.append(f" {key}={value}")

    def function(self, function: Function) -> None:
        self.both(f"\\{function.decorator}")
        self.bind(function.params)
        for call in function.body:
            self.call(call)
        self.operand(function.result)
        self.both("/")

    def call(self, call: Call) -> None:
        self.both(f"\n{call.op.name}")
        for operand in call.operands:
            self.operand(operand)
        self.params(call.params)
        self.bind(call.outs)


def _type(var: Var) -> str:
    return str(var.type)


def hashes(entry: Function, *, x64: bool = False) -> tuple[str, str]:
    """Gives the canonical hash and the structure hash of a program, 16 hex digits each."""
    walk = _Walk()
    walk.canonical.append(f"x64={x64}")
    walk.function(entry)
    canonical, structure = (
        hashlib.blake2b("".join(parts).encode(), digest_size=8).hexdigest()
        for parts in (walk.canonical, walk.structure)
    )
    return canonical, structure
