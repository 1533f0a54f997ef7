"""The op table: one op is one row, and adding one touches nothing else.

Each file here with `OPS` is part of it.
"""

from __future__ import annotations

import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module

from jax_ir_pairs.synthesis.op import Op


def _rows() -> Iterator[Op]:
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        yield from getattr(import_module(f"{__name__}.{name}"), "OPS", ())


TABLE: dict[str, Op] = {}
"""Every op by its name."""
for _op in _rows():
    assert _op.name not in TABLE, f"two rows are named {_op.name}"
    TABLE[_op.name] = _op


def _drawable() -> dict[str, tuple[Op, ...]]:
    groups: dict[str, list[Op]] = defaultdict(list)
    for op in TABLE.values():
        if op.draw is not None:
            groups[op.group].append(op)
    return {group: tuple(rows) for group, rows in groups.items()}


GROUPS: dict[str, tuple[Op, ...]] = _drawable()
"""The ops that can be drawn, by their group."""
