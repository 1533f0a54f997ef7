"""What each pass made of a module: XLA's dumps, read back and printed. In the child."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import jax

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.dumps import folder_for_dumps, module_in
from jax_ir_pairs.extraction.optimization import (
    Optimized,
    compilation_attributes,
    of_executable,
    with_attributes,
)
from jax_ir_pairs.extraction.result import Pass

_DUMP: Mapping[str, str | bool] = {"xla_dump_hlo_as_proto": True, "xla_dump_hlo_pass_re": ".*"}

_FIRST, _LAST = ".before_optimizations.hlo.pb", "after_optimizations.hlo.pb"
# What follows the module's own name, as in `0006.simplification.after_algsimp.before_dce.hlo.pb`.
_STEP = re.compile(r"(\d+)\.(.+?)\.after_(.+?)(?:\.before_.+)?\.hlo\.pb")
# Custom passes of the CPU compiler carry a count of their process: `apply-xla-transforms-3`.
_COUNT = re.compile(r"-\d+$")

_NOT_WHOLE = "the dumps of the passes are not whole: no room for temporary files"  # XLA goes on


def optimized_with_passes(
    lowered: jax.stages.Lowered, options: Mapping[str, str | bool | int]
) -> tuple[Optimized, tuple[Pass, ...]]:
    """Compiles `lowered` whole, and gives the module before the first pass and after each.

    A text is there once: what leaves the text as it is, as most passes do, is no step.

    Raises MemoryError where the folder for temporary files has no room for the dumps, and
    ValueError where they do not lead to the optimized module.
    """
    with folder_for_dumps() as folder:
        dump = {**options, **_DUMP, "xla_dump_to": folder}
        found = of_executable(lowered.compile(compiler_options=dump))
        return found, _read(Path(folder), found.text, compilation_attributes(lowered))


def _read(folder: Path, final: str, attributes: str) -> tuple[Pass, ...]:
    paths = list(folder.iterdir())
    # XLA dumps what it compiles on the way too, but only for this module from before any pass.
    found = sorted(
        (int(match[1]), match[2], _COUNT.sub("", match[3]), path)
        for first in paths
        if first.name.endswith(_FIRST)
        for path in paths
        if path.name.startswith(own := first.name.removesuffix(_FIRST) + ".")
        and (match := _STEP.fullmatch(path.name.removeprefix(own)))
    )
    ended = any(path.name.endswith(_LAST) for path in paths)
    if not (found and ended) or [number for number, *_ in found] != list(range(len(found))):
        raise MemoryError(_NOT_WHOLE)
    # No pass changes the attributes of the compilation.
    passes: list[Pass] = []
    before = b""
    for _, pipeline, name, path in found:
        serialized = module_in(path.read_bytes())
        if serialized is None:
            raise MemoryError(_NOT_WHOLE)
        if serialized == before:
            continue
        before = serialized
        text = with_attributes(
            hlo_module.optimized_text(hlo_module.module_of(serialized)), attributes
        )
        if not passes:
            passes.append(Pass("", "", text))
        elif text != passes[-1].hlo:
            passes.append(Pass(pipeline, name, text))
    if passes[-1].hlo != final:
        raise ValueError("the module after the last pass is not the optimized one")
    return tuple(passes)
