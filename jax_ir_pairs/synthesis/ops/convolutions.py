"""Convolutions of one to three spatial axes, in the layouts and variants that people use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.contractions import product_bounds
from jax_ir_pairs.synthesis.ops.windows import window_side
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import COMPLEX, FLOATS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None
Params: TypeAlias = Mapping[str, Any]

_TYPES = (*FLOATS, *COMPLEX)

LAYOUTS = {
    1: (("NWC", "WIO", "NWC"), ("NCW", "OIW", "NCW")),
    2: (("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("NHWC", "OIHW", "NHWC"),
        ("NHWC", "HWIO", "NCHW")),
    3: (("NDHWC", "DHWIO", "NDHWC"), ("NCDHW", "OIDHW", "NCDHW")),
}  # fmt: skip
"""Dimension numbers by the number of spatial axes."""


def _sides(shape: tuple[int, ...], layout: str) -> dict[str, int]:
    if len(shape) != len(layout):
        raise IllTyped("layout")
    return dict(zip(layout, shape, strict=True))


def convolved(x: Var, kernel: Var, params: Params) -> Typed:
    """Gives the type of `lax.conv_general_dilated`; raises `IllTyped`."""
    spatial = x.aval.rank - 2
    if spatial not in LAYOUTS or x.aval.dtype != kernel.aval.dtype or x.aval.dtype not in _TYPES:
        raise IllTyped("convolution")
    plain = {1: ("NCW", "OIW", "NCW"), 2: LAYOUTS[2][1], 3: LAYOUTS[3][1]}[spatial]
    left, right, result = params.get("dimension_numbers", plain)
    own, window = _sides(x.aval.shape, left), _sides(kernel.aval.shape, right)
    groups, batches = params.get("feature_group_count", 1), params.get("batch_group_count", 1)
    if own["C"] != window["I"] * groups or window["O"] % groups or own["N"] % batches:
        raise IllTyped("convolution groups")
    if window["O"] % batches:
        raise IllTyped("convolution groups")
    sides = {"N": own["N"] // batches, "C": window["O"]}
    ones, padding = (1,) * spatial, params["padding"]
    names = [letter for letter in left if letter not in "NC"]
    for n, letter in enumerate(names):
        side = (own[letter] - 1) * params.get("lhs_dilation", ones)[n] + 1
        wide = (window[letter] - 1) * params.get("rhs_dilation", ones)[n] + 1
        pad = padding if isinstance(padding, str) else padding[n]
        sides[letter] = window_side(side, wide, params["window_strides"][n], pad)
    terms = window["I"] * math.prod(window[letter] for letter in names)
    low, high = product_bounds(x, kernel, terms)
    aval = Aval(x.aval.dtype, tuple(sides[letter] for letter in result))
    return aval, (min(low, 0.0), max(high, 0.0))


def _infer(operands: Sequence[Any], params: Params) -> Typed:
    return convolved(operands[0], operands[1], params)


def _images(scope: Scope, spatial: int, most: int = 4096) -> Var:
    """Gives a batch of signals, images or volumes."""
    rank = spatial + 2
    found = scope.pick(
        _TYPES,
        where=lambda v: v.aval.rank == rank and v.aval.size <= most and max(v.aval.shape) > 2,
    )
    if found is not None:
        return found
    dtype = scope.dtype if scope.dtype in _TYPES else scope.float_dtype
    side = scope.stream.choice((5, 6, 8) if spatial < 3 else (4, 5))
    sides = (scope.stream.choice((1, 2, 4)), *(side,) * spatial, scope.stream.choice((2, 3, 4)))
    role = scope.stream.choice(("images", "x", "inputs") if spatial > 1 else ("signal", "x"))
    return scope.input(Aval(dtype, sides), role)


def _kernel(
    scope: Scope, x: Var, window: Sequence[int], layout: str, inputs: int, outputs: int
) -> Var:
    sides = iter(window)
    shape = tuple(
        inputs if letter == "I" else outputs if letter == "O" else next(sides) for letter in layout
    )
    role = scope.stream.choice(("kernel", "kernel", "w", "filters"))
    return scope.input(Aval(x.aval.dtype, shape), role)


Own: TypeAlias = dict[str, int]
Given: TypeAlias = dict[str, Any]
Features: TypeAlias = tuple[int, int]
Change: TypeAlias = Callable[[Scope, Own, int, Given], Features]
"""Adds parameters of a variant to those given, and gives the kernel's input and output features."""


