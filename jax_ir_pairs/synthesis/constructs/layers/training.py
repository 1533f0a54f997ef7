"""What is done with a loss: its value, gradients, steps of an optimizer, loops of them."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.layers import optimizers
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.constructs.layers.tasks import Loss
from jax_ir_pairs.synthesis.graph import Callee, Literal, Transformed, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_INPUTS, Scope
from jax_ir_pairs.synthesis.types import Aval

_LOSS = (-1e3, 1e3)


def params_name(scope: Scope) -> str:
    """Gives what a person calls the parameters."""
    return scope.stream.choice(("params", "params", "weights", "theta"))


def gradients(scope: Scope, loss: Callee, *arguments: Var) -> tuple[Var | None, Var]:
    """Gives the loss, where it is asked for, and its gradients."""
    grads = Var(arguments[0].type, role="grads")
    if scope.stream.chance(0.3):
        scope.bind("apply", (Transformed("grad", loss), *arguments), {}, grads)
        return None, grads
    name = scope.stream.choice(("loss_value", "loss_value", "value"))
    value = Var(Aval(scope.float_dtype), _LOSS, name)
    scope.bind("apply", (Transformed("value_and_grad", loss), *arguments), {}, (value, grads))
    return value, grads


def evaluate(scope: Scope, loss: Loss) -> None:
    """The loss alone, compiled on its own now and then."""
    arguments = loss.arguments(scope, params_name(scope))
    callee: Callee = loss.function
    if scope.stream.chance(0.15):
        callee = Transformed("jit", callee)
    scope.bind("apply", (callee, *arguments), {}, Var(Aval(scope.float_dtype), _LOSS))


def _room(scope: Scope) -> int:
    return MAX_INPUTS - len(scope.root().params)


def step(scope: Scope, loss: Loss) -> None:
    """Gradients, clipped or not, and an optimizer's update, with an average of the weights."""
    stream = scope.stream
    arguments = loss.arguments(scope, params_name(scope))
    params = arguments[0]
    _, grads = gradients(scope, loss.function, *arguments)
    if stream.chance(0.12):
        return
    if stream.chance(0.3):
        grads = optimizers.clip(scope, grads)
    update(scope, params, grads)


def update(scope: Scope, params: Var, grads: Var) -> None:
    """An optimizer's step from inputs of the entry point, or from fresh state."""
    stream = scope.stream
    fit = [n for n, slots in optimizers.SLOTS.items() if len(slots) <= max(0, _room(scope))]
    name = stream.choice(fit)
    number: Var | None = None
    if stream.chance(0.45) and _room(scope) > len(optimizers.SLOTS[name]):
        number = scope.input(Aval("i32"), "step", (0, 3))
    rate = optimizers.schedule(scope, number) if number is not None else None
    fresh = stream.chance(0.2)
    slots: dict[str, Var] = {}
    for slot in optimizers.SLOTS[name]:
        if fresh:
            slots[slot] = Var(params.type, (0.0, 0.0), slot)
            scope.bind("tree_zeros", (params,), {}, slots[slot])
        else:
            slots[slot] = scope.input(params.type, slot)
    new = optimizers.optimize(scope, name, params, grads, slots, rate, number)
    if _room(scope) > 0 and stream.chance(0.15):
        ema = scope.input(params.type, stream.choice(("ema_params", "ema")))
        optimizers.moving_average(scope, ema, new)
    if stream.chance(0.7):
        # The next step takes what this one leaves: the optimizer's trees and the weights.
        for var in (*slots.values(), new):
            scope.unused.setdefault(var)


def accumulate(scope: Scope, loss: Loss) -> None:
    """Gradients summed by a scan over microbatches, then one update with their mean."""
    steps = scope.stream.choice((2, 3, 4))
    if any(aval.size * steps > 8192 for aval, _ in loss.inputs.values()):
        raise IllTyped("too much data for microbatches")
    params, *data = loss.arguments(scope, params_name(scope), lead=(steps,))
    zeros = Var(params.type, (0.0, 0.0), "zeros")
    scope.bind("tree_zeros", (params,), {}, zeros)
    total = Var(params.type, role=scope.stream.choice(("grads_sum", "acc")))
    rows = [Var(aval, bounds, name) for name, (aval, bounds) in loss.inputs.items()]
    batch: Any = rows[0] if len(rows) == 1 else Var(tuple(r.type for r in rows), role="batch")
    body = scope.nested([total, batch], [params])
    if len(rows) > 1:
        body.bind("unpack", (batch,), {}, tuple(rows))
    value, grads = gradients(body, loss.function, params, *rows)
    added = Var(params.type)
    body.bind("tree_add", (total, grads), {}, added)
    function = body.close(scope.stream.choice(("accumulate", "micro_step")), (added, value))
    summed = Var(params.type, role="grads_sum")
    values = Var(Aval(scope.float_dtype, (steps,)) if value else (), _LOSS, "losses")
    over: Any = data[0] if len(data) == 1 else tuple(data)
    scope.bind("scan", (function, zeros, over), {}, (summed, values))
    if value is None:
        scope.unused.pop(values, None)
    part = Literal(round(1.0 / steps, 4))
    mean = optimizers.mapped(scope, "mean_grad", lambda n, g: n.let("mul", g, part), "grads",
                             {"g": summed})  # fmt: skip
    update(scope, params, mean)


