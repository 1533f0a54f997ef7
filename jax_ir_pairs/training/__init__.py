"""Rows turned into what a model is trained on. Imports neither JAX nor datasets."""

from jax_ir_pairs.training.examples import FORMS, Example, Examples, Form, Tally, to_examples
from jax_ir_pairs.training.mixture import Mixture, load_mixture, mixture_names

__all__ = [
    "FORMS",
    "Example",
    "Examples",
    "Form",
    "Mixture",
    "Tally",
    "load_mixture",
    "mixture_names",
    "to_examples",
]
