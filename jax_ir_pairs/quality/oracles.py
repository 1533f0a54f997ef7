"""Who else can say what a program gives: four oracles, the most independent first. In the child.

All take the inputs that the compiled program was run on, and give its results as NumPy has them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.execution import Executable, stablehlo_of
from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.extraction.optimization import kept_inputs
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.execution import execute
from jax_ir_pairs.quality.inputs import physical
from jax_ir_pairs.quality.interpreter import (
    BASE_LIMIT,
    LIMIT_PER_OP,
    Change,
    RunAlone,
    interpret,
)
from jax_ir_pairs.quality.interpreter_cost import UnsupportedError
from jax_ir_pairs.quality.shaking import shake

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
    """Gives what StableHLO's reference interpreter makes of the row's `stablehlo`."""
    return _interpreted(program, inputs, None)


def by_interpreter_and_xla(program: Compiled, inputs: Sequence[Array]) -> list[Array]:
    """Gives the same, with XLA's results for those ops that the interpreter lacks."""

    return _interpreted(program, inputs, run_alone)


def run_alone(stablehlo_text: str, inputs: Sequence[Array]) -> list[Array]:
    """Gives XLA's results of a module of one op, of which programs have the same ones often."""
    return _executable(stablehlo_text)(inputs)


@functools.lru_cache(64)
def _executable(stablehlo_text: str) -> Executable:
    return Executable(stablehlo_text)


def shaken_results(
    program: Compiled, inputs: Sequence[Array], checked_by: str, runs: int
) -> Iterator[list[Array]]:
    """Gives what the interpreter makes of the module with roundings that are drawn, `runs` times.

    Nothing where it was not the interpreter that ran it.
    """
    if checked_by in _RUN_ALONE:
        for seed in range(runs):
            change = partial(shake, seed=seed)
            yield _interpreted(program, inputs, _RUN_ALONE[checked_by], change=change)


def _interpreted(
    program: Compiled, inputs: Sequence[Array], lacking: RunAlone | None, **change: Change
) -> list[Array]:
    extraction = program.extraction
    limit = BASE_LIMIT + LIMIT_PER_OP * extraction.num_stablehlo_ops
    return interpret(extraction.stablehlo, kept(program, inputs), limit, lacking, **change)


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


_RUN_ALONE: Mapping[str, RunAlone | None] = MappingProxyType(
    {"interpreter": None, "interpreter+xla": run_alone}
)
"""By the oracles that are the interpreter: what runs the ops that it lacks."""

Oracle = Callable[[Compiled, Sequence[Array]], list[Array]]

ORACLES: dict[str, Oracle] = {
    "interpreter": by_interpreter,
    "interpreter+xla": by_interpreter_and_xla,
    "hlo": by_hlo,
    "stablehlo": by_stablehlo,
}
"""By what `checked_by` calls them, in the order in which they are asked."""


def kept(program: Compiled, values: Sequence[Any]) -> list[Any]:
    """Gives the values of those inputs that the modules have: JAX drops the ones without effect."""
    places = kept_inputs(program.lowered)
    return [value for place, value in enumerate(values) if place in places]
