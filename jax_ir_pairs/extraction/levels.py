"""A program's levels, from one trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import jax

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.cores import on_one_core
from jax_ir_pairs.extraction.counting import all_jaxprs, depth, num_stablehlo_ops
from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.failures import rejecting
from jax_ir_pairs.extraction.line_map import hlo as of_hlo
from jax_ir_pairs.extraction.line_map import jaxpr as of_jaxpr
from jax_ir_pairs.extraction.line_map import stablehlo as of_stablehlo
from jax_ir_pairs.extraction.line_map.inheritance import Lines
from jax_ir_pairs.extraction.line_map.table import line_map, of_instructions
from jax_ir_pairs.extraction.optimization import (
    Optimized,
    num_devices,
    of_executable,
    optimized,
)
from jax_ir_pairs.extraction.pallas import load_pallas
from jax_ir_pairs.extraction.passes import optimized_with_passes
from jax_ir_pairs.extraction.result import Check, Extraction, Pass, TargetLevels
from jax_ir_pairs.extraction.source import FILE_NAME, abstract_arguments, load
from jax_ir_pairs.extraction.targets.compilation import Compilation
from jax_ir_pairs.extraction.text import (
    module_text,
    with_one_newline,
    with_plain_scalars,
    without_machine,
)

STAGES = ("trace", "lower", "texts", "compile", "line_map", "analysis", "check")
"""What `extract` spends its time on, in order; the last only where there is something to check."""


class Compiled:
    """A program with its levels: what a check is handed."""

    def __init__(
        self,
        traced: Any,
        lowered: jax.stages.Lowered,
        optimized: Optimized,
        extraction: Extraction,
    ) -> None:
        self.traced, self.lowered = traced, lowered
        self.module, self.extraction = optimized.module, extraction
        self._executable = optimized.executable

    @property
    def is_whole(self) -> bool:
        """Whether there is machine code of it."""
        return self._executable is not None

    @property
    def executable(self) -> jax.stages.Compiled:
        """The program compiled whole: now, unless it is already."""
        if self._executable is None:
            with on_one_core():
                options = dict(COMPILER_OPTIONS)
                self._executable = self.lowered.compile(compiler_options=options)
        return self._executable


Checker = Callable[[Compiled], Check | None]
"""Says who confirmed what a program gives; raises [`Rejected`][] where its results are wrong.

