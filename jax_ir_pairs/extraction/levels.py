"""A program's levels, from one trace. Runs in the child process."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from jax_ir_pairs.errors import Reason, Rejected
from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.counting import all_jaxprs, num_stablehlo_ops
from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.result import Extraction, TargetLevels
from jax_ir_pairs.extraction.targets.compilation import Compilation
from jax_ir_pairs.extraction.text import with_one_newline, with_plain_scalars, without_machine

STAGES = ("trace", "lower", "texts", "compile", "analysis")
"""What `extract` spends its time on, in order."""

FILE_NAME = "program.py"
"""The file that a program's source claims to come from, on every machine."""

_AVAL = re.compile(r"(bool|key<fry>|(bf|[cfiu])(\d\w*))\[([\d,]*)\]")
_KINDS = {"bf": "bfloat", "c": "complex", "f": "float", "i": "int", "u": "uint"}


def extract(
    python: str,
    entry_point: str,
    inputs: str,
    targets: Sequence[str] = (),
    lap: Callable[[str], None] = lambda stage: None,
) -> Extraction:
    """Gives the levels of a program, and those of further `targets` from the same trace.

    `lap` is called with each of `STAGES`, and then with each target, as it ends. A target that
    refuses the program says why in its levels.

    **Raises:** [`Rejected`][]: `trace-error`, `compiler-error` or `out-of-memory`.
    """
    # What a process traced before can show in the modules of what it traces next.
    jax.clear_caches()
    jax.config.update("jax_enable_x64", False)
    with _rejecting("trace-error"):
        function = load(python, entry_point)
        traced = function.trace(*abstract_arguments(inputs))
        lap("trace")
        lowered = traced.lower()
        lap("lower")
    with _rejecting("compiler-error"):
        jaxprs = all_jaxprs(traced.jaxpr)
        hlo = hlo_module.unoptimized_module(lowered)
        stablehlo_text = with_one_newline(lowered.as_text())
        jaxpr_text = with_one_newline(with_plain_scalars(without_machine(str(traced.jaxpr))))
        hlo_text = hlo_module.unoptimized_text(hlo)
        num_ops = num_stablehlo_ops(lowered.compiler_ir("stablehlo"))
        lap("texts")
        with _on_one_core():
            compiled = lowered.compile(compiler_options=dict(COMPILER_OPTIONS))
        lap("compile")
        optimized = hlo_module.optimized_module(compiled)
        cost = _cost(compiled)
        extraction = Extraction(
            jaxpr=jaxpr_text,
            stablehlo=stablehlo_text,
            hlo=hlo_text,
            optimized_hlo=hlo_module.optimized_text(optimized),
            primitives=tuple(sorted({eqn.primitive.name for j in jaxprs for eqn in j.eqns})),
            num_eqns=sum(len(j.eqns) for j in jaxprs),
            num_stablehlo_ops=num_ops,
            num_hlo_instructions=hlo_module.num_instructions(hlo),
            num_fusions=hlo_module.num_fusions(optimized),
            num_devices=_num_devices(compiled),
            flops=_figure(cost, "flops"),
            bytes_accessed=_figure(cost, "bytes accessed"),
            transcendentals=_figure(cost, "transcendentals"),
            peak_memory_bytes=_peak_memory_bytes(compiled),
        )
        lap("analysis")
    del compiled, optimized, hlo, lowered

    def trace_again() -> Any:
        jax.config.update("jax_enable_x64", False)
        return load(python, entry_point).trace(*abstract_arguments(inputs))

    further = []
    for target in targets:
        jax.clear_caches()
        compilation = Compilation(target, extraction.num_devices, traced, trace_again)
        further.append(_target_levels(compilation, extraction.stablehlo))
        lap(target)
    return replace(extraction, further=tuple(further))


