"""The blocks of a module as steps that run on several devices side by side.

The values of a device are a list, and each value of the module has a place in it. A step does
one operation on each of the devices that it is given, so that a collective finds the operands of
all of them, as they have all come to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.collectives import Devices
from jax_ir_pairs.interpreter.cost import units
from jax_ir_pairs.interpreter.elementwise import ELEMENTWISE
from jax_ir_pairs.interpreter.movement import MOVEMENT
from jax_ir_pairs.interpreter.operation import (
    Array,
    Kernel,
    Table,
    UnsupportedError,
    Value,
    shape_of,
    size_of,
)
from jax_ir_pairs.interpreter.products import PRODUCTS
from jax_ir_pairs.interpreter.reductions import REDUCTIONS
from jax_ir_pairs.interpreter.scatters import GATHERS, SCATTERS
from jax_ir_pairs.interpreter.sorting import SORTS
from jax_ir_pairs.interpreter.transforms import TRANSFORMS

Device = list[Any]
"""The values that a device has so far, by place; the first is its number."""

Step = Callable[[Sequence[Device]], None]

PLAIN: Table = {
    **ELEMENTWISE,
    **MOVEMENT,
    **PRODUCTS,
    **GATHERS,
    **TRANSFORMS,
}
"""Operations without regions."""

WITH_BODY: Table = {**REDUCTIONS, **SCATTERS, **SORTS}
"""Operations whose regions are of scalars, and are run on many elements at once."""

Change = Callable[[ir.Operation, Kernel], Kernel]
"""Gives another function for an operation in place of its own."""


class Budget:
    """What may still be spent."""

    def __init__(self, units: float) -> None:
        self.units = units

    def spend(self, units: float) -> None:
        """Takes from it; raises [`UnsupportedError`][] where it is not enough."""
        self.units -= units
        if self.units < 0:
            raise UnsupportedError("takes too long")


@dataclass(slots=True)
class Block:
    """A block: its steps, and where its arguments and results are among a device's values."""

    arguments: list[int]
    steps: list[Step]
    results: list[int]
    units: float
    budget: Budget

    def run(self, devices: Sequence[Device]) -> None:
        """Does all steps on `devices`."""
        self.budget.spend((1.0 + self.units) * len(devices))
        for step in self.steps:
            step(devices)

    def on_elements(self, device: Device, *arguments: Array) -> list[Array]:
        """Gives the results of a block of scalars for arrays."""
        for place, value in zip(self.arguments, arguments, strict=True):
            device[place] = value
        for step in self.steps:
            step((device,))
        return [device[place] for place in self.results]


@dataclass(slots=True)
class Function:
    """A function: its block, and how many values it has."""

    block: Block
    size: int

    def __call__(
        self, numbers: Sequence[int], arguments: Sequence[Sequence[Any]]
    ) -> list[list[Any]]:
        """Gives the results on each device, by their numbers and the arguments of each."""
        devices: list[Device] = []
        for number, values in zip(numbers, arguments, strict=True):
            device: Device = [None] * self.size
            device[0] = number
            for place, value in zip(self.block.arguments, values, strict=True):
                device[place] = value
            devices.append(device)
        self.block.run(devices)
        return [[device[place] for place in self.block.results] for device in devices]


Control = Callable[["Compiler", ir.Operation, "Places"], Step]
"""Gives the step of an operation that runs blocks or is about several devices."""


