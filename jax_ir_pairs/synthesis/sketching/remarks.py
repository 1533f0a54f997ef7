"""What stands around a sketch's code: docstrings and annotations."""

from __future__ import annotations

from collections.abc import Mapping

from jax_ir_pairs.synthesis.sketching.drawing import Signature
from jax_ir_pairs.synthesis.sketching.style import Hints
from jax_ir_pairs.synthesis.sketching.types import Array, Dim, Fields, Repeated, Type, Variable

_AXES = {
    "b": "batch", "t": "time", "s": "time", "d": "features", "n": "n", "m": "m", "h": "heads",
    "c": "classes", "v": "vocab", "l": "layers",
}  # fmt: skip


_UNSAID = Hints("array", "array", "{}, optional", "dict")
"""How types are named in docstrings where there are no annotations."""


def docstring(
    purpose: str, details: str, signature: Signature, names: Mapping[str, str], convention: str,
    hints: Hints | None,
) -> list[str]:  # fmt: skip
    """Gives the lines of a docstring, without indentation."""
    takes = [
        (names.get(name, name), type) for name, type in (*signature.takes, *signature.optional)
    ]
    gives, shown = signature.gives, hints or _UNSAID
    body = ["", *details.splitlines()] if details else []
    if convention == "google" and takes:
        body += ["", "Args:", *(f"    {name}: {described(type, name)}" for name, type in takes)]
        body += ["", "Returns:", f"    {described(gives)}"] if gives is not None else []
    elif convention == "numpy" and takes:
        body += ["", "Parameters", "----------"]
        for name, type in takes:
            said = kind(type, shown, shown.array) or "pytree"
            body += [f"{name} : {said}", f"    {described(type, name)}"]
        if gives is not None:
            said = kind(gives, shown, shown.result) or "pytree"
            body += ["", "Returns", "-------", said, f"    {described(gives)}"]
    if not body:
        return [f'"""{purpose}"""']
    return [f'"""{purpose}', *body, '"""']


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_TREES = {
    "batch": "Batch of examples.",
    "grads": "Gradients, one for each parameter.",
    "params": "Parameters of the model.",
    "state": "State before the step.",
}


def described(type: Type, name: str = "") -> str:
    """Gives a phrase for a value of a type: `Logits of shape (batch, classes).`"""
    if name in _TREES and not isinstance(type, Array):
        return _TREES[name]
    match type:
        case Array(doc=doc) if doc:
            return f"{_capital(doc)}{shape(type)}."
        case Array(dtype=dtype) if dtype.startswith("key"):
            return "Random key."
        case Array(dtype=dtype, role=role):
            what = role.replace("_", " ") or ("boolean mask" if dtype == "bool" else "array")
            return f"{_capital(what)}{shape(type)}."
        case Fields():
            return "Dictionary of arrays."
        case Repeated():
            return "List, one entry per layer."
        case tuple():
            return "Tuple of arrays."
    return "Tree of arrays."


def shape(type: Array) -> str:
    """Gives ` of shape (batch, features)`, or nothing for a scalar."""
    axes = [axis(d) for d in type.dims]
    if not axes:
        return ""
    return f" of shape ({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def axis(dim: Dim) -> str:
    """Gives a word for a size."""
    if isinstance(dim, int):
        return str(dim)
    if isinstance(dim, str):
        if dim.startswith("*"):
            return "..."
        plain = dim.rpartition(".")[2]
        return _AXES.get(plain, plain)
    parts = [axis(part) for part in dim[1:]]
    return f"{parts[0]} {dim[0]} {parts[1]}"


def kind(type: Type | None, hints: Hints, array: str) -> str:
    """Gives the annotation of a type whose arrays are annotated as `array`, or nothing."""
    match type:
        case Array():
            return array
        case Variable(name):
            return "Any" if "{}" not in hints.tree and name.endswith((".P", ".S")) else ""
        case Fields():
            plain = all(isinstance(part, Array) for _, part in type.items)
            if not plain and "{}" in hints.tree:
                return hints.tree.partition("[")[0].lower()
            return hints.tree.format(array)
        case Repeated():
            return "list" if "{}" in hints.tree or hints.tree == "dict" else hints.tree
        case tuple():
            if all(isinstance(part, Array) for part in type):
                return f"tuple[{', '.join([array] * len(type))}]"
            return "tuple"
    return ""