def loop(scope: Scope, loss: Loss) -> None:
    """Steps of gradient descent: a scan over batches, or again and again over one."""
    stream = scope.stream
    steps, fixed = stream.choice((2, 3, 4)), stream.chance(0.4)
    lead = () if fixed else (steps,)
    if not fixed and any(aval.size * steps > 8192 for aval, _ in loss.inputs.values()):
        raise IllTyped("too much data for a loop")
    params, *data = loss.arguments(scope, params_name(scope), lead=lead)
    own = Var(params.type, role="p")
    rows = data if fixed else [Var(a, b, name) for name, (a, b) in loss.inputs.items()]
    if fixed:
        counter = Var(Aval(scope.int_dtype), (0, 8), "i")
        body = scope.nested([counter, own], rows)
    else:
        batch = rows[0] if len(rows) == 1 else Var(tuple(r.type for r in rows), role="batch")
        body = scope.nested([own, batch])
        if len(rows) > 1:
            body.bind("unpack", (batch,), {}, tuple(rows))
    value, grads = gradients(body, loss.function, own, *rows)
    new = optimizers.optimize(body, stream.choice(("sgd", "sign_sgd")), own, grads, {})
    final = Var(params.type, role=stream.choice(("final_params", "trained")))
    if fixed:
        function = body.close(stream.choice(("body", "update")), new)
        scope.bind("fori_loop", (function, params), {"lower": 0, "upper": steps}, final)
        return
    function = body.close(stream.choice(("train_step", "step")), (new, value))
    values = Var(Aval(scope.float_dtype, (steps,)) if value else (), _LOSS, "losses")
    over: Any = data[0] if len(data) == 1 else tuple(data)
    scope.bind("scan", (function, params, over), {}, (final, values))
    if value is None:
        scope.unused.pop(values, None)


def scaled(scope: Scope, loss: Loss) -> None:
    """Loss scaling: gradients of a loss made larger, and brought back."""
    factor = scope.stream.choice((128.0, 256.0, 1024.0))
    arguments = loss.arguments(scope, "params")
    own = [Var(v.type, v.bounds, v.role) for v in arguments]
    body = scope.nested(own, reverse=True)
    value = Var(Aval(scope.float_dtype), _LOSS)
    body.bind("apply", (loss.function, *own), {}, value)
    net = Net(body, scope.float_dtype)
    function = body.close("scaled_loss", net.let("mul", value, Literal(factor)))
    _, grads = gradients(scope, function, *arguments)
    back = Literal(1.0 / factor)
    grads = optimizers.mapped(scope, "unscale", lambda n, g: n.let("mul", g, back), "grads",
                              {"g": grads})  # fmt: skip
    update(scope, arguments[0], grads)


def adapt(scope: Scope, loss: Loss) -> None:
    """Meta-learning: the gradient of a loss after a step of its own gradient."""
    if len(loss.inputs) > 2:
        raise IllTyped("too many inputs for two sets of data")
    params, *support = loss.arguments(scope, params_name(scope))
    query = [scope.input(a, f"{n}_query", b) for n, (a, b) in loss.inputs.items()]
    rate = Literal(scope.stream.choice((0.01, 0.1)))

    def inner(body: Scope, own: Var, data: list[Var]) -> Var:
        grads = Var(params.type, role="grads")
        body.bind("apply", (Transformed("grad", loss.function), own, *data), {}, grads)
        return optimizers.mapped(
            body, "inner_update", lambda n, p, g: n.let("sub", p, n.let("mul", rate, g)), "adapted",
            {"p": own, "g": grads},
        )  # fmt: skip

    own = Var(params.type, role="params")
    seen = [Var(v.type, v.bounds, v.role) for v in (*support, *query)]
    body = scope.nested([own, *seen], reverse=True)
    adapted = own
    for _ in range(scope.stream.choice((1, 1, 2))):
        adapted = inner(body, adapted, seen[: len(support)])
    value = Var(Aval(scope.float_dtype), _LOSS)
    body.bind("apply", (loss.function, adapted, *seen[len(support) :]), {}, value)
    function = body.close(scope.stream.choice(("maml_loss", "meta_loss")), value)
    arguments = (params, *support, *query)
    if scope.stream.chance(0.3):
        scope.bind("apply", (function, *arguments), {}, Var(Aval(scope.float_dtype), _LOSS))
        return
    _, grads = gradients(scope, function, *arguments)
    if scope.stream.chance(0.6):
        update(scope, params, grads)