class Compiler:
    """Turns the functions of a module into steps, each when it is first called."""

    def __init__(
        self,
        functions: Mapping[str, ir.Operation],
        devices: Devices,
        budget: Budget,
        control: Mapping[str, Control],
        change: Change | None = None,
    ) -> None:
        self._operations, self._control, self._change = functions, control, change
        self._functions: dict[str, Function] = {}
        self.devices, self._budget = devices, budget

    def function(self, name: str) -> Function:
        """Gives a function by its name; raises [`UnsupportedError`][] for what it has."""
        if name not in self._functions:
            places = Places()
            block = self.block(self._operations[name].regions[0].blocks[0], places)
            self._functions[name] = Function(block, places.count)
        return self._functions[name]

    def block(self, block: ir.Block, places: Places, *, of_elements: bool = False) -> Block:
        """Gives the steps of a block, whose values get their `places`."""
        *ops, end = (op.operation for op in block.operations)
        arguments = [places.of(value) for value in block.arguments]
        steps, total = [], 0.0
        for op in ops:
            if of_elements and any(map(_has_sides, op.results)):
                raise UnsupportedError("has arrays in what is done for each element")
            takes = [places.of(value) for value in op.operands]
            gives = [places.of(value) for value in op.results]
            steps.append(self._step(op, places, takes, gives, of_elements=of_elements))
            if not of_elements:
                total += units(op, [places.sizes[place] for place in (*takes, *gives)])
        results = [places.of(value) for value in end.operands]
        return Block(arguments, steps, results, total, self._budget)

    def _step(
        self,
        op: ir.Operation,
        places: Places,
        takes: Sequence[int],
        gives: Sequence[int],
        *,
        of_elements: bool,
    ) -> Step:
        name = op.name
        if name in PLAIN:
            kernel = PLAIN[name](op)
            if self._change is not None and not of_elements:
                kernel = self._change(op, kernel)
            return plain(kernel, takes, gives)
        if name in WITH_BODY:
            kernel = WITH_BODY[name](op)
            if self._change is not None and not of_elements:
                kernel = self._change(op, kernel)
            blocks = [
                self.block(region.blocks[0], places, of_elements=True) for region in op.regions
            ]
            return with_bodies(kernel, blocks, takes, gives)
        if name not in self._control:
            raise UnsupportedError(f"has {name}")
        return self._control[name](self, op, places)


def _has_sides(value: Value) -> bool:
    return bool(shape_of(value))


class Places:
    """Gives each value of a function its place; the first is the device's number."""

    def __init__(self) -> None:
        self._places: dict[Value, int] = {}
        self.sizes = [0]
        """The number of elements that the value of each place has."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.sizes)

    def of(self, value: Value) -> int:
        """Gives the place of a value."""
        place = self._places.get(value)
        if place is None:
            place = self._places[value] = len(self.sizes)
            self.sizes.append(size_of(value))
        return place


def plain(kernel: Kernel, takes: Sequence[int], gives: Sequence[int]) -> Step:
    """Gives the step of an operation without regions."""
    if len(gives) != 1:
        return _several(kernel, takes, gives)
    [place] = gives
    if len(takes) == 1:
        [one] = takes

        def unary(devices: Sequence[Device]) -> None:
            for device in devices:
                device[place] = kernel(device[one])

        return unary
    if len(takes) == 2:
        left, right = takes

        def binary(devices: Sequence[Device]) -> None:
            for device in devices:
                device[place] = kernel(device[left], device[right])

        return binary

    def step(devices: Sequence[Device]) -> None:
        for device in devices:
            device[place] = kernel(*[device[take] for take in takes])

    return step


def _several(kernel: Kernel, takes: Sequence[int], gives: Sequence[int]) -> Step:
    def step(devices: Sequence[Device]) -> None:
        for device in devices:
            results = kernel(*[device[take] for take in takes])
            for place, value in zip(gives, results, strict=True):
                device[place] = value

    return step


def with_bodies(
    kernel: Kernel, blocks: Sequence[Block], takes: Sequence[int], gives: Sequence[int]
) -> Step:
    """Gives the step of an operation whose regions are run on many elements at once."""

    def step(devices: Sequence[Device]) -> None:
        for device in devices:
            bodies = [partial(block.on_elements, device) for block in blocks]
            results = kernel(*bodies, *[device[take] for take in takes])
            if len(gives) == 1:
                device[gives[0]] = results
            else:
                for place, value in zip(gives, results, strict=True):
                    device[place] = value

    return step