Nothing where nobody can say."""


def extract(
    python: str,
    entry_point: str,
    inputs: str,
    targets: Sequence[str] = (),
    lap: Callable[[str], None] = lambda stage: None,
    *,
    passes: bool = False,
    check: Checker | None = None,
    whole: bool = False,
) -> Extraction:
    """Gives the levels of a program, and those of further `targets` from the same trace.

    No machine code is made of it, unless it is to be compiled `whole`, that is the only way to its
    optimized HLO, or `check` asks for it; without, nobody knows how much memory it takes.

    `lap` is called with each of `STAGES`, and then with each target, as it ends. A target that
    refuses the program says why in its levels. With `passes`, what each pass made of the
    module is there too; it changes nothing else. Where there is a `check`, the compiled program is
    handed to it.

    **Raises:** [`Rejected`][]: `trace-error`, `compiler-error` or `out-of-memory`, and what `check`
    raises.
    """

    def trace() -> Any:
        jax.config.update("jax_enable_x64", False)
        return load(python, entry_point).trace(*abstract_arguments(inputs))

    if "pallas" in python:
        load_pallas()
    return levels_of(trace, targets, lap, passes=passes, check=check, whole=whole)


def levels_of(
    trace: Callable[[], Any],
    targets: Sequence[str] = (),
    lap: Callable[[str], None] = lambda stage: None,
    source_file: str = FILE_NAME,
    forget: Callable[[], None] = jax.clear_caches,
    passes: bool = False,
    check: Checker | None = None,
    whole: bool = True,
) -> Extraction:
    """Gives the levels of what `trace` gives, a `jax.stages.Traced`; else as [`extract`][].

    It is compiled `whole`, or only as far as its texts need it. `trace` is called once more for
    each target that a program of several devices is compiled for. What a process traced before can
    show in the modules of what it traces next, so `forget` is called before each.
    """
    forget()
    with rejecting("trace-error"):
        traced = trace()
        lap("trace")
        lowered = traced.lower()
        lap("lower")
    with rejecting("compiler-error"):
        jaxprs = all_jaxprs(traced.jaxpr)
        hlo = hlo_module.unoptimized_module(lowered)
        stablehlo_text = module_text(lowered.as_text())
        printed_jaxpr, jaxpr_lines = of_jaxpr.text_and_lines(traced.jaxpr, source_file)
        jaxpr_text = with_one_newline(with_plain_scalars(without_machine(printed_jaxpr)))
        hlo_text = hlo_module.unoptimized_text(hlo)
        num_ops = num_stablehlo_ops(lowered.compiler_ir("stablehlo"))
        lap("texts")
        with on_one_core():
            final, steps = _optimized(lowered, passes=passes, whole=whole)
        lap("compile")
        lines = line_map(
            {
                "jaxpr": jaxpr_lines,
                "stablehlo": of_stablehlo.lines_of(lowered.as_text(debug_info=True), source_file),
                "hlo": _of_hlo(hlo, hlo_text, source_file),
                "optimized_hlo": _of_hlo(final.module, final.text, source_file),
            }
        )
        lap("line_map")
        cost = hlo_module.cost_of(final.module)
        extraction = Extraction(
            jaxpr=jaxpr_text,
            stablehlo=stablehlo_text,
            hlo=hlo_text,
            optimized_hlo=final.text,
            line_map=lines,
            primitives=tuple(sorted({eqn.primitive.name for j in jaxprs for eqn in j.eqns})),
            num_eqns=sum(len(j.eqns) for j in jaxprs),
            num_stablehlo_ops=num_ops,
            num_hlo_instructions=hlo_module.num_instructions(hlo),
            num_optimized_hlo_instructions=hlo_module.num_instructions(final.module),
            num_fusions=hlo_module.num_fusions(final.module),
            num_devices=num_devices(lowered),
            depth=depth(traced.jaxpr),
            flops=_figure(cost, "flops"),
            bytes_accessed=_figure(cost, "bytes accessed"),
            transcendentals=_figure(cost, "transcendentals"),
            passes=steps,
        )
        program = Compiled(traced, lowered, final, extraction)
        lap("analysis")
    if check is not None:
        if (checked := check(program)) is not None:
            extraction = replace(extraction, **asdict(checked))
        lap("check")
    if program.is_whole:
        with rejecting("compiler-error"):
            memory = _peak_memory_bytes(program.executable)
            extraction = replace(extraction, peak_memory_bytes=memory)
    del program, final, hlo, lowered
    further = []
    for target in targets:
        forget()
        compilation = Compilation(target, extraction.num_devices, traced, trace)
        further.append(_target_levels(compilation, extraction.stablehlo))
        lap(target)
    return replace(extraction, further=tuple(further))


def _of_hlo(module: Any, text: str, source_file: str) -> list[Lines]:
    lines = of_hlo.lines_of(hlo_module.text_with_metadata(module), source_file)
    return of_instructions(text, lines)


def _target_levels(compilation: Compilation, own_stablehlo: str) -> TargetLevels:
    target = compilation.target
    try:
        with rejecting("trace-error"):
            lowered = compilation.lowered()
        with rejecting("compiler-error"), on_one_core():
            stablehlo, optimized_hlo = compilation.texts(lowered)
    except Rejected as rejected:
        if isinstance(rejected.__cause__, KeyboardInterrupt):
            raise
        return TargetLevels.refused(target, rejected.reason, rejected.detail)
    return TargetLevels(target, None if stablehlo == own_stablehlo else stablehlo, optimized_hlo)


def _optimized(
    lowered: jax.stages.Lowered, *, passes: bool, whole: bool
) -> tuple[Optimized, tuple[Pass, ...]]:
    if passes:
        return optimized_with_passes(lowered, COMPILER_OPTIONS)
    if whole:
        return of_executable(lowered.compile(compiler_options=dict(COMPILER_OPTIONS))), ()
    return optimized(lowered, COMPILER_OPTIONS), ()


def _figure(cost: Mapping[str, float], key: str) -> float:
    """Gives a figure of the cost analysis, which leaves out zeros and has -1 for unknown."""
    figure = float(cost.get(key, 0.0))
    return figure if math.isfinite(figure) and figure > 0 else 0.0


def _peak_memory_bytes(compiled: jax.stages.Compiled) -> int | None:
    memory = compiled.memory_analysis()
    if memory is None:
        return None
    used = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return int(used - memory.alias_size_in_bytes)
