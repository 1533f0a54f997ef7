"""Calls, branches and loops; collectives, and what only several devices can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.blocks import Block, Compiler, Control, Device, Places, Step, plain
from jax_ir_pairs.interpreter.collectives import COLLECTIVES
from jax_ir_pairs.interpreter.lapack import lapack_call
from jax_ir_pairs.interpreter.manual import manual_computation
from jax_ir_pairs.interpreter.operation import UnsupportedError, text
from jax_ir_pairs.interpreter.regions import callee
from jax_ir_pairs.interpreter.sorting import approximate_top_k


def _call(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    function = compiler.function(callee(op))
    takes, gives = _ends(op, places)

    def step(devices: Sequence[Device]) -> None:
        arguments = [[device[take] for take in takes] for device in devices]
        results = function([device[0] for device in devices], arguments)
        for device, found in zip(devices, results, strict=True):
            for place, value in zip(gives, found, strict=True):
                device[place] = value

    return step


def _ends(op: ir.Operation, places: Places) -> tuple[list[int], list[int]]:
    return [places.of(v) for v in op.operands], [places.of(v) for v in op.results]


def _scalar(value: Any) -> Any:
    if np.ndim(value):
        raise UnsupportedError("decides on many elements at once")
    return value


def _while(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    condition, body = (compiler.block(region.blocks[0], places) for region in op.regions)
    takes, gives = _ends(op, places)
    [decision] = condition.results

    def step(devices: Sequence[Device]) -> None:
        for device in devices:
            _put(device, gives, [device[take] for take in takes])
        going = list(devices)
        while going:
            for device in going:
                _put(device, condition.arguments, [device[place] for place in gives])
            condition.run(going)
            # Those that are done wait; a collective would then miss them.
            going = [device for device in going if _scalar(device[decision])]
            if not going:
                return
            for device in going:
                _put(device, body.arguments, [device[place] for place in gives])
            body.run(going)
            for device in going:
                _put(device, gives, [device[place] for place in body.results])

    return step


def _put(device: Device, places: Sequence[int], values: Sequence[Any]) -> None:
    for place, value in zip(places, values, strict=True):
        device[place] = value


def _branches(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    blocks = [compiler.block(region.blocks[0], places) for region in op.regions]
    [index], gives = _ends(op, places)
    of_two = op.name == "stablehlo.if"

    def chosen(device: Device) -> Block:
        value = _scalar(device[index])
        if of_two:
            return blocks[0] if value else blocks[1]
        place = int(value)
        return blocks[place] if 0 <= place < len(blocks) else blocks[-1]

    def step(devices: Sequence[Device]) -> None:
        for block in blocks:
            if own := [device for device in devices if chosen(device) is block]:
                block.run(own)
                for device in own:
                    _put(device, gives, [device[place] for place in block.results])

    return step


def _collective(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    count = compiler.devices.count
    exchange = COLLECTIVES[op.name](op, compiler.devices)
    takes, gives = _ends(op, places)
    body = compiler.block(op.regions[0].blocks[0], places, of_elements=True) if op.regions else None

    def step(devices: Sequence[Device]) -> None:
        if [device[0] for device in devices] != list(range(count)):
            raise UnsupportedError("has devices that do not all come to a collective")

        def on_elements(*arguments: Any) -> list[Any]:
            assert body is not None
            return body.on_elements(devices[0], *arguments)

        for take, give in zip(takes, gives, strict=True):
            values = [device[take] for device in devices]
            for device, value in zip(devices, exchange(values, on_elements), strict=True):
                device[give] = value

    return step


def _partition(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    [], [give] = _ends(op, places)

    def step(devices: Sequence[Device]) -> None:
        for device in devices:
            device[give] = np.array(device[0], np.uint32)

    return step


def _replica(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    [], [give] = _ends(op, places)

    def step(devices: Sequence[Device]) -> None:
        for device in devices:
            device[give] = np.array(0, np.uint32)

    return step


def _custom_call(compiler: Compiler, op: ir.Operation, places: Places) -> Step:
    takes, gives = _ends(op, places)
    if text(op, "call_target_name") != "ApproxTopK":
        return plain(lapack_call(op), takes, gives)
    [comparator] = ir.ArrayAttr(op.attributes["called_computations"])
    function = compiler.function(ir.FlatSymbolRefAttr(comparator).value)

    def compare(*values: Any) -> Any:
        return function([0], [values])[0]

    return plain(partial(approximate_top_k(op), compare), takes, gives)


CONTROL: Mapping[str, Control] = {
    "func.call": _call,
    "stablehlo.custom_call": _custom_call,
    "sdy.manual_computation": manual_computation,
    "stablehlo.case": _branches,
    "stablehlo.if": _branches,
    "stablehlo.partition_id": _partition,
    "stablehlo.replica_id": _replica,
    "stablehlo.while": _while,
    **dict.fromkeys(COLLECTIVES, _collective),
}
