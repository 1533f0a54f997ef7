"""Fourier transforms, and signals: convolution, filters, windows, spectra."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import COMPLEX_OF, Drawn, around, array_op, real
from jax_ir_pairs.synthesis.ops.matrices import calm, largest, require
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import COMPLEX, Aval, Bounds

_REALS = ("f32", "f64")
_SIGNALS = (*_REALS, *COMPLEX)


def _energy(x: Var, count: int) -> Bounds:
    """Bounds of a sum of `count` rotated values, as for independent ones."""
    return around(largest(x) * 1.5 * math.sqrt(count) + largest(x))


def _resized(x: Var, side: int, axis: int = -1) -> tuple[int, ...]:
    shape = list(x.aval.shape)
    shape[axis] = side
    return tuple(shape)


def _complex(dtype: str) -> str:
    return COMPLEX_OF.get(dtype, dtype)


def _fft(x: Var, n: int | None = None, axis: int = -1, norm: str = "") -> Typed:
    side = n or x.aval.shape[axis]
    require(x.aval.dtype in _SIGNALS, "fft")
    return Aval(_complex(x.aval.dtype), _resized(x, side, axis)), _energy(x, side)


def _rfft(x: Var, n: int | None = None, axis: int = -1) -> Typed:
    require(x.aval.dtype in _REALS, "rfft")
    side = n or x.aval.shape[axis]
    return Aval(_complex(x.aval.dtype), _resized(x, side // 2 + 1, axis)), _energy(x, side)


def _irfft(x: Var, n: int | None = None, axis: int = -1) -> Typed:
    side = n or 2 * (x.aval.shape[axis] - 1)
    require(x.aval.dtype in COMPLEX and side > 0, "irfft")
    return Aval(real(x.aval.dtype), _resized(x, side, axis)), _energy(x, 4)


def _hfft(x: Var) -> Typed:
    side = 2 * (x.aval.shape[-1] - 1)
    require(x.aval.dtype in COMPLEX and side > 0, "hfft")
    return Aval(real(x.aval.dtype), _resized(x, side)), _energy(x, 4 * side)


def _ihfft(x: Var) -> Typed:
    require(x.aval.dtype in _REALS, "ihfft")
    side = x.aval.shape[-1] // 2 + 1
    return Aval(_complex(x.aval.dtype), _resized(x, side)), _energy(x, 1)


def _fftn(x: Var, **params: Any) -> Typed:
    require(x.aval.rank > 1 and x.aval.dtype in _SIGNALS, "fftn")
    return Aval(_complex(x.aval.dtype), x.aval.shape), _energy(x, x.aval.size)


def _rfft2(x: Var) -> Typed:
    aval, _ = _rfft(x)
    require(x.aval.rank > 1, "rfft2")
    return aval, _energy(x, x.aval.shape[-1] * x.aval.shape[-2])


def _irfft2(x: Var) -> Typed:
    require(x.aval.rank > 1, "irfft2")
    return _irfft(x)


def _frequencies(n: int, d: float = 1.0) -> Typed:
    return Aval("f32", (n,)), around(0.5 / d)


def _real_frequencies(n: int, d: float = 1.0) -> Typed:
    return Aval("f32", (n // 2 + 1,)), (0.0, 0.5 / d)


def _shifted(x: Var, **params: Any) -> Typed:
    return x.aval, x.bounds


def _convolved(a: Var, b: Var, mode: str = "full", **params: Any) -> Typed:
    require(a.aval.rank == b.aval.rank and a.aval.dtype == b.aval.dtype, "convolve")
    pairs = list(zip(a.aval.shape, b.aval.shape, strict=True))
    require(all(x >= y for x, y in pairs), "convolve by a longer one")
    sides = {"full": [x + y - 1 for x, y in pairs], "same": [x for x, _ in pairs],
             "valid": [x - y + 1 for x, y in pairs]}[mode]  # fmt: skip
    return a.aval.with_shape(*sides), around(largest(a) * largest(b) * b.aval.size)


def _window(n: int, **params: Any) -> Typed:
    return Aval("f32", (n,)), (-0.01, 1.01)


def _detrend(x: Var, **params: Any) -> Typed:
    return x.aval, around(4 * largest(x))


def _stft(x: Var, nperseg: int) -> list[Typed]:
    require(x.aval.rank == 1 and x.aval.size >= nperseg, "stft")
    half = nperseg // 2
    frames = -(-(x.aval.size + 2 * half - nperseg) // half) + 1
    dtype, bins = x.aval.dtype, half + 1
    return [
        (Aval(dtype, (bins,)), (0.0, 0.5)),
        (Aval(dtype, (frames,)), (0.0, float(x.aval.size + nperseg))),
        (Aval(_complex(dtype), (bins, frames)), around(largest(x) * 2)),
    ]


def _welch(x: Var, nperseg: int) -> list[Typed]:
    require(x.aval.rank == 1 and x.aval.size >= nperseg, "welch")
    bins = x.aval.with_shape(nperseg // 2 + 1)
    return [(bins, (0.0, 0.5)), (bins, (0.0, 4 * largest(x) ** 2 * nperseg))]


def _signal(scope: Scope, dtypes: tuple[str, ...], rank: int = 1) -> Var | None:
    x = scope.pick(dtypes, where=lambda v: rank <= v.aval.rank < 4 and v.aval.shape[-1] > 1)
    if x is None and scope.float_dtype in dtypes:
        aval = Aval(scope.float_dtype, tuple(max(2, scope.side()) for _ in range(rank)))
        x = scope.input(aval, scope.stream.choice(("signal", "x", "samples")))
    return None if x is None else calm(scope, x)


def _draw_fft(dtypes: tuple[str, ...], *, sizes: bool = False) -> Callable[[Scope], Drawn]:
    def draw(scope: Scope) -> Drawn:
        if (x := _signal(scope, dtypes)) is None:
            return None
        params: dict[str, Any] = {}
        if sizes and scope.stream.chance(0.2):
            params["n"] = scope.stream.choice((4, 8, 16, 32))
        if x.aval.rank > 1 and scope.stream.chance(0.5):
            params["axis"] = scope.stream.choice((0, -1, 1))
            if x.aval.shape[params["axis"]] < 2:
                params["axis"] = -1
        return (x,), params

    return draw


def _draw_spectrum(scope: Scope) -> Drawn:
    """Gives the operand of an inverse real transform: a spectrum, or a complex value."""
    if (z := scope.pick(COMPLEX, where=lambda v: v.aval.rank > 0 and v.aval.shape[-1] > 1)) is None:
        if (x := _signal(scope, _REALS)) is None:
            return None
        z = scope.let("rfft", x)
    return (calm(scope, z, 1e4),), {"n": 8} if scope.stream.chance(0.15) else {}


def _draw_plain_spectrum(scope: Scope) -> Drawn:
    drawn = _draw_spectrum(scope)
    return drawn and (drawn[0], {})


def _draw_plane(dtypes: tuple[str, ...]) -> Callable[[Scope], Drawn]:
    def draw(scope: Scope) -> Drawn:
        x = _signal(scope, dtypes, 2)
        return None if x is None else ((x,), {})

    return draw


def _draw_spectrum_2d(scope: Scope) -> Drawn:
    if (x := _signal(scope, _REALS, 2)) is None:
        return None
    return (scope.let("rfft2", x),), {}


def _draw_shift(scope: Scope) -> Drawn:
    x = scope.pick(_SIGNALS, where=lambda v: v.aval.rank > 0)
    if x is None:
        return None
    return (x,), {"axes": -1} if x.aval.rank > 1 and scope.stream.chance(0.5) else {}


def _draw_frequencies(scope: Scope) -> Drawn:
    return (), {"n": scope.side()} | ({"d": 0.1} if scope.stream.chance(0.4) else {})


def _draw_convolve(rank: int, *modes: str) -> Callable[[Scope], Drawn]:
    def draw(scope: Scope) -> Drawn:
        own = (scope.float_dtype,)
        a = scope.pick(own, where=lambda v: v.aval.rank == rank and max(v.aval.shape) <= 64)
        sides = tuple(max(4, min(scope.side(), 64)) for _ in range(rank))
        a = a or scope.input(Aval(scope.float_dtype, sides), "signal" if rank == 1 else "image")

        def fits(var: Var) -> bool:
            return var is not a and var.aval.rank == rank and all(
                s <= t for s, t in zip(var.aval.shape, a.aval.shape, strict=True))  # fmt: skip

        b = scope.pick(own, where=fits)
        if b is None:
            width = min(scope.stream.choice((2, 3, 5)), *a.aval.shape)
            aval = Aval(scope.float_dtype, (width,) * rank)
            b = scope.input(aval, scope.stream.choice(("kernel", "taps", "filt")))
        mode = scope.stream.choice(modes or ("full", "same", "valid"))
        return (calm(scope, a), calm(scope, b)), {} if mode == "full" else {"mode": mode}

    return draw


def _draw_window(scope: Scope) -> Drawn:
    return (), {"n": max(2, scope.side())}


def _draw_kaiser(scope: Scope) -> Drawn:
    return (), {"n": max(2, scope.side()), "beta": Code(scope.stream.choice(("5.0", "8.6")))}


def _draw_detrend(scope: Scope) -> Drawn:
    x = scope.pick(_REALS, where=lambda v: v.aval.rank > 0 and v.aval.shape[-1] > 2)
    if x is None:
        return None
    return (calm(scope, x),), {"type": "constant"} if scope.stream.chance(0.5) else {}


def _draw_frames(scope: Scope) -> Drawn:
    def fits(var: Var) -> bool:
        return var.aval.rank == 1 and var.aval.size >= 8

    x = scope.pick((scope.float_dtype,), where=fits)
    x = x or scope.input(Aval(scope.float_dtype, (scope.stream.choice((16, 32, 64)),)), "signal")
    return (calm(scope, x),), {"nperseg": scope.stream.choice((4, 8))}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "signal", templates, draw, typed, weight, **more)


def _fft_row(name: str, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return _row(name, f"jnp.fft.{name}({{0}}{{kw}})", draw, typed, weight, **more)


OPS = (
    _fft_row("fft", _draw_fft(_SIGNALS, sizes=True), _fft, 2.0),
    _fft_row("ifft", _draw_fft(_SIGNALS), _fft, 1.2),
    _fft_row("rfft", _draw_fft(_REALS, sizes=True), _rfft, 2.0),
    _fft_row("irfft", _draw_spectrum, _irfft, 1.2),
    _fft_row("hfft", _draw_plain_spectrum, _hfft, 0.6),
    _fft_row("ihfft", _draw_plane(_REALS), _ihfft, 0.4),
    _fft_row("fft2", _draw_plane(_SIGNALS), _fftn),
    _fft_row("ifft2", _draw_plane(_SIGNALS), _fftn, 0.6),
    _fft_row("rfft2", _draw_plane(_REALS), _rfft2, 0.8),
    _fft_row("irfft2", _draw_spectrum_2d, _irfft2, 0.6),
    _fft_row("fftn", _draw_plane(_SIGNALS), _fftn, 0.5),
    _fft_row("fftshift", _draw_shift, _shifted),
    _fft_row("ifftshift", _draw_shift, _shifted, 0.6),
    _row("fftfreq", "jnp.fft.fftfreq({n}{kw})", _draw_frequencies, _frequencies, 0.7,
         widens="all"),
    _row("rfftfreq", "jnp.fft.rfftfreq({n}{kw})", _draw_frequencies, _real_frequencies, 0.7,
         widens="all"),
    _row("convolve", "jnp.convolve({0}, {1}{kw})", _draw_convolve(1), _convolved, 1.5),
    _row("correlate", "jnp.correlate({0}, {1}{kw})", _draw_convolve(1, "same", "valid"),
         lambda a, b, mode: _convolved(a, b, mode)),
    _row("convolve2d", "jax.scipy.signal.convolve2d({0}, {1}{kw})", _draw_convolve(2), _convolved),
    _row("correlate2d", "jax.scipy.signal.correlate2d({0}, {1}{kw})",
         _draw_convolve(2, "same", "full"), _convolved, 0.8),
    _row("fftconvolve", "jax.scipy.signal.fftconvolve({0}, {1}{kw})", _draw_convolve(1),
         _convolved),
    _row("detrend", "jax.scipy.signal.detrend({0}{kw})", _draw_detrend, _detrend, 0.6,
         reverse=False),
    _row("stft", "jax.scipy.signal.stft({0}{kw})", _draw_frames, _stft, 0.6, reverse=False),
    _row("welch", "jax.scipy.signal.welch({0}{kw})", _draw_frames, _welch, 0.5, reverse=False),
    _row("hanning", ("jnp.hanning({n})",), _draw_window, _window, 0.4, widens="all"),
    _row("hamming", ("jnp.hamming({n})",), _draw_window, _window, 0.3, widens="all"),
    _row("blackman", ("jnp.blackman({n})",), _draw_window, _window, 0.2, widens="all"),
    _row("kaiser", "jnp.kaiser({n}, {beta})", _draw_kaiser, _window, 0.3, widens="all"),
)  # fmt: skip
