"""The mutations of each level."""

from __future__ import annotations

from collections.abc import Mapping

from mutation import hlo, jaxpr, python, stablehlo
from mutation.edit import Mutations

MUTATIONS: Mapping[str, Mutations] = {
    "python": python.MUTATIONS,
    "jaxpr": jaxpr.MUTATIONS,
    "stablehlo": stablehlo.MUTATIONS,
    "hlo": hlo.MUTATIONS,
    "optimized_hlo": hlo.MUTATIONS,
}
