"""Optimizers over trees of parameters: clipping, schedules, moments, updates, averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.constructs.layers.net import WEIGHTS, Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Record

SLOTS: dict[str, tuple[str, ...]] = {
    "sgd": (), "momentum": ("velocity",), "nesterov": ("velocity",), "rmsprop": ("nu",),
    "adagrad": ("accumulator",), "adam": ("mu", "nu"), "adamw": ("mu", "nu"), "lion": ("mu",),
    "lamb": ("mu", "nu"), "sign_sgd": (),
}  # fmt: skip
"""The trees that each optimizer keeps."""

_LEAF = (4,)


def mapped(
    scope: Scope, role: str, formula: Callable[..., Var], out: str, trees: dict[str, Var],
    captured: tuple[Var, ...] = (),
) -> Var:  # fmt: skip
    """Gives `jax.tree.map` of a formula over trees of one structure, by the leaves' names."""
    params = [Var(Aval(_dtype(tree.type), _LEAF), WEIGHTS, name) for name, tree in trees.items()]
    body = scope.nested(params, captured)
    inner = Net(body, scope.float_dtype)
    function = body.close(role, formula(inner, *params))
    result = Var(next(iter(trees.values())).type, role=out)
    scope.bind("tree_map", (function, *trees.values()), {}, result)
    return result


def _dtype(tree: Any) -> str:
    if isinstance(tree, Aval):
        return tree.dtype
    return _dtype(tree.items[0][1] if isinstance(tree, Record) else tree[0])


def _like(scope: Scope, value: Var, tree: Var) -> Var:
    """Gives a scalar in the dtype of a tree's leaves, which it is combined with."""
    dtype = _dtype(tree.type)
    return value if value.aval.dtype == dtype else scope.let("astype", value, dtype=dtype)


def cast(scope: Scope, tree: Var, dtype: str, out: str = "") -> Var:
    """Gives a tree in another dtype."""
    result = Var(cast_type(tree.type, dtype), role=out)
    leaf = Var(Aval(_dtype(tree.type), _LEAF), WEIGHTS, "p")
    body = scope.nested([leaf])
    function = body.close("cast", body.let("astype", leaf, dtype=dtype))
    scope.bind("tree_map", (function, tree), {}, result)
    return result


def cast_type(tree: Any, dtype: str) -> Any:
    """Gives the type of a tree with leaves of another dtype."""
    if isinstance(tree, Aval):
        return Aval(dtype, tree.shape)
    if isinstance(tree, Record):
        return Record(tuple((key, cast_type(part, dtype)) for key, part in tree.items))
    return tuple(cast_type(part, dtype) for part in tree)


def clip(scope: Scope, grads: Var) -> Var:
    """Gradients clipped by their global norm, or one by one."""
    if scope.stream.chance(0.25):
        edge = scope.stream.choice((0.5, 1.0, 5.0))
        return mapped(scope, "clip_leaf", lambda n, g: n.let("clip", g, low=-edge, high=edge),
                      "clipped", {"g": grads})  # fmt: skip
    total, net = Var(Aval(scope.float_dtype), (0.0, 1e4)), Net(scope, scope.float_dtype)
    scope.bind(scope.stream.choice(("tree_sum_squares", "tree_vdot")), (grads,), {}, total)
    norm = net.sure("sqrt", total, bounds=(0.0, 100.0), role="grad_norm")
    limit = Literal(scope.stream.choice((0.5, 1.0, 1.0, 5.0)))
    below = net.let("add", norm, Literal(1e-6))
    ratio = net.sure("div", limit, below, bounds=(0.0, 1e3))
    scale = _like(scope, net.let("minimum", ratio, Literal(1.0), role="scale"), grads)
    return mapped(scope, "rescale", lambda n, g: n.let("mul", g, scale), "clipped",
                  {"g": grads}, (scale,))  # fmt: skip


