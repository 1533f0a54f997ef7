"""Checks of a function's arguments, as people write them: of shapes, and all of them hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from jax_ir_pairs.synthesis.render.layout import WIDTH
from jax_ir_pairs.synthesis.sketching.drawing import Signature
from jax_ir_pairs.synthesis.sketching.fit import Fit, Shape
from jax_ir_pairs.synthesis.sketching.remarks import shape
from jax_ir_pairs.synthesis.sketching.types import Array
from jax_ir_pairs.synthesis.stream import Stream


def guard(
    signature: Signature, names: Mapping[str, str], fit: Fit, way: str, stream: Stream
) -> list[str]:
    """Gives lines that check an argument, by `raise` or `assert`; none where there is no check."""
    arrays = [
        (names.get(name, name), type)
        for name, type in signature.takes
        if isinstance(type, Array) and type.dims and not type.dtype.startswith("key")
    ]
    checks = [*_of_one(arrays, fit), *_of_two(arrays, fit)]
    if not checks:
        return []
    test, message = stream.choice(checks)
    if way == "assert":
        line = f"assert {test.replace(' != ', ' == ')}, "
        if len(line) + len(message) + 7 <= WIDTH:
            return [f'{line}f"{message}"']
        return [f"{line}(", f'    f"{message}"', ")"]
    if len(message) + 30 <= WIDTH:
        return [f"if {test}:", f'    raise ValueError(f"{message}")']
    return [f"if {test}:", "    raise ValueError(", f'        f"{message}"', "    )"]


def _of_one(arrays: list[tuple[str, Array]], fit: Fit) -> Iterator[tuple[str, str]]:
    for name, type in arrays:
        dims = fit.shape(type.dims)
        if len(dims) < 2 or _is_open(dims):
            continue
        words = shape(type).removeprefix(" of shape ")
        yield f"{name}.ndim != {len(dims)}", f"{name} must have shape {words}, got {{{name}.shape}}"
        if len(dims) == 2 and dims[0] == dims[1]:
            test = f"{name}.shape[0] != {name}.shape[1]"
            yield test, f"{name} must be square, got shape {{{name}.shape}}"


def _of_two(arrays: list[tuple[str, Array]], fit: Fit) -> Iterator[tuple[str, str]]:
    for (one, left), (other, right) in pairwise(arrays):
        first, second = fit.shape(left.dims), fit.shape(right.dims)
        if first == second:
            said = f"{{{one}.shape}} and {{{other}.shape}}"
            yield f"{one}.shape != {other}.shape", f"shapes of {one} and {other} differ: {said}"
        elif first[0] == second[0] and not _is_open(first):
            said = f"{one} has {{{one}.shape[0]}} rows but {other} has {{{other}.shape[0]}}"
            yield f"{one}.shape[0] != {other}.shape[0]", said


def _is_open(dims: Shape) -> bool:
    """Tells whether the number of axes is not known."""
    return isinstance(dims[0], str) and dims[0].startswith("*")
