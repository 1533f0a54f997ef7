"""Complex numbers: made of two real arrays, taken apart, conjugated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import IllTyped, Infer, Op, spell
from jax_ir_pairs.synthesis.ops.rows import odd, unary
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import COMPLEX, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

_REAL = {"c64": "f32", "c128": "f64"}
_COMPLEX = {real: dtype for dtype, real in _REAL.items()}


def _infer_complex(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, y = operands
    if x.aval != y.aval or x.aval.dtype not in _COMPLEX:
        raise IllTyped("complex")
    low, high = zip(x.bounds, y.bounds, strict=True)
    return Aval(_COMPLEX[x.aval.dtype], x.aval.shape), (min(low), max(high))


def _draw_complex(scope: Scope) -> Drawn:
    if (x := scope.pick((scope.float_dtype,))) is None:
        return None
    y = scope.pick(where=lambda v: v.aval == x.aval and v is not x)
    return (x, y or scope.let(scope.stream.choice(("sin", "negative")), x)), {}


def _infer_part(rule: Callable[[float], Bounds] | None) -> Infer:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        (z,) = operands
        if z.aval.dtype not in COMPLEX:
            raise IllTyped("real part of a real value")
        bounds = rule(max(map(abs, z.bounds))) if rule else z.bounds
        return Aval(_REAL[z.aval.dtype], z.aval.shape), bounds

    return infer


def _draw_part(scope: Scope) -> Drawn:
    z = scope.pick(COMPLEX)
    return None if z is None else ((z,), {})


def _part(
    name: str, *templates: str, rule: Callable[[float], Bounds] | None = None, weight: float = 1.0
) -> Op:
    return Op(name, "complex", spell(*templates), _infer_part(rule), _draw_part, weight)


OPS = (
    Op("complex", "complex", spell("lax.complex({0}, {1})"), _infer_complex, _draw_complex, 1.5),
    _part("real", "jnp.real({0})", "{0}.real", weight=1.5),
    _part("imag", "jnp.imag({0})", "{0}.imag", weight=1.2),
    _part("magnitude", "jnp.abs({0})", rule=lambda m: (0.0, 1.5 * m), weight=1.5),
    _part("angle", "jnp.angle({0})", rule=lambda m: (-math.pi, math.pi)),
    unary("conj", COMPLEX, odd, "jnp.conj({0})", "{0}.conj()", group="complex"),
    unary("arcsin_complex", COMPLEX, lambda a, b: (-12.0, 12.0), "jnp.arcsin({0})",
          group="complex", weight=0.6),
    unary("arccos_complex", COMPLEX, lambda a, b: (-12.0, 12.0), "jnp.arccos({0})",
          group="complex", weight=0.4),
)  # fmt: skip
