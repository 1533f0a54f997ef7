"""Small networks on several devices: their parameters, their forward pass, their gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from jax_ir_pairs.synthesis.constructs.trees import WEIGHTS, read
from jax_ir_pairs.synthesis.graph import Callee, Transformed, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Record, Tree

_ACTIVATIONS = (
    "relu", "relu", "gelu", "silu", "tanh", "sigmoid", "elu", "leaky_relu", "softplus",
)  # fmt: skip


def calm(scope: Scope, x: Var) -> Var:
    """Gives `x` small enough for another product."""
    return x if max(map(abs, x.bounds)) <= 100.0 else scope.let("tanh", x)


def activation(scope: Scope, x: Var) -> Var:
    """Gives an activation of `x`."""
    name = scope.stream.choice(_ACTIVATIONS)
    try:
        return scope.let(name, x)
    except IllTyped:
        return scope.let("tanh", x)


@dataclass(frozen=True, slots=True)
class Model:
    """A small network: the type of its parameters, its forward pass, and its sides."""

    type: Tree
    forward: Callable[[Scope, Var, Var], Var]
    inside: int
    outside: int


def small_network(scope: Scope) -> Model:
    """Gives a multilayer perceptron with its parameters in a flat dict, nested dicts or a list."""
    stream, dtype = scope.stream, scope.float_dtype
    depth = stream.weighted((1, 2, 3), (2, 4, 1))
    sides = [min(scope.side(), 32) for _ in range(depth + 1)]
    biased = stream.chance(0.8)
    w, b = stream.choice((("w", "b"), ("w", "b"), ("kernel", "bias"), ("weight", "bias")))
    scaled = stream.chance(0.25)
    kind = stream.choice(("flat", "nested", "list"))
    parts: list[tuple[tuple[str | int, ...], Aval]] = []
    for n, (inside, outside) in enumerate(pairwise(sides)):
        head: tuple[str | int, ...]
        tail = ""
        if kind == "flat":
            head, tail = (), str(n + 1) if depth > 1 else ""
        else:
            head = (n,) if kind == "list" else (f"layer{n + 1}",)
        parts.append(((*head, w + tail), Aval(dtype, (inside, outside))))
        if biased:
            parts.append(((*head, b + tail), Aval(dtype, (outside,))))
        if scaled:
            parts.append(((*head, "scale" + tail), Aval(dtype, (outside,))))
    activation = stream.choice(("tanh", "relu", "gelu", "silu", "sigmoid"))

    def forward(body: Scope, params: Var, x: Var) -> Var:
        h = x
        for path, aval in parts:
            value = read(body, params, *path)
            if aval.rank == 2:
                if h is not x:
                    h = body.let(activation, calm(body, h))
                h = body.let("matmul", calm(body, h), value)
            else:
                name = "mul" if str(path[-1]).startswith("scale") else "add"
                h = body.let(name, calm(body, h), value)
        return h

    return Model(_tree(parts), forward, sides[0], sides[-1])


def _tree(parts: list[tuple[tuple[str | int, ...], Aval]]) -> Tree:
    """Gives the tree with these leaves: dicts for names, a list for numbers."""
    groups: dict[str | int, list[tuple[tuple[str | int, ...], Aval]]] = {}
    for (first, *rest), aval in parts:
        groups.setdefault(first, []).append((tuple(rest), aval))
    made: dict[str | int, Tree] = {
        key: inner[0][1] if not inner[0][0] else _tree(inner) for key, inner in groups.items()
    }
    if all(isinstance(key, int) for key in made):
        return tuple(made.values())
    return Record(tuple((str(key), tree) for key, tree in made.items()))


def mapped(
    scope: Scope,
    role: str,
    formula: Callable[[Scope, list[Var]], Var],
    trees: dict[str, Var],
    captured: list[Var] | None = None,
    out: str = "",
) -> Var:
    """Gives `jax.tree.map` of a formula over trees of one structure, by the leaves' names."""
    leaf = Aval(scope.float_dtype, (4,))
    params = [Var(leaf, WEIGHTS, name) for name in trees]
    body = scope.nested(params, captured or [])
    function = body.close(role, formula(body, params))
    result = Var(next(iter(trees.values())).type, role=out)
    scope.bind("tree_map", (function, *trees.values()), {}, result)
    return result


def gradients(scope: Scope, loss: Callee, params: Var, *batch: Var) -> tuple[Var | None, Var]:
    """Gives the loss, where it is asked for, and its gradients."""
    grads = Var(params.type, role="grads")
    if scope.stream.chance(0.3):
        scope.bind("apply", (Transformed("grad", loss), params, *batch), {}, grads)
        return None, grads
    value = Var(Aval(scope.float_dtype), (-1e3, 1e3), scope.stream.choice(("loss_value", "value")))
    scope.bind("apply", (Transformed("value_and_grad", loss), params, *batch), {}, (value, grads))
    return value, grads
