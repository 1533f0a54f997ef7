"""Rows that hold something of the right type in each column, for tests that need no real ones."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from jax_ir_pairs.schema import arrow_schema


def filler_row(**values: Any) -> dict[str, Any]:
    """Gives a row with `values`, and with something in every other column."""
    return {field.name: _filler(field.type) for field in arrow_schema()} | values


def _filler(arrow: pa.DataType) -> Any:
    if pa.types.is_list(arrow):
        return [_filler(arrow.value_type)] * 2
    if pa.types.is_struct(arrow):
        return {field.name: _filler(field.type) for field in arrow.fields}
    return {pa.string(): "text", pa.int32(): 1, pa.int64(): 2, pa.float64(): 1.5, pa.bool_(): True}[
        arrow
    ]
