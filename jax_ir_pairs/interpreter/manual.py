"""Manual computations: a body that every device of a mesh runs on its own part of the arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import sdy

from jax_ir_pairs.interpreter.mesh import Mesh, mesh_of_module
from jax_ir_pairs.interpreter.operation import Array, UnsupportedError, shape_of

if TYPE_CHECKING:
    from jax_ir_pairs.interpreter.blocks import Compiler, Device, Places, Step


Cut = Sequence[Sequence[str]]
"""For each side of an array, the axes of the mesh along which it is cut, the outermost first."""


def part_of(cut: Cut, sides: Sequence[int], mesh: Mesh, number: int) -> tuple[slice, ...]:
    """Gives which part of an array of these `sides` a device has."""
    at = mesh.coordinates(number)
    slices = []
    for side, axes in zip(sides, cut, strict=True):
        place, parts = 0, 1
        for axis in axes:
            place, parts = place * mesh.sizes[axis] + at[axis], parts * mesh.sizes[axis]
        size = side // parts
        slices.append(slice(place * size, (place + 1) * size))
    return tuple(slices)


def _cut(sharding: Any, manual: frozenset[str]) -> Cut:
    sides = []
    for dimension in sharding.dimension_shardings:
        axes = [sdy.AxisRefAttr(axis) for axis in sdy.DimensionShardingAttr(dimension).axes]
        if any(axis.sub_axis_info is not None for axis in axes if axis.name in manual):
            raise UnsupportedError("cuts arrays along a part of an axis")
        sides.append([axis.name for axis in axes if axis.name in manual])
    return sides


def _shardings(op: ir.Operation, name: str) -> list[Any]:
    whole = sdy.TensorShardingPerValueAttr(op.attributes[name])
    return [sdy.TensorShardingAttr(each) for each in whole.shardings]


def manual_computation(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    """Gives the step that cuts the operands, runs the body on all devices, and joins the results.

    Along the axes that are not manual, devices do the same. Where there is one device yet, which
    stands for all of them, each gets its values.
    """
    manual = _manual_axes(op)
    ins, outs = _shardings(op, "in_shardings"), _shardings(op, "out_shardings")
    takes, gives = [places.of(v) for v in op.operands], [places.of(v) for v in op.results]
    in_cuts, out_cuts = [_cut(s, manual) for s in ins], [_cut(s, manual) for s in outs]
    in_sums, out_sums = ([_summed(s, manual) for s in each] for each in (ins, outs))
    named = [sharding.mesh_or_ref for sharding in (*ins, *outs)]
    meshes = [mesh_of_module(each, compiler.devices.meshes) for each in named]
    if not meshes:
        raise UnsupportedError("has a manual computation of nothing")
    mesh = meshes[0]
    if len(mesh.numbers) != compiler.devices.count:
        raise UnsupportedError("has a mesh of some of its devices")
    body = compiler.block(op.regions[0].blocks[0], places)
    in_sides = [shape_of(value) for value in op.operands]
    out_sides = [shape_of(value) for value in op.results]

    def step(devices: Sequence[Device]) -> None:
        inner = list(devices)
        if len(devices) == 1 < compiler.devices.count:
            inner = [[number, *devices[0][1:]] for number in range(compiler.devices.count)]
        for device in inner:
            at = mesh.coordinates(device[0])
            for take, place, cut, sums, sides in zip(
                takes, body.arguments, in_cuts, in_sums, in_sides, strict=True
            ):
                part = np.asarray(device[take])[part_of(cut, sides, mesh, device[0])]
                # Of an array that is the sum of what devices have, the first one has all.
                device[place] = np.zeros_like(part) if any(at[axis] for axis in sums) else part
        body.run(inner)
        for device in devices:
            alike = [other for other in inner if _differ_within(mesh, device, other, manual)]
            for place, give, cut, sums, sides in zip(
                body.results, gives, out_cuts, out_sums, out_sides, strict=True
            ):
                device[give] = _joined(place, cut, sums, sides, mesh, alike)

    return step


def _manual_axes(op: ir.Operation) -> frozenset[str]:
    axes = str(op.attributes["manual_axes"]).partition("{")[2].partition("}")[0]
    return frozenset(axis.strip().strip('"') for axis in axes.split(",") if axis.strip())


def _differ_within(mesh: Mesh, one: Device, other: Device, axes: frozenset[str]) -> bool:
    """Whether two devices are at the same place along all other axes."""
    a, b = mesh.coordinates(one[0]), mesh.coordinates(other[0])
    return all(a[axis] == b[axis] for axis in mesh.sizes if axis not in axes)


def _joined(
    place: int,
    cut: Cut,
    sums: Sequence[str],
    sides: Sequence[int],
    mesh: Mesh,
    devices: Sequence[Device],
) -> Array:
    """Gives the array whose parts devices have; where several have one, the first one's counts.

    Along the axes `sums`, it is the sum of what they have.
    """
    whole = np.zeros(sides, np.asarray(devices[0][place]).dtype)
    filled: set[tuple[int, ...]] = set()
    cutting = [axis for axes in cut for axis in axes]
    for device in devices:
        at = mesh.coordinates(device[0])
        term = tuple(at[axis] for axis in (*cutting, *sums))
        if term not in filled:
            where = part_of(cut, sides, mesh, device[0])
            whole[where] = whole[where] + device[place] if sums else device[place]
            filled.add(term)
    return whole


def _summed(sharding: Any, manual: frozenset[str]) -> list[str]:
    """Gives the axes along which devices have terms of an array instead of the array."""
    axes = [sdy.AxisRefAttr(axis) for axis in sharding.unreduced_axes]
    return [axis.name for axis in axes if axis.name in manual]
