"""The instructions: one row a task, each in several wordings, and how the answer is to look.

Languages are named as people name them, not as columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jax_ir_pairs.schema import LEVELS
from jax_ir_pairs.scoring.refusal import Language
from jax_ir_pairs.targets import TARGETS, Target, further

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "python": "Python",
        "jaxpr": "jaxpr",
        "stablehlo": "StableHLO",
        "hlo": "HLO",
        "optimized_hlo": "optimized HLO",
    }
)
"""What people call each level."""

_TRANSLATIONS = {
    "python_to_jaxpr": (
        "Trace this function with JAX and write its jaxpr.",
        "What does `jax.make_jaxpr` give for this function?",
        "Write the jaxpr of the following JAX program.",
    ),
    "python_to_stablehlo": (
        "Lower this JAX program to StableHLO.",
        "Write the StableHLO module that JAX lowers this function to.",
        "What does this JAX code look like in StableHLO?",
    ),
    "jaxpr_to_stablehlo": (
        "Lower this jaxpr to StableHLO.",
        "Write the StableHLO module for the following jaxpr.",
        "Which StableHLO does JAX make of this jaxpr?",
    ),
    "stablehlo_to_hlo": (
        "Convert this StableHLO module to HLO.",
        "Write the XLA HLO module, before any optimization, for the following StableHLO.",
        "What does this StableHLO module look like as HLO, ahead of XLA's passes?",
    ),
    "hlo_to_optimized_hlo": (
        "Optimize this HLO module for CPU, as XLA does.",
        "Write the optimized HLO that XLA's CPU compiler makes of this module.",
        "What is left of this HLO module after all of XLA's passes for CPU, fusion included?",
    ),
    "jaxpr_to_python": (
        "Write a JAX program in Python that traces to this jaxpr.",
        "Turn this jaxpr back into Python code that uses JAX.",
        "Which JAX function computes what the following jaxpr does?",
    ),
    "stablehlo_to_python": (
        "Write a JAX program in Python that computes what this StableHLO module does.",
        "Raise the following StableHLO to JAX code.",
        "Decompile this StableHLO module to Python with JAX.",
    ),
    "hlo_to_python": (
        "Write a JAX program in Python that computes what this HLO module does.",
        "Raise the following XLA HLO to JAX code.",
        "Decompile this HLO module to Python with JAX.",
    ),
    "optimized_hlo_to_python": (
        "Write a JAX program in Python that computes what this optimized HLO module does.",
        "XLA compiled a JAX function to the HLO below. Reconstruct the function.",
        "Decompile this optimized HLO to Python with JAX.",
    ),
}

_RETARGETING = (
    "Here is a module as XLA optimized it for CPU. Write the optimized HLO for {target}.",
    "Give the optimized HLO that XLA makes for {target} of the program whose CPU version follows.",
    "What does this module, optimized for CPU, look like when XLA compiles it for {target}?",
)

_COST = (
    "How much does this JAX program cost on CPU, by XLA's own cost analysis? "
    "Count floating-point operations, bytes accessed and fusions.",
    "Estimate what XLA's cost analysis says of this function, compiled for CPU: "
    "its flops, the bytes that it accesses, and the number of fusions.",
    "Compiled for CPU, how many flops and fusions does this program have, "
    "and how many bytes does it access?",
)

_MAP = (
    "Which lines of the {level} does each line of the Python program become?",
    "Map the lines of this Python program to the lines of its {level} that come from them.",
    "For each line of this JAX program, find the lines of the {level} that it gave rise to.",
)

LINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        f"line_map_{level}": tuple(
            wording.replace("{level}", LANGUAGES[level])
            for wording in (
                "Which lines of the {level} come from line {line} of the Python program?",
                "What does line {line} of this JAX program become in the {level}?",
                "Find the lines of the {level} that line {line} of the Python code gave rise to.",
            )
        )
        for level in LEVELS[1:]
    }
)
"""Questions about one line of Python, by the name of the task that scores them."""


def _named(target: Target) -> str:
    kind, _, model = target.name.partition("-")
    return f"a TPU {model}" if kind == "tpu" else f"an NVIDIA {model.upper()} GPU"


INSTRUCTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **_TRANSLATIONS,
        **{
            f"cpu_to_{target.name}": tuple(w.format(target=_named(target)) for w in _RETARGETING)
            for target in further(tuple(TARGETS))
        },
        "cost": _COST,
        **{
            f"line_map_{level}": tuple(w.format(level=LANGUAGES[level]) for w in _MAP)
            for level in LEVELS[1:]
        },
    }
)
"""Questions by the name of the task."""

PROGRAM_ANSWERS: Mapping[Language, tuple[str, ...]] = MappingProxyType(
    {
        "python": (
            "Answer with one Python file, and nothing else. "
            "It defines the entry point, with the arguments below in their order.",
            "Give the Python source only; the entry point and its arguments, in order, are below.",
        ),
        "jaxpr": (
            "Answer with the jaxpr only, as JAX prints it.",
            "Give nothing but the jaxpr in JAX's own notation.",
        ),
        "stablehlo": (
            "Answer with the MLIR module only, in its textual form.",
            "Give nothing but the text of the MLIR module.",
        ),
        "hlo": (
            "Answer with the HLO module only, in XLA's textual form.",
            "Give nothing but the text of the HLO module.",
        ),
        "optimized_hlo": (
            "Answer with the HLO module only, in XLA's textual form.",
            "Give nothing but the text of the HLO module.",
        ),
    }
)
"""How an answer that is a program has to look, by its language."""

FIGURES_ANSWERS = (
    "Answer with one JSON object with the keys {keys}, and nothing else.",
    "Give only a JSON object that has {keys}.",
)

MAP_ANSWERS = (
    'Answer with one JSON object of lists by the number of the Python line, such as {"3": [5, 6]}.',
    'Give only JSON: the number of each Python line with a list of numbers, as in {"3": [5, 6]}.',
)

LINE_ANSWERS = (
    "Answer with a JSON list of line numbers, such as [5, 6].",
    "Give only the numbers of the lines, as a JSON list such as [5, 6].",
)
