"""Ops of the libraries that people use with JAX: modules, optimizers, losses, densities.

Only the family `library` uses them, so that other programs need none of these packages.
"""

from __future__ import annotations

from jax_ir_pairs.synthesis.op import Op, spell


def _row(name: str, *templates: str) -> Op:
    return Op(name, "library", spell(*templates))


OPS = (
    _row("new_module", "{0}({kw})"),
    _row("new_nnx", "{0}(nnx.Rngs({seed}))"),
    _row("module_init", "{0}.init({*1})"),
    _row("module_apply", "{0}.apply({*1}{kw})"),
    _row("module_mutated", '{0}.apply({1}, {2}, mutable=["batch_stats"])'),
    _row("module_dropout", '{0}.apply({1}, {2}, train=True, rngs={{"dropout": {3}}})'),
    _row("nnx_split", "nnx.split({0})"),
    _row("nnx_merge", "nnx.merge({0}, {1})"),
    _row("nnx_update", "nnx.update({0}, {1})"),
    _row("nnx_state", "nnx.state({0}, nnx.Param)"),
    _row("optimizer", "{optimizer}"),
    _row("optimizer_init", "{0}.init({1})"),
    _row("optimizer_init_filtered", "{0}.init(eqx.filter({1}, eqx.is_array))",
         "{0}.init(eqx.filter({1}, eqx.is_inexact_array))"),
    _row("optimizer_update", "{0}.update({1}, {2}, {3})"),
    _row("optax_apply_updates", "optax.apply_updates({0}, {1})"),
    _row("eqx_apply_updates", "eqx.apply_updates({0}, {1})"),
    _row("eqx_filter", "eqx.filter({0}, eqx.is_array)"),
    _row("eqx_partition", "eqx.partition({0}, eqx.is_array)"),
    _row("eqx_combine", "eqx.combine({0}, {1})"),
    _row("optax_global_norm", "optax.global_norm({0})"),
    _row("optax_incremental_update", "optax.incremental_update({0}, {1}, step_size={step_size})"),
    _row("optax_schedule", "{schedule}({0})"),
    _row("vmapped", "jax.vmap({0})({1})"),
    _row("library_call", "{function}({*0}{kw})"),
)  # fmt: skip
