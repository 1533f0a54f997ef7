"""Indexing: lookups, scatters, ragged rows, sliding windows, pooling, and loops that write."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs import lookups, ragged
from jax_ir_pairs.synthesis.constructs.lookups import ALL, default_float, filled, indices, vmapped
from jax_ir_pairs.synthesis.graph import Code, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, cast, conform, one_of, within
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.windows import window_side
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

CARRY: Bounds = (-4.0, 4.0)
_NEGATIVE, _POSITIVE = Code("-jnp.inf"), Code("jnp.inf")


def _bounded(scope: Scope, aval: Aval, bounds: Bounds) -> Var:
    if aval.size > MAX_ELEMENTS:
        raise IllTyped("too large")
    return Var(aval, bounds)


def _sliding_windows(scope: Scope, budget: int, mix: Mix) -> None:
    """A function over all windows of a sequence: by vmap of a slice, or by a matrix of indices."""
    x = default_float(scope, scope.stream.choice((1, 1, 2)), "x")
    side = x.aval.shape[0]
    if side < 4:
        raise IllTyped("too short for windows")
    width, stride = scope.stream.integer(2, min(4, side - 1)), scope.stream.choice((1, 1, 2))
    count = (side - width) // stride + 1
    window = Var(x.aval.with_shape(width, *x.aval.shape[1:]), x.bounds, "window")
    starts = scope.let("arange", n=count, role="starts")
    if stride > 1:
        starts = scope.let("mul", starts, Literal(stride), role="starts")
    if scope.stream.chance(0.5):
        i = Var(Aval(scope.int_dtype), (0, side), "i")
        body = scope.nested([i], [x])
        part = body.let("dynamic_slice", x, i, slice_size=width, axis=0, role="window")
        function, value = filled(body, [window], budget, mix, "per_window")
        y = Var(value.type, value.bounds)
        body.bind("apply", (function, part), {}, y)
        out = _bounded(scope, Aval(y.aval.dtype, (count, *y.aval.shape)), y.bounds)
        scope.bind("apply", (vmapped(body.close("at", y)), starts), {}, out)
        return
    inside = scope.let("arange", n=width)
    places = scope.let("add", part_of(scope, starts, ALL, None), inside, role="idx")
    windows = scope.let("gather", x, places, role="windows")
    function, value = filled(scope, [window], budget, mix, "per_window")
    out = _bounded(scope, Aval(value.aval.dtype, (count, *value.aval.shape)), value.bounds)
    scope.bind("apply", (vmapped(function), windows), {}, out)


def _crops(scope: Scope, budget: int, mix: Mix) -> None:
    """A crop of each image, at offsets of its own."""
    batch, side = scope.stream.choice((2, 4)), scope.stream.choice((6, 8, 10))
    size, channels = scope.stream.choice((3, 4)), scope.stream.choice((1, 3))
    images = scope.input(Aval(scope.float_dtype, (batch, side, side, channels)), "images")
    offsets = indices(scope, (batch, 2), "offsets", "corners", dtype=scope.int_dtype)
    image = Var(images.aval.with_shape(*images.aval.shape[1:]), images.bounds, "image")
    offset = Var(offsets.aval.with_shape(2), offsets.bounds, "offset")
    body = scope.nested([image, offset])
    starts: tuple[Any, ...] = (part_of(body, offset, 0), part_of(body, offset, 1), Literal(0))
    crop = body.let("dynamic_slice_nd", image, starts, slice_sizes=(size, size, channels))
    function, value = filled(body, [Var(crop.type, crop.bounds, "patch")], budget, mix, "per_patch")
    y = Var(value.type, value.bounds)
    body.bind("apply", (function, crop), {}, y)
    out = _bounded(scope, Aval(y.aval.dtype, (batch, *y.aval.shape)), y.bounds)
    scope.bind("apply", (vmapped(body.close("crop", y)), images, offsets), {}, out)


def _im2col(scope: Scope, budget: int, mix: Mix) -> None:
    """A convolution as a product with patches."""
    batch, side = scope.stream.choice((1, 2)), scope.stream.choice((5, 6, 8))
    channels, size = scope.stream.choice((1, 2, 3)), scope.stream.choice((2, 3))
    x = scope.input(Aval(scope.float_dtype, (batch, channels, side, side)), "images")
    patches = scope.let("conv_patches", x, filter_shape=(size, size), window_strides=(1, 1),
                        padding="VALID", role="patches")  # fmt: skip
    features, count = patches.aval.shape[1], patches.aval.shape[2]
    columns = scope.let("reshape", patches, shape=(batch, features, count * count), role="columns")
    w = scope.input(Aval(scope.float_dtype, (4, features)), scope.stream.choice(("w", "filters")))
    out = scope.let("matmul", w, columns)
    scope.let("reshape", out, shape=(batch, 4, count, count))


def _pooling(scope: Scope) -> tuple[Var, dict[str, Any], Aval]:
    """Gives images, the parameters of a max pool over them, and the aval of its result."""
    side, channels = scope.stream.choice((4, 6, 8)), scope.stream.choice((1, 3, 4))
    images = scope.input(Aval(scope.float_dtype, (2, side, side, channels)), "images")
    size, step = scope.stream.choice(((2, 2), (3, 2), (3, 1)))
    params: dict[str, Any] = {
        "init": _NEGATIVE, "window_dimensions": (1, size, size, 1),
        "window_strides": (1, step, step, 1), "padding": scope.stream.choice(("VALID", "SAME")),
    }  # fmt: skip
    count = window_side(side, size, step, params["padding"])
    return images, params, images.aval.with_shape(2, count, count, channels)


def _pooled_gradient(scope: Scope, budget: int, mix: Mix) -> None:
    """The gradient of a max pool, and on demand the derivative of that along a direction."""
    images, params, _ = _pooling(scope)
    x = Var(images.type, images.bounds, "x")
    body = scope.nested([x], reverse=True)
    way = "min_pool" if scope.stream.chance(0.15) else "max_pool"
    pooled = body.let(way, x, **{**params, "init": _POSITIVE if way == "min_pool" else _NEGATIVE})
    smooth = body.let(body.stream.choice(("square", "tanh", "sin", "sigmoid")), pooled)
    loss = body.close("loss", body.let(body.stream.choice(("sum", "mean")), smooth))
    gradient = Transformed("grad", loss)
    bounds = (-50.0, 50.0)
    if scope.stream.chance(0.35):
        direction = scope.input(images.type, "v")
        outs = (Var(images.type, bounds, "grads"), Var(images.type, bounds, "hvp"))
        scope.bind("jvp", (gradient, (images,), (direction,)), {}, outs)
    else:
        scope.bind("apply", (gradient, images), {}, Var(images.type, bounds, "grads"))


def _pooled_tangent(scope: Scope, budget: int, mix: Mix) -> None:
    """A max pool and its derivative along a direction."""
    images, params, aval = _pooling(scope)
    x = Var(images.type, images.bounds, "x")
    body = scope.nested([x])
    pooled = body.let("max_pool", x, **params)
    if body.stream.chance(0.5):
        pooled = body.let(body.stream.choice(("tanh", "square", "sin")), pooled)
    function = body.close("pool", pooled)
    direction = scope.input(images.type, scope.stream.choice(("v", "tangent")))
    outs = (Var(aval, pooled.bounds), Var(aval, (-50.0, 50.0)))
    scope.bind("jvp", (function, (images,), (direction,)), {}, outs)


def _window_statistics(scope: Scope, budget: int, mix: Mix) -> None:
    """The mean and the variance within windows, and values standardized by them."""
    x = default_float(scope, scope.stream.choice((1, 2)), scope.stream.choice(("x", "signal")))
    if x.aval.shape[-1] < 4:
        raise IllTyped("too short for windows")
    size, ones = scope.stream.choice((2, 3)), (1,) * (x.aval.rank - 1)
    window: dict[str, Any] = {
        "window_dimensions": (*ones, size), "window_strides": (*ones, scope.stream.choice((1, 2))),
        "padding": "VALID", "count": size,
    }  # fmt: skip
    mean = scope.let("mean_pool", x, **window, role="mean")
    square = scope.let("mean_pool", scope.let("square", x), **window, role="mean_sq")
    variance = scope.let("sub", square, scope.let("square", mean), role="var")
    if scope.stream.chance(0.5):
        held = scope.let("add", scope.let("maximum", variance, Literal(0.0)), Literal(1e-3))
        scope.let("div", mean, scope.let("sqrt", held))


def _written_rows(scope: Scope, budget: int, mix: Mix) -> None:
    """A loop that writes one row a step, out of the rows before it."""
    rows, width = scope.stream.choice((4, 5, 8)), scope.side()
    aval = Aval(scope.float_dtype, (rows, width))
    start = scope.let("zeros", shape=aval.shape)
    first = within(scope, default_float(scope, 1), CARRY)
    if first.aval.shape != (width,):
        first = scope.input(aval.with_shape(width), "x0")
    start = scope.let("at", start, first, parts=(0,), subscript="0", method="set", role="table")
    i, table = Var(Aval(scope.int_dtype), (1, rows), "i"), Var(aval, CARRY, "table")
    body = scope.nested([i, table])
    before = body.let("gather", table, body.let("sub", i, Literal(1)), role="prev")
    function, value = filled(body, [Var(before.type, CARRY, "row")], budget, mix, "update_row")
    new = Var(value.type, value.bounds)
    body.bind("apply", (function, before), {}, new)
    new = within(body, conform(body, new, before.aval), CARRY)
    if scope.stream.chance(0.4):
        new = within(
            body, body.let("minimum", new, body.let("roll", before, shift=1, axis=0)), CARRY
        )
    written = body.let("at_rows", table, i, new, method="set")
    step = body.close(scope.stream.choice(("body", "fill_row")), written)
    scope.bind("fori_loop", (step, start), {"lower": 1, "upper": rows}, Var(aval, CARRY, "table"))


def _edit_distance(scope: Scope, budget: int, mix: Mix) -> None:
    """The table of distances between the heads of two strings."""
    n, m = scope.stream.choice((3, 4, 5)), scope.stream.choice((3, 4, 6))
    a, b = indices(scope, (n,), "a", "source"), indices(scope, (m,), "b", "target")
    start = cast(scope, scope.let("arange", n=m + 1), "f32")
    row = Var(start.type, (0.0, 20.0), "row")
    char = Var(a.aval.with_shape(), a.bounds, "char")
    body = scope.nested([row, char], [b])
    cost = body.let("astype", body.let("not_equal", b, char), dtype="f32", role="cost")
    change = body.let("add", part_of(body, row, slice(None, -1)), cost)
    delete = body.let("add", part_of(body, row, slice(1, None)), Literal(1.0))
    best = body.let("minimum", change, delete, role="best")
    first = body.let("add", part_of(body, row, slice(None, 1)), Literal(1.0))
    joined = body.let("concatenate", (first, best), axis=0)
    # An insertion costs one a step: the least of what stands before, less the distance to it.
    steps = cast(body, body.let("arange", n=m + 1), "f32")
    lowest = body.let("cummin", body.let("sub", joined, steps), axis=0)
    new = Var(start.type, (0.0, 20.0))
    body.bind("add", (lowest, steps), {}, new)
    step = body.close("step", (new, new))
    last = Var(start.type, (0.0, 20.0), "last")
    table = Var(start.aval.with_shape(n, m + 1), (0.0, 20.0), "table")
    scope.bind("scan", (step, start, a), {}, (last, table))
    if scope.stream.chance(0.6):
        part_of(scope, last, -1, role="distance")


def _counts(scope: Scope, budget: int, mix: Mix) -> None:
    """Counts gathered one element at a time by a scan, and the running rank of each element."""
    xs = indices(scope, (scope.stream.choice((6, 8, 12)),), "tokens", "labels")
    zeros = scope.let("zeros", shape=(scope.stream.choice((4, 6)),), dtype="i32")
    counts, x = Var(zeros.type, (0, 12), "counts"), Var(Aval("i32"), xs.bounds, "token")
    body = scope.nested([counts, x])
    seen = body.let("gather", counts, x, role="seen")
    new = body.let("at_rows", counts, x, Literal(1), method="add")
    step = body.close("count", (new, seen))
    outs = (Var(zeros.type, (0, 12), "counts"), Var(xs.type, (0, 12), "ranks"))
    scope.bind("scan", (step, zeros, xs), {}, outs)


def _pointers(scope: Scope, budget: int, mix: Mix) -> None:
    """Pointers followed for some steps, and the values where they end."""
    x = default_float(scope, scope.stream.choice((1, 2)), "values")
    side, steps = x.aval.shape[0], scope.stream.choice((2, 3, 4))
    parent = indices(scope, (side,), "parent", "next_idx")
    own = Var(parent.type, parent.bounds, "p")
    body = scope.nested([Var(Aval(scope.int_dtype), (0, steps), "_"), own])
    jump = body.close("jump", body.let("gather", own, own))
    root = Var(parent.type, (0, max(3, side - 1)), "root")
    scope.bind("fori_loop", (jump, parent), {"lower": 0, "upper": steps}, root)
    rows = scope.let("gather", x, root)
    if scope.stream.chance(0.5):
        scope.let("at_rows", scope.let("array_zeros_like", x), root, rows, method="add")


FAMILY = Family(
    "indexing",
    one_of(
        Form(lookups.embedding, 1.2),
        Form(lookups.bag),
        Form(lookups.one_hot_lookup, 0.6),
        Form(lookups.histogram, reverse=False),
        Form(lookups.sort_and_unsort, 1.2),
        Form(lookups.top_rows),
        Form(lookups.beam_step, 0.8),
        Form(lookups.messages, 1.5),
        Form(lookups.interpolation, 0.8),
        Form(lookups.chosen_log_probs),
        Form(lookups.triangle, 0.8),
        Form(ragged.masked, 1.5),
        Form(ragged.packed_attention),
        Form(ragged.segment_softmax),
        Form(ragged.segment_centered),
        Form(ragged.ragged_positions, 0.8),
        Form(ragged.runs, 0.7, reverse=False),
        Form(ragged.ring_buffer),
        Form(_sliding_windows, 1.5),
        Form(_crops),
        Form(_im2col, 0.6),
        Form(_pooled_gradient, 1.2),
        Form(_pooled_tangent, 0.6, reverse=False),
        Form(_window_statistics, 0.7),
        Form(_written_rows, 1.5),
        Form(_edit_distance, 0.7, reverse=False),
        Form(_counts, 0.7, reverse=False),
        Form(_pointers, 0.7),
    ),
)
