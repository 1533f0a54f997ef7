"""Trees of arrays: parameters of small models, and classes whose objects are trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from jax_ir_pairs.synthesis.constructs import layers
from jax_ir_pairs.synthesis.graph import Defined, Literal, Var
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds, Record, Tree

WEIGHTS: Bounds = (-4.0, 4.0)

_NODE = """\

    def tree_flatten(self):
        return ({fields}), None

    @classmethod
    def tree_unflatten(cls, aux, children):
        return cls(*children)"""

_KEYED = """\

    def tree_flatten_with_keys(self):
        children = (
{keyed}
        )
        return children, None

    @classmethod
    def tree_unflatten(cls, aux, children):
        return cls(*children)"""


def define(scope: Scope, role: str, fields: tuple[tuple[str, Tree], ...]) -> Record:
    """Gives the type of the objects of a new class, a pytree in one of the usual ways."""
    hints = [f"    {key}: {'jax.Array' if isinstance(t, Aval) else _hint(t)}" for key, t in fields]
    body = "\n".join(hints)
    own = ", ".join(f"self.{key}" for key, _ in fields) + "," * (len(fields) == 1)
    way = scope.stream.weighted(("named", "dataclass", "node", "keyed"), (4, 4, 2, 1))
    if way == "named":
        template = f"class {{name}}(NamedTuple):\n{body}"
    elif way == "dataclass":
        head = "@jax.tree_util.register_dataclass\n@dataclass"
        template = f"{head}\nclass {{name}}:\n{body}"
    elif way == "node":
        head = "@jax.tree_util.register_pytree_node_class\n@dataclass"
        template = f"{head}\nclass {{name}}:\n{body}\n{_NODE.format(fields=own)}"
    else:
        head = "@jax.tree_util.register_pytree_with_keys_class\n@dataclass"
        key = '            (jax.tree_util.GetAttrKey("{0}"), self.{0}),'
        pairs = "\n".join(key.format(name) for name, _ in fields)
        template = f"{head}\nclass {{name}}:\n{body}\n{_KEYED.format(keyed=pairs)}"
    return Record(fields, Defined(role, template))


def _hint(type: Tree) -> str:
    return "dict" if isinstance(type, Record) else "list"


def construct(scope: Scope, type: Record, values: Mapping[str, object], role: str = "") -> Var:
    """Gives an object of a class, made of these values."""
    items = tuple((key, values[key]) for key in type.keys)
    out = Var(type, role=role)
    scope.bind("unpack", (Record(items, type.cls),), {}, out)  # type: ignore[arg-type]
    return out


def updated(scope: Scope, value: Var, field: str, new: Var, role: str = "") -> Var:
    """Gives the object with one field replaced."""
    type = value.type
    assert isinstance(type, Record)
    named = "NamedTuple" in type.cls.template
    out = Var(type, role=role)
    name = "replace_field" if named else "replace_dataclass"
    scope.bind(name, (value, new), {"field": field}, out)
    return out


def read(
    scope: Scope, tree: Var, *path: str | int, bounds: Bounds = WEIGHTS, role: str = ""
) -> Var:
    """Gives a part of a tree."""
    for place, key in enumerate(path):
        type = tree.type
        last = place == len(path) - 1
        if isinstance(type, tuple):
            part = type[int(key)]
        else:
            assert isinstance(type, Record)
            part = type[str(key)]
        object = isinstance(type, Record) and type.cls is not None
        out = Var(part, bounds if last else WEIGHTS, role if last else "")
        params = {"field": key} if object else {"key": key}
        scope.bind("field" if object else "item", (tree,), params, out)
        tree = out
    return tree


@dataclass(frozen=True, slots=True)
class Model:
    """A small network: the type of its parameters, its forward pass, and its sides."""

    type: Tree
    forward: Callable[[Scope, Var, Var], Var]
    inside: int
    outside: int


def model(scope: Scope) -> Model:
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
                    h = body.let(activation, layers.calm(body, h))
                h = body.let("matmul", layers.calm(body, h), value)
            else:
                name = "mul" if str(path[-1]).startswith("scale") else "add"
                h = body.let(name, layers.calm(body, h), value)
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


def dict_leaves(tree: Tree) -> bool:
    """Whether every leaf of the tree stands in a dict."""
    if isinstance(tree, Record):
        return tree.cls is None and all(
            isinstance(part, Aval) or dict_leaves(part) for _, part in tree.items
        )
    return isinstance(tree, tuple) and all(dict_leaves(part) for part in tree)


def global_norm(scope: Scope, tree: Var) -> Var:
    """Gives the root of the sum of all squares, in one of the ways that people write it."""
    stream, scalar = scope.stream, Aval(scope.float_dtype)
    total = Var(scalar, (0.0, 1e4))
    way = stream.choice(("tree_sum_squares", "tree_vdot", "tree_reduce"))
    operand = tree
    if way == "tree_reduce":
        leaf = Var(Aval(scope.float_dtype, (2,)), WEIGHTS, "g")
        body = scope.nested([leaf])
        function = body.close("squared_sum", body.let("sum", body.let("square", leaf)))
        operand = Var(_scalars(tree.type, scalar), role="squares")
        scope.bind("tree_map", (function, tree), {}, operand)
    scope.bind(way, (operand,), {}, total)
    root = Var(scalar, (0.0, 100.0), stream.choice(("norm", "grad_norm", "global_norm")))
    inside = scope.let("add", total, Literal(1e-6)) if stream.chance(0.4) else total
    scope.bind("sqrt", (inside,), {}, root)
    return root


def _scalars(tree: Tree, scalar: Aval) -> Tree:
    if isinstance(tree, Record):
        return Record(tuple((k, _scalars(part, scalar)) for k, part in tree.items), tree.cls)
    return tuple(_scalars(part, scalar) for part in tree) if isinstance(tree, tuple) else scalar


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
