"""Sizes of a jaxpr and of a StableHLO module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jax.extend.core import Jaxpr
from jaxlib.mlir import ir

_NOT_COUNTED = frozenset({"builtin.module", "func.func", "func.return", "stablehlo.return"})


def all_jaxprs(jaxpr: Any) -> list[Jaxpr]:
    """Gives `jaxpr` and the jaxprs in the parameters of its equations, at any depth.

    A jaxpr that several equations share is given once, as it is printed once.
    """
    found: dict[int, Jaxpr] = {}
    waiting = list(jaxprs_in(jaxpr))
    while waiting:
        inner = waiting.pop()
        if id(inner) not in found:
            found[id(inner)] = inner
            waiting.extend(j for eqn in inner.eqns for j in jaxprs_in(eqn.params))
    return list(found.values())


def jaxprs_in(value: Any) -> Iterator[Jaxpr]:
    """Gives the jaxprs that a parameter of an equation holds, in dicts and tuples too."""
    if isinstance(value, Jaxpr):
        yield value
    elif isinstance(inner := getattr(value, "jaxpr", None), Jaxpr):
        yield inner  # of a closed jaxpr, a class of its own before JAX 0.12
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from jaxprs_in(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from jaxprs_in(item)


def depth(jaxpr: Any) -> int:
    """Gives how deep jaxprs are inside of each other: 1 where no equation has one."""
    known: dict[int, int] = {}

    def of(jaxpr: Jaxpr) -> int:
        if id(jaxpr) not in known:
            inner = (j for eqn in jaxpr.eqns for j in jaxprs_in(eqn.params))
            known[id(jaxpr)] = 1 + max(map(of, inner), default=0)
        return known[id(jaxpr)]

    return max(map(of, jaxprs_in(jaxpr)))


def num_stablehlo_ops(module: ir.Module) -> int:
    """Counts the operations of `module`, regions included.

    Left out are what only holds others (module and functions) and the returns that end regions.
    """
    count = 0

    def visit(operation: ir.Operation) -> ir.WalkResult:
        nonlocal count
        count += operation.name not in _NOT_COUNTED
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return count
