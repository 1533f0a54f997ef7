"""Training out of parts: gradients of a model, clipping, schedules and optimizers over trees."""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.synthesis.constructs import layers, trees
from jax_ir_pairs.synthesis.graph import Callee, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix, scalar, use_all, within
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Tree

SLOTS = {
    "sgd": (), "momentum": ("velocity",), "nesterov": ("velocity",), "rmsprop": ("nu",),
    "adam": ("mu", "nu"), "lion": ("mu",),
}  # fmt: skip
"""The trees that each optimizer keeps, by its name."""

_SMALL = (-50.0, 50.0)


@dataclass(frozen=True, slots=True)
class Data:
    """A model, its loss, and inputs of the entry point to call it on."""

    model: trees.Model
    loss: Function
    params: Var
    x: Var
    y: Var


def supervised(scope: Scope, budget: int, mix: Mix, *, steps: int = 0) -> Data:
    """Gives a model with a loss; with `steps`, its batches are stacked."""
    stream, model = scope.stream, trees.model(scope)
    batch, dtype = min(scope.side(), 16), scope.float_dtype
    x = Var(Aval(dtype, (batch, model.inside)), trees.WEIGHTS, "x")
    y = Var(Aval(dtype, (batch, model.outside)), trees.WEIGHTS, "y")
    params = Var(model.type, role=stream.choice(("params", "params", "weights", "theta")))
    body = scope.nested([x, y], reverse=True)
    h = layers.calm(body, model.forward(body, params, x))
    if stream.chance(0.35):
        mix.fill(body, budget)
        error = within(body, body.let("sub", h, y), trees.WEIGHTS)
        total = use_all(body, scalar(body), [error])
    else:
        error = body.let("sub", h, y)
        total = body.let("mean", body.let(stream.choice(("square", "abs")), error))
    body.params.insert(0, params)
    loss = body.close(stream.choice(("loss_fn", "loss", "compute_loss", "objective")), total)
    lead = (steps,) if steps else ()
    return Data(
        model,
        loss,
        scope.input(params.type, params.role),
        scope.input(Aval(dtype, (*lead, *x.aval.shape)), "xs" if steps else "x"),
        scope.input(Aval(dtype, (*lead, *y.aval.shape)), "ys" if steps else "y"),
    )


def gradients(scope: Scope, loss: Callee, params: Var, *batch: Var) -> tuple[Var | None, Var]:
    """Gives the loss, where it is asked for, and its gradients."""
    grads = Var(params.type, role="grads")
    if scope.stream.chance(0.3):
        scope.bind("apply", (Transformed("grad", loss), params, *batch), {}, grads)
        return None, grads
    value = Var(Aval(scope.float_dtype), (-1e3, 1e3), scope.stream.choice(("loss_value", "value")))
    scope.bind("apply", (Transformed("value_and_grad", loss), params, *batch), {}, (value, grads))
    return value, grads


def clip(scope: Scope, grads: Var) -> Var:
    """Gradients clipped by their global norm, or one by one."""
    if scope.stream.chance(0.3):
        edge = scope.stream.choice((0.5, 1.0, 5.0))

        def clip_leaf(body: Scope, v: list[Var]) -> Var:
            return body.let("clip", v[0], low=-edge, high=edge)

        return trees.mapped(scope, "clip_leaf", clip_leaf, {"g": grads}, out="clipped")
    norm = trees.global_norm(scope, grads)
    limit = Literal(scope.stream.choice((0.5, 1.0, 5.0)))
    ratio = Var(Aval(scope.float_dtype), (0.0, 1.0))
    below = scope.let("maximum", norm, limit)
    scope.bind("div", (limit, below), {}, ratio)
    return trees.mapped(scope, "rescale", lambda b, v: b.let("mul", v[0], ratio), {"g": grads},
                        [ratio], out="clipped")  # fmt: skip


