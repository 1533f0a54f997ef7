"""What stands around a sketch's code: docstrings and annotations."""

from __future__ import annotations

from collections.abc import Mapping

from jax_ir_pairs.synthesis.sketching.drawing import Signature
from jax_ir_pairs.synthesis.sketching.types import Array, Dim, Fields, Repeated, Type

_AXES = {
    "b": "batch", "t": "time", "s": "time", "d": "features", "n": "n", "m": "m", "h": "heads",
    "c": "classes", "v": "vocab", "l": "layers",
}  # fmt: skip


def docstring(
    purpose: str, details: str, signature: Signature, names: Mapping[str, str], convention: str,
    array: str,
) -> list[str]:  # fmt: skip
    """Gives the lines of a docstring, without indentation."""
    takes = [
        (names.get(name, name), type) for name, type in (*signature.takes, *signature.optional)
    ]
    body: list[str] = []
    if details:
        body += ["", *details.splitlines()]
    if convention == "google" and takes:
        body += ["", "Args:", *(f"    {name}: {described(type)}" for name, type in takes)]
        if signature.gives is not None:
            body += ["", "Returns:", f"    {_capital(described(signature.gives))}"]
    elif convention == "numpy" and takes:
        body += ["", "Parameters", "----------"]
        for name, type in takes:
            body += [
                f"{name} : {kind(type, array) or 'pytree'}",
                f"    {_capital(described(type))}",
            ]
        if signature.gives is not None:
            body += ["", "Returns", "-------", kind(signature.gives, array) or "pytree",
                     f"    {_capital(described(signature.gives))}"]  # fmt: skip
    if not body:
        return [f'"""{purpose}"""']
    return [f'"""{purpose}', *body, '"""']


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def described(type: Type) -> str:
    """Gives a phrase for a value of a type: `logits of shape (b, c).`"""
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
    return "Parameters."


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


def kind(type: Type | None, array: str) -> str:
    """Gives the annotation of a type."""
    match type:
        case Array():
            return array
        case Fields():
            return (
                f"dict[str, {array}]"
                if all(isinstance(t, Array) for _, t in type.items)
                else "dict"
            )
        case Repeated():
            return "list"
        case tuple():
            if all(isinstance(part, Array) for part in type):
                return f"tuple[{', '.join([array] * len(type))}]"
            return "tuple"
    return ""
