"""Collectives: what devices that run side by side give each other.

Each function takes the operand of every device, in the order of their numbers, and gives the result
of every device.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.folds import folded_by
from jax_ir_pairs.interpreter.mesh import Meshes, mesh_of_module
from jax_ir_pairs.interpreter.operation import (
    Array,
    Region,
    UnsupportedError,
    integer,
    table,
)

Exchange = Callable[[Sequence[Array], Region | None], list[Array]]
"""What happens to one operand of all devices; the region is the body of a reduction."""

Groups = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Devices:
    """How many devices run a module, and the meshes that it has of them."""

    count: int
    meshes: Meshes


def groups_of(op: ir.Operation, devices: Devices) -> Groups:
    """Gives the groups of devices that exchange something; all are one where none is named.

    They are listed, or differ along some axes of a mesh.
    """
    count = devices.count
    if "replica_groups" not in op.attributes:
        return [range(count)]
    attribute = op.attributes["replica_groups"]
    if not isinstance(attribute, ir.DenseIntElementsAttr):
        return _along_axes(stablehlo.ReplicaGroupMeshAxesAttr(attribute), devices)
    groups = [[int(device) for device in row if device >= 0] for row in np.array(attribute)]
    if not groups or not any(groups):
        return [range(count)]
    if sorted(itertools.chain(*groups)) != list(range(count)):
        raise UnsupportedError("has groups that leave devices out")
    return groups


def _along_axes(attribute: Any, devices: Devices) -> Groups:
    axes = [stablehlo.AxisRefAttr(axis) for axis in attribute.axes]
    if any(axis.sub_axis_info is not None for axis in axes):
        raise UnsupportedError("has groups along a part of an axis")
    return mesh_of_module(attribute.mesh, devices.meshes).groups([axis.name for axis in axes])


def _by_group(op: ir.Operation, devices: Devices, exchange: Exchange) -> Exchange:
    groups = groups_of(op, devices)

    def exchanged(values: Sequence[Array], body: Region | None) -> list[Array]:
        results: list[Array] = [np.empty(0)] * devices.count
        for group in groups:
            found = exchange([values[device] for device in group], body)
            for device, value in zip(group, found, strict=True):
                results[device] = value
        return results

    return exchanged


def _reducing(values: Sequence[Array], body: Region | None) -> Array:
    """Gives the reduction of values of the same shape, element by element."""
    assert body is not None
    stacked = np.stack([np.asarray(value) for value in values], -1)
    return np.asarray(folded_by(body, [stacked[..., 1:]], [stacked[..., 0]])[0])


def _all_reduce(op: ir.Operation, devices: Devices) -> Exchange:
    return _by_group(op, devices, lambda values, body: [_reducing(values, body)] * len(values))


def _reduce_scatter(op: ir.Operation, devices: Devices) -> Exchange:
    axis = integer(op, "scatter_dimension")
    return _by_group(
        op, devices, lambda values, body: np.split(_reducing(values, body), len(values), axis)
    )


def _all_gather(op: ir.Operation, devices: Devices) -> Exchange:
    axis = integer(op, "all_gather_dim")
    return _by_group(op, devices, lambda values, body: [np.concatenate(values, axis)] * len(values))


def _all_to_all(op: ir.Operation, devices: Devices) -> Exchange:
    split, joined = integer(op, "split_dimension"), integer(op, "concat_dimension")
    parts = integer(op, "split_count")

    def exchange(values: Sequence[Array], body: Region | None) -> list[Array]:
        cut = [np.split(value, parts, split) for value in values]
        return [np.concatenate([own[to] for own in cut], joined) for to in range(len(values))]

    return _by_group(op, devices, exchange)


def _permute(op: ir.Operation, devices: Devices) -> Exchange:
    pairs = [(int(source), int(target)) for source, target in table(op, "source_target_pairs")]

    def exchange(values: Sequence[Array], body: Region | None) -> list[Array]:
        results = [np.zeros_like(value) for value in values]
        for source, target in pairs:
            results[target] = values[source]
        return results

    return exchange


def _broadcast(op: ir.Operation, devices: Devices) -> Exchange:
    return _by_group(op, devices, lambda values, body: [values[0]] * len(values))


COLLECTIVES: Mapping[str, Callable[[ir.Operation, Devices], Exchange]] = {
    "stablehlo.all_gather": _all_gather,
    "stablehlo.all_reduce": _all_reduce,
    "stablehlo.all_to_all": _all_to_all,
    "stablehlo.collective_broadcast": _broadcast,
    "stablehlo.collective_permute": _permute,
    "stablehlo.reduce_scatter": _reduce_scatter,
}
"""By name: from an operation and the devices there are to what happens to each operand."""
