"""HLO modules: their text and their sizes.

The one place that uses jaxlib's private `_hlo`: no public function prints a module without the
source files of the machine that built it, counts its instructions, or takes a text.
"""

from __future__ import annotations

from typing import Any

import jax
import jaxlib._hlo as _hlo
import jaxlib._jax as _jax

from jax_ir_pairs.extraction.text import module_text, with_sorted_backend_configs


def unoptimized_module(lowered: jax.stages.Lowered) -> Any:
    """Gives the HLO module that the compiler starts from."""
    computation: Any = lowered.compiler_ir("hlo")
    return computation.as_hlo_module()


def optimized_module(compiled: jax.stages.Compiled) -> Any:
    """Gives the HLO module that machine code is made from."""
    executable: Any = compiled.runtime_executable()
    return executable.hlo_modules()[0]


def module_of(serialized: bytes) -> Any:
    """Gives the module that a serialized `HloModuleProto` holds."""
    return _hlo.HloModule.from_serialized_hlo_module_proto(serialized)


def parse_hlo(text: str) -> Any:
    """Gives the module that a text is; raises what jaxlib does for what is none.

    XLA's parser looks at types and shapes only where it has to infer one.
    """
    return _hlo.hlo_module_from_text(text)


def unoptimized_text(module: Any) -> str:
    """Gives what `lowered.as_text(dialect="hlo")` does, without addresses."""
    options = _hlo.HloPrintOptions.short_parsable()
    options.print_metadata = False
    return module_text(module.to_string(options))


def optimized_text(module: Any) -> str:
    """Gives what `compiled.as_text()` does, without metadata and with whole constants.

    Printed without metadata a module has no tables of files and stack frames either.
    """
    options = _hlo.HloPrintOptions()
    options.print_metadata = False
    options.print_large_constants = True
    return with_sorted_backend_configs(module_text(module.to_string(options)))


def text_with_metadata(module: Any) -> str:
    """Gives a text with as many instructions, and with the tables of files and stack frames.

    What is long and of no use for a line map is left out.
    """
    options = _hlo.HloPrintOptions()
    options.print_backend_config = False
    return str(module.to_string(options))


def num_instructions(module: Any) -> int:
    """Counts the instructions of all computations of `module`."""
    return sum(len(computation.instructions()) for computation in module.computations())


def num_fusions(module: Any) -> int:
    """Counts the fusion instructions of all computations of `module`."""
    return sum(
        instruction.opcode == _hlo.HloOpcode.kFusion
        for computation in module.computations()
        for instruction in computation.instructions()
    )


def printed(text: str) -> str:
    """Gives an HLO text as XLA prints it: each instruction in a line, and whole constants.

    Raises what jaxlib does for what does not parse.
    """
    return optimized_text(parse_hlo(text))


def canonical_text(text: str) -> str:
    """Gives an HLO text, parsed and printed with names that do not depend on its own.

    Raises what jaxlib does for what does not parse.
    """
    options = _hlo.HloPrintOptions.canonical()
    options.print_metadata = False
    options.print_large_constants = True
    options.print_ids = False
    body = with_sorted_backend_configs(parse_hlo(text).to_string(options))
    return body.partition("\n")[2]  # the first line has the module's name


def cost_of(module: Any) -> dict[str, float]:
    """Gives what `Compiled.cost_analysis` does: the analysis needs no executable."""
    client: Any = jax.devices()[0].client
    analysis: dict[str, float] = _jax.hlo_module_cost_analysis(client, module)
    return analysis


def shardings(module: Any) -> tuple[list[Any], list[Any]]:
    """Gives how the inputs and the results of a partitioned module are cut; empty for unknown."""
    ins, out = module.spmd_parameters_shardings, module.spmd_output_sharding
    if ins is None or out is None:
        return [], []
    outs = list(out.tuple_shardings) or [out]
    ins, outs = ([_hlo.HloSharding.from_proto(cut) for cut in cuts] for cuts in (ins, outs))
    return ins, outs
