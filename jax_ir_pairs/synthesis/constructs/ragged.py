"""Constructs over rows of different lengths: masks, segments, packed sequences, runs, caches."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.lookups import ALL, default_float, filled, indices, vmapped
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Mix, cast
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_FAR = -1e4
"""What a masked place holds before a maximum or a softmax."""


def _padded(scope: Scope) -> tuple[Var, Var]:
    """Gives a batch of padded rows, and the mask of what is no padding."""
    x = default_float(scope, scope.stream.choice((2, 2, 3)), "x")
    lengths = indices(scope, x.aval.shape[:1], "lengths", "num_valid", dtype=scope.int_dtype)
    mask = scope.let("length_mask", lengths, n=x.aval.shape[1], role="mask")
    return x, mask if x.aval.rank == 2 else part_of(scope, mask, Ellipsis, None)


def masked(scope: Scope, budget: int, mix: Mix) -> None:
    """Mean, maximum, softmax or sum of the rows, padding left out."""
    x, mask = _padded(scope)
    way = scope.stream.choice(("mean", "mean", "max", "softmax", "sum", "std"))
    if way in ("max", "softmax"):
        held = scope.let("where", mask, x, Literal(_FAR))
        if way == "max":
            scope.let("max", held, axis=1)
        else:
            scope.let("softmax", held, axis=1)
        return
    kept = scope.let("where", mask, x, Literal(0.0))
    total = scope.let("sum", kept, axis=1)
    if way == "sum":
        return
    counts = scope.let("sum", scope.let("astype", mask, dtype=scope.float_dtype), axis=1)
    counts = scope.let("maximum", counts, Literal(1.0), role="counts")
    mean = scope.let("div", total, counts)
    if way == "std":
        off = scope.let("sub", x, scope.let("expand_dims", mean, axis=1))
        square = scope.let("where", mask, scope.let("square", off), Literal(0.0))
        scope.let("div", scope.let("sum", square, axis=1), counts)


def packed_attention(scope: Scope, budget: int, mix: Mix) -> None:
    """Attention over sequences packed into one, each seeing only itself and its past."""
    x = default_float(scope, 2, "x")
    n, width = x.aval.shape
    segments = indices(scope, (n,), "segment_ids", "segments")
    mask = scope.let("equal", part_of(scope, segments, ALL, None),
                     part_of(scope, segments, None, ALL), role="mask")  # fmt: skip
    if scope.stream.chance(0.6):
        if scope.stream.chance(0.6):
            past = scope.let("causal_mask", n=n)
        else:
            past = scope.let("order_mask", n=n, m=n)
        mask = scope.let("logical_and", mask, past, role="mask")
    scores = scope.let("einsum", x, x, pattern="ij,kj->ik", role="scores")
    scores = scope.let("div", scores, Literal(round(width**0.5, 4)))
    weights = scope.let("softmax", scope.let("where", mask, scores, Literal(_FAR)), axis=-1)
    scope.let("matmul", weights, x)


def _segments(scope: Scope) -> tuple[Var, Var, int]:
    x = default_float(scope, scope.stream.choice((1, 2)), "x")
    ids = indices(scope, x.aval.shape[:1], "segment_ids", "groups", "batch_idx")
    return x, ids, scope.stream.choice((4, 4, 6, 8))


def segment_softmax(scope: Scope, budget: int, mix: Mix) -> None:
    """A softmax within each segment, as graph attention has it."""
    x, ids, count = _segments(scope)
    tops = scope.let("segment_max_above", x, ids, num_segments=count)
    top = scope.let("gather", tops, ids)
    shifted = Var(x.type, (-16.0, 0.0))
    scope.bind("sub", (x, top), {}, shifted)
    e = scope.let("exp", shifted, role="e")
    total = scope.let("segment_sum", e, ids, num_segments=count)
    below = Var(x.type, (1.0, float(x.aval.shape[0])))
    scope.bind("gather", (total, ids), {}, below)
    out = Var(x.type, (0.0, 1.0))
    scope.bind("div", (e, below), {}, out)


def segment_centered(scope: Scope, budget: int, mix: Mix) -> None:
    """Values less the mean of their segment, or the range of each segment."""
    x, ids, count = _segments(scope)
    if scope.stream.chance(0.4):
        high = scope.let("segment_max_above", x, ids, num_segments=count)
        low = scope.let("segment_min_below", x, ids, num_segments=count)
        scope.let("sub", high, low)
        return
    total = scope.let("segment_sum", x, ids, num_segments=count)
    ones = scope.let("ones", shape=x.aval.shape)
    sizes = scope.let("segment_sum", ones, ids, num_segments=count)
    mean = scope.let("div", total, scope.let("maximum", sizes, Literal(1.0)), role="means")
    scope.let("sub", x, scope.let("gather", mean, ids))


def ragged_positions(scope: Scope, budget: int, mix: Mix) -> None:
    """The row of each element of ragged rows laid end to end, and its position there."""
    rows, total = scope.stream.choice((3, 4, 6)), scope.stream.choice((8, 12, 16))
    lengths = indices(scope, (rows,), "lengths", "row_lengths", dtype=scope.int_dtype)
    ends = Var(lengths.type, (0, 3 * rows), "ends")
    scope.bind("cumsum", (lengths,), {"axis": 0}, ends)
    starts = scope.let("sub", ends, lengths, role="starts")
    ids = scope.let("repeat_by", scope.let("arange", n=rows), lengths, role="row_ids",
                    axis=0, total_repeat_length=total)  # fmt: skip
    place = scope.let("arange", n=total)
    position = scope.let("sub", place, scope.let("gather", starts, ids), role="positions")
    values = scope.input(Aval(scope.float_dtype, (total, 4)), "values")
    if scope.stream.chance(0.5):
        scope.let("segment_sum", values, ids, num_segments=rows)
        return
    dense = scope.let("zeros", shape=(rows, total, 4))
    scope.let("at_pairs", dense, ids, position, values, method="set", mode="drop")


def runs(scope: Scope, budget: int, mix: Mix) -> None:
    """Number, length and values of the runs of equal elements."""
    n = scope.stream.choice((6, 8, 12, 16))
    x = indices(scope, (n,), "labels", "codes", "x")
    changed = scope.let("not_equal", part_of(scope, x, slice(1, None)),
                        part_of(scope, x, slice(None, -1)), role="changed")  # fmt: skip
    steps = scope.let("pad", cast(scope, changed, "i32"), pad_width=((1, 0),))
    ids = Var(Aval("i32", (n,)), (0, n - 1), "run_ids")
    scope.bind("cumsum", (steps,), {"axis": 0}, ids)
    start = scope.let("zeros", shape=(n,), dtype="i32")
    lengths = scope.let("at_rows", start, ids, Literal(1), method="add", role="run_lengths")
    if scope.stream.chance(0.6):
        scope.let("gather", lengths, ids)
        return
    scope.let("at_rows", start, ids, x, method="set")
    scope.let("max", lengths)


def ring_buffer(scope: Scope, budget: int, mix: Mix) -> None:
    """A row written over the oldest of a buffer, and what is read of it."""
    side = scope.stream.choice((4, 6, 8))
    width = scope.side()
    aval = Aval(scope.float_dtype, (side, width))
    cache, new = scope.input(aval, "buffer"), scope.input(aval.with_shape(width), "new")
    step = scope.input(Aval(scope.int_dtype), scope.stream.choice(("step", "pos", "t")), (0, 3))
    place = scope.let("remainder", step, Literal(side), role="slot")
    if scope.stream.chance(0.5):
        row = scope.let("expand_dims", new, axis=0)
        cache = scope.let("dynamic_update_slice_nd", cache, row, (place, Literal(0)),
                          role="buffer")  # fmt: skip
    else:
        cache = scope.let("at_rows", cache, place, new, method="set", role="buffer")
    count = scope.let("minimum", scope.let("add", step, Literal(1)), Literal(side))
    filled_mask = scope.let("less", scope.let("arange", n=side), count, role="filled")
    kept = scope.let("where", part_of(scope, filled_mask, ALL, None), cache, Literal(0.0))
    way = scope.stream.choice(("mean", "attend", "function"))
    if way == "mean":
        total = scope.let("sum", kept, axis=0)
        scope.let("div", total, scope.let("maximum", cast(scope, count, scope.float_dtype),
                                          Literal(1.0)))  # fmt: skip
    elif way == "attend":
        scores = scope.let("matmul", cache, new)
        scores = scope.let("where", filled_mask, scores, Literal(_FAR))
        scope.let("matmul", scope.let("softmax", scores, axis=-1), cache)
    else:
        function, value = filled(scope, [Var(aval.with_shape(width), kept.bounds, "row")],
                                 budget, mix, "per_row")  # fmt: skip
        out = Aval(value.aval.dtype, (side, *value.aval.shape))
        if out.size > 4096:
            raise IllTyped("rows are too large")
        scope.bind("apply", (vmapped(function), kept), {}, Var(out, value.bounds))
