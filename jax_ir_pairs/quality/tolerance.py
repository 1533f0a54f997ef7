"""How far two runs of one program may be apart, by dtype and by number of roundings.

Imports no JAX.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

UNIT_ROUNDOFF: Mapping[str, float] = MappingProxyType(
    {
        "f64": 2.0**-53,
        "f32": 2.0**-24,
        "f16": 2.0**-11,
        "bf16": 2.0**-8,
        "f8E3M4": 2.0**-5,
        "f8E4M3": 2.0**-4,
        "f8E4M3B11FNUZ": 2.0**-4,
        "f8E4M3FN": 2.0**-4,
        "f8E4M3FNUZ": 2.0**-4,
        "f8E5M2": 2.0**-3,
        "f8E5M2FNUZ": 2.0**-3,
        "f4E2M1FN": 2.0**-2,
        "f8E8M0FNU": 2.0**-1,
    }
)
"""Greatest relative error of one rounding to each format, as MLIR names it: half of 2 to the minus
number of stored mantissa bits (IEEE 754; the OCP specifications of 8-bit and MX formats)."""

CONFIDENCE = 16.0
"""λ in the bound λ·√n·u on the relative error after n roundings with unit roundoff u.

N. Higham and T. Mary, "A new approach to probabilistic rounding error analysis" (SIAM J. Sci.
Comput. 41(5), 2019), theorem 2.4: it holds with probability 1 - 2·exp(-λ²(1-u)²/2) for one chain
of roundings. One operation of float32 is allowed 9.5e-7, where JAX's own tests allow 1e-6
(`jax.test_util`, `default_tolerance`), since a function of XLA is off by some units in the last
place itself.
"""

LARGEST = 0.5
"""No tolerance is wider: results half as large as their difference are not the same."""

_FLOAT_TYPE = re.compile(r"(?<![\w.%@])(?:\d+x)*((?:bf|f)\d+(?:E\d+M\d+\w*)?)(?=[>,)\s])")


def tolerance(stablehlo: str, num_roundings: int) -> float:
    """Gives the greatest relative error that this many roundings in a row explain.

    The coarsest format in the module decides: what was rounded to it on the way stays rounded,
    whatever the format of the result. Of a module without floating formats it is 0.
    """
    units = [UNIT_ROUNDOFF[name] for name in set(_FLOAT_TYPE.findall(stablehlo))]
    if not units:
        return 0.0
    return min(LARGEST, CONFIDENCE * math.sqrt(max(1, num_roundings)) * max(units))
