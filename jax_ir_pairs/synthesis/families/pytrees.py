"""Trees of arrays: parameters, states, optimizers over them, and loops that carry them."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs import layers, objects, tree_training, trees
from jax_ir_pairs.synthesis.constructs.derivatives.smooth import DOMAIN
from jax_ir_pairs.synthesis.graph import Callee, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    one_of,
    use_all,
    within,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds, Pullback, Record

_GRADIENT: Bounds = (-50.0, 50.0)
_OPTIMIZERS = tuple(tree_training.SLOTS)


def _train_step(scope: Scope, budget: int, mix: Mix) -> None:
    """One step of an optimizer whose state is an object, or trees beside each other."""
    stream = scope.stream
    data = tree_training.supervised(scope, budget // 2, mix)
    _, grads = tree_training.gradients(scope, data.loss, data.params, data.x, data.y)
    if stream.chance(0.5):
        grads = tree_training.clip(scope, grads)
    name = stream.choice(_OPTIMIZERS)
    kept = {
        slot: tree_training.zeros(scope, data.params, slot) for slot in tree_training.SLOTS[name]
    }
    new, slots = tree_training.optimize(scope, name, data.params, grads, kept)
    if slots and stream.chance(0.7):
        role = stream.choice(("OptState", "OptimizerState"))
        params = data.params.type
        type = trees.define(scope, role, tuple((slot, params) for slot in slots))
        trees.construct(scope, type, dict(slots), "opt_state")
    if stream.chance(0.3) and trees.dict_leaves(new.type):
        out = Var(new.type, role="decayed")
        scope.bind("tree_decay", (new,), {"factor": stream.choice((0.9, 0.99))}, out)


def _train_loop(scope: Scope, budget: int, mix: Mix) -> None:
    """A scan over batches whose carry is the training state."""
    stream, steps = scope.stream, scope.stream.choice((2, 3, 4, 8))
    data = tree_training.supervised(scope, budget // 2, mix, steps=steps)
    name = stream.choice(_OPTIMIZERS)
    count = Aval(scope.int_dtype)
    fields = tree_training.fields(name, data.params.type, count)
    type = trees.define(scope, stream.choice(("TrainState", "State")), fields)
    start: dict[str, Any] = {"step": Literal(0), "params": data.params}
    for slot in tree_training.SLOTS[name]:
        start[slot] = tree_training.zeros(scope, data.params, slot)
    init = trees.construct(scope, type, start, "state")
    state = Var(type, role="state")
    types = (data.x.aval.with_shape(*data.x.aval.shape[1:]),
             data.y.aval.with_shape(*data.y.aval.shape[1:]))  # fmt: skip
    batch = Var(types, role="batch")
    body = scope.nested([state, batch])
    x, y = Var(types[0], trees.WEIGHTS, "x"), Var(types[1], trees.WEIGHTS, "y")
    body.bind("unpack", (batch,), {}, (x, y))
    params = trees.read(body, state, "params", role="params")
    value, grads = tree_training.gradients(body, data.loss, params, x, y)
    if stream.chance(0.35):
        grads = tree_training.clip(body, grads)
    step = trees.read(body, state, "step", bounds=(0, 64))
    rate = tree_training.schedule(body, step) if stream.chance(0.5) else None
    old = {slot: trees.read(body, state, slot, role=slot) for slot in tree_training.SLOTS[name]}
    params, slots = tree_training.optimize(body, name, params, grads, old, rate)
    after = {"step": body.let("add", step, Literal(1)), "params": params, **slots}
    new = trees.construct(body, type, after, "new_state")
    logged = value if value is not None else trees.global_norm(body, grads)
    function = body.close(stream.choice(("train_step", "step", "update")), (new, logged))
    final = Var(type, role=stream.choice(("final", "state")))
    losses = Var(Aval(scope.float_dtype, (steps,)), (0.0, 1e3), "losses")
    scope.bind("scan", (function, init, (data.x, data.y)), {}, (final, losses))
    if stream.chance(0.4):
        # What is wanted of the state is the model.
        trees.read(scope, final, "params", role="params")


def _stacked_layers(scope: Scope, budget: int, mix: Mix) -> None:
    """Layers of one shape: stacked leaves that a scan goes through, or an ensemble under vmap."""
    stream, dtype = scope.stream, scope.float_dtype
    count, width = stream.choice((2, 3, 4)), min(scope.side(), 32)
    one: Record = Record((("w", Aval(dtype, (width, width))), ("b", Aval(dtype, (width,)))))
    stack = Record(tuple((k, a.with_shape(count, *a.shape)) for k, a in one.items))  # type: ignore[union-attr]
    x = scope.input(Aval(dtype, (min(scope.side(), 16), width)), "x")
    if stream.chance(0.4):
        layered = scope.input((one,) * count, "layers")
        params = Var(stack, role="stacked")
        scope.bind("tree_stack", (layered,), {}, params)
    else:
        params = scope.input(stack, "params")

    def layer(body: Scope, weights: Var, h: Var) -> Var:
        y = body.let("matmul", h, trees.read(body, weights, "w"))
        y = body.let("add", y, trees.read(body, weights, "b"))
        return layers.activation(body, y)

    weights = Var(one, role=stream.choice(("layer", "weights", "p")))
    h = Var(x.type, DOMAIN, "h")
    if stream.chance(0.6):
        body = scope.nested([h, weights])
        value = layer(body, weights, h)
        mix.fill(body, max(1, budget // 3))
        value = within(body, use_all(body, value, [h]), DOMAIN)
        apply = body.close(stream.choice(("apply_layer", "block", "layer_fn")), (value, value))
        outs = (Var(x.type, DOMAIN, "h"), Var(x.aval.with_shape(count, *x.aval.shape), DOMAIN))
        scope.bind("scan", (apply, within(scope, x, DOMAIN), params), {}, outs)
        return
    body = scope.nested([weights, h])
    value = layer(body, weights, h)
    mix.fill(body, max(1, budget // 3))
    value = use_all(body, value, [h])
    callee: Callee = body.close(stream.choice(("member", "predict", "apply")), value)
    out = Var(x.aval.with_shape(count, *x.aval.shape), value.bounds)
    in_axes: Any = (0, None)
    if stream.chance(0.3):
        in_axes = ({"w": 0, "b": 0}, None)
    scope.bind("apply", (Transformed("vmap", callee, {"in_axes": in_axes}), params, x), {}, out)


def _moving_average(scope: Scope, budget: int, mix: Mix) -> None:
    """An exponential moving average of parameters, and how far they have moved."""
    stream, model = scope.stream, trees.model(scope)
    params = scope.input(model.type, "params")
    ema = scope.input(model.type, stream.choice(("ema_params", "ema", "target_params")))
    decay = stream.choice((0.9, 0.99, 0.999))

    def average(body: Scope, v: list[Var]) -> Var:
        fresh = body.let("mul", Literal(round(1.0 - decay, 4)), v[1])
        return body.let("add", body.let("mul", Literal(decay), v[0]), fresh)

    new = trees.mapped(scope, "ema_update", average, {"e": ema, "p": params}, out="new_ema")
    drift = trees.mapped(scope, "difference", lambda b, v: b.let("sub", v[0], v[1]),
                         {"p": params, "e": new}, out="drift")  # fmt: skip
    trees.global_norm(scope, drift)
    _applied(scope, model, new)


def _flat(scope: Scope, budget: int, mix: Mix) -> None:
    """Parameters as one vector, or as a list of leaves, and back."""
    stream, model = scope.stream, trees.model(scope)
    params = scope.input(model.type, "params")
    if stream.chance(0.5):
        structure = Var(Pullback((), model.type), role="treedef")
        flat = Var(Pullback((), model.type), role="leaves")
        scope.bind("tree_flatten", (params,), {}, (flat, structure))
        moved = Var(Pullback((), model.type), role=stream.choice(("new_leaves", "scaled")))
        if stream.chance(0.6):
            factor = {"factor": stream.choice((0.5, 0.9, 2.0))}
            scope.bind("leaves_scaled", (flat,), factor, moved)
        else:
            scope.bind("leaves_squashed", (flat,), {}, moved)
        new = Var(model.type, role="new_params")
        scope.bind("tree_unflatten", (structure, moved), {}, new)
        _applied(scope, model, new)
        return
    from_tree = _size(model.type)
    vector = Var(
        Aval(scope.float_dtype, (from_tree,)), trees.WEIGHTS, stream.choice(("flat", "vec"))
    )
    unravel = Var(Pullback((vector.type,), model.type), role="unravel")
    scope.bind("ravel_pytree", (params,), {}, (vector, unravel))
    norm = scope.let("norm", vector, role="norm")
    unit = Var(vector.type, (-1.0, 1.0), stream.choice(("unit", "direction", "")))
    scope.bind("div", (vector, scope.let("maximum", norm, Literal(1.0))), {}, unit)
    new = Var(model.type, role="new_params")
    scope.bind("apply", (unravel, unit), {}, new)
    _applied(scope, model, new)


def _applied(scope: Scope, model: trees.Model, params: Var) -> None:
    """Runs the model on an input, now and then."""
    if scope.stream.chance(0.5):
        x = scope.input(Aval(scope.float_dtype, (min(scope.side(), 16), model.inside)), "x")
        model.forward(scope, params, x)


def _size(tree: Any) -> int:
    if isinstance(tree, Aval):
        return tree.size
    parts = tree if isinstance(tree, tuple) else tuple(part for _, part in tree.items)
    return sum(_size(part) for part in parts)


def _accumulate(scope: Scope, budget: int, mix: Mix) -> None:
    """Gradients added up over microbatches, and one step with their mean."""
    stream, count = scope.stream, scope.stream.choice((2, 4, 8))
    data = tree_training.supervised(scope, budget // 2, mix, steps=count)
    tree = data.params.type
    total = tree_training.zeros(scope, data.params, "grads")
    carry = Var(tree, role="acc")
    types = (data.x.aval.with_shape(*data.x.aval.shape[1:]),
             data.y.aval.with_shape(*data.y.aval.shape[1:]))  # fmt: skip
    batch = Var(types, role="batch")
    x, y = Var(types[0], trees.WEIGHTS, "x"), Var(types[1], trees.WEIGHTS, "y")
    body = scope.nested([carry, batch], [])
    body.bind("unpack", (batch,), {}, (x, y))
    value, grads = Var(Aval(scope.float_dtype), (0.0, 1e3), "value"), Var(tree, role="grads")
    callee = Transformed("value_and_grad", data.loss)
    body.bind("apply", (callee, data.params, x, y), {}, (value, grads))
    added = Var(tree)
    body.bind("tree_add", (carry, grads), {}, added)
    step = body.close(stream.choice(("accumulate", "microbatch")), (added, value))
    summed = Var(tree, role="grads")
    losses = Var(Aval(scope.float_dtype, (count,)), (0.0, 1e3), "losses")
    scope.bind("scan", (step, total, (data.x, data.y)), {}, (summed, losses))
    scope.let("mean", losses)
    share = Literal(float(count))
    mean = trees.mapped(scope, "average", lambda b, v: b.let("div", v[0], share), {"g": summed},
                        out="mean_grads")  # fmt: skip
    tree_training.optimize(scope, "sgd", data.params, mean, {})


FAMILY = Family(
    "pytrees",
    one_of(
        Form(_train_step, 2.5),
        Form(_train_loop, 2.0),
        Form(objects.loop, 3.0),
        Form(objects.function, 1.5),
        Form(_stacked_layers, 1.5),
        Form(_moving_average),
        Form(_flat, 1.5),
        Form(_accumulate),
    ),
)
