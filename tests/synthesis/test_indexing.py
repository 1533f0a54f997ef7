"""Subscripts, updates and scatters, and the constructs that people write around them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.synthesis.growth import draw_aval
from jax_ir_pairs.synthesis.op import IllTyped, Op
from jax_ir_pairs.synthesis.ops import (
    TABLE,
    convolutions,
    dynamic_slices,
    gathers,
    scatters,
    updates,
    windows,
)
from jax_ir_pairs.synthesis.ops.indexing import Index, draw_parts, indexed_shape, subscript
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, to_json
from tests.synthesis.tracing import draw_graph, only, primitives, shown, traced_as_built

WRITES = (*updates.OPS, *gathers.OPS, *dynamic_slices.OPS, *scatters.OPS, *windows.OPS,
          *convolutions.OPS)  # fmt: skip
FAMILY = only("indexing")


def test_static_subscripts_give_the_shapes_of_numpy() -> None:
    scope = Scope(Stream("parts"), TABLE)
    for shape in ((5,), (4, 6), (3, 1, 5), (2, 7, 3, 4)):
        array = np.zeros(shape)
        for _ in range(200):
            parts = draw_parts(scope, shape)
            try:
                found = indexed_shape(shape, parts)
            except IllTyped:
                continue
            assert found == array[tuple(parts)].shape, subscript(parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parts",
    [
        (Index(1),), (slice(None), Index(1)), (Ellipsis, Index(1)), (Index(1), Index(2)),
        (Index(1), slice(None), Index(2)), (slice(None), Index(1), Index(2)), (0, Index(1)),
        (Index(1), slice(None), 0), (0, slice(1, None), Index(1)), (Index(1), None, Index(2)),
        (Index(1), None), (None, Index(1)), (Index(1), slice(None, None, -1), Index(2)),
    ],
    ids=subscript,
)  # fmt: skip
@pytest.mark.parametrize("index_shape", [(), (2,), (2, 3)], ids=str)
def test_index_arrays_give_the_shapes_of_numpy(parts: Any, index_shape: tuple[int, ...]) -> None:
    array, index = np.zeros((3, 4, 5)), np.zeros(index_shape, int)
    expected = array[tuple(index if isinstance(part, Index) else part for part in parts)].shape
    aval = Aval("i32", index_shape)
    assert indexed_shape(array.shape, parts, {1: aval, 2: aval}) == expected


def test_subscripts_that_do_not_fit_are_ill_typed() -> None:
    for parts in ((0, 0, 0), (4,), (slice(2, 1),), (Ellipsis, 0, 0, 0)):
        with pytest.raises(IllTyped):
            indexed_shape((4, 5), parts)


def _floating_use(op: Op) -> tuple[Program, int] | None:
    """Gives a program that uses the op, all of it differentiable if the op is."""
    for seed in range(200):
        scope = Scope(Stream("derivative", op.name, seed), TABLE, sides=(3, 4, 5))
        scope.reverse = scope.forward = True
        for role in "xy":
            scope.input(draw_aval(scope), role)
        try:
            results = scope.draw(op)
        except IllTyped:
            continue
        if results[0].aval.dtype != "f32":
            continue
        function = scope.close("entry", results[0])
        source, names = render(function, "f", Stream("style", seed))
        types = [var.type for var in function.params]
        inputs = to_json(list(zip(names, types, strict=True)))
        return Program(source, "f", inputs, "", (), ""), seed
    return None


@pytest.mark.parametrize(
    "op", [op for op in WRITES if op.draw and op.reverse], ids=lambda o: o.name
)
def test_gradients_go_through(op: Op) -> None:
    found = _floating_use(op)
    if found is None:
        pytest.skip("no floating result")
    program, seed = found
    function, avals = load(program.python, program.entry_point), abstract_arguments(program.inputs)
    places = [n for n, a in enumerate(avals) if jnp.issubdtype(a.dtype, jnp.floating)]

    def gradients(*arguments: Any) -> Any:
        return jax.grad(lambda *x: jnp.sin(function(*x)).sum(), argnums=places)(*arguments)

    try:
        jax.make_jaxpr(gradients)(*avals)
    except Exception as error:
        raise AssertionError(f"{error}\n{shown(program, seed)}") from error


def test_the_family_traces_as_built_and_reaches_what_it_is_for() -> None:
    reached: set[str] = set()
    for seed in range(250):
        draft = draw_graph(FAMILY, seed)
        program = draft.program()
        jaxpr = traced_as_built(program, draft.entry, seed)
        reached.update(primitives(jaxpr))
    assert reached >= {
        "gather", "scatter", "scatter-add", "scatter-max", "dynamic_slice", "top_k", "sort",
        "dynamic_update_slice", "reduce_window_max", "select_and_scatter_add", "pad",
        "select_and_gather_add", "conv_general_dilated", "cumsum", "cummin", "iota", "scan",
    }  # fmt: skip
