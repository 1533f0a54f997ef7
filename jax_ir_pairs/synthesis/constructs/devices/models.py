"""Models on several devices: data, tensor, pipeline, expert and sequence parallelism."""

from __future__ import annotations

from functools import partial

from jax_ir_pairs.synthesis.constructs.devices.algorithms import line, matrix, started
from jax_ir_pairs.synthesis.constructs.devices.meshes import (
    Axis,
    Bound,
    Spec,
    device_body,
    mesh_of,
    shard_map,
)
from jax_ir_pairs.synthesis.constructs.devices.networks import (
    Model,
    activation,
    calm,
    gradients,
    mapped,
    small_network,
)
from jax_ir_pairs.synthesis.graph import Code, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Form, Mix, scalar, use_all, within
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_WEIGHTS = (-4.0, 4.0)
_GRADIENT = (-50.0, 50.0)
_RATES = (1e-3, 1e-2, 0.1)


def _loss(
    body: Scope, model: Model, x: Var, y: Var, over: Axis | None, budget: int, mix: Mix
) -> Function:
    """Gives the loss of a model on one device's batch, or with an axis on that of all of them."""
    params = Var(model.type, role="params")
    inner = body.nested([Var(x.type, _WEIGHTS, "x"), Var(y.type, _WEIGHTS, "y")], reverse=True)
    h = calm(inner, model.forward(inner, params, inner.params[0]))
    error = inner.let("sub", h, inner.params[1])
    if over is None and body.stream.chance(0.25):
        mix.fill(inner, budget)
        total = use_all(inner, scalar(inner), [within(inner, error, _WEIGHTS)])
    else:
        total = inner.let("mean", inner.let(inner.stream.choice(("square", "abs")), error))
    if over is not None:
        total = inner.let("pmean", total, along=over)
    inner.params.insert(0, params)
    return inner.close(body.stream.choice(("loss_fn", "loss", "compute_loss")), total)


def _updated(body: Scope, params: Var, grads: Var) -> Var:
    rate = Literal(body.stream.choice(_RATES))

    def descend(inner: Scope, v: list[Var]) -> Var:
        out = Var(v[0].type, _WEIGHTS)
        inner.bind("sub", (v[0], inner.let("mul", rate, v[1])), {}, out)
        return out

    return mapped(body, "sgd", descend, {"p": params, "g": grads}, out="new_params")


def _train_step(scope: Scope, budget: int, mix: Mix) -> None:
    """A step of data-parallel training: gradients averaged over the devices."""
    stream = scope.stream
    mesh = mesh_of(scope)
    over, model, dtype = mesh.axes[0], small_network(scope), scope.float_dtype
    by_pmap = len(mesh.axes) == 1 and stream.chance(0.35)
    rows = stream.choice((1, 2, 4))
    lead = (over.size, rows) if by_pmap else (over.size * rows,)
    tree = scope.input(model.type, stream.choice(("params", "params", "weights")))
    x = scope.input(Aval(dtype, (*lead, model.inside)), "x")
    y = scope.input(Aval(dtype, (*lead, model.outside)), "y")
    checked = not by_pmap and stream.chance(0.4)
    spec: Spec = (over.names,)
    if by_pmap:
        params = [
            Var(tree.type, role="params"),
            Var(Aval(dtype, (rows, model.inside)), x.bounds, "x"),
            Var(Aval(dtype, (rows, model.outside)), y.bounds, "y"),
        ]
        body = scope.nested(params, sealed=True)
        along = {params[0]: (), params[1]: over.names, params[2]: over.names}
        body.named_axes = Bound((over,), body.depth, along)
    else:
        arguments, specs = [tree, x, y], [(), spec, spec]
        roles = ["params", "x", "y"]
        body = device_body(scope, mesh, arguments, specs, roles, checked=checked)
    theta, inp, target = body.params
    loss = _loss(body, model, inp, target, over if checked else None, budget, mix)
    value, grads = gradients(body, loss, theta, inp, target)
    if not checked:
        averaged = Var(grads.type, role="grads")
        body.bind("pmean", (grads,), {"along": over}, averaged)
        grads = averaged
        if value is not None:
            value = body.let("pmean", value, along=over)
    new = _updated(body, theta, grads)
    role = stream.choice(("train_step", "update", "train_step", "step"))
    results = (new,) if value is None else (new, value)
    if not by_pmap:
        result = new if value is None else results
        shard_map(scope, mesh, body, role, result, arguments, specs, [()] * len(results))
        return
    function = body.close(role, new if value is None else results)
    options = {
        "axis_name": over.names[0],
        "in_axes": (None, 0, 0),
        "out_axes": Code("None"),
    }
    outs = tuple(Var(v.type, v.bounds) for v in results)
    callee = Transformed("pmap", function, options)
    scope.bind("apply", (callee, tree, x, y), {}, outs if value is not None else outs[0])


