"""Who else can say what a program gives: three oracles, the most independent first. In the child.

All take the inputs that the compiled program was run on, and give its results as NumPy has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.execution import Executable, stablehlo_of
from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.extraction.optimization import kept_inputs
from jax_ir_pairs.interpreter.operation import UnsupportedError
from jax_ir_pairs.quality import texts
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.execution import execute
from jax_ir_pairs.quality.inputs import physical

REWRITES = (
    "algsimp",
    "constant_folding",
    "cse",
    "reshape-mover",
    "while-loop-simplifier",
)
"""Passes that rewrite a module, left out of the second compilation so that it is another one."""

_NO_LIBRARY = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""Hands nothing to YNNPACK, which makes products, reductions and what is fused with them, and some
of whose results are wrong (docs/checks.md): XLA makes code of its own for all of it."""


_DYNAMIC = re.compile(r"tensor<[^>]*\?")
# What jaxlib says where it turns an op of HLO into none of StableHLO.
_NO_STABLEHLO = "unregistered operation 'mhlo.unknown'"
_OF_THIS_PROCESS = re.compile(
    r'(?:custom_call_target="|custom_call @)(?:\w*callback|InspectSharding)'
)
# Only the simplifier takes these out again, and nothing else can compile them.
_NEEDS_SIMPLIFIER = "LayoutConstraint"


def by_interpreter(program: Compiled, inputs: Sequence[Array]) -> list[Array]:
    """Gives what the interpreter makes of the row's `stablehlo`."""
    return texts.stablehlo(program)(kept(program, inputs))


def by_hlo(program: Compiled, inputs: Sequence[Array]) -> list[Array]:
    """Gives what the row's `hlo` does, parsed and compiled again as another module.

    **Raises:** [`UnsupportedError`][] for several devices, or where it calls into this process.
    """
    text = program.extraction.hlo
    if _DYNAMIC.search(program.extraction.stablehlo):
        raise UnsupportedError("has shapes that JAX makes static as it compiles")
    if program.extraction.num_devices > 1:
        raise UnsupportedError("is of several devices, whose meshes HLO's text does not keep whole")
    if _OF_THIS_PROCESS.search(text):
        raise UnsupportedError("calls into this process")
    try:
        executable = Executable(stablehlo_of(text), options=_without_rewrites(text))
    except RuntimeError as error:
        if _NO_STABLEHLO not in str(error):
            raise
        raise UnsupportedError("has an op that StableHLO has not, such as mulhi") from None
    return executable(kept(program, inputs))


def by_stablehlo(program: Compiled, inputs: Sequence[Array]) -> list[Array]:
    """Gives what the row's `stablehlo` does on its devices, compiled as [`by_hlo`][] does."""
    text, num_devices = program.extraction.stablehlo, program.extraction.num_devices
    options = _without_rewrites(text)
    if _OF_THIS_PROCESS.search(text) or _DYNAMIC.search(text):
        # The text has not what it calls, nor the shapes that JAX makes static as it compiles.
        lowered = program.traced.lower()
        again = lowered.compile(compiler_options={**COMPILER_OPTIONS, **options})
        return execute(program, inputs, again)
    executable = Executable(text, num_devices, options)
    shapes = [physical(aval)[0] for aval in program.traced.jaxpr.out_avals]
    return executable(kept(program, inputs), shapes)


def _without_rewrites(text: str) -> dict[str, str]:
    left_out = (p for p in REWRITES if p != "algsimp" or _NEEDS_SIMPLIFIER not in text)
    return {"xla_disable_hlo_passes": ",".join(left_out), **_NO_LIBRARY}


Oracle = Callable[[Compiled, Sequence[Array]], list[Array]]

INTERPRETER = "interpreter of stablehlo"
"""What runs the row's `stablehlo`, and not its `optimized_hlo`."""

ORACLES: dict[str, Oracle] = {
    INTERPRETER: by_interpreter,
    "hlo": by_hlo,
    "stablehlo": by_stablehlo,
}
"""By what `checked_by` calls them, in the order in which they are asked."""


def kept(program: Compiled, values: Sequence[Any]) -> list[Any]:
    """Gives the values of those inputs that the modules have: JAX drops the ones without effect."""
    places = kept_inputs(program.lowered)
    return [value for place, value in enumerate(values) if place in places]
