"""Ops over sliding windows: pooling, windowed reductions, scans along an axis, image resizing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.graph import Code, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.rearrange import zero
from jax_ir_pairs.synthesis.ops.rows import guarded
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import ANYTHING, COMPLEX, FLOATS, LONG_NAMES, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None
Params: TypeAlias = Mapping[str, Any]
Padding: TypeAlias = str | tuple[tuple[int, int], ...]


def window_side(side: int, window: int, stride: int, padding: str | tuple[int, int]) -> int:
    """Gives how many windows stand along an axis; raises `IllTyped` where none does."""
    if padding == "SAME":
        return -(-side // stride)
    low, high = (0, 0) if isinstance(padding, str) else padding
    count = (side + low + high - window) // stride + 1
    if count < 1:
        raise IllTyped("no window fits")
    return count


def _dilated(side: int, dilation: int) -> int:
    return (side - 1) * dilation + 1


def _windows(shape: tuple[int, ...], params: Params) -> tuple[int, ...]:
    window, strides = params["window_dimensions"], params["window_strides"]
    padding: Padding = params["padding"]
    if len(window) != len(shape) or len(strides) != len(shape):
        raise IllTyped("window")
    base = params.get("base_dilation", (1,) * len(shape))
    inner = params.get("window_dilation", (1,) * len(shape))
    return tuple(
        window_side(
            _dilated(side, base[n]), _dilated(window[n], inner[n]), strides[n],
            padding if isinstance(padding, str) else padding[n],
        )
        for n, side in enumerate(shape)
    )  # fmt: skip


_COMMON = {
    "max": lambda b, n: b,
    "min": lambda b, n: b,
    "add": lambda b, n: (min(0.0, b[0] * n), max(0.0, b[1] * n)),
}


def _place(scope: Scope, shape: tuple[int, ...]) -> tuple[list[int], list[int]] | None:
    """Gives a window and strides over one or two axes that are long enough for them."""
    stream, rank = scope.stream, len(shape)
    if rank == 4 and min(shape[1:3]) > 2:
        axes: Sequence[int] = (1, 2)
    else:
        long = [axis for axis in range(rank) if shape[axis] > 2]
        if not long:
            return None
        axes = sorted(stream.sample(long, stream.choice((1, 2))))
    window, strides = [1] * rank, [1] * rank
    size, step = stream.choice(((2, 2), (2, 2), (3, 1), (2, 1), (3, 2), (3, 3)))
    for axis in axes:
        window[axis], strides[axis] = min(size, shape[axis]), step
    return window, strides


def _draw_pool(scope: Scope, dtypes: Sequence[str], way: str) -> Drawn:
    x = guarded(scope, dtypes, (-1.2, 1.2) if way == "mul" else ANYTHING)
    if x is None or not 0 < x.aval.rank < 5:
        return None
    stream = scope.stream
    if (place := _place(scope, x.aval.shape)) is None:
        return None
    window, strides = place
    padding: Padding = stream.choice(("VALID", "VALID", "SAME"))
    if stream.chance(0.2):
        # Every window still holds an element: none of these is as wide as a window.
        padding = tuple((1, 1) if size > 1 else (0, 0) for size in window)
    params: dict[str, Any] = {
        "init": Code(_initial(scope, x.aval.dtype, way)),
        "window_dimensions": tuple(window),
        "window_strides": tuple(strides),
        "padding": padding,
    }
    if way == "add" and padding == "VALID" and stream.chance(0.15) and not scope.reverse:
        params["base_dilation"] = tuple(2 if size > 1 else 1 for size in window)
    if padding == "VALID" and stream.chance(0.15) and not scope.reverse:
        params["window_dilation"] = tuple(2 if size > 1 else 1 for size in window)
    return (x,), params


def _initial(scope: Scope, dtype: str, way: str) -> str:
    if way in ("max", "min"):
        return "-jnp.inf" if way == "max" else "jnp.inf"
    # A known sum takes zero of any dtype, another function only one of its operand's.
    if way == "add":
        return "0.0" if dtype in (*FLOATS, *COMPLEX) else "0"
    if way == "log_sum":
        default = dtype == scope.float_dtype
        return "-jnp.inf" if default else f"jnp.{LONG_NAMES[dtype]}(-jnp.inf)"
    return zero(scope, dtype, 1 if way == "mul" else 0)


def _pool(
    name: str,
    function: str,
    rule: Callable[[Bounds, int], Bounds],
    *,
    dtypes: Sequence[str] = FLOATS,
    weight: float = 1.0,
    reverse: bool = True,
) -> Op:
    def infer(operands: Sequence[Any], params: Params) -> Typed:
        (x,) = operands
        if x.aval.dtype not in dtypes:
            raise IllTyped(name)
        count = math.prod(params["window_dimensions"])
        return Aval(x.aval.dtype, _windows(x.aval.shape, params)), rule(x.bounds, count)

    def draw(scope: Scope) -> Drawn:
        if scope.forward and not reverse:
            return None
        return _draw_pool(scope, dtypes, name.removesuffix("_pool"))

    template = (
        f"lax.reduce_window({{0}}, {{init}}, {function}, {{window_dimensions}}, "
        "{window_strides}, {padding}{kw})"
    )
    return Op(name, "window", spell(template), infer, draw, weight, reverse=reverse)


def _product(bounds: Bounds, count: int) -> Bounds:
    edge = max(1.0, *map(abs, bounds)) ** count
    return (-edge, edge)


_SCAN_RULES: dict[str, tuple[float, Callable[[Bounds, int], Bounds], Bounds]] = {
    "cumsum": (1.5, lambda b, n: (min(b[0], b[0] * n), max(b[1], b[1] * n)), ANYTHING),
    "cumprod": (0.6, _product, (-1.2, 1.2)),
    "cummax": (0.6, lambda b, n: b, ANYTHING),
    "cummin": (0.6, lambda b, n: b, ANYTHING),
    "cumlogsumexp": (0.5, lambda b, n: (b[0], b[1] + math.log(n)), ANYTHING),
}


def _reversed_scan(name: str) -> Op:
    weight, rule, needs = _SCAN_RULES[name]
    dtypes = (*FLOATS, "i32") if name in ("cumsum", "cummax", "cummin") else FLOATS

    def infer(operands: Sequence[Any], params: Params) -> Typed:
        (x,) = operands
        if x.aval.dtype not in dtypes or not -1 < params["axis"] < x.aval.rank:
            raise IllTyped(name)
        return x.aval, rule(x.bounds, x.aval.shape[params["axis"]])

    def draw(scope: Scope) -> Drawn:
        if (x := guarded(scope, dtypes, needs)) is None or not x.aval.rank:
            return None
        return (x,), {"axis": scope.stream.integer(0, x.aval.rank - 1), "reverse": True}

    template = f"lax.{name}({{0}}{{kw}})"
    return Op(f"reversed_{name}", "window", spell(template), infer, draw, weight)


def _factor(x: Var, params: Params) -> float:
    """Gives by how much a cubic or Lanczos kernel may pass the values that it interpolates."""
    if params["kernel"] in ("nearest", "linear"):
        return 1.0
    changed = sum(a != b for a, b in zip(x.aval.shape, params["shape"], strict=True))
    return float(1.5**changed)


def _resized(operands: Sequence[Any], params: Params) -> Typed:
    (x,) = operands
    shape = params["shape"]
    if len(shape) != x.aval.rank or shape == x.aval.shape:
        raise IllTyped("resize")
    edge = max(map(abs, x.bounds)) * _factor(x, params)
    inside = x.bounds if edge <= max(map(abs, x.bounds)) else (-edge, edge)
    return Aval(x.aval.dtype, shape), inside


def _new_shape(stream: Stream, shape: tuple[int, ...]) -> tuple[int, ...]:
    axes = (1, 2) if len(shape) == 4 else range(len(shape))[-2:]
    scaled = [stream.choice((2 * s, 2 * s, max(1, s // 2), s + 3)) for s in shape]
    return tuple(scaled[n] if n in axes else side for n, side in enumerate(shape))


def _draw_resize(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS, where=lambda v: 1 < v.aval.rank < 5 and v.aval.size <= 2048)
    if x is None:
        return None
    stream = scope.stream
    params: dict[str, Any] = {
        "shape": _new_shape(stream, x.aval.shape),
        "kernel": stream.choice(("nearest", "linear", "linear", "cubic", "bilinear", "lanczos3")),
    }
    if params["kernel"] == "bilinear":
        params["kernel"] = "linear"
    if params["kernel"] != "nearest" and stream.chance(0.2):
        params["antialias"] = False
    return (x,), params


def _infer_translated(operands: Sequence[Any], params: Params) -> Typed:
    (x,) = operands
    if len(params["shape"]) != x.aval.rank:
        raise IllTyped("scale_and_translate")
    edge = max(map(abs, x.bounds)) * _factor(x, params)
    return Aval(x.aval.dtype, params["shape"]), (-edge, edge)


def _draw_translated(scope: Scope) -> Drawn:
    # Its scale and its translation have the default dtype, and are not to be promoted to.
    x = scope.pick((scope.float_dtype,), where=lambda v: 1 < v.aval.rank < 5 and v.aval.size < 2048)
    if x is None:
        return None
    stream = scope.stream
    axes = (1, 2) if x.aval.rank == 4 else (x.aval.rank - 2, x.aval.rank - 1)
    scale = [stream.choice((0.5, 1.0, 1.5, 2.0)) for _ in axes]
    move = [stream.choice((-1.0, 0.0, 0.5, 1.0)) for _ in axes]
    return (x,), {
        "shape": _new_shape(stream, x.aval.shape),
        "spatial_dims": axes,
        "scale": Code(f"jnp.array({scale})"),
        "translation": Code(f"jnp.array({move})"),
        "kernel": stream.choice(("linear", "linear", "cubic", "lanczos3")),
    }


def _infer_mean_pool(operands: Sequence[Any], params: Params) -> Typed:
    (x,) = operands
    return Aval(x.aval.dtype, _windows(x.aval.shape, params)), x.bounds


def _draw_mean_pool(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS, where=lambda v: 0 < v.aval.rank < 5)
    if x is None or (place := _place(scope, x.aval.shape)) is None:
        return None
    window, strides = place
    return (x,), {"window_dimensions": tuple(window), "window_strides": tuple(strides),
                  "padding": "VALID", "count": math.prod(window)}  # fmt: skip


OPS = (
    _pool("max_pool", "lax.max", _COMMON["max"], weight=3.0),
    _pool("min_pool", "lax.min", _COMMON["min"], weight=1.0),
    _pool("add_pool", "lax.add", _COMMON["add"], dtypes=(*FLOATS, "i32", "c64"), weight=1.5),
    _pool("mul_pool", "lax.mul", _product, weight=0.6, reverse=False),
    _pool("norm_pool", "jnp.hypot", lambda b, n: (0.0, max(map(abs, b)) * math.sqrt(n)),
          weight=0.4, reverse=False),
    _pool("largest_pool", "lambda a, b: jnp.where(jnp.abs(a) > jnp.abs(b), a, b)",
          lambda b, n: (min(b[0], 0.0), max(b[1], 0.0)), weight=0.4, reverse=False),
    _pool("log_sum_pool", "jnp.logaddexp", lambda b, n: (b[0] - 0.1, b[1] + math.log(n) + 0.1),
          weight=0.4, reverse=False),
    Op("mean_pool", "window",
       spell("lax.reduce_window({0}, 0.0, lax.add, {window_dimensions}, {window_strides}, "
             "{padding}) / {count}"),
       _infer_mean_pool, _draw_mean_pool, 2.0),
    *(_reversed_scan(name) for name in _SCAN_RULES),
    Op("image_resize", "window", spell("jax.image.resize({0}, {shape}, {kernel}{kw})"), _resized,
       _draw_resize, 1.0),
    Op("scale_and_translate", "window",
       spell("jax.image.scale_and_translate({0}, {shape}, {spatial_dims}, {scale}, {translation}, "
             "{kernel}{kw})"),
       _infer_translated, _draw_translated, 0.6),
)  # fmt: skip
