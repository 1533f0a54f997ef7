"""Distributed algorithms: rings, halos, statistics, sums and searches over several devices."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.devices.meshes import (
    Axis,
    Mesh,
    Spec,
    device_body,
    explicit_mesh,
    mesh_of,
    shard_map,
    spec_text,
)
from jax_ir_pairs.synthesis.constructs.devices.networks import calm
from jax_ir_pairs.synthesis.graph import Code, Literal, Var
from jax_ir_pairs.synthesis.growth import Form, Mix, cast, within
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Record

_CALM = (-50.0, 50.0)


def line(scope: Scope) -> tuple[Mesh, Axis, Spec]:
    """Gives a mesh, one of its axes, and the spec that divides rows along it."""
    mesh = mesh_of(scope)
    over = scope.stream.choice(mesh.axes)
    return mesh, over, (over.names,)


def matrix(
    scope: Scope, over: Axis, role: str = "x", *, columns: bool = False, both: bool = False
) -> Var:
    """Gives a floating matrix whose rows, or columns, or both, the axis divides."""
    places = (0, 1) if both else (1,) if columns else (0,)
    x = scope.pick(
        (scope.float_dtype,),
        where=lambda v: v.aval.rank == 2 and not any(v.aval.shape[p] % over.size for p in places),
    )
    if x is None or scope.stream.chance(0.25):
        sides = [
            over.size * scope.stream.choice((1, 2, 2, 4)) if place in places else scope.side()
            for place in (0, 1)
        ]
        x = scope.input(Aval(scope.float_dtype, tuple(sides)), role)
    return within(scope, x, _CALM)


def started(body: Scope, like: Aval, over: Axis, role: str = "") -> Var:
    """Gives zeros for a loop's carry, which differ along the axis from the first step on."""
    checked = body.named_axes.checked
    zeros = body.let("zeros", shape=like.shape, dtype=like.dtype, role="" if checked else role)
    return body.let("pcast", zeros, along=over, to="varying", role=role) if checked else zeros


def _softmax(scope: Scope, budget: int, mix: Mix) -> None:
    """A softmax, or a log-sum-exp, over an axis that the devices share."""
    stream = scope.stream
    mesh, over, _ = line(scope)
    x = matrix(scope, over, "logits", columns=True)
    spec: Spec = ((), over.names)
    body = device_body(scope, mesh, [x], [spec], ["logits"], checked=stream.chance(0.6))
    (logits,) = body.params
    top = body.let("max", logits, axis=-1, keepdims=True)
    if body.reverse or body.forward:
        top = body.let("stop_gradient", top)
    top = body.let("pmax", top, along=over, role=stream.choice(("peak", "m", "max_logit")))
    shifted = body.let("sub", logits, top)
    e, total = Var(x.aval.with_shape(*logits.aval.shape), (0.0, 1.0)), Var(top.type, (1.0, 1e3))
    body.bind("exp", (shifted,), {}, e)
    local = body.let("sum", e, axis=-1, keepdims=True)
    body.bind("psum", (local,), {"along": over}, total)
    if stream.chance(0.7):
        body.bind("div", (e, total), {}, out := Var(e.type, (0.0, 1.0)))
        role, out_spec = stream.choice(("softmax", "sharded_softmax")), spec
    else:
        logs = body.let("log", total)
        body.bind("add", (logs, top), {}, out := Var(top.type, (-60.0, 60.0)))
        role, out_spec = "logsumexp_fn", ()
    shard_map(scope, mesh, body, role, out, [x], [spec], [out_spec])


def _normalize(scope: Scope, budget: int, mix: Mix) -> None:
    """Normalization by the mean and the variance of the batch of all devices."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = matrix(scope, over)
    body = device_body(scope, mesh, [x], [spec], ["x"], checked=stream.chance(0.6))
    (h,) = body.params
    mean = body.let("pmean", body.let("mean", h, axis=0), along=over, role="mean")
    if stream.chance(0.5):
        centered = body.let("sub", h, mean)
        squares = body.let("mean", body.let("square", centered), axis=0)
        variance = body.let("pmean", squares, along=over, role="var")
    else:
        squares = body.let("pmean", body.let("mean", body.let("square", h), axis=0), along=over)
        variance = Var(mean.type, (0.0, 1e4), "var")
        body.bind("sub", (squares, body.let("square", mean)), {}, variance)
        centered = body.let("sub", h, mean)
    scale = Var(mean.type, (0.0, 4.0))
    epsilon = Literal(stream.choice((1e-5, 1e-3)))
    body.bind("rsqrt", (body.let("add", variance, epsilon),), {}, scale)
    out = Var(h.type, (-20.0, 20.0))
    body.bind("mul", (centered, scale), {}, out)
    role = stream.choice(("batch_norm", "sync_batch_norm", "standardize"))
    if stream.chance(0.3):
        shard_map(scope, mesh, body, role, (out, mean), [x], [spec], [spec, ()])
    else:
        shard_map(scope, mesh, body, role, out, [x], [spec], [spec])


def _halo(scope: Scope, budget: int, mix: Mix) -> None:
    """A stencil whose edges come from the neighbours."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = matrix(scope, over, "u")
    body = device_body(scope, mesh, [x], [spec], ["u"], checked=stream.chance(0.5))
    (u,) = body.params
    steps = stream.choice((0, 0, 3, 5, 10))
    periodic = stream.chance(0.6)
    inner = body.nested([Var(Aval(body.int_dtype), (0, 64), "i"), Var(u.type, _CALM, "u")]) \
        if steps else body  # fmt: skip
    new = _stencil(inner, inner.params[-1], over, periodic)
    role = stream.choice(("diffuse", "stencil", "smooth", "heat_step"))
    if steps:
        step = inner.close(stream.choice(("step", "update")), new)
        new = Var(u.type, _CALM)
        body.bind("fori_loop", (step, u), {"lower": 0, "upper": steps}, new)
    shard_map(scope, mesh, body, role, new, [x], [spec], [spec])


