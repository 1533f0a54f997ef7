"""Constructs that look rows up by index: embeddings, orderings, selections, graphs, tables."""

from __future__ import annotations

from jax_ir_pairs.synthesis.graph import Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix, cast, float_value, leaves, use_all
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

ALL = slice(None)


def default_float(scope: Scope, rank: int, role: str = "") -> Var:
    """Gives a value of this rank and of the default dtype, small enough to be computed with."""
    if role and scope.stream.chance(0.3):
        aval = Aval(scope.float_dtype, tuple(scope.side() for _ in range(rank)))
        return scope.input(aval, role)
    x = cast(scope, float_value(scope, rank), scope.float_dtype)
    return x if max(map(abs, x.bounds)) <= 50.0 else scope.let("tanh", x)


def indices(scope: Scope, shape: tuple[int, ...], *roles: str, dtype: str = "i32") -> Var:
    """Gives a new input of indices from 0 to 3."""
    return scope.input(Aval(dtype, shape), scope.stream.choice(roles), (0, 3))


def filled(
    scope: Scope, params: list[Var], budget: int, mix: Mix, role: str, *, dtype: str = ""
) -> tuple[Function, Var]:
    """Gives a function of these parameters with a body of any kind, and its result."""
    body = scope.nested(params)
    mix.fill(body, max(1, budget))
    value = use_all(body, leaves(body, 1)[0], params)
    if value in params:
        value = body.let("tanh" if value.aval.dtype.startswith(("f", "b")) else "abs", value)
    if dtype:
        value = cast(body, value, dtype)
    return body.close(role, value), value


def rows_of(scope: Scope, table: Var, ids: Var) -> Var:
    """Gives the rows of a table, as an index or as `jnp.take`."""
    if scope.stream.chance(0.3):
        return scope.let("take", table, ids, axis=0, mode="clip")
    return scope.let("gather", table, ids)


def _table(scope: Scope) -> Var:
    table = default_float(scope, 2, scope.stream.choice(("table", "embeddings", "emb")))
    if table.aval.shape[0] < 4:
        raise IllTyped("a short table")
    return table


def embedding(scope: Scope, budget: int, mix: Mix) -> None:
    """Token embeddings, and their mean over what is no padding."""
    table = _table(scope)
    tokens = indices(scope, (scope.side(), scope.stream.choice((3, 4, 6, 8))), "tokens", "ids")
    rows = rows_of(scope, table, tokens)
    mask = scope.let("not_equal", tokens, Literal(0), role="mask")
    weights = scope.let("expand_dims", scope.let("astype", mask, dtype=scope.float_dtype), axis=-1)
    masked = scope.let("mul", rows, weights)
    way = scope.stream.choice(("none", "mean", "sum", "position"))
    if way == "position":
        places = scope.let("arange", n=tokens.aval.shape[1])
        if tokens.aval.shape[1] > table.aval.shape[0]:
            raise IllTyped("a short table")
        scope.let("add", masked, rows_of(scope, table, places))
    elif way != "none":
        total = scope.let("sum", masked, axis=1)
        if way == "mean":
            count = scope.let("maximum", scope.let("sum", weights, axis=1), Literal(1.0))
            scope.let("div", total, count)


def bag(scope: Scope, budget: int, mix: Mix) -> None:
    """Sums or means of embeddings by bag."""
    table, count, bags = _table(scope), scope.side(), scope.stream.choice((2, 4, 8))
    ids, owners = indices(scope, (count,), "ids", "items"), indices(scope, (count,), "bags")
    rows = rows_of(scope, table, ids)
    if scope.stream.chance(0.4):
        weights = scope.input(Aval(scope.float_dtype, (count,)), "weights")
        rows = scope.let("mul", rows, part_of(scope, weights, ALL, None))
    pooled = scope.let("segment_sum", rows, owners, num_segments=bags)
    if scope.stream.chance(0.5):
        ones = scope.let("ones", shape=(count,))
        sizes = scope.let("segment_sum", ones, owners, num_segments=bags)
        sizes = scope.let("maximum", sizes, Literal(1.0))
        scope.let("div", pooled, part_of(scope, sizes, ALL, None))


def one_hot_lookup(scope: Scope, budget: int, mix: Mix) -> None:
    """A lookup as a product with one-hot vectors."""
    table, count = _table(scope), scope.side()
    shape = (count, 4) if scope.stream.chance(0.3) else (count,)
    ids = indices(scope, shape, "ids", "labels")
    scope.let("matmul", scope.let("one_hot", ids, num_classes=table.aval.shape[0]), table)


