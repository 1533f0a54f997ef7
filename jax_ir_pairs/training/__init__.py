"""Rows turned into what a model is trained on. Imports no JAX."""

from jax_ir_pairs.training.examples import FORMS, Examples, Form, to_examples

__all__ = ["FORMS", "Examples", "Form", "to_examples"]
