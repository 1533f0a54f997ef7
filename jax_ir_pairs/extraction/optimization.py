"""The optimized HLO module, from a compiler that is stopped once its passes are done. In the child.

Machine code takes most of a compilation, and no text needs it. The last place where XLA hands out
the module is after its scheduler: what the hook raises there ends the compilation.

The one place that uses what a `Lowered` keeps for its compiler: no public function tells what of it
the header of a module says, which inputs a module has, nor which devices it is compiled for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend.xla as xla
from jax._src.interpreters import pxla

from jax_ir_pairs.extraction import hlo_module

_NAME = "stop-after-passes"
_BARRIER = b"opt-barrier"  # the opcode, as the serialized module has it


class _StopError(Exception):
    """Ends a compilation."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """A program after the compiler's passes."""

    module: Any
    text: str
    """That of `Compiled.as_text()`, canonical."""
    executable: jax.stages.Compiled | None
    """Nothing where the compiler was stopped."""


def optimized(lowered: jax.stages.Lowered, options: Mapping[str, str | bool | int]) -> Optimized:
    """Gives the optimized module of `lowered`, without machine code where that is the same module.

    It is not where it has an `opt-barrier`, which a later pass takes out; such a program is
    compiled whole, and so is one at which XLA does not call the hook. Raises what the compiler
    does.
    """
    seen: list[bytes] = []
    compiled = None
    with _stopping(module_name(lowered), seen):
        try:
            compiled = lowered.compile(compiler_options=dict(options))
        except jax.errors.JaxRuntimeError:
            if not seen:
                raise
    if compiled is None and _BARRIER not in seen[0]:
        module = hlo_module.module_of(seen[0])
        text = hlo_module.optimized_text(module)
        return Optimized(module, with_attributes(text, compilation_attributes(lowered)), None)
    return of_executable(compiled or lowered.compile(compiler_options=dict(options)))


def of_executable(compiled: jax.stages.Compiled) -> Optimized:
    """Gives the optimized module of a program that is compiled whole."""
    module = hlo_module.optimized_module(compiled)
    return Optimized(module, hlo_module.optimized_text(module), compiled)


def module_name(lowered: jax.stages.Lowered) -> str:
    """Gives what the module of a program is called, such as `jit_f`."""
    module: Any = lowered.compiler_ir("stablehlo")
    name: str = module.operation.attributes["sym_name"].value
    return name


@contextmanager
def _stopping(name: str, seen: list[bytes]) -> Iterator[None]:
    """Stops compilations of the module `name`, and adds it to `seen` as it is then.

    What JAX compiles on the way to it has other names.
    """
    start = _named(name)

    def stop(module: bytes) -> None:
        if module.startswith(start):
            seen.append(module)
            raise _StopError

    stage = xla.PipelineStage.POST_SCHEDULER
    xla.register_hlo_module_transformation(stop, name=_NAME, stage=stage, platforms="cpu")
    try:
        yield
    finally:
        xla.clear_hlo_module_transformation(_NAME, stage=stage, platforms="cpu")


def _named(name: str) -> bytes:
    """Gives how a serialized `HloModuleProto` begins: with its name, a string with its length."""
    text, length = name.encode(), b""
    rest = len(text)
    while rest > 127:  # a varint: seven bits a byte, the last of which is below 128
        length += bytes([rest & 127 | 128])
        rest >>= 7
    return b"\n" + length + bytes([rest]) + text


def num_devices(lowered: jax.stages.Lowered) -> int:
    """Gives the number of devices that a program runs on."""
    return int(_compile_args(lowered)["num_devices"])


def devices(lowered: jax.stages.Lowered) -> frozenset[jax.Device]:
    """Gives the devices that a program is compiled for."""
    lowering: Any = lowered
    return frozenset(lowering._lowering._device_list or ())


def kept_inputs(lowered: jax.stages.Lowered) -> frozenset[int]:
    """Gives the places of those inputs that the modules have: JAX drops the ones without effect."""
    return frozenset(_compile_args(lowered)["kept_var_idx"])


def compilation_attributes(lowered: jax.stages.Lowered) -> str:
    """Gives the attributes of a module's header that come from its compilation.

    They are in no serialized module. Order and conditions are those of `HloModule::Print` in
    `xla/hlo/ir/hlo_module.cc`; the number of replicas, which it has too, is always 1.
    """
    arguments = _compile_args(lowered)
    propagation = pxla.get_prop_to_input_output(
        arguments["in_shardings"], arguments["out_shardings"], len(arguments["ordered_effects"])
    )
    parts = [
        _attribute(f"allow_spmd_sharding_propagation_to_{what}", allowed)
        for what, allowed in zip(("parameters", "output"), propagation, strict=True)
    ]
    if (count := num_devices(lowered)) > 1:
        parts.append(f", num_partitions={count}")
    return "".join(parts)


def _attribute(name: str, allowed: Sequence[bool]) -> str:
    if not any(allowed):
        return ""
    return f", {name}={{{','.join('true' if each else 'false' for each in allowed)}}}"


def with_attributes(text: str, attributes: str) -> str:
    """Puts the attributes of its compilation into the header of a module's text.

    They come after those that are part of the module, but for `frontend_attributes`.
    """
    head, newline, body = text.partition("\n")
    own, which, rest = head.rpartition(", frontend_attributes=")
    if not which:
        own, rest = head, ""
    return f"{own}{attributes}{which}{rest}{newline}{body}"


def _compile_args(lowered: jax.stages.Lowered) -> Mapping[str, Any]:
    lowering: Any = lowered
    arguments: Mapping[str, Any] = lowering._lowering.compile_args
    return arguments