def bins_of(scope: Scope, x: Var, count: int) -> Var:
    """Gives the bin of each value, of `count` bins over what ordinary values lie within."""
    low, high = min(0.0, max(x.bounds[0], -4.0)), min(x.bounds[1], 4.0)
    if high - low < 1e-3:
        raise IllTyped("no range to divide")
    shifted = scope.let("add", x, Literal(-round(low, 2))) if low < 0 else x
    scaled = scope.let("mul", shifted, Literal(round(count / (high - low), 3)))
    whole = scope.let("astype", scope.let("floor", scaled), dtype="i32")
    return scope.let("clip", whole, low=0, high=count - 1, role="bins")


def histogram(scope: Scope, budget: int, mix: Mix) -> None:
    """Counts, or sums of weights, by bin."""
    x, count = default_float(scope, 1), scope.stream.choice((4, 8, 10, 16))
    bins = bins_of(scope, x, count)
    if scope.stream.chance(0.4):
        weights = scope.pick(where=lambda v: v.aval == x.aval and v is not x) or x
        scope.let("at_rows", scope.let("zeros", shape=(count,)), bins, weights, method="add")
        return
    start = scope.let("zeros", shape=(count,), dtype="i32")
    counts = scope.let("at_rows", start, bins, Literal(1), method="add", role="counts")
    if scope.stream.chance(0.5):
        scope.let("cumsum", scope.let("div", cast(scope, counts, scope.float_dtype),
                                      Literal(float(x.aval.size))), axis=0)  # fmt: skip


def _inverse(scope: Scope, order: Var) -> Var:
    if scope.stream.chance(0.5):
        return scope.let("argsort", order, axis=-1, role="inverse")
    places = scope.let("arange", n=order.aval.size)
    start = scope.let("array_zeros_like", order)
    return scope.let("at_rows", start, order, places, method="set", role="inverse")


def sort_and_unsort(scope: Scope, budget: int, mix: Mix) -> None:
    """Rows sorted by a key, worked on in that order, and put back into the old order."""
    x = default_float(scope, scope.stream.choice((1, 2)))
    key = x if x.aval.rank == 1 else part_of(scope, x, ALL, 0, role="key")
    order = scope.let("argsort", key, axis=-1, role="order")
    ordered = scope.let("gather", x, order, role="ordered")
    way = scope.stream.choice(("cumsum", "function", "function"))
    if way == "cumsum":
        worked = scope.let("cumsum", ordered, axis=0)
    else:
        parameter = Var(ordered.type, ordered.bounds, "rows")
        function, value = filled(scope, [parameter], budget, mix, "process")
        if value.aval.shape[:1] != x.aval.shape[:1]:
            raise IllTyped("rows are gone")
        worked = Var(value.type, value.bounds)
        scope.bind("apply", (function, ordered), {}, worked)
    if way == "cumsum" and scope.stream.chance(0.3):
        start = scope.let("array_zeros_like", worked)
        scope.let("at_rows", start, order, worked, method="set")
        return
    scope.let("gather", worked, _inverse(scope, order))


def top_rows(scope: Scope, budget: int, mix: Mix) -> None:
    """The rows of the highest scores, and their weighted mean."""
    x = default_float(scope, 2, "x")
    scores = scope.let("mean" if scope.stream.chance(0.5) else "max", x, axis=-1, role="scores")
    k = scope.stream.integer(1, min(4, x.aval.shape[0]))
    values, places = scope.let_all("lax_top_k", scores, k=k, roles=("values", "idx"))
    rows = scope.let("gather", x, places)
    if scope.stream.chance(0.6):
        weights = scope.let("softmax", values, axis=-1)
        scope.let("matmul", weights, rows)
    else:
        scope.let("at_rows", x, places, Literal(0.0), method="set")


def beam_step(scope: Scope, budget: int, mix: Mix) -> None:
    """One step of a beam search: the best continuations, and the states that they come from."""
    batch, beams, vocab = scope.stream.choice((2, 4)), scope.stream.choice((2, 3)), scope.side()
    aval = Aval(scope.float_dtype, (batch, beams, vocab))
    logits, scores = (
        scope.input(aval, "logits"),
        scope.input(aval.with_shape(batch, beams), "scores"),
    )
    log_probs = scope.let("log_softmax", logits, axis=-1)
    total = scope.let("add", part_of(scope, scores, Ellipsis, None), log_probs)
    flat = scope.let("reshape", total, shape=(batch, beams * vocab))
    _, places = scope.let_all("lax_top_k", flat, k=beams, roles=("best", "flat_idx"))
    beam = scope.let("floor_divide", places, Literal(vocab), role="beam_idx")
    scope.let("remainder", places, Literal(vocab), role="tokens")
    state = scope.input(aval.with_shape(batch, beams, scope.stream.choice((4, 8))), "state")
    wide = part_of(scope, beam, ALL, ALL, None)
    wide = scope.let("broadcast_to", wide, shape=state.aval.shape)
    scope.let("take_along_axis", state, wide, axis=1)


