"""Solvers that take a function: associative scans, Krylov methods, minimizers, integrators."""

from __future__ import annotations

from jax_ir_pairs.synthesis.op import Op, spell


def _row(name: str, template: str, reverse: bool = True) -> Op:
    return Op(name, "solver", spell(template), reverse=reverse)


OPS = (
    _row("associative_scan", "lax.associative_scan({0}, {1}{kw})"),
    _row("cg", "cg({0}, {1}{kw})"),
    _row("gmres", "gmres({0}, {1}{kw})"),
    _row("bicgstab", "bicgstab({0}, {1}{kw})"),
    _row("minimize_bfgs", 'minimize({0}, {1}, method="BFGS"{kw}).x', False),
    _row("odeint", "odeint({0}, {1}, {2})"),
)
