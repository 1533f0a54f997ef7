"""Printed jaxprs as syntax trees: parsed, printed again, and compared up to names. No JAX."""

from jax_ir_pairs.scoring.jaxpr_text.names import fingerprint, same_up_to_names
from jax_ir_pairs.scoring.jaxpr_text.parsing import parse
from jax_ir_pairs.scoring.jaxpr_text.printing import printed
from jax_ir_pairs.scoring.jaxpr_text.syntax import (
    Atom,
    Binder,
    Equation,
    Jaxpr,
    Literal,
    Reference,
    Value,
    all_binders,
    in_order,
)

__all__ = [
    "Atom",
    "Binder",
    "Equation",
    "Jaxpr",
    "Literal",
    "Reference",
    "Value",
    "all_binders",
    "fingerprint",
    "in_order",
    "parse",
    "printed",
    "same_up_to_names",
]
