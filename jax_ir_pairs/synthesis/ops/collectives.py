"""Collectives over named axes, and functions that all devices of a mesh run.

They are of use only where a family has bound the name of an axis, so none is drawn from the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.op import IllTyped, Infer, Op, spell
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    COMPLEX,
    FLOATS,
    INTEGERS,
    MOVABLE,
    Aval,
    Bounds,
    input_bounds,
)

Typed = tuple[Aval, Bounds]


def _summed(x: Any, size: int) -> Bounds:
    low, high = x.bounds
    inside = (min(low * size, low), max(high * size, high))
    if x.aval.dtype in INTEGERS:
        least, most = input_bounds(x.aval.dtype)
        return inside if least <= inside[0] and inside[1] <= most else ANYTHING
    return inside


def _same(dtypes: Sequence[str]) -> Infer:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
        (x, *_) = operands
        if x.aval.dtype not in dtypes:
            raise IllTyped("collective")
        return x.aval, x.bounds

    return infer


def _infer_psum(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if x.aval.dtype not in (*FLOATS, *INTEGERS, *COMPLEX):
        raise IllTyped("psum")
    return x.aval, _summed(x, params["along"].size)


def _infer_all_gather(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    shape, axis, size = list(x.aval.shape), params.get("axis", 0), params["along"].size
    if params.get("tiled"):
        if axis >= len(shape):
            raise IllTyped("all_gather")
        shape[axis] *= size
    elif axis > len(shape):
        raise IllTyped("all_gather")
    else:
        shape.insert(axis, size)
    return Aval(x.aval.dtype, tuple(shape)), x.bounds


def _infer_psum_scatter(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    shape, size = list(x.aval.shape), params["along"].size
    axis = params.get("scatter_dimension", 0)
    if axis >= len(shape) or x.aval.dtype not in (*FLOATS, *INTEGERS):
        raise IllTyped("psum_scatter")
    side = shape.pop(axis)
    if params.get("tiled"):
        if side % size:
            raise IllTyped("psum_scatter")
        shape.insert(axis, side // size)
    elif side != size:
        raise IllTyped("psum_scatter")
    return Aval(x.aval.dtype, tuple(shape)), _summed(x, size)


def _infer_all_to_all(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    shape, size = list(x.aval.shape), params["along"].size
    split, concat = params["split_axis"], params["concat_axis"]
    if max(split, concat) >= len(shape):
        raise IllTyped("all_to_all")
    if params.get("tiled"):
        if shape[split] % size:
            raise IllTyped("all_to_all")
        shape[split] //= size
        shape[concat] *= size
    elif shape.pop(split) != size:
        raise IllTyped("all_to_all")
    else:
        shape.insert(concat, size)
    return Aval(x.aval.dtype, tuple(shape)), x.bounds


def _infer_permute(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    """Devices that receive nothing have zeros."""
    (x,) = operands
    return x.aval, (min(x.bounds[0], 0), max(x.bounds[1], 0))


def _infer_pswapaxes(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    axis = params["position"]
    if axis >= x.aval.rank or x.aval.shape[axis] != params["along"].size:
        raise IllTyped("pswapaxes")
    return x.aval, x.bounds


def _infer_axis_index(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    return Aval("i32"), (0, params["along"].size - 1)


def _infer_by_size(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if x.aval.dtype not in FLOATS:
        raise IllTyped("division by the number of devices")
    low, high = x.bounds
    return x.aval, (min(low, 0.0), max(high, 0.0))


def _row(name: str, infer: Infer | None, *templates: str, reverse: bool = True) -> Op:
    return Op(name, "collective", spell(*templates), infer, reverse=reverse)


OPS = (
    _row("psum", _infer_psum, "lax.psum({0}, {along})", "lax.psum({0}, axis_name={along})"),
    _row("pmean", _same(FLOATS), "lax.pmean({0}, {along})", "lax.pmean({0}, axis_name={along})"),
    _row("pmax", _same((*FLOATS, *INTEGERS)), "lax.pmax({0}, {along})",
         "lax.pmax({0}, axis_name={along})", reverse=False),
    _row("pmin", _same((*FLOATS, *INTEGERS)), "lax.pmin({0}, {along})",
         "lax.pmin({0}, axis_name={along})", reverse=False),
    _row("all_gather", _infer_all_gather, "lax.all_gather({0}, {along}{kw})",
         "lax.all_gather({0}, axis_name={along}{kw})"),
    _row("psum_scatter", _infer_psum_scatter, "lax.psum_scatter({0}, {along}{kw})"),
    _row("all_to_all", _infer_all_to_all,
         "lax.all_to_all({0}, {along}, {split_axis}, {concat_axis}{kw})",
         "lax.all_to_all({0}, {along}, split_axis={split_axis}, concat_axis={concat_axis}{kw})"),
    _row("ppermute", _infer_permute, "lax.ppermute({0}, {along}, {perm})",
         "lax.ppermute({0}, {along}, perm={perm})"),
    _row("pshuffle", _infer_permute, "lax.pshuffle({0}, {along}, {perm})"),
    _row("pswapaxes", _infer_pswapaxes, "lax.pswapaxes({0}, {along}, {position})"),
    _row("axis_index", _infer_axis_index, "lax.axis_index({along})"),
    _row("by_axis_size", _infer_by_size, "jnp.divide({0}, lax.axis_size({along}))",
         "jnp.divide({0}, lax.psum(1, {along}))"),
    _row("pcast", _same(MOVABLE), "lax.pcast({0}, {along}, to={to})"),
    _row("shard_map", None, "jax.shard_map({0}, mesh={1}{kw})({*2})"),
    _row("shard_map_defined", None, "{0}({*1})"),
)  # fmt: skip
