"""What a model is trained for: the inputs of its loss, and the loss of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.synthesis.constructs.layers import (
    attention,
    convolution,
    dense,
    embedding,
    graph,
    losses,
    mixture,
    models,
    normalization,
)
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.constructs.layers.optimizers import cast, cast_type
from jax_ir_pairs.synthesis.graph import Function, Literal, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import KEY, Aval, Bounds, Tree

_FLOATS: Bounds = (-4.0, 4.0)


@dataclass(frozen=True, slots=True)
class Task:
    """The inputs of a loss besides the weights, and what builds it of them."""

    inputs: dict[str, tuple[Aval, Bounds]]
    build: Callable[..., Var]
    dtype: str
    name: str = "loss_fn"


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss as a function of weights and inputs."""

    function: Function
    params: Tree
    inputs: dict[str, tuple[Aval, Bounds]]

    def arguments(self, scope: Scope, role: str, *, lead: tuple[int, ...] = ()) -> list[Var]:
        """Gives inputs of the entry point to call it on, the data stacked along `lead`."""
        found = [scope.input(self.params, role)]
        for name, (aval, bounds) in self.inputs.items():
            own = Aval(aval.dtype, (*lead, *aval.shape))
            found.append(scope.input(own, f"{name}s" if lead else name, bounds))
        return found


def loss(scope: Scope, task: Task, *, mixed: bool = False, reverse: bool = True) -> Loss:
    """Gives `loss(params, …)`; `mixed` computes in bf16 with weights in single precision."""
    found = {name: Var(aval, bounds, name) for name, (aval, bounds) in task.inputs.items()}
    body = scope.nested(list(found.values()), reverse=reverse)
    net = Net(body, "bf16" if mixed else task.dtype)
    values = dict(found)
    if mixed:
        for name, var in found.items():
            if var.aval.dtype == scope.float_dtype:
                values[name] = body.let("astype", var, dtype="bf16")
    total = task.build(net, **values)
    if task.dtype != scope.float_dtype or mixed:
        total = losses.wide(net, total)
    if total.aval.rank:
        total = net.let("mean", total)
    params = Var(net.weights.type(), role=scope.stream.choice(("params", "params", "weights")))
    if mixed:
        wide: Any = Var(cast_type(params.type, scope.float_dtype), role=params.role)
        half = cast(body, wide, "bf16", "half")
        call = body.body.pop()
        net.weights.unpack(body, half)
        body.body.insert(0, call)
        params = wide
    else:
        net.weights.unpack(body, params)
    body.params.insert(0, params)
    return Loss(body.close(task.name, total), params.type, task.inputs)


def _name(scope: Scope) -> str:
    return scope.stream.choice(("loss_fn", "loss_fn", "loss", "compute_loss"))


def supervised(scope: Scope, budget: int, mix: Mix) -> Task:
    """A model and a loss of classes or of values."""
    stream, kind = scope.stream, models.draw_kind(scope)
    dtype = models.draw_dtype(scope)
    x = models.draw_input(scope, kind, dtype)
    classify, classes = stream.chance(0.5), stream.choice((4, 8, 10))
    rows = x.shape[0]
    dropped = stream.chance(0.15)
    inputs: dict[str, tuple[Aval, Bounds]] = {"x": (x, _FLOATS)}
    if classify:
        inputs["labels"] = (Aval("i32", (rows,)), (0, 3))
    else:
        inputs["y"] = (Aval(scope.float_dtype, (rows, 1)), _FLOATS)
    if dropped:
        inputs["key"] = (Aval(KEY[0]), _FLOATS)
    penalty = stream.choice((0.0, 0.0, 1e-4, 1e-3))

    def build(net: Net, x: Var, key: Var | None = None, **target: Var) -> Var:
        h = models.tower(net, x, kind, budget, mix)
        while h.aval.rank > 2 or h.aval.shape[0] != rows:
            h = convolution.flatten(net, h) if h.aval.rank > 2 else _first(net, h, rows)
        if key is not None:
            h = normalization.dropout(net, h, key)
        logits = dense.linear(net, h, classes if classify else 1, "w_out")
        if classify:
            total = losses.classify(net, logits, target["labels"])
        else:
            total = losses.regress(net, logits, target["y"])
        weights = [w for w in net.weights.items.values() if isinstance(w.type, Aval)]
        if penalty and weights:
            decay = losses.wide(net, net.let("sum", net.let("square", weights[0])))
            total = net.let("add", total, net.let("mul", Literal(penalty), decay))
        return total

    return Task(inputs, build, dtype, _name(scope))


def _first(net: Net, h: Var, rows: int) -> Var:
    if h.aval.shape[0] > rows:
        return part_of(net.scope, h, slice(None, rows))
    mean = net.let("mean", h, axis=0)
    return net.let("broadcast_to", mean, shape=(rows, *mean.aval.shape))