def messages(scope: Scope, budget: int, mix: Mix) -> None:
    """Messages along the edges of a graph, gathered at their receivers."""
    nodes = default_float(scope, 2, "nodes")
    count = nodes.aval.shape[0]
    edges = (scope.stream.choice((4, 8, 16)),)
    senders, receivers = indices(scope, edges, "senders", "src"), indices(scope, edges, "receivers")
    sent = scope.let("gather", nodes, senders, role="sent")
    if scope.stream.chance(0.5):
        received = scope.let("gather", nodes, receivers)
        sent = scope.let(scope.stream.choice(("sub", "add", "maximum")), sent, received)
    parameter = Var(sent.type.with_shape(*sent.aval.shape[1:]), sent.bounds, "edge")  # type: ignore[union-attr]
    function, value = filled(scope, [parameter], budget, mix, "message", dtype=scope.float_dtype)
    out = Var(Aval(value.aval.dtype, (*edges, *value.aval.shape)), value.bounds)
    if out.aval.size > 4096:
        raise IllTyped("messages are too large")
    scope.bind("apply", (vmapped(function), sent), {}, out)
    if scope.stream.chance(0.5):
        pooled = scope.let("segment_sum", out, receivers, num_segments=count)
    else:
        start = scope.let("zeros", shape=(count, *value.aval.shape))
        method = scope.stream.choice(("add", "add", "max"))
        pooled = scope.let("at_rows", start, receivers, out, method=method)
    if pooled.aval == nodes.aval and scope.stream.chance(0.6):
        scope.let("add", nodes, pooled)


def vmapped(function: Function) -> Transformed:
    """Gives the function over the leading axis."""
    return Transformed("vmap", function)


def interpolation(scope: Scope, budget: int, mix: Mix) -> None:
    """Linear interpolation in a table of values."""
    table = default_float(scope, 1, "table")
    side = table.aval.shape[0]
    x = default_float(scope, scope.stream.choice((1, 2)))
    place = scope.let(
        "clip", scope.let("mul", x, Literal(2.0)), low=0.0, high=round(side - 1.001, 3)
    )
    whole = scope.let("floor", place)
    low = scope.let("astype", whole, dtype="i32", role="lo")
    frac = scope.let("sub", place, whole, role="frac")
    right = scope.let("gather", table, scope.let("add", low, Literal(1)))
    left = scope.let("gather", table, low)
    if scope.stream.chance(0.5):
        step = scope.let("sub", right, left)
        scope.let("add", left, scope.let("mul", frac, step))
        return
    kept = scope.let("mul", scope.let("sub", Literal(1.0), frac), left)
    scope.let("add", kept, scope.let("mul", frac, right))


def chosen_log_probs(scope: Scope, budget: int, mix: Mix) -> None:
    """The log-probability of each label, out of all classes."""
    logits = default_float(scope, scope.stream.choice((2, 3)), "logits")
    labels = indices(scope, logits.aval.shape[:-1], "labels", "targets")
    log_probs = scope.let("log_softmax", logits, axis=-1)
    if logits.aval.rank == 2 and scope.stream.chance(0.4):
        rows = scope.let("arange", n=logits.aval.shape[0])
        picked = scope.let("gather_pairs", log_probs, cast(scope, rows, "i32"), labels)
    else:
        wide = part_of(scope, labels, Ellipsis, None)
        # Past the last class, take_along_axis fills with NaN unless told to clip.
        picked = scope.let("take_along_axis", log_probs, wide, axis=-1, mode="clip")
        picked = scope.let("squeeze", picked, axis=-1)
    scope.let("negative", scope.let("mean", picked))


def triangle(scope: Scope, budget: int, mix: Mix) -> None:
    """The upper triangle of a matrix packed into a vector, and back into a symmetric matrix."""
    n = scope.stream.choice((3, 4, 5, 6))
    matrix = scope.input(Aval(scope.float_dtype, (n, n)), scope.stream.choice(("a", "matrix")))
    way = scope.stream.choice(("tril", "triu"))
    diagonal = {"k": 1 if way == "triu" else -1} if scope.stream.chance(0.5) else {}
    rows, columns = scope.let_all("triangle_indices", n=n, method=way, **diagonal,
                                  roles=("rows", "cols"))  # fmt: skip
    packed = scope.let("gather_pairs", matrix, rows, columns, role="packed")
    packed = scope.let(scope.stream.choice(("tanh", "square", "sin")), packed)
    start = scope.let("zeros", shape=(n, n))
    full = scope.let("at_pairs", start, rows, columns, packed, method="set", unique_indices=True)
    if scope.stream.chance(0.7):
        scope.let("add", full, scope.let("matrix_transpose", full))
