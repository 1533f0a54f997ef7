"""Classes whose objects are trees of arrays."""

from __future__ import annotations

from collections.abc import Mapping

from jax_ir_pairs.synthesis.graph import Defined, Var
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
