"""Objects of one's own pytree classes, around bodies of any family."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs import objects
from jax_ir_pairs.synthesis.growth import Family, Form, one_of

FAMILY = Family("pytrees", one_of(Form(objects.loop, 2.0), Form(objects.function)))