def _plain(
    scope: Scope, own: dict[str, int], spatial: int, params: dict[str, Any]
) -> tuple[int, int]:
    step = scope.stream.choice((1, 1, 2))
    params["window_strides"] = (step,) * spatial
    if scope.stream.chance(0.2):
        params["padding"] = ((1, 1),) * spatial
    return own["C"], scope.stream.choice((2, 4, 8))


def _dilated(
    scope: Scope, own: dict[str, int], spatial: int, params: dict[str, Any]
) -> tuple[int, int]:
    params["rhs_dilation"] = (2,) * spatial
    return own["C"], scope.stream.choice((2, 4))


def _fractional(
    scope: Scope, own: dict[str, int], spatial: int, params: dict[str, Any]
) -> tuple[int, int]:
    params["padding"] = scope.stream.choice((((1, 1),) * spatial, ((2, 1),) * spatial))
    params["lhs_dilation"] = (2,) * spatial
    return own["C"], scope.stream.choice((2, 4))


def _depthwise(
    scope: Scope, own: dict[str, int], spatial: int, params: dict[str, Any]
) -> tuple[int, int]:
    params["feature_group_count"] = own["C"]
    return 1, own["C"] * scope.stream.choice((1, 1, 2))


def _grouped(
    scope: Scope, own: dict[str, int], spatial: int, params: dict[str, Any]
) -> tuple[int, int]:
    groups = next((n for n in (2, 3, 4) if own["C"] % n == 0), 0)
    if not groups:
        raise IllTyped("no groups")
    params["feature_group_count"] = groups
    return own["C"] // groups, groups * scope.stream.choice((1, 2))


def _by_batch(
    scope: Scope, own: dict[str, int], spatial: int, params: dict[str, Any]
) -> tuple[int, int]:
    groups = next((n for n in (2, 3, 4) if own["N"] % n == 0), 0)
    if not groups:
        raise IllTyped("no groups")
    params["batch_group_count"] = groups
    return own["C"], groups * scope.stream.choice((1, 2))


def _conv(name: str, spatial: Sequence[int], change: Change, weight: float = 1.0) -> Op:
    def draw(scope: Scope) -> Drawn:
        stream, axes = scope.stream, scope.stream.choice(spatial)
        x = _images(scope, axes)
        layout = stream.choice(LAYOUTS[axes][:1] * 3 + LAYOUTS[axes])
        own = _sides(x.aval.shape, layout[0])
        names = [letter for letter in layout[0] if letter not in "NC"]
        window = [min(stream.choice((1, 2, 3, 3)), own[letter]) for letter in names]
        params: dict[str, Any] = {"window_strides": (1,) * axes}
        params["padding"] = stream.choice(("SAME", "SAME", "VALID"))
        inputs, outputs = change(scope, own, axes, params)
        kernel = _kernel(scope, x, window, layout[1], inputs, outputs)
        params["dimension_numbers"] = layout
        return (x, kernel), params

    template = "lax.conv_general_dilated({0}, {1}{kw})"
    return Op(name, "convolution", spell(template), _infer, draw, weight)


def _draw_simple(dilated: bool) -> Any:
    def draw(scope: Scope) -> Drawn:
        x = _images(scope, 2)
        own = _sides(x.aval.shape, "NCHW")
        window = [min(scope.stream.choice((2, 3)), own[letter]) for letter in "HW"]
        kernel = _kernel(scope, x, window, "OIHW", own["C"], scope.stream.choice((2, 4)))
        params: dict[str, Any] = {"window_strides": scope.stream.choice(((1, 1), (1, 1), (2, 2)))}
        if dilated:
            params["padding"] = scope.stream.choice((((1, 1), (1, 1)), ((0, 1), (0, 1))))
            params["lhs_dilation"] = scope.stream.choice(((1, 1), (2, 2)))
            params["rhs_dilation"] = scope.stream.choice(((1, 1), (2, 2)))
        else:
            params["padding"] = scope.stream.choice(("SAME", "VALID"))
        return (x, kernel), params

    return draw


def _infer_transposed(operands: Sequence[Any], params: Params) -> Typed:
    x, kernel = operands
    spatial = x.aval.rank - 2
    left, right, result = params["dimension_numbers"]
    own, window = _sides(x.aval.shape, left), _sides(kernel.aval.shape, right)
    if x.aval.dtype != kernel.aval.dtype or own["C"] != window["I"]:
        raise IllTyped("transposed convolution")
    sides = {"N": own["N"], "C": window["O"]}
    for n, letter in enumerate(letter for letter in left if letter not in "NC"):
        stride, wide = params["strides"][n], window[letter]
        more = max(wide - stride, 0) if params["padding"] == "VALID" else 0
        sides[letter] = own[letter] * stride + more
    low, high = product_bounds(x, kernel, window["I"] * math.prod(kernel.aval.shape[:spatial]))
    aval = Aval(x.aval.dtype, tuple(sides[letter] for letter in result))
    return aval, (min(low, 0.0), max(high, 0.0))


