"""One function at every level: Python, jaxpr, StableHLO, HLO, optimized HLO, and what changes.

Run it with `python examples/walk_the_levels.py`. JAX's own pages on this, at docs.jax.dev:
"Ahead-of-time lowering and compilation" and the API page "jax.stages module".
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp


def classify(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
    """Give class probabilities: an affine map, then a softmax."""
    logits = jnp.dot(x, w) + b
    weights = jnp.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Cost:
    """XLA's estimate: floating-point operations, and bytes read and written by instructions."""

    flops: float
    bytes_accessed: float


@dataclass(frozen=True)
class Levels:
    """The texts of one function, from what a person wrote to what the machine runs."""

    python: str
    jaxpr: str
    stablehlo: str
    hlo: str
    optimized_hlo: str
    cost_before: Cost
    cost_after: Cost
    result: jax.Array


def walk(function: Callable[..., jax.Array], *arguments: jax.Array) -> Levels:
    """Take a function through all levels. One trace serves them all."""
    traced = jax.jit(function).trace(*arguments)
    lowered = traced.lower()
    compiled = lowered.compile()
    before, after = lowered.cost_analysis(), compiled.cost_analysis()
    return Levels(
        python=inspect.getsource(function),
        jaxpr=str(traced.jaxpr),
        stablehlo=lowered.as_text(),
        hlo=lowered.as_text(dialect="hlo"),
        optimized_hlo=computations(compiled.as_text() or ""),
        cost_before=Cost(before["flops"], before["bytes accessed"]),
        cost_after=Cost(after["flops"], after["bytes accessed"]),
        result=compiled(*arguments),
    )


def computations(module: str) -> str:
    """Leave out the tables of source files and the metadata that point back to the Python."""
    without_metadata = re.sub(r", (metadata|backend_config)=\{.*\}", "", module)
    header, *blocks = (block.strip() for block in without_metadata.split("\n\n"))
    # A computation ends with a closing brace on a line of its own, the tables do not.
    return "\n\n".join([header, *(block for block in blocks if block.endswith("\n}"))])


def entry(module: str) -> str:
    """Give the entry computation of an HLO module: the instructions that run one by one."""
    return module[module.index("ENTRY") :].strip()


def instructions(module: str) -> list[str]:
    """List the opcodes of the entry computation, parameters and constants left out."""
    opcodes = re.findall(r"= \S+ ([\w-]+)\(", entry(module))
    return [opcode for opcode in opcodes if opcode not in ("parameter", "constant")]


def count_fusions(module: str) -> int:
    """Count the fusions: groups of instructions compiled into one loop, or one kernel."""
    return instructions(module).count("fusion")


def arguments() -> tuple[jax.Array, jax.Array, jax.Array]:
    """Give `x`, `w` and `b` for `classify`: 4 examples, 8 features, 16 classes."""
    x, w, b = jax.random.split(jax.random.key(0), 3)
    return (
        jax.random.normal(x, (4, 8)),
        jax.random.normal(w, (8, 16)),
        jax.random.normal(b, (16,)),
    )


def main() -> None:
    """Print the function at each level, and then what the compiler changed."""
    levels = walk(classify, *arguments())
    steps = {
        "Python: what a person wrote": levels.python,
        "jaxpr: what tracing recorded; typed, no Python left": levels.jaxpr,
        "StableHLO: XLA's portable input; every broadcast is spelled out": levels.stablehlo,
        "HLO: the same graph in XLA's own language": entry(levels.hlo),
        "Optimized HLO: after XLA's passes; fused and scheduled": entry(levels.optimized_hlo),
    }
    for title, text in steps.items():
        print(f"## {title}\n\n{text.strip()}\n")

    before, after = levels.cost_before, levels.cost_after
    changes = {
        "instructions of the entry": (
            len(instructions(levels.hlo)),
            len(instructions(levels.optimized_hlo)),
        ),
        "fusions among them": (count_fusions(levels.hlo), count_fusions(levels.optimized_hlo)),
        "bytes accessed": (before.bytes_accessed, after.bytes_accessed),
        "flops": (before.flops, after.flops),
    }
    print("## What optimization changed\n")
    for what, (was, now) in changes.items():
        print(f"{what:<26} {was:>6.0f} -> {now:.0f}")
    print("\nWhat is between the instructions of a fusion never goes to memory, hence fewer bytes.")
    print("A fusion may compute something cheap again, hence sometimes a few more flops.")


if __name__ == "__main__":
    main()
