"""Roles: what a value is to the person who writes the code, and within which bounds it lies.

A sketch that gives a role with bounds stays within them, and one that takes it may count on them.
`tests/synthesis/sketching/programs.py` holds what programs give against them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """Bounds of a role, and the more general role that its values have as well."""

    low: float = -math.inf
    high: float = math.inf
    isa: str = ""
    is_input: bool = True
    """Whether an ordinary input of a program may have the role."""
    is_index: bool = False
    """Whether its values are places in something, which who takes it has to have."""


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
    "log_probabilities": Role(high=0, is_input=False),
    "attention": Role(0, 1, isa="probabilities", is_input=False),
    "labels": Role(is_index=True),
    "tokens": Role(is_index=True),
    "ids": Role(is_index=True),
    "loss": Role(is_input=False),
    "metric": Role(is_input=False),
    # signals and series
    "signal": Role(),
    "series": Role(isa="signal"),
    "frames": Role(),
    "spectrum": Role(),
    "power": Role(low=0, is_input=False),
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
    "distances": Role(low=0, is_input=False),
    "angles": Role(),
    # dynamics, statistics, decisions, finance
    "state": Role(),
    "trajectory": Role(isa="sequence"),
    "control": Role(),
    "samples": Role(),
    "observations": Role(isa="samples"),
    "mean": Role(),
    "scale": Role(low=0, is_input=False),
    "weights": Role(0, 1, is_input=False),
    "rewards": Role(),
    "values": Role(),
    "actions": Role(is_index=True),
    "advantages": Role(),
    "returns": Role(),
    "prices": Role(low=0, is_input=False),
    "counts": Role(),
    "mask": Role(0, 1),
    "edges": Role(is_index=True),
    "adjacency": Role(0, 1, is_input=False),
    "energy": Role(is_input=False),
    "field": Role(),
    # transformers and sequences
    "heads": Role(isa="sequence"),
    "log_potentials": Role(),
    # vision, generative models, graphs
    "boxes": Role(),
    "overlaps": Role(-1, 1, is_input=False),
    "flow": Role(),
    "latent": Role(isa="features"),
    "noise_levels": Role(low=0, is_input=False),
    "signal_rates": Role(0, 1, is_input=False),
    "laplacian": Role(isa="symmetric", is_input=False),
    # dynamics and optimization: right-hand sides, and what has a root where it vanishes
    "slope": Role(isa="state"),
    "residual": Role(isa="vector"),
    # physics and geometry
    "velocities": Role(),
    "forces": Role(isa="field", is_input=False),
    "signed_distances": Role(is_input=False),
    "quaternions": Role(),
    "rotations": Role(-1, 1, isa="orthogonal", is_input=False),
    "rays": Role(),
    # array algorithms
    "tally": Role(low=0),
    "permutation": Role(low=0, is_input=False),
}


def fits(wanted: str, given: str) -> bool:
    """Tells whether a value of the second role can be used as one of the first."""
    while given and given != wanted:
        given = ROLES[given].isa
    return given == wanted
