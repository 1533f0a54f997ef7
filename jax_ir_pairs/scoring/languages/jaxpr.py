"""An answer as a printed jaxpr: parsed, run on tracers, and lowered. In the child.

No public function of JAX reads a jaxpr, so its primitives are bound again, with parameters made
from their text. What no text can tell, as a mesh or the value of a captured array, is taken from
the row where the text agrees with the row's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jax_ir_pairs.quality.inputs import physical
from jax_ir_pairs.scoring.jaxpr_binding.binding import DROPPED, Binding, sentence
from jax_ir_pairs.scoring.jaxpr_binding.known import Known
from jax_ir_pairs.scoring.jaxpr_text import parse
from jax_ir_pairs.scoring.module import (
    Aval,
    Module,
    NotRunnableError,
    NotValidError,
    num_partitions,
)

_WIDE = re.compile(r"\b(?:[fiu]64|c128)\[")


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives what a printed jaxpr computes; inputs without effect are among its inputs too.

    **Raises:** [`NotParsedError`][], [`NotValidError`][] where a type is not what the primitive
    gives, and [`NotRunnableError`][] where the text does not say enough to run it.
    """
    jaxpr = parse(text)
    jax.config.update("jax_enable_x64", _WIDE.search(text) is not None)
    binding = Binding(jaxpr, Known(row, jaxpr))
    avals = [binding.aval(binder.type) for binder in jaxpr.inputs]

    def function(*arguments: Any) -> list[Any]:
        results = binding.run(jaxpr, arguments)
        if any(result is DROPPED for result in results):
            raise NotRunnableError("gives _, which several variables are called")
        return results

    try:
        traced = jax.jit(function, keep_unused=True).trace(*avals)
        stablehlo = traced.lower().as_text()
    except (NotValidError, NotRunnableError):
        raise
    except (NotImplementedError, RecursionError) as error:
        raise NotRunnableError(f"it does not lower: {sentence(error)}") from None
    except Exception as error:
        raise NotValidError(f"it does not lower: {sentence(error)}") from error
    return Module(
        stablehlo,
        _avals(traced.jaxpr.in_avals),
        _avals(traced.jaxpr.out_avals),
        num_partitions(stablehlo),
    )


def _avals(avals: Sequence[Any]) -> tuple[Aval, ...]:
    return tuple((shape, dtype.name) for shape, dtype in map(physical, avals))
