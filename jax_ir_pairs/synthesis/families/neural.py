"""Neural networks: models of layers, their losses, and training steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.synthesis import layers
from jax_ir_pairs.synthesis.graph import Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Mix, grow_ops
from jax_ir_pairs.synthesis.layers import Layer, Weights
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Record

Stack = tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of model: the rank of its input and the layers that it stacks."""

    rank: int
    layers: Stack
    weight: float


_KINDS = (
    _Kind(2, (layers.dense, layers.dense, layers.normalize, layers.gated), 3.0),
    _Kind(3, (layers.attention, layers.dense, layers.normalize, layers.gated), 2.0),
    _Kind(2, (layers.attention, layers.dense, layers.normalize), 1.0),
    _Kind(3, (layers.recurrent, layers.dense, layers.normalize), 1.2),
    _Kind(4, (layers.convolution, layers.convolution, layers.normalize), 1.5),
)


def _input(scope: Scope, kind: _Kind) -> Aval:
    stream = scope.stream
    if kind.rank == 4:
        side = stream.choice((5, 6, 8, 10))
        return Aval(
            scope.float_dtype, (stream.choice((1, 2, 4)), side, side, stream.choice((1, 3, 4)))
        )
    return Aval(scope.float_dtype, tuple(scope.side() for _ in range(kind.rank)))


def _model(scope: Scope, weights: Weights, x: Var, kind: _Kind, budget: int, mix: Mix) -> Var:
    """Stacks layers on `x` until the budget is spent."""
    start, h = len(scope.body), x
    while True:
        layer, before = scope.stream.choice(kind.layers), dict(weights.items)
        stacked: list[Var] = []
        if scope.attempt(lambda: stacked.append(layer(scope, weights, h))):  # noqa: B023
            h = stacked[0]
        else:
            weights.items = before
            h = layers.activation(scope, h)
        if len(scope.body) - start >= budget:
            break
        if scope.stream.chance(0.15):
            extra = scope.stream.choice(("tanh", "sin", "square", "abs"))
            h = scope.let(extra, layers.calm(scope, h))
    return h


def _head(scope: Scope, weights: Weights, h: Var, units: int) -> Var:
    """Brings the last activations to logits [batch, units]."""
    h = layers.calm(scope, h)
    while h.aval.rank > 2:
        pool = scope.stream.choice(("mean", "max", "mean"))
        h = scope.let(pool, h, axis=(1, 2) if h.aval.rank == 4 else 1)
    return layers.linear(scope, weights, h, units, "w_out")


def _classification(scope: Scope, logits: Var, labels: Var) -> Var:
    """Softmax cross-entropy against integer labels."""
    log_probs = scope.let("log_softmax", layers.calm(scope, logits), axis=-1)
    target = scope.let("one_hot", labels, num_classes=logits.aval.shape[-1])
    picked = scope.let("sum", scope.let("mul", target, log_probs), axis=-1)
    return scope.let("negative", scope.let("mean", picked))


def _regression(scope: Scope, predicted: Var, target: Var) -> Var:
    """Squared, absolute, Huber or log-cosh error."""
    error = scope.let("sub", layers.calm(scope, predicted), target)
    way = scope.stream.choice(("square", "square", "abs", "huber", "log_cosh"))
    if way == "huber":
        size = scope.let("abs", error)
        inner = scope.let("mul", scope.let("square", error), Literal(0.5))
        small = scope.let("less", size, Literal(1.0))
        outer = scope.let("sub", size, Literal(0.5))
        penalty = scope.let("where", small, inner, outer)
    elif way == "log_cosh":
        penalty = scope.let("logaddexp", error, scope.let("negative", error))
    else:
        penalty = scope.let(way, error)
    return scope.let("mean", penalty)


def _params_name(scope: Scope) -> str:
    return scope.stream.choice(("params", "params", "weights", "theta"))


def _forward(scope: Scope, budget: int, mix: Mix) -> None:
    """A forward pass whose weights are inputs of the entry point."""
    kind = scope.stream.weighted(_KINDS, [k.weight for k in _KINDS])
    weights = Weights()
    x = scope.input(_input(scope, kind), "x")
    h = _model(scope, weights, x, kind, budget, mix)
    if scope.stream.chance(0.4):
        h = _head(scope, weights, h, scope.stream.choice((1, 4, 10)))
        if scope.stream.chance(0.5):
            scope.let("softmax", layers.calm(scope, h), axis=-1)
    if weights.items:
        weights.unpack(scope, scope.input(weights.type(), _params_name(scope)))


