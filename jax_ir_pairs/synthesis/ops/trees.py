"""Ops over whole trees of arrays, as people write them over parameters and gradients."""

from __future__ import annotations

from jax_ir_pairs.synthesis.op import Op, spell


def _row(name: str, *templates: str) -> Op:
    return Op(name, "tree", spell(*templates))


OPS = (
    _row("tree_zeros", "jax.tree.map(jnp.zeros_like, {0})"),
    _row("tree_add", "jax.tree.map(jnp.add, {0}, {1})",
         "jax.tree.map(lambda a, b: a + b, {0}, {1})"),
    _row("tree_sum_squares", "sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves({0}))"),
    _row("tree_vdot", "sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves({0}))"),
    _row("tree_reduce", "jax.tree.reduce(jnp.add, {0})",
         "jax.tree.reduce(lambda a, b: a + b, {0})"),
    _row("tree_max", "jax.tree.reduce(jnp.maximum, {0})"),
    _row("tree_stack", "jax.tree.map(lambda *leaves: jnp.stack(leaves), *{0})"),
    _row("tree_index", "jax.tree.map(lambda leaf: leaf[{index}], {0})"),
    _row("tree_decay",
         "jax.tree_util.tree_map_with_path(lambda path, p: "
         '{factor} * p if path[-1].key.startswith("w") else p, {0})'),
    _row("tree_flatten", "jax.tree.flatten({0})"),
    _row("tree_unflatten", "jax.tree.unflatten({0}, {1})"),
    _row("leaves_scaled", "[{factor} * leaf for leaf in {0}]"),
    _row("leaves_squashed", "[jnp.tanh(leaf) for leaf in {0}]"),
    _row("ravel_pytree", "ravel_pytree({0})"),
    _row("replace_field", "{0}._replace({field}={1})"),
    _row("replace_dataclass", "dataclasses.replace({0}, {field}={1})"),
    _row("scale_power", "{0} ** {1}"),
)  # fmt: skip
