"""A module of one device among several, as the compiler leaves it, made one of whole arrays.

In the child. It is put into a manual computation, over a mesh that has an axis for each binary
digit of a device's number; how the arrays are cut is what the compiler chose for the row.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jax.interpreters.mlir import make_ir_context
from jax.sharding import Sharding
from jaxlib.mlir import ir

from jax_ir_pairs.extraction.execution import Executable
from jax_ir_pairs.interpreter.regions import functions_of
from jax_ir_pairs.scoring.languages import stablehlo
from jax_ir_pairs.scoring.module import Aval, Module, NotRunnableError, NotValidError

_PART = "part.of.one.device"

_FRAME = """
sdy.mesh @digits.of.devices = <[{mesh}]>
func.func private @{part}({local_takes}) -> ({local_gives})
func.func public @main({arguments}) -> ({gives}) {{
  %whole:{count} = sdy.manual_computation({given}) in_shardings=[{cut}] out_shardings=[{joined}] \
manual_axes={{{axes}}} ({local_arguments}) {{
    %part:{count} = func.call @{part}({local}) : ({local_takes}) -> ({local_gives})
    sdy.return {parts} : {local_gives}
  }} : ({takes}) -> ({gives})
  return {wholes} : {gives}
}}
"""


def whole(part: Module, row: Mapping[str, Any]) -> Module:
    """Gives the module of whole arrays whose every device runs `part`.

    **Raises:** `NotValidError` where the arrays of `part` are not what the row's devices hold, and
    `NotRunnableError` where a mesh of that kind cannot say how they are cut.
    """
    num_devices = int(row["num_devices"])
    if num_devices & (num_devices - 1):
        raise NotRunnableError(f"A mesh of {num_devices} devices is none of a power of two.")
    row_module, cuts, joints = _placement(row["stablehlo"], num_devices)
    cut = _shardings(part.inputs, row_module.inputs, cuts)
    joined = _shardings(part.outputs, row_module.outputs, joints)
    with make_ir_context(), ir.Location.unknown():
        inner = stablehlo.parsed(part.stablehlo)
        main = functions_of(inner)["main"]
        kind = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
        takes, gives = list(map(str, kind.inputs)), list(map(str, kind.results))
        whole_takes = [_type(*each) for each in zip(row_module.inputs, kind.inputs, strict=True)]
        whole_gives = [_type(*each) for each in zip(row_module.outputs, kind.results, strict=True)]
        local = [f"%local{place}" for place in range(len(takes))]
        given = [f"%given{place}" for place in range(len(takes))]
        axes = [f'"digit{digit}"' for digit in range(_digits(num_devices))]
        frame = ir.Module.parse(
            _FRAME.format(
                part=_PART,
                mesh=", ".join(f"{axis}=2" for axis in axes),
                axes=", ".join(axes),
                count=len(gives),
                cut=", ".join(cut),
                joined=", ".join(joined),
                arguments=_typed(given, whole_takes),
                given=", ".join(given),
                takes=", ".join(whole_takes),
                gives=", ".join(whole_gives),
                wholes=_results("%whole", len(gives)),
                local_arguments=_typed(local, takes),
                local=", ".join(local),
                local_takes=", ".join(takes),
                local_gives=", ".join(gives),
                parts=_results("%part", len(gives)),
            )
        )
        functions_of(frame)[_PART].erase()
        main.attributes["sym_name"] = ir.StringAttr.get(_PART)
        main.attributes["sym_visibility"] = ir.StringAttr.get("private")
        for function in inner.body.operations:
            function.operation.clone(ip=ir.InsertionPoint(frame.body))
        text = str(frame)
    return stablehlo.module_of(text, num_devices)


@functools.lru_cache(maxsize=8)
def _placement(text: str, num_devices: int) -> tuple[Module, list[Sharding], list[Sharding]]:
    """Gives the module that a row's text is, and how the compiler cuts its inputs and outputs."""
    executable = Executable(text, num_devices)
    return stablehlo.module_of(text, num_devices), executable.ins, executable.outs


def _shardings(
    parts: Sequence[Aval], wholes: Sequence[Aval], cuts: Sequence[Sharding]
) -> list[str]:
    if len(parts) != len(wholes):
        raise NotValidError(f"The module has {len(parts)} values where the row has {len(wholes)}.")
    return [_sharding(*each) for each in zip(parts, wholes, cuts, strict=True)]


def _sharding(part: Aval, whole: Aval, cut: Sharding) -> str:
    """Gives how `whole` is cut into `part`, as a sharding over the binary digits."""
    if (cut.shard_shape(whole[0]), whole[1]) != part:
        raise NotValidError(f"A device holds {part} where the row's has a part of {whole}.")
    indices = list(cut.devices_indices_map(whole[0]).values())
    digits = _digits(len(indices))
    of_devices = [_binary(np.arange(len(indices)), digit) for digit in reversed(range(digits))]
    sides = []
    for axis, (side, size) in enumerate(zip(part[0], whole[0], strict=True)):
        tiles = np.array([(index[axis].start or 0) // max(1, side) for index in indices])
        names = []
        for digit in reversed(range(_digits(size // side if side else 1))):
            same = [k for k, d in enumerate(of_devices) if (d == _binary(tiles, digit)).all()]
            if not same:
                raise NotRunnableError("A mesh of binary digits cannot say how an array is cut.")
            names.append(f'"digit{same[0]}"')
        sides.append(f"{{{', '.join(names)}}}")
    return f"<@digits.of.devices, [{', '.join(sides)}]>"


def _binary(numbers: Any, digit: int) -> Any:
    return numbers >> digit & 1


def _digits(count: int) -> int:
    return (count - 1).bit_length()


def _type(whole: Aval, part: ir.Type) -> str:
    element = ir.RankedTensorType(part).element_type
    return f"tensor<{''.join(f'{side}x' for side in whole[0])}{element}>"


def _typed(names: Sequence[str], kinds: Sequence[str]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in zip(names, kinds, strict=True))


def _results(name: str, count: int) -> str:
    """Gives the values of an operation of several results."""
    return ", ".join(f"{name}#{place}" for place in range(count))
