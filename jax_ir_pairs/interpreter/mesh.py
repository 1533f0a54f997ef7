"""Meshes: devices in a grid with named axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import sdy


@dataclass(frozen=True, slots=True)
class Mesh:
    """Devices in a grid: the sizes of its axes, and the number of the device at each place."""

    sizes: dict[str, int]
    numbers: tuple[int, ...]

    def coordinates(self, number: int) -> dict[str, int]:
        """Gives the place of a device along each axis."""
        place = self.numbers.index(number)
        found = np.unravel_index(place, tuple(self.sizes.values())) if self.sizes else ()
        return dict(zip(self.sizes, map(int, found), strict=True))

    def groups(self, axes: Sequence[str]) -> list[list[int]]:
        """Gives the devices that differ along `axes` only, in the order of these."""
        others = [axis for axis in self.sizes if axis not in axes]
        grid = np.array(self.numbers).reshape(tuple(self.sizes.values()))
        names = list(self.sizes)
        order = [names.index(axis) for axis in (*others, *axes)]
        size = math.prod(self.sizes[axis] for axis in axes)
        return [list(map(int, row)) for row in np.transpose(grid, order).reshape(-1, size)]


Meshes = Mapping[str, Mesh]
"""By the names that a module has for them."""


def mesh_of(attribute: Any) -> Mesh:
    """Gives the mesh that an attribute of Shardy describes."""
    axes = [sdy.MeshAxisAttr(axis) for axis in attribute.axes]
    sizes = {axis.name: axis.size for axis in axes}
    numbers = list(attribute.device_ids) or list(range(math.prod(sizes.values())))
    return Mesh(sizes, tuple(map(int, numbers)))


def mesh_of_module(reference: Any, meshes: Meshes) -> Mesh:
    """Gives the mesh that an attribute names or describes."""
    if isinstance(reference, ir.FlatSymbolRefAttr):
        return meshes[reference.value]
    return mesh_of(sdy.MeshAttr(reference))