def _stencil(body: Scope, u: Var, over: Axis, periodic: bool) -> Var:
    stream, n = body.stream, over.size
    if periodic:
        up, down = f"[(i, (i + 1) % {n}) for i in range({n})]", (
            f"[(i, (i - 1) % {n}) for i in range({n})]")  # fmt: skip
    else:
        up, down = f"[(i, i + 1) for i in range({n - 1})]", f"[(i + 1, i) for i in range({n - 1})]"
    bottom = body.let("getitem", u, parts=(slice(-1, None),), subscript="-1:")
    top = body.let("getitem", u, parts=(slice(None, 1),), subscript=":1")
    before = body.let("ppermute", bottom, along=over, perm=Code(up), role="above")
    after = body.let("ppermute", top, along=over, perm=Code(down), role="below")
    padded = body.let("concatenate", (before, u, after), axis=0, role="padded")
    left = body.let("getitem", padded, parts=(slice(None, -2),), subscript=":-2")
    right = body.let("getitem", padded, parts=(slice(2, None),), subscript="2:")
    sides = body.let("add", left, right)
    rate = stream.choice((0.1, 0.2, 0.25))
    out = Var(u.type, _CALM)
    if stream.chance(0.5):
        part = body.let("mul", sides, Literal(0.25))
        body.bind("add", (part, body.let("mul", u, Literal(0.5))), {}, out)
    else:
        change = body.let("sub", sides, body.let("mul", u, Literal(2.0)))
        body.bind("add", (u, body.let("mul", change, Literal(rate))), {}, out)
    return out


def _search(scope: Scope, budget: int, mix: Mix) -> None:
    """The greatest scores, or the best place, among the parts of all devices."""
    stream = scope.stream
    mesh, over, _ = line(scope)
    x = matrix(scope, over, "scores", columns=True)
    spec: Spec = ((), over.names)
    checked = stream.chance(0.5)
    body = device_body(scope, mesh, [x], [spec], ["scores"], checked=checked)
    (scores,) = body.params
    width = scores.aval.shape[1]
    first = body.let("mul", body.let("axis_index", along=over), Literal(width), role="offset")
    options = {"to": "invarying"} if checked else {}
    k = stream.integer(1, min(width, 3))
    if stream.chance(0.6):
        values, places = body.let_all("top_k", scores, k=k, roles=("vals", "idx"))
        places = body.let("add", places, first)
        gathered = [
            body.let("all_gather", v, along=over, axis=1, tiled=True, **options)
            for v in (values, places)
        ]
        top, order = body.let_all("top_k", gathered[0], k=k)
        best = body.let("take_along_axis", gathered[1], order, axis=1)
        shard_map(scope, mesh, body, "global_top_k", (top, best), [x], [spec], [(), ()])
        return
    best = body.let("argmax", scores, axis=1)
    peak = body.let("max", scores, axis=1)
    place = body.let("add", body.let("astype", best, dtype="i32"), first)
    peaks = body.let("all_gather", peak, along=over, **options)
    all_places = body.let("all_gather", place, along=over, **options)
    winner = body.let("argmax", peaks, axis=0, role="winner")
    row = body.let("expand_dims", winner, axis=0)
    found = body.let("take_along_axis", all_places, row, axis=0)
    found = body.let("getitem", found, parts=(0,), subscript="0")
    shard_map(scope, mesh, body, "global_argmax", found, [x], [spec], [()])


