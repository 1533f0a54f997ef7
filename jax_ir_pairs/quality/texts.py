"""What the two texts of a row mean, by the interpreter. In the child."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.execution import parts_of
from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.hlo_text.conversion import optimized_module
from jax_ir_pairs.hlo_text.rewriting import NoMeaningError
from jax_ir_pairs.interpreter.blocks import Change
from jax_ir_pairs.interpreter.module import Interpreter, parsed
from jax_ir_pairs.interpreter.operation import UnsupportedError
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.inputs import physical

_LIMIT, _LIMIT_PER_OP = 300_000.0, 3_000.0
"""Units of the interpreter, for any program and for each of its operations, over which the text is
left to machine code: about where interpreting takes longer than compiling twice."""

_NO_STABLEHLO = "unregistered operation 'mhlo.unknown'"
"""What jaxlib says where it turns an op of HLO into none of StableHLO."""

Meaning = Callable[[Sequence[Array]], list[Array]]
"""Gives the results of a text for the inputs that its module has."""


def stablehlo(program: Compiled, change: Change | None = None) -> Meaning:
    """Gives what the row's `stablehlo` means, with a `change` to the results of operations.

    **Raises:** [`UnsupportedError`][], as what it gives does.
    """
    extraction = program.extraction
    with make_ir_context(), ir.Location.unknown():
        module = parsed(extraction.stablehlo)
        return Interpreter(module, _limit(program), extraction.num_devices, change)


def optimized_hlo(program: Compiled) -> Meaning:
    """Gives what the row's `optimized_hlo` means: the text, not the module that it was printed of.

    Of several devices each runs it on the parts that the compiler has cut for it.

    **Raises:** [`UnsupportedError`][], as what it gives does.
    """
    num_devices = program.extraction.num_devices
    with make_ir_context(), ir.Location.unknown():
        try:
            module = optimized_module(program.extraction.optimized_hlo)
        except NoMeaningError as error:
            raise UnsupportedError(str(error)) from None
        except (RuntimeError, ir.MLIRError) as error:
            if _NO_STABLEHLO not in str(error):
                raise
            raise UnsupportedError("has an op that StableHLO has not, such as mulhi") from None
        interpreter = Interpreter(module, _limit(program), num_devices)
    return interpreter if num_devices == 1 else _in_parts(program, interpreter)


def _limit(program: Compiled) -> float:
    return _LIMIT + _LIMIT_PER_OP * program.extraction.num_stablehlo_ops


def _in_parts(program: Compiled, interpreter: Interpreter) -> Meaning:
    ins, outs = hlo_module.shardings(program.module)
    kinds = [physical(aval) for aval in program.traced.jaxpr.out_avals]
    count = program.extraction.num_devices
    if len(outs) != len(kinds):
        raise UnsupportedError("does not say how its results are cut")

    def run(inputs: Sequence[Array]) -> list[Array]:
        if len(ins) != len(inputs):
            raise UnsupportedError("does not say how its inputs are cut")
        cuts = [parts_of(cut, value.shape, count) for cut, value in zip(ins, inputs, strict=True)]
        of_devices = [
            [value[cut[device]] for cut, value in zip(cuts, inputs, strict=True)]
            for device in range(count)
        ]
        found = interpreter.side_by_side(of_devices)
        results = []
        for place, (cut, (shape, dtype)) in enumerate(zip(outs, kinds, strict=True)):
            whole = np.empty(shape, dtype)
            for device, where in enumerate(parts_of(cut, shape, count)):
                whole[where] = found[device][place]
            results.append(whole)
        return results

    return run