def _draw_transposed(scope: Scope) -> Drawn:
    axes = scope.stream.choice((1, 2, 2))
    x = _images(scope, axes, 1024)
    layout = LAYOUTS[axes][0]
    kernel = _kernel(scope, x, (scope.stream.choice((2, 3)),) * axes, layout[1], x.aval.shape[-1],
                     scope.stream.choice((2, 4)))  # fmt: skip
    return (x, kernel), {"strides": (2,) * axes, "padding": scope.stream.choice(("SAME", "VALID")),
                         "dimension_numbers": layout}  # fmt: skip


def _infer_patches(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    (x,) = operands
    if x.aval.rank != 4 or x.aval.dtype not in FLOATS:
        raise IllTyped("patches")
    batch, channels, *sides = x.aval.shape
    window = params["filter_shape"]
    counts = [
        window_side(side, window[n], params["window_strides"][n], params["padding"])
        for n, side in enumerate(sides)
    ]
    low, high = x.bounds
    aval = Aval(x.aval.dtype, (batch, channels * math.prod(window), *counts))
    return aval, (min(low, 0.0), max(high, 0.0))


def _draw_patches(scope: Scope) -> Drawn:
    x = _images(scope, 2, 1024)
    window = tuple(min(side, scope.stream.choice((2, 3))) for side in x.aval.shape[2:])
    return (x,), {"filter_shape": window, "window_strides": scope.stream.choice(((1, 1), (2, 2))),
                  "padding": scope.stream.choice(("VALID", "SAME"))}  # fmt: skip


def _infer_local(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    x, kernel = operands
    if x.aval.rank != 4 or kernel.aval.rank != 4 or x.aval.dtype != kernel.aval.dtype:
        raise IllTyped("local convolution")
    batch, channels, *sides = x.aval.shape
    window = params["filter_shape"]
    counts = [window_side(side, window[n], 1, "VALID") for n, side in enumerate(sides)]
    terms = channels * math.prod(window)
    if kernel.aval.shape[1:] != (terms, *counts) or x.aval.dtype not in FLOATS:
        raise IllTyped("local convolution")
    aval = Aval(x.aval.dtype, (batch, kernel.aval.shape[0], *counts))
    return aval, product_bounds(x, kernel, terms)


def _draw_local(scope: Scope) -> Drawn:
    x = _images(scope, 2, 512)
    window = tuple(min(side, 2) for side in x.aval.shape[2:])
    counts = [side - size + 1 for side, size in zip(x.aval.shape[2:], window, strict=True)]
    shape = (2, x.aval.shape[1] * math.prod(window), *counts)
    kernel = scope.input(Aval(x.aval.dtype, shape), "kernel")
    return (x, kernel), {"window_strides": (1, 1), "padding": "VALID", "filter_shape": window}


OPS = (
    _conv("conv_1d", (1,), _plain, 1.2),
    _conv("conv_2d", (2,), _plain, 1.5),
    _conv("conv_3d", (3,), _plain, 0.6),
    _conv("conv_dilated", (1, 2), _dilated, 0.8),
    _conv("conv_fractional", (1, 2), _fractional, 0.6),
    _conv("conv_depthwise", (1, 2), _depthwise, 0.8),
    _conv("conv_grouped", (2,), _grouped, 0.8),
    _conv("conv_by_batch", (2,), _by_batch, 0.7),
    Op("conv_simple", "convolution", spell("lax.conv({0}, {1}, {window_strides}, {padding})"),
       _infer, _draw_simple(False), 0.7),
    Op("conv_padded", "convolution",
       spell("lax.conv_with_general_padding({0}, {1}, {window_strides}, {padding}, {lhs_dilation}, "
             "{rhs_dilation})"),
       _infer, _draw_simple(True), 0.5),
    Op("conv_transpose", "convolution", spell("lax.conv_transpose({0}, {1}{kw})"),
       _infer_transposed, _draw_transposed, 0.8),
    Op("conv_patches", "convolution", spell("lax.conv_general_dilated_patches({0}{kw})"),
       _infer_patches, _draw_patches, 0.5),
    Op("conv_local", "convolution", spell("lax.conv_general_dilated_local({0}, {1}{kw})"),
       _infer_local, _draw_local, 0.7),
)  # fmt: skip