def _prefix(scope: Scope, budget: int, mix: Mix) -> None:
    """A running sum through the parts of all devices."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = within(scope, matrix(scope, over), (-4.0, 4.0))
    body = device_body(scope, mesh, [x], [spec], ["x"], checked=stream.chance(0.5))
    sums = body.let("cumsum", body.params[0], axis=0, role="local")
    last = body.let("getitem", sums, parts=(-1,), subscript="-1")
    totals = body.let("all_gather", last, along=over, role="totals")
    index = cast(body, body.let("axis_index", along=over, role="rank"), body.int_dtype)
    before = body.let("less", body.let("arange", n=over.size), index)
    mask = body.let("expand_dims", before, axis=1)
    offset = body.let("sum", body.let("where", mask, totals, Literal(0.0)), axis=0, role="offset")
    out = body.let("add", sums, offset)
    shard_map(scope, mesh, body, "prefix_sum", out, [x], [spec], [spec])


def _statistics(scope: Scope, budget: int, mix: Mix) -> None:
    """A dict of sums and counts that is added up over the devices."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = matrix(scope, over)
    body = device_body(scope, mesh, [x], [spec], ["x"], checked=stream.chance(0.5))
    (h,) = body.params
    sums = {"total": body.let("sum", h, axis=0), "sq": body.let("sum", body.let("square", h))}
    if stream.chance(0.5):
        sums["size"] = body.let("sum", body.let("abs", h), axis=-1)
    type = Record(tuple((key, v.type) for key, v in sums.items()))
    made = Record(tuple(sums.items()))  # type: ignore[arg-type]
    stats = Var(type, role="stats")
    body.bind(stream.choice(("psum", "pmean")), (made,), {"along": over}, stats)
    shard_map(scope, mesh, body, "collect_stats", stats, [x], [spec], [()])


def _transpose(scope: Scope, budget: int, mix: Mix) -> None:
    """Rows exchanged for columns by all_to_all, worked on, and back again."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = matrix(scope, over, both=True)
    body = device_body(scope, mesh, [x], [spec], ["x"], checked=stream.chance(0.5))
    (h,) = body.params
    columns = body.let("all_to_all", h, along=over, split_axis=1, concat_axis=0, tiled=True)
    name = stream.choice(("cumsum", "softmax", "sort"))
    columns = body.let(name, calm(body, columns), axis=0)
    if stream.chance(0.7):
        out = body.let("all_to_all", columns, along=over, split_axis=0, concat_axis=1, tiled=True)
        shard_map(scope, mesh, body, "along_columns", out, [x], [spec], [spec])
    else:
        spec_out: Spec = ((), over.names)
        shard_map(scope, mesh, body, "by_columns", columns, [x], [spec], [spec_out])


def _explicit(scope: Scope, budget: int, mix: Mix) -> None:
    """A mesh whose shardings are types: arrays are resharded before the devices get them."""
    stream, mesh = scope.stream, explicit_mesh(scope)
    (over,) = mesh.axes
    parts: Spec = (over.names, ())
    arguments: list[Var]
    if stream.chance(0.5):
        columns: Spec = ((), over.names)
        x = matrix(scope, over, columns=True)
        w = scope.input(Aval(scope.float_dtype, (x.aval.shape[1], over.size * 2)), "w")
        placed = [_resharded(scope, mesh, x, columns), _resharded(scope, mesh, w, parts)]
        shape = (x.aval.shape[0], w.aval.shape[1])
        product = Var(Aval(scope.float_dtype, shape), (-1e3, 1e3), "partial_sums")
        spec = Code(f"P(None, None, unreduced={{{over.text}}})")
        operands = (placed[0], placed[1], mesh.block)
        scope.bind("einsum_unreduced", operands, {"pattern": "ij,jk->ik", "spec": spec}, product)
        param = Var(product.type, product.bounds, "z")
        arguments, in_spec = [product], spec
    else:
        x = matrix(scope, over)
        placed = [_resharded(scope, mesh, x, parts)]
        param = Var(mesh.local(x.aval, parts), x.bounds, "x")
        arguments, in_spec = placed, Code(spec_text(parts))
    body = scope.nested([param], sealed=True)
    total = body.let("psum", param, along=over)
    if stream.chance(0.6):
        total = body.let(stream.choice(("tanh", "sin", "cos")), total)
    function = body.close(stream.choice(("reduce_all", "total", "body")), total)
    out = Var(total.type, total.bounds)
    params = {"in_specs": in_spec, "out_specs": Code("P()")}
    scope.bind("shard_map", (function, mesh.block, *arguments), params, out)
    scope.mesh = mesh
    for var in (*placed, *arguments, out):
        if var in scope.values:
            scope.values.remove(var)


def _resharded(scope: Scope, mesh: Mesh, x: Var, spec: Spec) -> Var:
    out = Var(x.type, x.bounds)
    scope.bind("reshard", (x, mesh.block), {"spec": Code(spec_text(spec))}, out)
    return out


FORMS = (
    Form(_softmax),
    Form(_normalize),
    Form(_halo),
    Form(_search, 0.8, reverse=False, forward=False),
    Form(_prefix, 0.6),
    Form(_statistics, 0.7),
    Form(_transpose, 0.7),
    Form(_explicit, 0.8, reverse=False, forward=False),
)
