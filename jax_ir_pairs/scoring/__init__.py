"""Scores what a model writes: held against the row by running it, in children that are limited.

`languages`, `draws`, `program`, `verdict`, `judge`, `sameness` and `tracer` run in the children and
import JAX; what this table of contents names does not.
"""

from jax_ir_pairs.scoring.score import Score
from jax_ir_pairs.scoring.scorer import Scorer, score, score_many
from jax_ir_pairs.scoring.tasks import TASKS

__all__ = ["TASKS", "Score", "Scorer", "score", "score_many"]