def _target_levels(compilation: Compilation, own_stablehlo: str) -> TargetLevels:
    target = compilation.target
    try:
        with _rejecting("trace-error"):
            lowered = compilation.lowered()
        with _rejecting("compiler-error"), _on_one_core():
            stablehlo, optimized_hlo = compilation.texts(lowered)
    except Rejected as rejected:
        return TargetLevels.refused(target, rejected.reason, rejected.detail)
    return TargetLevels(target, None if stablehlo == own_stablehlo else stablehlo, optimized_hlo)


def load(python: str, entry_point: str) -> jax.stages.Wrapped:
    """Runs the source and gives its entry point, jitted unless it is so already."""
    namespace: dict[str, Any] = {"__name__": "program", "__file__": FILE_NAME}
    exec(compile(python, FILE_NAME, "exec", dont_inherit=True), namespace)
    function = namespace[entry_point]
    return function if isinstance(function, jax.stages.Wrapped) else jax.jit(function)


def abstract_arguments(inputs: str) -> list[Any]:
    """Gives the arguments that `inputs` describes, with a `ShapeDtypeStruct` for each aval.

    Raises ValueError for an aval that is none, such as `f33`.
    """
    return [jax.tree.map(_abstract_value, tree) for _, tree in json.loads(inputs)]


def _abstract_value(aval: str) -> jax.ShapeDtypeStruct:
    if (match := _AVAL.fullmatch(aval)) is None:
        raise ValueError(f"{aval!r} is no aval; one looks like 'f32[8,16]'")
    name, kind, bits, shape = match.groups()
    sides = tuple(int(n) for n in shape.split(",") if n)
    if name == "key<fry>":
        return jax.ShapeDtypeStruct(sides, jax.random.key(0).dtype)
    dtype = f"{_KINDS[kind]}{bits}" if kind else name
    return jax.ShapeDtypeStruct(sides, jax.numpy.dtype(dtype))


@contextmanager
def _rejecting(reason: Reason) -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # a program may raise SystemExit too
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
        raise Rejected("out-of-memory" if exhausted else reason, _describe(error)) from error


@contextmanager
def _on_one_core() -> Iterator[None]:
    """Lets XLA see one core, since it partitions large fusions over the cores and writes it down.

    The core is the one that this thread is on, so that processes side by side keep their own; all
    threads are held there, as some versions compile in another one. Elsewhere than on Linux
    nothing is done.
    """
    if sys.platform != "linux":
        yield
        return
    allowed = os.sched_getaffinity(0)
    status = Path("/proc/thread-self/stat").read_text()
    core = int(status.rpartition(")")[2].split()[36])
    _hold_threads({core})
    try:
        yield
    finally:
        _hold_threads(allowed)


def _hold_threads(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)


def _describe(error: BaseException) -> str:
    """Gives type, message and, where the program's source is on the stack, its line."""
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == FILE_NAME
    ]
    if isinstance(error, SyntaxError) and error.filename == FILE_NAME and error.lineno:
        lines.append(error.lineno)
    where = f" ({FILE_NAME}, line {lines[-1]})" if lines else ""
    message = error.msg if isinstance(error, SyntaxError) else without_machine(str(error))
    return f"{type(error).__name__}: {' '.join(message.split())[:300]}{where}"


def _cost(compiled: jax.stages.Compiled) -> Mapping[str, float]:
    cost = compiled.cost_analysis()
    return cost if isinstance(cost, Mapping) else {}


def _figure(cost: Mapping[str, float], key: str) -> float:
    """Gives a figure of the cost analysis, which leaves out zeros and has -1 for unknown."""
    figure = float(cost.get(key, 0.0))
    return figure if math.isfinite(figure) and figure > 0 else 0.0


def _num_devices(compiled: jax.stages.Compiled) -> int:
    executable: Any = compiled.runtime_executable()
    return len(executable.local_devices())


def _peak_memory_bytes(compiled: jax.stages.Compiled) -> int:
    memory = compiled.memory_analysis()
    if memory is None:
        return 0
    used = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return int(used - memory.alias_size_in_bytes)
