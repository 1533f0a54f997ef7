"""Roles: what a value is to the person who writes the code, and within which bounds it lies.

A sketch that takes a role works on all values within its bounds; one that gives it stays within
them on such inputs. `tests/synthesis/sketching/test_bounds.py` runs every sketch at their edges.
"""

from __future__ import annotations

from dataclasses import dataclass

_INPUT = 2 * 3**0.5
"""Floating inputs of a program lie within it."""


@dataclass(frozen=True, slots=True)
class Role:
    """Bounds of a role, and the more general role that its values have as well."""

    low: float = -30.0
    high: float = 30.0
    isa: str = ""
    is_input: bool = True
    """Whether an ordinary input of a program may have the role."""


ROLES: dict[str, Role] = {
    "": Role(),
    # models
    "features": Role(),
    "activations": Role(isa="features"),
    "embeddings": Role(isa="features"),
    "hidden": Role(isa="features"),
    "sequence": Role(),
    "image": Role(),
    "feature_map": Role(isa="image"),
    "nodes": Role(),
    "logits": Role(),
    "scores": Role(isa="logits"),
    "targets": Role(),
    "predictions": Role(),
    "probabilities": Role(0, 1, is_input=False),
    "log_probabilities": Role(-100, 0, is_input=False),
    "attention": Role(0, 1, isa="probabilities", is_input=False),
    "labels": Role(0, 3),
    "tokens": Role(0, 3),
    "ids": Role(0, 3),
    "loss": Role(-1e4, 1e4, is_input=False),
    "metric": Role(-1e4, 1e4, is_input=False),
    # signals and series
    "signal": Role(),
    "series": Role(isa="signal"),
    "frames": Role(),
    "spectrum": Role(-1e3, 1e3),
    "power": Role(0, 1e5, is_input=False),
    "kernel": Role(),
    # linear algebra and geometry
    "vector": Role(),
    "direction": Role(-1, 1, isa="vector", is_input=False),
    "matrix": Role(),
    "symmetric": Role(isa="matrix", is_input=False),
    "positive_definite": Role(isa="symmetric", is_input=False),
    "orthogonal": Role(-1, 1, isa="matrix", is_input=False),
    "triangular": Role(isa="matrix", is_input=False),
    "points": Role(),
    "distances": Role(0, 1e3, is_input=False),
    "angles": Role(),
    # dynamics, statistics, decisions, finance
    "state": Role(),
    "trajectory": Role(isa="sequence"),
    "control": Role(),
    "samples": Role(),
    "observations": Role(isa="samples"),
    "mean": Role(),
    "scale": Role(1e-3, 30, is_input=False),
    "weights": Role(0, 1, is_input=False),
    "rewards": Role(),
    "values": Role(),
    "actions": Role(0, 3),
    "advantages": Role(-1e3, 1e3),
    "returns": Role(-1e3, 1e3),
    "prices": Role(1e-3, 1e3, is_input=False),
    "counts": Role(0, 3),
    "mask": Role(0, 1),
    "edges": Role(0, 3),
    "adjacency": Role(0, 1, is_input=False),
    "energy": Role(-1e4, 1e4, is_input=False),
    "field": Role(),
    # transformers and sequences
    "heads": Role(isa="sequence"),
    "log_potentials": Role(),
    # vision, generative models, graphs
    "boxes": Role(-1e3, 1e3),
    "overlaps": Role(-1, 1, is_input=False),
    "flow": Role(),
    "latent": Role(isa="features"),
    "noise_levels": Role(1e-3, 100, is_input=False),
    "signal_rates": Role(0, 1, is_input=False),
    "laplacian": Role(isa="symmetric", is_input=False),
    # dynamics and optimization: right-hand sides, and what has a root where it vanishes
    "slope": Role(-1e4, 1e4, isa="state"),
    "residual": Role(-1e4, 1e4, isa="vector"),
    # physics and geometry
    "velocities": Role(),
    "forces": Role(-1e4, 1e4, isa="field", is_input=False),
    "quaternions": Role(),
    "rotations": Role(-1, 1, isa="orthogonal", is_input=False),
    "rays": Role(),
    # array algorithms
    "tally": Role(0, 1e6),
    "permutation": Role(0, 4096, is_input=False),
}


def fits(wanted: str, given: str) -> bool:
    """Tells whether a value of the second role can be used as one of the first."""
    while given and given != wanted:
        given = ROLES[given].isa
    return given == wanted
