"""Neural networks: models of layers, their losses, and training steps."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.layers import (
    attention,
    dense,
    embedding,
    generative,
    graph,
    losses,
    models,
    normalization,
    reinforcement,
    tasks,
    training,
)
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Defined, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, grow_ops, results
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import KEY, Aval

_FLOATS = (-4.0, 4.0)

_TASKS = (
    (tasks.supervised, 6.0), (tasks.language, 2.5), (tasks.graphs, 1.0), (tasks.contrastive, 1.0),
    (tasks.distilled, 0.5), (tasks.routed, 0.7), (generative.autoencoder, 1.0),
    (generative.diffusion, 1.2), (generative.adversary, 0.8), (reinforcement.policy, 1.0),
    (reinforcement.temporal, 0.7),
)  # fmt: skip


def _task(scope: Scope, budget: int, mix: Mix) -> tasks.Task:
    chosen = scope.stream.weighted([t for t, _ in _TASKS], [w for _, w in _TASKS])
    return chosen(scope, budget, mix)


def _given(scope: Scope, net: Net) -> None:
    """Makes the weights of a net an input of the entry point, or none where it has none."""
    if net.weights.items:
        params = scope.input(net.weights.type(), training.params_name(scope))
        net.weights.unpack(scope, params)


def _forward(scope: Scope, budget: int, mix: Mix) -> None:
    """A forward pass whose weights are inputs of the entry point."""
    kind, dtype = models.draw_kind(scope), models.draw_dtype(scope)
    net = Net(scope, dtype)
    x = scope.input(
        models.draw_input(scope, kind, dtype), scope.stream.choice(("x", "x", "inputs"))
    )
    way = models.repeated if kind.layers and scope.stream.chance(0.25) else None
    before = dict(net.weights.items)
    made: list[Var] = []
    if way is None or not scope.attempt(lambda: made.append(way(net, x, kind, budget))):
        net.weights.items = before
        made = [models.tower(net, x, kind, budget, mix)]
    h = made[0]
    if scope.stream.chance(0.4):
        h = models.head(net, h, scope.stream.choice((1, 4, 10)))
        if scope.stream.chance(0.5):
            net.sure("softmax", h, axis=-1, bounds=(0, 1))
    _given(scope, net)


def _whole(scope: Scope, budget: int, mix: Mix) -> None:
    """A model as one function `forward(params, x)`: called, batched by vmap, or compiled."""
    kind, dtype = models.draw_kind(scope), models.draw_dtype(scope)
    aval, stream = models.draw_input(scope, kind, dtype), scope.stream
    x = Var(aval, _FLOATS, "x")

    def build(net: Net, x: Var) -> Var:
        return models.tower(net, x, kind, budget, mix)

    block = Net(scope, dtype).define(
        stream.choice(("forward", "model", "apply_model", "network")), build, x=x
    )
    params = scope.input(block.weights, training.params_name(scope)) if block.weights else None
    result = block.function.result
    assert isinstance(result, Var)
    callee: Any = block.function
    way = stream.choice(("plain", "jit", "vmap"))
    lead: tuple[int, ...] = ()
    if way == "vmap" and aval.size * 2 <= 4096 and result.aval.size * 2 <= 4096:
        lead = (2,)
        axes = (None, 0) if params is not None else 0
        callee = Transformed("vmap", callee, {"in_axes": axes})
    elif way == "jit":
        callee = Transformed("jit", callee)
    given = scope.input(Aval(dtype, (*lead, *aval.shape)), "x")
    out = Var(result.aval.with_shape(*lead, *result.aval.shape), result.bounds)
    operands = (given,) if params is None else (params, given)
    scope.bind("apply", (callee, *operands), {}, out)


def _logits(scope: Scope, budget: int, mix: Mix) -> None:
    """A language model's logits, and what is read of them."""
    stream, dtype = scope.stream, models.draw_dtype(scope)
    vocab, features = stream.choice((16, 32, 50)), stream.choice((8, 16, 16, 32))
    batch, time = stream.choice((1, 2, 4)), stream.choice((6, 8, 12, 16))
    net = Net(scope, dtype)
    tokens = scope.input(Aval("i32", (batch, time)), stream.choice(("tokens", "ids")), (0, 3))
    mask = None
    if stream.chance(0.35):
        if stream.chance(0.5):
            mask = attention.padding_mask(net, tokens)
        else:
            own = scope.int_dtype
            lengths = scope.input(Aval(own, (batch,)), "lengths", (0, 3))
            mask = attention.length_mask(net, lengths, time)
    depth = max(1, min(6, budget // 6))
    logits = embedding.language_model(net, tokens, vocab, features, depth, mask=mask)
    way = stream.choice(("logits", "probs", "greedy", "last"))
    if way == "probs":
        net.sure("softmax", losses.wide(net, logits), axis=-1, bounds=(0, 1))
    elif way == "greedy":
        net.let("argmax", logits, axis=-1)
    elif way == "last":
        last = part_of(scope, logits, slice(None), -1, role="last_logits")
        net.let("argmax", last, axis=-1, role="next_token")
    _given(scope, net)


def _decode(scope: Scope, budget: int, mix: Mix) -> None:
    """One decoding step with caches of keys and values, inputs and results."""
    stream, dtype = scope.stream, models.draw_dtype(scope)
    batch, time = stream.choice((1, 2, 4)), stream.choice((8, 12, 16))
    heads, width = stream.choice((2, 4)), stream.choice((4, 8))
    inner = stream.choice((heads, heads, 1, 2))
    features = heads * width
    net = Net(scope, dtype)
    cache = Aval(dtype, (batch, time, inner, width))
    caches = [scope.input(cache, name) for name in ("k_cache", "v_cache")]
    index = scope.input(Aval(scope.int_dtype), stream.choice(("index", "pos", "cur_len")), (0, 3))
    vocab, table = stream.choice((16, 32)), None
    if stream.chance(0.6):
        token = scope.input(Aval("i32", (batch, 1)), "token", (0, 3))
        x, table = embedding.embed(net, token, vocab, features)
    else:
        x = scope.input(Aval(dtype, (batch, 1, features)), "x")
    h = normalization.normalize(net, x) if stream.chance(0.7) else x
    out, _, _ = attention.cached(net, h, caches[0], caches[1], index)
    h = net.let("add", x, out)
    h = net.let("add", h, dense.mlp(net, normalization.layer_norm(net, h)))
    if table is not None:
        embedding.logits(net, h, vocab, table if stream.chance(0.5) else None)
    _given(scope, net)


_DROPOUT = """\
def {name}(x, key, rate={rate}, train=True):
    if not train:
        return x
    keep = jax.random.bernoulli(key, 1.0 - rate, x.shape)
    return jnp.where(keep, x / (1.0 - rate), 0.0)"""


def _flagged(scope: Scope, budget: int, mix: Mix) -> None:
    """A model with dropout whose flag says whether it is trained."""
    stream, kind = scope.stream, models.KINDS[0]
    net = Net(scope, scope.float_dtype)
    x = scope.input(models.draw_input(scope, kind, net.dtype), "x")
    block = Defined("dropout", _DROPOUT, params={"rate": stream.choice((0.1, 0.2, 0.5))})
    train, count, h = stream.chance(0.7), stream.choice((1, 2)), x
    # Where nothing is dropped, no key is needed.
    keys: tuple[Var | None, ...] = (None,) * count
    if train:
        key = scope.input(Aval(KEY[0]), stream.choice(("key", "rng")))
        keys = (key,)
        if count == 2:
            keys = scope.let_all("random_split", key, roles=("key1", "key2"))
    for own in keys:
        h = models.tower(net, h, kind, max(2, budget // count))
        out = Var(h.type, h.bounds)
        scope.bind("apply_flag", (block, h, own), {"train": train}, out)
        h = out
    models.head(net, h, stream.choice((1, 4, 10)))
    _given(scope, net)


def _batch_norm(scope: Scope, budget: int, mix: Mix) -> None:
    """A model with batch norm: with new running statistics in training, with the old ones after."""
    stream = scope.stream
    name = stream.choice(("dense", "image"))
    kind = next(k for k in models.KINDS if k.name == name)
    net, train = Net(scope, scope.float_dtype), stream.chance(0.7)
    x = scope.input(models.draw_input(scope, kind, net.dtype), "x")
    h = models.tower(net, x, kind, max(2, budget // 2))
    if h.aval.rank not in (2, 4):
        raise IllTyped("no features to normalize")
    features = h.aval.shape[-1:]
    stats = tuple(
        scope.input(Aval(net.dtype, features), name) for name in ("running_mean", "running_var")
    )
    h, *_ = normalization.batch_norm(net, h, (stats[0], stats[1]), train)
    h = net.act(h)
    if stream.chance(0.6):
        models.head(net, h, stream.choice((1, 4, 10)))
    _given(scope, net)


def _graph(scope: Scope, budget: int, mix: Mix) -> None:
    """A graph network's forward pass, over edges or over an adjacency matrix."""
    stream, net = scope.stream, Net(scope, scope.float_dtype)
    count, features = stream.choice((6, 8, 12)), min(32, scope.side())
    h = scope.input(Aval(net.dtype, (count, features)), stream.choice(("nodes", "x")))
    depth = max(1, min(5, budget // 5))
    if stream.chance(0.25):
        matrix = scope.input(Aval(net.dtype, (count, count)), "adj")
        for _ in range(depth):
            h = graph.adjacency(net, h, matrix)
    else:
        edges = graph.inputs(net, count, stream.choice((8, 16, 24)))
        for _ in range(depth):
            layer = stream.choice((graph.message_passing, graph.convolve, graph.attend))
            h = layer(net, h, edges)
        if stream.chance(0.4):
            ids = scope.input(Aval("i32", (count,)), "graph_ids", (0, 3))
            h = graph.pooled(net, h, ids, 4)
    if stream.chance(0.5):
        dense.linear(net, h, stream.choice((1, 4)), "w_out")
    _given(scope, net)


def _loss(
    scope: Scope, budget: int, mix: Mix, *, task: Any = None, mixed: bool = False
) -> tasks.Loss:
    return tasks.loss(scope, (task or _task)(scope, budget, mix), mixed=mixed)


def _evaluate(scope: Scope, budget: int, mix: Mix) -> None:
    training.evaluate(scope, _loss(scope, budget, mix))


def _step(scope: Scope, budget: int, mix: Mix) -> None:
    training.step(scope, _loss(scope, budget, mix))


def _mixed(scope: Scope, budget: int, mix: Mix) -> None:
    task = scope.stream.choice((tasks.supervised, tasks.language, tasks.distilled))
    loss = _loss(scope, budget, mix, task=task, mixed=True)
    (training.scaled if scope.stream.chance(0.6) else training.step)(scope, loss)


def _accumulate(scope: Scope, budget: int, mix: Mix) -> None:
    training.accumulate(scope, _loss(scope, budget // 2, mix))


def _loop(scope: Scope, budget: int, mix: Mix) -> None:
    training.loop(scope, _loss(scope, budget // 2, mix))


def _adapt(scope: Scope, budget: int, mix: Mix) -> None:
    training.adapt(scope, _loss(scope, min(budget // 2, 12), mix, task=tasks.supervised))


FORMS = (
    Form(_forward, 4.0),
    Form(_whole, 1.5),
    Form(_logits, 1.5),
    Form(_decode, 0.8),
    Form(_flagged, 0.6),
    Form(_batch_norm, 0.8),
    Form(_graph, 0.9),
    Form(_step, 4.0),
    Form(_evaluate, 1.2),
    Form(_mixed, 0.6),
    Form(_accumulate, 0.6),
    Form(_loop, 0.8),
    Form(_adapt, 0.4),
)


def _grow(scope: Scope, budget: int, mix: Mix) -> None:
    form = scope.stream.weighted(FORMS, [form.weight for form in FORMS])
    start = len(scope.values)
    form.grow(scope, max(3, budget * 2 // 3), mix)
    made = results(scope)
    # What comes after goes on from the model's results, not from within it.
    scope.values[start:] = [
        v for v in scope.values[start:] if v in scope.unused or v in scope.params
    ]
    if scope.values and scope.stream.chance(0.3):
        grow_ops(scope, budget // 6, mix)
        for var in made:
            # The model comes last, so that it is what the program returns.
            if var in scope.unused:
                scope.unused[var] = scope.unused.pop(var)


FAMILY = Family("neural", _grow)
