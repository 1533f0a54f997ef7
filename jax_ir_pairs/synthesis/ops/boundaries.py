"""Ops at the boundary of the compiler: placement, layouts, tags, callbacks, mutable references.

Families type most of them, since they are of use in few places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, NUMBERS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _same(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return operands[0].aval, operands[0].bounds


def _draw_value(scope: Scope) -> Drawn:
    x = scope.pick(NUMBERS)
    return None if x is None else ((x,), {})


def _draw_outermost(scope: Scope) -> Drawn:
    """Draws only in the entry point: no transformation may go through the op."""
    return None if scope.depth or scope.reverse else _draw_value(scope)


def _infer_layout(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    if operands[0].aval.rank != 2:
        raise IllTyped("layout of a matrix")
    return _same(operands, params)


def _draw_layout(scope: Scope) -> Drawn:
    if scope.depth or scope.reverse:
        return None
    x = scope.pick(FLOATS, where=lambda v: v.aval.rank == 2)
    return None if x is None else ((x,), {})


def _draw_tag(scope: Scope) -> Drawn:
    drawn = _draw_outermost(scope)
    if drawn is None:
        return None
    return drawn[0], {"stage": scope.stream.choice(("encoder", "decoder", "loss", "head"))}


def _statement(name: str, *templates: str) -> Op:
    return Op(name, "effect", spell(*templates), reverse=False, effect=True)


def _typed_by_family(name: str, *templates: str) -> Op:
    return Op(name, "boundary", spell(*templates), reverse=False)


OPS = (
    Op("device_put", "boundary", spell("jax.device_put({0})"), _same, _draw_value),
    Op("copy", "boundary", spell("jnp.copy({0})"), _same, _draw_value),
    Op("layout_constraint", "boundary", spell("with_layout_constraint({0}, Layout((1, 0)))"),
       _infer_layout, _draw_layout, reverse=False),
    Op("set_xla_metadata", "boundary", spell("set_xla_metadata({0}{kw})"), _same, _draw_tag,
       reverse=False),
    _typed_by_family("to_host", "jax.device_put({0}, jax.memory.Space.Host)"),
    _typed_by_family("to_device", "jax.device_put({0}, jax.memory.Space.Device)"),
    _typed_by_family("empty", "lax.empty({shape}, {dtype})"),
    _typed_by_family(
        "pure_callback",
        "jax.pure_callback({0}, jax.ShapeDtypeStruct({shape}, {dtype}), {*1}{kw})"),
    _typed_by_family(
        "io_callback", "io_callback({0}, jax.ShapeDtypeStruct({shape}, {dtype}), {*1})"),
    _typed_by_family("call_exported", "{0}.call({*1})"),
    _typed_by_family("ffi_potrf", "{0}({1}, {uplo})"),
    _typed_by_family("checkify", "checkify.checkify({0})({*1})"),
    _statement("check", "checkify.check({0}, {message})"),
    _statement("debug_print", "jax.debug.print({message}, {*0})"),
    _statement("debug_callback", "jax.debug.callback({0}, {*1})"),
    _statement("inspect_sharding", "jax.debug.inspect_array_sharding({0}, callback=print)"),
    _statement("dce_sink", "lax.dce_sink({0})"),
    _typed_by_family("new_ref", "jax.new_ref({0})"),
    _typed_by_family("freeze", "jax.freeze({0})"),
    _typed_by_family("ref_get", "{0}[{subscript}]"),
    _typed_by_family("ref_swap", "jax.ref.swap({0}, ..., {1})"),
    _typed_by_family("ref_get_block", "{0}[pl.ds({1}, {size})]"),
    _statement("ref_set_block", "{0}[pl.ds({1}, {size})] = {2}"),
    _statement("ref_set", "{0}[{subscript}] = {1}"),
    _statement("ref_add", "{0}[{subscript}] += {1}"),
    _statement("ref_addupdate", "jax.ref.addupdate({0}, ..., {1})"),
    _statement("ref_loop", "lax.fori_loop(0, {upper}, {0}, None)"),
    _typed_by_family("program_id", "pl.program_id({axis})"),
    _typed_by_family("multiple_of", "pl.multiple_of({0} * {size}, {size})"),
    _typed_by_family("pl_broadcast_to", "pl.broadcast_to({0}, {shape})"),
    _typed_by_family(
        "pallas_call",
        "pl.pallas_call({0}, out_shape=jax.ShapeDtypeStruct({shape}, {dtype}){kw})({*1})"),
    _typed_by_family("run_state", "pl.run_state({0})({1})"),
)  # fmt: skip
