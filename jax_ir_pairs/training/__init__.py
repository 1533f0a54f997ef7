"""Rows turned into what a model is trained on. Imports neither JAX nor datasets."""

from jax_ir_pairs.training.examples import FORMS, Example, Examples, Form, Tally, to_examples

__all__ = ["FORMS", "Example", "Examples", "Form", "Tally", "to_examples"]
