"""Ranges, grids and interpolation, and conversions of units."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, Optional, Union

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

Interpolation = Literal["nearest", "linear", "cubic"]


@sketch(
    takes={"start": "mean f[]", "stop": "mean f[]"},
    also=("Points between two ends, with a spacing of choice.",),
)
def spaced_points(
    start,
    stop,
    num: int = one_of(9, 16, 33),
    endpoint: bool = one_of(True, False),
    spacing: str = one_of("linear", "cosine", "log"),
    dtype: Any = None,
):
    """Place points between two ends, either evenly or denser somewhere."""
    if num < 2:
        raise ValueError(f"Number of points, {num}, must be at least 2.")
    if dtype is None:
        dtype = jnp.result_type(start, stop, float(num))
    div = (num - 1) if endpoint else num
    step = one_of(jax.lax.iota(dtype, num) / div, jnp.arange(num, dtype=dtype) / div)
    if spacing == "cosine":
        step = one_of((1 - jnp.cos(math.pi * step)) / 2, jnp.square(jnp.sin(math.pi * step / 2)))
    elif spacing == "log":
        step = jnp.expm1(step * math.log(10.0)) / 9.0
    elif spacing != "linear":
        raise ValueError(f"unknown spacing {spacing!r}")
    return one_of(start + step * (stop - start), (1 - step) * start + step * stop)


@sketch(
    takes={"params": "vector f[2]: shift of the grid"},
    also=("Coordinates of the cells of a grid.",),
)
def cell_coordinates(
    params,
    shape: Union[int, Sequence[int]] = one_of(8, (4, 6), (3, 5)),
    extent: Optional[float] = one_of(None, 1.0, 2.0),
    flatten: bool = one_of(False, True),
):
    """Give the centers of the cells of a regular grid, shifted by a vector."""
    if isinstance(shape, int):
        shape = (shape,) * params.shape[0]
    axes = []
    for n in shape:
        length = float(n) if extent is None else extent
        axes.append((np.arange(n) + 0.5) * (length / n))
    grid = np.stack(np.meshgrid(*axes, indexing=one_of("ij", "xy")), axis=-1)
    if flatten:
        grid = grid.reshape(-1, len(shape))
    offsets = jnp.asarray(grid, dtype=params.dtype)
    return one_of(
        offsets + params, params - offsets, jnp.sqrt(1e-6 + jnp.sum((offsets - params) ** 2, -1))
    )


@sketch(
    takes={"x": "samples f[n]: query points", "values": "signal f[m]: at even places"},
    gives="signal f[n]",
    sizes={"n": (2, 256), "m": (4, 64)},
    also=("Read a signal between its samples.",),
)
def sample_between(
    x,
    values,
    method: Interpolation = one_of("linear", "nearest", "cubic"),
    period: Optional[float] = one_of(None, 4.0),
):
    """Interpolate samples on [-1, 1], or on one period where there is any."""
    size = values.shape[0]
    if period is None:
        position = (jnp.clip(x, -1, 1) + 1) / 2 * (size - 1)
    else:
        position = jnp.mod(x, period) / period * size
    wrap = (lambda i: i % size) if period else (lambda i: jnp.clip(i, 0, size - 1))
    if method == "nearest":
        return values[wrap(jnp.round(position).astype(jnp.int32))]
    lower = one_of(jnp.floor(position).astype(jnp.int32), position.astype(jnp.int32))
    t = position - lower
    at = lambda offset: values[wrap(lower + offset)]
    if method == "linear":
        return one_of(at(0) * (1 - t) + at(1) * t, at(0) + t * (at(1) - at(0)))
    a, b = (at(1) - at(-1)) / 2, (at(2) - at(0)) / 2
    c = at(0) - at(1)
    return at(0) + t * (a + t * (-3 * c - 2 * a - b + t * (2 * c + a + b)))


@sketch(
    takes={"image": "image f[h, w, c]", "coords": "points f[n, 2]"},
    gives="features f[n, c]",
    sizes={"h": (4, 32), "w": (4, 32), "c": (1, 4), "n": (2, 64)},
    also=("Read an image at fractional pixels.",),
)
def sample_at_pixels(
    image,
    coords,
    order: int = one_of(0, 1),
    mode: str = one_of("clip", "constant", "wrap"),
    cval: float = 0.0,
):
    """Sample an image at points given in pixels from its center."""
    if order not in (0, 1):
        raise NotImplementedError("sampling requires order<=1")
    height, width = image.shape[:2]
    ys = coords[:, 0] + (height - 1) / 2
    xs = coords[:, 1] + (width - 1) / 2

    def lookup(row, col):
        if mode == "wrap":
            return image[row % height, col % width]
        inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
        found = image[jnp.clip(row, 0, height - 1), jnp.clip(col, 0, width - 1)]
        if mode == "constant":
            return jnp.where(inside[:, None], found, cval)
        return found

    if order == 0:
        return lookup(*(jnp.round(v).astype(jnp.int32) for v in (ys, xs)))
    y0, x0 = (jnp.floor(v).astype(jnp.int32) for v in (ys, xs))
    wy, wx = (ys - y0)[:, None], (xs - x0)[:, None]
    top = (1 - wx) * lookup(y0, x0) + wx * lookup(y0, x0 + 1)
    bottom = (1 - wx) * lookup(y0 + 1, x0) + wx * lookup(y0 + 1, x0 + 1)
    return one_of((1 - wy) * top + wy * bottom, top + wy * (bottom - top))


_UNITS = {"deg": math.pi / 180, "turn": 2 * math.pi, "rad": 1.0, "grad": math.pi / 200}


@sketch(
    takes={"angles": "angles f[*s]"},
    gives="angles f[*s]",
    dtypes="f32 f64",
    also=("Bring angles into one turn.",),
)
def convert_angle(
    angles,
    unit: str = one_of("deg", "turn", "rad"),
    to: str = one_of("rad", "deg"),
    wrap: bool = one_of(True, False),
):
    """Convert angles between units, wrapped around half a turn if asked for."""
    for name in (unit, to):
        if name not in _UNITS:
            raise ValueError(f"unknown unit {name!r}; known ones are {', '.join(_UNITS)}")
    if wrap:
        period = 2 * math.pi / _UNITS[unit]
        angles = one_of(
            jnp.mod(angles + period / 2, period) - period / 2,
            angles - period * jnp.round(angles / period),
        )
    factor = _UNITS[unit] / _UNITS[to]
    return angles if factor == 1.0 else angles * one_of(factor, jnp.asarray(factor, angles.dtype))


@sketch(
    takes={"x": "samples f[n]", "weights?": "f[n]"},
    gives="f[16]: histogram",
    sizes={"n": (4, 512)},
    also=("Histogram that gradients pass through.",),
)
def soft_histogram(
    x,
    weights=None,
    num_bins: int = 16,
    bounds: tuple[float, float] = one_of((-3.0, 3.0), (-2.0, 2.0)),
    density: bool = one_of(False, True),
):
    """Count values in bins, each shared by those that are near."""
    low, high = bounds
    width = (high - low) / num_bins
    centers = low + width * (jnp.arange(num_bins) + 0.5)
    distance = jnp.abs(x[:, None] - centers) / width
    shares = one_of(jnp.maximum(1.0 - distance, 0.0), jnp.exp(-0.5 * distance**2))
    if weights is not None:
        shares = shares * one_of(jnp.abs(weights), jax.nn.sigmoid(weights))[:, None]
    counts = jnp.sum(shares, axis=0)
    if not density:
        return counts
    total = jnp.sum(counts)
    return counts / jnp.maximum(total * width, one_of(1e-3, 1e-2))


@sketch(
    takes={"x": "signal f[n]"},
    sizes={"n": (8, 256)},
    also=("Derivative of samples, by differences or by the spectrum.",),
)
def differentiate_samples(
    x,
    dx: float = number(0.05, 1.0),
    method: str = one_of("central", "spectral", "forward"),
    axis: int = one_of(-1, 0),
):
    """Differentiate a sampled function along an axis."""
    if method == "central":
        return (
            jnp.gradient(x, dx, axis=axis)
            if maybe("builtin")
            else (jnp.roll(x, -1, axis) - jnp.roll(x, 1, axis)) / (2 * dx)
        )
    if method == "forward":
        return one_of(jnp.diff(x, axis=axis, append=0.0) / dx, jnp.diff(x, axis=axis) / dx)
    if method != "spectral":
        raise ValueError(f"`method` must be 'central', 'forward' or 'spectral', got {method!r}")
    n = x.shape[axis]
    k = 2 * np.pi * np.fft.rfftfreq(n, d=dx)
    if n % 2 == 0:
        k[-1] = 0.0
    spectrum = jnp.fft.rfft(x, axis=axis)
    return jnp.fft.irfft(1j * jnp.asarray(k, jnp.float32) * spectrum, n=n, axis=axis)


@sketch(
    takes={"x": "features f[n, d]", "lower?": "vector f[d]", "upper?": "vector f[d]"},
    gives="features f[n, d]",
    sizes={"n": (2, 128), "d": (1, 16)},
    dtypes="f32 f64",
    also=("Bring points back into a box.",),
)
def into_box(
    x, lower=None, upper=None, how: str | Callable[..., Any] = one_of("clip", "wrap", "reflect")
):
    """Move points into a box, whose sides are 0 and 1 where none are given."""
    low = jnp.zeros(x.shape[-1], x.dtype) if lower is None else lower
    size = jnp.ones_like(low) if upper is None else jnp.abs(upper - low) + 0.1
    unit = (x - low) / size
    if how == "clip":
        unit = jnp.clip(unit, 0, 1)
    elif how == "wrap":
        unit = one_of(unit % 1.0, unit - jnp.floor(unit))
    elif how == "reflect":
        unit = one_of(1 - jnp.abs(unit % 2.0 - 1), jnp.abs((unit + 1) % 2.0 - 1))
    elif callable(how):
        unit = how(unit)
    return low + unit * size


@sketch(
    takes={"x": "features f[n, d]"},
    sizes={"n": (2, 64), "d": (1, 8)},
    also=("Encode coordinates by waves of growing frequency.",),
)
def frequency_encoding(
    x,
    num_freqs: int = integer(2, 6),
    max_freq: Optional[float] = one_of(None, 8.0),
    include_input: bool = one_of(True, False),
):
    """Lift coordinates to sines and cosines at a range of frequencies."""
    if max_freq is None:
        max_freq = float(num_freqs - 1)
    freqs = one_of(
        2.0 ** np.linspace(0.0, max_freq, num_freqs), np.linspace(1.0, 2.0**max_freq, num_freqs)
    )
    scaled = x[..., None, :] * jnp.asarray(freqs, dtype=x.dtype)[:, None]
    scaled = jnp.reshape(scaled, x.shape[:-1] + (-1,))
    if maybe("one sine"):
        features = jnp.sin(jnp.concatenate([scaled, scaled + 0.5 * np.pi], axis=-1))
    else:
        features = jnp.concatenate([jnp.sin(scaled), jnp.cos(scaled)], axis=-1)
    if include_input:
        return jnp.concatenate([x, features], axis=-1)
    return features
