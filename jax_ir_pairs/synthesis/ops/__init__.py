"""The op table: one op is one row, and adding one touches nothing else."""

from __future__ import annotations

from collections import defaultdict

from jax_ir_pairs.synthesis.op import Op
from jax_ir_pairs.synthesis.ops import (
    binary,
    contractions,
    higher_order,
    indexing,
    reductions,
    select,
    shapes,
    unary,
)

TABLE: dict[str, Op] = {
    op.name: op
    for module in (unary, binary, select, reductions, shapes, indexing, contractions, higher_order)
    for op in module.OPS
}
"""Every op by its name."""


def _drawable() -> dict[str, tuple[Op, ...]]:
    groups: dict[str, list[Op]] = defaultdict(list)
    for op in TABLE.values():
        if op.draw is not None:
            groups[op.group].append(op)
    return {group: tuple(rows) for group, rows in groups.items()}


GROUPS: dict[str, tuple[Op, ...]] = _drawable()
"""The ops that can be drawn, by their group."""