def _tensor_parallel(scope: Scope, budget: int, mix: Mix) -> None:
    """Two dense layers, the first split by columns and the second by rows."""
    stream = scope.stream
    mesh = mesh_of(scope)
    over, dtype = mesh.axes[-1], scope.float_dtype
    batch = mesh.axes[0] if len(mesh.axes) > 1 else None
    x = matrix(scope, batch or over)
    hidden, outside = over.size * stream.choice((1, 2, 4)), over.size * stream.choice((1, 2))
    w1 = scope.input(Aval(dtype, (x.aval.shape[1], hidden)), "w1")
    w2 = scope.input(Aval(dtype, (hidden, outside)), "w2")
    specs: list[Spec] = [(batch.names,) if batch else (), ((), over.names), (over.names, ())]
    body = device_body(
        scope, mesh, [x, w1, w2], specs, ["x", "w1", "w2"], checked=stream.chance(0.6)
    )
    h, first, second = body.params
    h = activation(body, body.let("matmul", h, first))
    y = body.let("matmul", calm(body, h), second)
    spec: Spec = specs[0]
    if stream.chance(0.3):
        y = body.let("psum_scatter", y, along=over, scatter_dimension=1, tiled=True)
        spec = (batch.names if batch else (), over.names)
    else:
        y = body.let("psum", y, along=over)
    role = stream.choice(("mlp", "tp_mlp", "feed_forward", "tensor_parallel"))
    shard_map(scope, mesh, body, role, y, [x, w1, w2], specs, [spec])


def _gathered_weights(scope: Scope, budget: int, mix: Mix) -> None:
    """Weights that the devices share out, gathered for the product and its gradient."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = matrix(scope, over, both=True)
    units = scope.side()
    w = scope.input(Aval(scope.float_dtype, (x.aval.shape[1], units)), "w")
    checked = stream.chance(0.7)
    body = device_body(scope, mesh, [x, w], [spec, spec], ["x", "w"], checked=checked)
    inp, shard = body.params
    options = {"to": "reduced"} if checked and stream.chance(0.7) else {}

    def forward(inner: Scope, part: Var) -> Var:
        full = inner.let("all_gather", part, along=over, tiled=True, role="full", **options)
        if options:
            full = inner.let("pcast", full, along=over, to="varying")
        return calm(inner, inner.let("matmul", inp, full))

    if stream.chance(0.4) or scope.reverse or scope.forward:
        y = activation(body, forward(body, shard))
        shard_map(scope, mesh, body, "forward_shard", y, [x, w], [spec, spec], [spec])
        return
    inner = body.nested([Var(shard.type, shard.bounds, "w")], [inp], reverse=True)
    out = activation(inner, forward(inner, inner.params[0]))
    loss = inner.close("loss", inner.let("mean", inner.let("square", out)))
    grads, new = Var(shard.type, _GRADIENT, "grads"), Var(shard.type, _GRADIENT)
    body.bind("apply", (Transformed("grad", loss), shard), {}, grads)
    rate = Literal(stream.choice(_RATES))
    body.bind("sub", (shard, body.let("mul", rate, grads)), {}, new)
    shard_map(scope, mesh, body, "fsdp_step", new, [x, w], [spec, spec], [spec])


def _late_sum(scope: Scope, budget: int, mix: Mix) -> None:
    """Gradients that each device has its part of, added up once all are there."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    if len(mesh.axes) > 1:
        raise IllTyped("one axis is enough")
    x = matrix(scope, over)
    w = scope.input(Aval(scope.float_dtype, (x.aval.shape[1], scope.side())), "w")
    body = device_body(scope, mesh, [x, w], [spec, ()], ["x", "w"], checked=True)
    inp, weights = body.params
    inner = body.nested([Var(w.type, w.bounds, "w")], [inp], reverse=True)
    wide = inner.let("pcast", inner.params[0], along=over, to="varying")
    out = inner.let("tanh", inner.let("matmul", inp, wide))
    loss = inner.close("loss", inner.let("mean", inner.let("square", out)))
    reduced = body.let("pcast", weights, along=over, to="reduced", role="w_reduced")
    grads, total = Var(w.type, _GRADIENT, "grads"), Var(w.type, _GRADIENT, "total")
    body.bind("apply", (Transformed("grad", loss), reduced), {}, grads)
    if w.aval.shape[0] % over.size == 0 and stream.chance(0.5):
        part = body.let("psum_scatter", grads, along=over, tiled=True)
        shard_map(scope, mesh, body, "grad_shard", part, [x, w], [spec, ()], [spec])
        return
    body.bind("psum", (grads,), {"along": over}, total)
    shard_map(scope, mesh, body, "grad_sum", total, [x, w], [spec, ()], [()])


