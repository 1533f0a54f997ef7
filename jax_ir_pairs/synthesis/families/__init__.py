"""The families: each file here that has a `FAMILY` is one, and its stem is its name in configs."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from jax_ir_pairs.synthesis.growth import Family


@cache
def family(name: str) -> Family:
    """Gives the family of the file `name`."""
    found: Family = import_module(f"{__name__}.{name}").FAMILY
    assert found.name == name
    return found