def _loss(scope: Scope, budget: int, mix: Mix, name: str) -> tuple[Function, tuple[Var, Var, Var]]:
    """Gives `loss(params, x, y)`, and inputs of the entry point to call it on."""
    stream = scope.stream
    kind = stream.weighted(_KINDS, [k.weight for k in _KINDS])
    aval = _input(scope, kind)
    classify = stream.chance(0.5)
    x = Var(aval, (-4.0, 4.0), "x")
    body = scope.nested([x], reverse=True)
    weights = Weights()
    h = _model(body, weights, x, kind, budget, mix)
    h = _head(body, weights, h, stream.choice((4, 8, 10)) if classify else 1)
    rows = h.aval.shape[:-1]
    target = Aval("i32", rows) if classify else Aval(scope.float_dtype, h.aval.shape)
    y = Var(target, (0, 3) if classify else (-4.0, 4.0), "labels" if classify else "y")
    body.params.append(y)
    total = (_classification if classify else _regression)(body, h, y)
    params = Var(weights.type(), role=_params_name(scope))
    if stream.chance(0.2):
        key = next(iter(weights.items))
        decay = body.let("sum", body.let("square", weights.items[key]))
        total = body.let("add", total, body.let("mul", decay, Literal(1e-4)))
    weights.unpack(body, params)
    body.params.insert(0, params)
    arguments = (
        scope.input(params.type, params.role),
        scope.input(x.type, "x"),
        scope.input(y.type, y.role, y.bounds),
    )
    return body.close(name, total), arguments


def _update(scope: Scope, leaf: Aval, role: str, formula: str, *names: str) -> Function:
    """Gives the function that `jax.tree.map` applies to each leaf."""
    params = [Var(leaf, (-4.0, 4.0), name) for name in names]
    body = scope.nested(params)
    rate = Literal(scope.stream.choice((1e-3, 1e-2, 0.1)))
    if formula == "sgd":
        result = body.let("sub", params[0], body.let("mul", params[1], rate))
    elif formula == "moving":
        beta = scope.stream.choice((0.9, 0.95, 0.99))
        new = body.let("mul", params[1], Literal(round(1.0 - beta, 4)))
        result = body.let("add", body.let("mul", params[0], Literal(beta)), new)
    elif formula == "square_moving":
        beta = scope.stream.choice((0.99, 0.999))
        new = body.let("mul", body.let("square", params[1]), Literal(round(1.0 - beta, 4)))
        result = body.let("add", body.let("mul", params[0], Literal(beta)), new)
    else:
        root = Var(leaf, (0.0, 4.0))
        # A second moment is never negative, but an ordinary input in its place is.
        body.bind("sqrt", (body.let("maximum", params[2], Literal(0.0)),), {}, root)
        step = Var(leaf, (-50.0, 50.0))
        body.bind("div", (params[1], body.let("add", root, Literal(1e-8))), {}, step)
        result = body.let("sub", params[0], body.let("mul", step, rate))
    return body.close(role, result)


def _train_step(scope: Scope, budget: int, mix: Mix) -> None:
    """Loss, gradients and an optimizer's update of every leaf."""
    name = scope.stream.choice(("loss_fn", "loss", "compute_loss"))
    loss, arguments = _loss(scope, budget, mix, name)
    params = arguments[0]
    grads = Var(params.type, role="grads")
    if scope.stream.chance(0.7):
        callee = Transformed("value_and_grad", loss)
        outs: Any = (Var(Aval(scope.float_dtype), role="loss_value"), grads)
    else:
        callee, outs = Transformed("grad", loss), grads
    scope.bind("apply", (callee, *arguments), {}, outs)
    optimizer = scope.stream.weighted(("none", "sgd", "momentum", "adam"), (1, 4, 2, 2))
    if optimizer == "none":
        return
    assert isinstance(params.type, Record)
    leaf = params.type.items[0][1]
    assert isinstance(leaf, Aval)

    def mapped(formula: str, role: str, out: str, *operands: Var) -> Var:
        names = {"sgd": "pg", "moving": "mg", "square_moving": "vg", "adam": "pmv"}[formula]
        function = _update(scope, leaf, role, formula, *names)
        result = Var(params.type, role=out)
        scope.bind("tree_map", (function, *operands), {}, result)
        return result

    if optimizer == "sgd":
        mapped("sgd", "sgd_update", "new_params", params, grads)
        return
    first = scope.input(params.type, "velocity" if optimizer == "momentum" else "mu")
    first = mapped("moving", "update_moment", f"new_{first.role}", first, grads)
    if optimizer == "momentum":
        mapped("sgd", "apply_update", "new_params", params, first)
        return
    second = scope.input(params.type, "nu")
    second = mapped("square_moving", "update_second", "new_nu", second, grads)
    mapped("adam", "adam_update", "new_params", params, first, second)


def _evaluate(scope: Scope, budget: int, mix: Mix) -> None:
    """A loss on its own."""
    loss, arguments = _loss(scope, budget, mix, "loss_fn")
    scope.bind("apply", (loss, *arguments), {}, Var(Aval(scope.float_dtype), (-1e3, 1e3)))


_FORMS = ((_forward, 4.0), (_train_step, 3.0), (_evaluate, 1.5))


def _grow(scope: Scope, budget: int, mix: Mix) -> None:
    form = scope.stream.weighted([f for f, _ in _FORMS], [w for _, w in _FORMS])
    form(scope, max(3, budget * 2 // 3), mix)
    if scope.values and scope.stream.chance(0.3):
        grow_ops(scope, budget // 6, mix)


FAMILY = Family("neural", _grow)