def schedule(scope: Scope, step: Var) -> Var:
    """Gives the learning rate of a step: warmup, cosine, both, decay, or a piecewise one."""
    stream, base = scope.stream, Literal(scope.stream.choice((1e-3, 3e-4, 1e-2, 0.1)))
    way = stream.choice(("warmup", "cosine", "warmup_cosine", "inverse", "exponential", "steps"))
    warm, total = stream.choice((5.0, 10.0, 100.0)), stream.choice((100.0, 1000.0))

    def cosine(net: Net, t: Var) -> Var:
        done = net.let("clip", net.let("div", t, Literal(total)), low=0.0, high=1.0)
        turn = net.let("cos", net.let("mul", done, Literal(3.14159)))
        return net.let("mul", net.let("add", turn, Literal(1.0)), Literal(0.5))

    def build(net: Net, step: Var) -> Var:
        t = net.let("astype", step, dtype=scope.float_dtype, role="t")
        if way == "cosine":
            part = cosine(net, t)
        elif way in ("warmup", "warmup_cosine"):
            ramp = net.let("minimum", net.let("div", t, Literal(warm)), Literal(1.0))
            part = ramp if way == "warmup" else net.let("mul", ramp, cosine(net, t))
        elif way == "inverse":
            least = net.let("maximum", t, Literal(1.0))
            part = net.sure("rsqrt", least, bounds=(0.0, 1.0))
        elif way == "exponential":
            part = Var(t.type, (0.0, 1.0))
            net.scope.bind("scale_power", (Literal(stream.choice((0.9, 0.99))), t), {}, part)
        else:
            late = net.let("greater", step, Literal(int(total) // 2))
            halved = net.let("mul", Literal(0.1), net.let("array_ones_like", t))
            part = net.sure("where", late, halved, Literal(1.0), bounds=(0.1, 1.0))
        return net.let("mul", base, part)

    net = Net(scope, scope.float_dtype)
    rate: Var = net.call(stream.choice(("learning_rate", "lr_schedule", "schedule")), build,
                         step=step)  # fmt: skip
    return rate


def _average(net: Net, old: Var, new: Var, beta: float) -> Var:
    kept = net.let("mul", Literal(beta), old)
    return net.let("add", kept, net.let("mul", Literal(round(1.0 - beta, 4)), new))


def optimize(
    scope: Scope, name: str, params: Var, grads: Var, slots: dict[str, Var],
    rate: Var | None = None, step: Var | None = None,
) -> Var:  # fmt: skip
    """Gives the parameters after one step of an optimizer; `slots` takes its new trees."""
    stream = scope.stream
    rate = rate and _like(scope, rate, params)
    factor: Any = rate or Literal(stream.choice((1e-3, 1e-2, 0.1, 3e-4)))
    beta, beta2 = stream.choice((0.9, 0.95)), stream.choice((0.999, 0.99))
    decay = stream.choice((1e-4, 1e-2, 0.1)) if name in ("adamw", "lion", "lamb") else 0.0
    corrections: tuple[Var, ...] = ()
    if name in ("adam", "adamw"):
        corrections = tuple(_like(scope, v, params) for v in _corrections(scope, step, beta, beta2))
    captured = [*([rate] if rate is not None else []), *corrections]

    def moment(slot: str, beta: float, squared: bool) -> Var:
        def formula(net: Net, old: Var, g: Var) -> Var:
            new = net.let("square", g) if squared else g
            if slot == "accumulator":
                return net.let("add", old, new)
            return _average(net, old, new, beta)

        role = "update_second" if squared else "update_moment"
        operands = {"v" if squared else "m": slots[slot], "g": grads}
        slots[slot] = mapped(scope, role, formula, f"new_{slot}", operands)
        return slots[slot]

    def adaptive(net: Net, m: Var, v: Var) -> Var:
        if corrections:
            m = net.sure("div", m, corrections[0], bounds=WEIGHTS, role="m_hat")
            v = net.sure("div", v, corrections[1], bounds=(0, 4), role="v_hat")
        # A second moment is never negative, but an ordinary input in its place is.
        root = net.sure("sqrt", net.let("maximum", v, Literal(0.0)), bounds=(0.0, 2.0))
        return net.sure("div", m, net.let("add", root, Literal(1e-8)), bounds=(-50.0, 50.0))

    def finish(net: Net, p: Var, *rest: Var) -> Var:
        way: Var = rest[0]
        if name in ("adam", "adamw", "rmsprop", "adagrad", "lamb"):
            way = adaptive(net, rest[0], rest[1])
        elif name in ("lion", "sign_sgd"):
            way = net.let("sign", way)
        elif name == "nesterov":
            way = net.let("add", rest[1], net.let("mul", Literal(beta), rest[0]))
        if decay:
            way = net.let("add", way, net.let("mul", Literal(decay), p))
        if name == "lamb":
            squares = (net.let("sum", net.let("square", x)) for x in (p, way))
            roots = [net.sure("sqrt", net.let("add", s, Literal(1e-6)), bounds=(0.001, 10))
                     for s in squares]  # fmt: skip
            way = net.let("mul", way, net.sure("div", *roots, bounds=(0.0, 10.0)))
        return net.sure("sub", p, net.let("mul", factor, way), bounds=WEIGHTS)

    trees = {"p": params}
    if name in ("momentum", "nesterov"):
        trees["v"] = moment("velocity", beta, False)
        trees |= {"g": grads} if name == "nesterov" else {}
    elif name == "lion":
        trees["m"] = moment("mu", 0.99, False)
    elif name in ("rmsprop", "adagrad"):
        slot = SLOTS[name][0]
        trees |= {"g": grads, "v": moment(slot, 0.99, True)}
    elif name in ("adam", "adamw", "lamb"):
        trees |= {"m": moment("mu", beta, False), "v": moment("nu", beta2, True)}
    else:
        trees["g"] = grads
    return mapped(scope, f"{name}_update", finish, "new_params", trees, tuple(captured))


def _corrections(scope: Scope, step: Var | None, beta: float, beta2: float) -> tuple[Var, ...]:
    """Gives what the moments of Adam are divided by, where the step is known."""
    if step is None:
        return ()
    net = Net(scope, scope.float_dtype)
    count = net.let("add", step, Literal(1), role="t")
    wide = net.let("astype", count, dtype=scope.float_dtype)
    found = []
    for number, value in enumerate((beta, beta2), 1):
        power = Var(wide.type, (0.0, 0.999))
        scope.bind("scale_power", (Literal(value), wide), {}, power)
        role = f"correction{number}"
        found.append(net.sure("sub", Literal(1.0), power, bounds=(1e-3, 1.0), role=role))
    return tuple(found)


def moving_average(scope: Scope, ema: Var, params: Var) -> Var:
    """Gives an exponential moving average of parameters."""
    beta = scope.stream.choice((0.99, 0.999, 0.9))
    return mapped(scope, "ema_update", lambda n, e, p: _average(n, e, p, beta), "new_ema",
                  {"e": ema, "p": params})  # fmt: skip
