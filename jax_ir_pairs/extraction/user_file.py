"""The levels of a function in a file of the user's. In the child."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction.levels import levels_of
from jax_ir_pairs.extraction.own_lines import own_lines
from jax_ir_pairs.extraction.result import Extraction
from jax_ir_pairs.extraction.source import abstract_value, run


def extract(
    python: str,
    entry_point: str,
    inputs: str,
    file: str,
    targets: Sequence[str] = (),
    lap: Callable[[str], None] = lambda stage: None,
    passes: bool = False,
) -> Extraction:
    """Gives the levels of a [`UserFunction`][]; see [`jax_ir_pairs.extraction.levels.extract`][].

    **Raises:** [`Rejected`][]: `trace-error` and `compiler-error` with all that a person needs.
    """
    folder = str(Path(file).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)

    def trace() -> Any:
        jax.config.update("jax_enable_x64", False)
        # The lines that are shown are chosen by us.
        jax.config.update("jax_traceback_filtering", "off")
        namespace = run(python, file)
        if not callable(function := namespace.get(entry_point)):
            raise NameError(f"{entry_point!r} is no function of {Path(file).name}")
        return _traced(function, json.loads(inputs))

    try:
        return levels_of(trace, targets, lap, source_file=file, passes=passes)
    except Rejected as rejected:
        if rejected.reason == "out-of-memory" or rejected.__cause__ is None:
            raise
        raise Rejected(rejected.reason, own_lines(rejected.__cause__, file)) from None


def _traced(function: Any, inputs: list[tuple[str | None, bool, Any]]) -> jax.stages.Traced:
    args, kwargs = [], {}
    for name, is_static, value in inputs:
        argument = _hashable(value) if is_static else jax.tree.map(abstract_value, value)
        if name is None:
            args.append(argument)
        else:
            kwargs[name] = argument
    if not isinstance(function, jax.stages.Wrapped):
        positions = [is_static for name, is_static, _ in inputs if name is None]
        function = jax.jit(
            function,
            static_argnums=[n for n, is_static in enumerate(positions) if is_static],
            static_argnames=[name for name, is_static, _ in inputs if is_static and name],
        )
    traced: jax.stages.Traced = function.trace(*args, **kwargs)
    return traced


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
