"""What stands around a sketch's code: docstrings, annotations, checks of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from jax_ir_pairs.synthesis.render.layout import WIDTH
from jax_ir_pairs.synthesis.sketching.drawing import Signature
from jax_ir_pairs.synthesis.sketching.types import Array, Dim, Fields, Fit, Repeated, Type

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


def guard(
    signature: Signature, names: Mapping[str, str], fit: Fit, way: str, choice: int
) -> list[str]:
    """Gives lines that check the shapes of arguments, all of which hold."""
    arrays = [(names.get(name, name), type) for name, type in signature.takes
              if isinstance(type, Array) and type.dims and not type.dtype.startswith("key")]  # fmt: skip
    checks: list[tuple[str, str]] = []
    for name, type in arrays:
        dims = fit.shape(type.dims)
        if any(isinstance(d, str) and d.startswith("*") for d in dims):
            continue
        if len(dims) > 1:
            words = shape(type).removeprefix(" of shape ")
            checks.append((f"{name}.ndim != {len(dims)}",
                           f"{name} must have shape {words}, got {{{name}.shape}}"))  # fmt: skip
            if dims[0] == dims[1] and len(dims) == 2:
                checks.append((f"{name}.shape[0] != {name}.shape[1]",
                               f"{name} must be square, got shape {{{name}.shape}}"))  # fmt: skip
    for (one, left), (other, right) in pairwise(arrays):
        a, b = fit.shape(left.dims), fit.shape(right.dims)
        if a == b:
            checks.append((f"{one}.shape != {other}.shape",
                           f"{one} and {other} differ in shape: {{{one}.shape}} and {{{other}.shape}}"))  # fmt: skip
        elif a[0] == b[0] and not (isinstance(a[0], str) and a[0].startswith("*")):
            checks.append((f"{one}.shape[0] != {other}.shape[0]",
                           f"{one} has {{{one}.shape[0]}} rows but {other} has {{{other}.shape[0]}}"))  # fmt: skip
    if not checks:
        return []
    test, message = checks[choice % len(checks)]
    if way == "assert":
        line = f"assert {test.replace(' != ', ' == ')}, "
        if len(line) + len(message) + 7 <= WIDTH:
            return [f'{line}f"{message}"']
        return [f"{line}(", f'    f"{message}"', ")"]
    if len(message) + 30 <= WIDTH:
        return [f"if {test}:", f'    raise ValueError(f"{message}")']
    return [f"if {test}:", "    raise ValueError(", f'        f"{message}"', "    )"]