def _dropout(scope: Scope, budget: int, mix: Mix) -> None:
    """Dropout, or noise, whose key is each device's own."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = matrix(scope, over)
    key = scope.pick(("key<fry>",), where=lambda v: v.aval.rank == 0)
    key = key or scope.input(Aval("key<fry>"), "key")
    body = device_body(scope, mesh, [key, x], [(), spec], ["key", "x"], checked=stream.chance(0.5))
    shared, h = body.params
    index = body.let("axis_index", along=over)
    own = body.let("fold_in", shared, index, role="device_key")
    keep = stream.choice((0.5, 0.8, 0.9))
    mask = body.let("random_bernoulli_shaped", own, h, p=keep, role="mask")
    out = body.let("where", mask, body.let("div", h, Literal(keep)), Literal(0.0))
    shard_map(scope, mesh, body, "dropout", out, [key, x], [(), spec], [spec])


def _experts(scope: Scope, budget: int, mix: Mix) -> None:
    """Tokens that are sent to the experts of other devices, and come back."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    n, dtype = over.size, scope.float_dtype
    capacity, width, hidden = stream.choice((1, 2, 4)), min(scope.side(), 32), min(scope.side(), 32)
    x = scope.input(Aval(dtype, (n * n * capacity, width)), stream.choice(("tokens", "x")))
    w_in = scope.input(Aval(dtype, (n, width, hidden)), "w_in")
    w_out = scope.input(Aval(dtype, (n, hidden, width)), "w_out")
    specs = [spec, spec, spec]
    body = device_body(
        scope, mesh, [x, w_in, w_out], specs, ["tokens", "w_in", "w_out"],
        checked=stream.chance(0.5),
    )  # fmt: skip
    tokens, up, down = body.params
    grouped = body.let("reshape", tokens, shape=(n, capacity, width))
    move = partial(body.let, "all_to_all", along=over, split_axis=0, concat_axis=0)
    tiled = {"tiled": True} if stream.chance(0.4) else {}
    sent = move(grouped, role="dispatched", **tiled)
    first, second = (body.let("getitem", w, parts=(0,), subscript="0") for w in (up, down))
    h = activation(body, body.let("matmul", sent, first))
    h = body.let("matmul", calm(body, h), second)
    back = move(h, role="combined", **tiled)
    out = body.let("reshape", back, shape=tokens.aval.shape)
    if stream.chance(0.5):
        out = body.let("add", tokens, out)
    shard_map(scope, mesh, body, stream.choice(("moe_layer", "expert_layer")), out,
              [x, w_in, w_out], specs, [spec])  # fmt: skip


def _pipeline(scope: Scope, budget: int, mix: Mix) -> None:
    """Stages on devices in a row, through which batches travel."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    n, dtype = over.size, scope.float_dtype
    ticks, rows, width = n + stream.choice((1, 2, 4)) - 1, min(scope.side(), 8), scope.side()
    x = scope.input(Aval(dtype, (ticks, rows, min(width, 32))), stream.choice(("batches", "xs")))
    width = x.aval.shape[-1]
    w = scope.input(Aval(dtype, (n, width, width)), "w")
    body = device_body(scope, mesh, [x, w], [(), spec], ["xs", "w"], checked=stream.chance(0.5))
    xs, stages = body.params
    weight = body.let("getitem", stages, parts=(0,), subscript="0", role="w_stage")
    index = body.let("axis_index", along=over, role="stage")
    state0 = started(body, Aval(dtype, (rows, width)), over, "state0")
    state, x_t = Var(state0.type, (-1.0, 1.0), "state"), Var(state0.type, x.bounds, "x_t")
    inner = body.nested([state, x_t], [weight, index])
    first = inner.let("equal", index, Literal(0))
    h = inner.let("where", first, x_t, state)
    h = inner.let("tanh", inner.let("matmul", h, weight), role="out")
    perm = Code(f"[(i, (i + 1) % {n}) for i in range({n})]")
    moved = inner.let("ppermute", h, along=over, perm=perm)
    tick = inner.close(stream.choice(("tick", "step", "stage_step")), (moved, h))
    last, outs = Var(state0.type, (-1.0, 1.0)), Var(x.type, (-1.0, 1.0), "outs")
    body.bind("scan", (tick, state0, xs), {}, (last, outs))
    at_end = body.let("equal", index, Literal(n - 1))
    final = body.let("where", at_end, outs, Literal(0.0))
    out = body.let("psum", final, along=over)
    shard_map(scope, mesh, body, "pipeline", out, [x, w], [(), spec], [()])


FORMS = (
    Form(_train_step, 2.0, reverse=False, forward=False),
    Form(_tensor_parallel, 1.2),
    Form(_gathered_weights, 1.2),
    Form(_dropout, 0.7, reverse=False, forward=False),
    Form(_late_sum, 1.2, reverse=False, forward=False),
    Form(_experts, 0.8),
    Form(_pipeline, 0.7),
)