def schedule(scope: Scope, step: Var) -> Var:
    """Gives a learning rate by the number of the step: warmup, decay or a cosine."""
    stream = scope.stream
    count = scope.let("astype", step, dtype=scope.float_dtype, role="t")
    way = stream.choice(("warmup", "inverse", "cosine", "exponential"))
    base, rate = Literal(stream.choice((1e-3, 1e-2, 0.1))), Var(count.type, (0.0, 0.2), "lr")
    if way == "warmup":
        part = scope.let("minimum", scope.let("div", count, Literal(10.0)), Literal(1.0))
    elif way == "cosine":
        turn = scope.let("cos", scope.let("mul", count, Literal(0.0314)))
        part = scope.let("mul", scope.let("add", turn, Literal(1.0)), Literal(0.5))
    elif way == "inverse":
        part = Var(count.type, (0.0, 1.0))
        below = scope.let("add", scope.let("abs", count), Literal(1.0))
        scope.bind("rsqrt", (below,), {}, part)
    else:
        part = Var(count.type, (0.0, 1.0))
        scope.bind("scale_power", (Literal(stream.choice((0.9, 0.99))), count), {}, part)
    scope.bind("mul", (base, part), {}, rate)
    return rate


def _average(scope: Scope, old: Var, new: Var, beta: float) -> Var:
    fresh = scope.let("mul", Literal(round(1.0 - beta, 4)), new)
    return scope.let("add", scope.let("mul", Literal(beta), old), fresh)


def _moved(scope: Scope, p: Var, step: Var, rate: Var | Literal) -> Var:
    out = Var(p.type, trees.WEIGHTS)
    scope.bind("sub", (p, scope.let("mul", rate, step)), {}, out)
    return out


def optimize(
    scope: Scope, name: str, params: Var, grads: Var, slots: dict[str, Var], rate: Var | None = None
) -> tuple[Var, dict[str, Var]]:
    """Gives the parameters and the optimizer's trees after one step."""
    stream, new = scope.stream, dict(slots)
    factor: Var | Literal = rate or Literal(stream.choice((1e-3, 1e-2, 0.1)))
    captured = [rate] if rate is not None else []
    beta = stream.choice((0.9, 0.95))
    decay = stream.choice((0.0, 0.0, 1e-4, 1e-2))

    def moment(slot: str, beta: float, squared: bool = False) -> Var:
        def formula(body: Scope, v: list[Var]) -> Var:
            old, g = v
            return _average(body, old, body.let("square", g) if squared else g, beta)

        letter = "mv"[squared]
        role = "update_second" if squared else "update_moment"
        operands = {letter: slots[slot], "g": grads}
        new[slot] = trees.mapped(scope, role, formula, operands, out=f"new_{slot}")
        return new[slot]

    def finish(role: str, direction: dict[str, Var]) -> Var:
        def formula(body: Scope, v: list[Var]) -> Var:
            p, *rest = v
            step = rest[0]
            if name in ("adam", "rmsprop"):
                # A second moment is never negative, but an ordinary input in its place is.
                safe, root = body.let("maximum", rest[-1], Literal(0.0)), Var(p.type, (0.0, 2.0))
                body.bind("sqrt", (safe,), {}, root)
                step = Var(p.type, _SMALL)
                body.bind("div", (rest[0], body.let("add", root, Literal(1e-8))), {}, step)
            elif name == "lion":
                step = body.let("sign", step)
            elif name == "nesterov":
                step = body.let("add", rest[1], body.let("mul", Literal(beta), rest[0]))
            if decay:
                step = body.let("add", step, body.let("mul", Literal(decay), p))
            return _moved(body, p, step, factor)

        return trees.mapped(
            scope, role, formula, {"p": params, **direction}, captured, "new_params"
        )

    if name == "sgd":
        return finish("sgd_update", {"g": grads}), new
    if name in ("momentum", "nesterov"):
        velocity = moment("velocity", beta)
        direction = {"v": velocity} | ({"g": grads} if name == "nesterov" else {})
        return finish("apply_update", direction), new
    if name == "lion":
        return finish("lion_update", {"m": moment("mu", beta)}), new
    if name == "rmsprop":
        return finish("rms_update", {"g": grads, "v": moment("nu", 0.99, True)}), new
    direction = {"m": moment("mu", beta), "v": moment("nu", 0.999, True)}
    return finish("adam_update", direction), new


def zeros(scope: Scope, tree: Var, role: str) -> Var:
    """Gives a tree of zeros of the same structure."""
    out = Var(tree.type, (0.0, 0.0), role)
    scope.bind("tree_zeros", (tree,), {}, out)
    return out


def fields(name: str, params: Tree, count: Aval) -> tuple[tuple[str, Tree], ...]:
    """Gives the fields of a training state for an optimizer."""
    return (("step", count), ("params", params), *((slot, params) for slot in SLOTS[name]))