def language(scope: Scope, budget: int, mix: Mix) -> Task:
    """A language model and the loss of its next token."""
    stream, dtype = scope.stream, models.draw_dtype(scope)
    vocab, features = stream.choice((16, 32, 50, 64)), stream.choice((8, 16, 16, 32))
    tokens = Aval("i32", (stream.choice((1, 2, 4)), stream.choice((6, 8, 12, 16)) + 1))
    depth = max(1, min(6, budget // 6))
    masked = stream.chance(0.3)

    def build(net: Net, tokens: Var) -> Var:
        read, targets = embedding.shifted(net, tokens)
        mask = attention.padding_mask(net, read) if masked else None
        logits = embedding.language_model(net, read, vocab, features, depth, mask=mask)
        way = net.stream.choice(("cross_entropy", "gathered", "logsumexp", "smoothed"))
        counted = net.let("not_equal", targets, Literal(0)) if masked else None
        return losses.classify(net, logits, targets, way, counted)

    return Task({"tokens": (tokens, (0, 3))}, build, dtype, _name(scope))


def graphs(scope: Scope, budget: int, mix: Mix) -> Task:
    """A graph network and a loss of its nodes or of whole graphs."""
    stream, dtype = scope.stream, scope.float_dtype
    nodes, count, features = stream.choice((6, 8, 12)), stream.choice((8, 16, 24)), min(
        scope.side(), 32)  # fmt: skip
    ends = (Aval("i32", (count,)), (0.0, 3.0))
    layers = [
        stream.choice((graph.message_passing, graph.convolve, graph.attend))
        for _ in range(max(1, min(4, budget // 6)))
    ]
    classes = stream.choice((4, 5, 8))

    def build(net: Net, **v: Var) -> Var:
        edges = graph.Edges(v["senders"], v["receivers"], nodes)
        h = v["nodes"]
        for layer in layers:
            h = layer(net, h, edges)
        return losses.classify(net, dense.linear(net, h, classes, "w_out"), v["labels"])

    inputs = {
        "nodes": (Aval(dtype, (nodes, features)), _FLOATS),
        "senders": ends,
        "receivers": ends,
        "labels": (Aval("i32", (nodes,)), (0.0, 3.0)),
    }
    return Task(inputs, build, dtype, _name(scope))


def contrastive(scope: Scope, budget: int, mix: Mix) -> Task:
    """Two views or two kinds of data in one space, or triplets."""
    stream, dtype = scope.stream, scope.float_dtype
    batch, units = stream.choice((4, 8, 16)), stream.choice((8, 16, 32))
    inside = min(64, scope.side())
    x = (Aval(dtype, (batch, inside)), _FLOATS)
    way = stream.choice(("views", "views", "two", "triplet"))

    def encoder(inner: Net, x: Var) -> Var:
        h = models.tower(inner, x, models.KINDS[0], max(3, budget // 2))
        return dense.linear(inner, h, units, "w_proj", bias=False)

    if way == "two":
        other = (Aval(dtype, (batch, min(64, scope.side()))), _FLOATS)

        def build(net: Net, images: Var, texts: Var) -> Var:
            left = net.call("encode_image", encoder, "image", x=images)
            return losses.contrast(net, left, net.call("encode_text", encoder, "text", x=texts))

        return Task({"images": x, "texts": other}, build, dtype, _name(scope))
    names = ("x1", "x2") if way == "views" else ("anchor", "positive", "negative")

    def shared(net: Net, **views: Var) -> Var:
        block = net.define("encode", encoder, x=views[names[0]])
        own = net.weights.new("encoder", block.weights) if block.weights else None
        outs = [net.apply(block, own, view) for view in views.values()]
        if way == "triplet":
            return losses.triplet(net, *outs)
        return losses.contrast(net, *outs)

    return Task(dict.fromkeys(names, x), shared, dtype, _name(scope))


def distilled(scope: Scope, budget: int, mix: Mix) -> Task:
    """A small model that learns from a teacher's logits and from labels."""
    stream, dtype = scope.stream, scope.float_dtype
    batch, classes = stream.choice((4, 8)), stream.choice((4, 10))
    alpha = stream.choice((0.1, 0.5, 0.9))

    def build(net: Net, x: Var, teacher_logits: Var, labels: Var) -> Var:
        h = models.tower(net, x, models.KINDS[0], budget)
        logits = dense.linear(net, h, classes, "w_out")
        soft = losses.distill(net, logits, teacher_logits)
        hard = losses.classify(net, logits, labels, "cross_entropy")
        left = net.let("mul", Literal(alpha), soft)
        return net.let("add", left, net.let("mul", Literal(round(1.0 - alpha, 2)), hard))

    inputs = {
        "x": (Aval(dtype, (batch, min(64, scope.side()))), _FLOATS),
        "teacher_logits": (Aval(dtype, (batch, classes)), _FLOATS),
        "labels": (Aval("i32", (batch,)), (0.0, 3.0)),
    }
    return Task(inputs, build, dtype, _name(scope))


def routed(scope: Scope, budget: int, mix: Mix) -> Task:
    """Experts whose load is balanced by a part of the loss."""
    stream, dtype = scope.stream, models.draw_dtype(scope)
    batch, features, classes = stream.choice((4, 8, 16)), stream.choice((8, 16)), 4
    weight = stream.choice((0.01, 0.1))

    def build(net: Net, x: Var, labels: Var) -> Var:
        h, aux = x, []
        for _ in range(max(1, min(3, budget // 8))):
            y, balance = mixture.experts(net, normalization.layer_norm(net, h), loss=True)
            h = net.let("add", h, y)
            aux.append(losses.wide(net, balance))
        total = losses.classify(net, dense.linear(net, h, classes, "w_out"), labels)
        for part in aux:
            total = net.let("add", total, net.let("mul", Literal(weight), part))
        return total

    inputs = {
        "x": (Aval(dtype, (batch, features)), _FLOATS),
        "labels": (Aval("i32", (batch,)), (0.0, 3.0)),
    }
    return Task(inputs, build, dtype, _name(scope))
