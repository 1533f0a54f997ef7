"""Denoising, deconvolution, sparse recovery and pitch."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"signal": "signal f[n]: noisy signal"},
    gives="signal f[n]: denoised",
    sizes={"n": (8, 2048)},
    dtypes="f32",
    also=("Flatten noise but keep jumps by penalizing total variation.",),
)
def total_variation_denoise(signal, weight=number(0.2, 2.0), num_iters=integer(5, 30)):
    """Denoise a signal by total variation, in its dual formulation."""

    def divergence(dual):
        return jnp.diff(dual, prepend=0.0, append=0.0)

    def ascend(dual):
        primal = signal + divergence(dual)
        # A step of a quarter is the largest that is safe.
        return jnp.clip(dual + one_of(0.25, 0.2) * jnp.diff(primal), -weight, weight)

    dual = jnp.zeros(signal.shape[0] - 1, signal.dtype)
    if maybe("momentum", 0.4):

        def iterate(i, state):
            dual, ahead = state
            following = ascend(ahead)
            return following, following + i / (i + 3) * (following - dual)

        dual, _ = jax.lax.fori_loop(0, num_iters, iterate, (dual, dual))
    elif maybe("unrolled", 0.2):
        for _ in range(min(num_iters, 8)):
            dual = ascend(dual)
    else:
        dual = jax.lax.fori_loop(0, num_iters, lambda _, d: ascend(d), dual)
    return signal + divergence(dual)


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: cleaned",
    sizes={"n": (16, 1024)},
    dtypes="f32 bf16 f16",
    also=("Replace impulses by the median of their neighborhood.",),
)
def hampel_filter(signal, half=integer(1, 4), num_sigmas=number(1.5, 4.0)):
    """Remove impulses from a signal with a running median."""
    n, width = len(signal), 2 * half + 1
    padded = jnp.pad(signal, half, mode=one_of("edge", "reflect"))
    if maybe("stack"):
        windows = jnp.stack([padded[i : i + n] for i in range(width)])
    else:
        windows = padded[jnp.arange(width)[:, None] + jnp.arange(n)[None, :]]
    if maybe("sort"):
        median = jnp.sort(windows, axis=0)[half]
    else:
        median = jnp.median(windows, axis=0)
    if maybe("plain median", 0.3):
        return median
    # The median absolute deviation, scaled to a standard deviation.
    spread = 1.4826 * jnp.median(jnp.abs(windows - median), axis=0)
    deviation = jnp.abs(signal - median)
    if maybe("soft"):
        trust = jax.nn.sigmoid(4 * (num_sigmas * spread - deviation))
        return trust * signal + (1 - trust) * median
    return jnp.where(deviation > num_sigmas * spread + 1e-3, median, signal)


@sketch(
    takes={"a": "matrix f[m, n]: sensing matrix", "y": "vector f[m]: measurements"},
    gives=("vector f[n]: sparse", "loss f[]"),
    sizes={"m": (4, 48), "n": (4, 96)},
    dtypes="f32 f64",
    also=("Recover a sparse vector from few linear measurements.",),
)
def iterative_shrinkage(a, y, penalty=number(0.02, 0.5), num_iters=integer(5, 40)):
    """Solve an l1-penalized least squares problem by proximal gradient steps."""
    m, n = a.shape
    if y.shape != (m,):
        raise ValueError(f"expected {m} measurements, got shape {y.shape}")
    # The squared Frobenius norm bounds the curvature.
    step_size = 1 / (one_of(jnp.sum(a * a), jnp.sum(jnp.abs(a) ** 2)) + 1e-3)

    def shrink(x):
        return one_of(
            jnp.sign(x) * jnp.maximum(jnp.abs(x) - penalty * step_size, 0),
            x - jnp.clip(x, -penalty * step_size, penalty * step_size),
        )

    def descend(x):
        return shrink(x - step_size * (a.T @ (a @ x - y)))

    start = jnp.zeros(n, a.dtype)
    if maybe("accelerated"):

        def iterate(carry, k):
            x, ahead = carry
            new = descend(ahead)
            return (new, new + k / (k + 3) * (new - x)), None

        steps = jnp.arange(num_iters, dtype=a.dtype)
        (x, _), _ = jax.lax.scan(iterate, (start, start), steps)
    else:
        x = jax.lax.fori_loop(0, num_iters, lambda _, x: descend(x), start)
    fit = 0.5 * jnp.sum((a @ x - y) ** 2)
    if maybe("per measurement", 0.4):
        return x, fit / m
    return x, fit + penalty * jnp.sum(jnp.abs(x))


@sketch(
    takes={"signal": "signal f[n]: blurred signal", "kernel": "kernel f[k]"},
    gives="signal f[n]: restored",
    sizes={"n": (16, 2048), "k": (3, 12)},
    also=("Undo a known blur without amplifying the noise.",),
)
def wiener_deconvolution(signal, kernel, noise=number(0.02, 0.5)):
    """Deconvolve a signal by a Wiener filter."""
    n, support = signal.shape[0], kernel.shape[0]
    if support > n:
        raise ValueError(f"the kernel has {support} taps, the signal only {n} samples")
    if maybe("normalize kernel"):
        kernel = jax.nn.softmax(kernel)
    padded = jnp.pad(kernel, (0, n - support))
    if maybe("centered"):
        padded = jnp.roll(padded, -(support // 2))
    transfer = jnp.fft.rfft(padded)
    spectrum = jnp.fft.rfft(signal)
    gain = jnp.abs(transfer) ** 2
    if maybe("colored prior", 0.4):
        # Signals have less energy at high frequencies than white noise has.
        freqs = jnp.fft.rfftfreq(n)
        noise = noise * (1 + 20 * freqs)
    inverse = one_of(jnp.conj(transfer), transfer.conj()) / (gain + noise)
    return jnp.fft.irfft(spectrum * inverse, n=n)


@sketch(
    takes={"frames": "frames f[t, w]"},
    gives=("series f[t]: pitch", "f[t]: voicing"),
    sizes={"t": (1, 64), "w": (32, 256)},
    also=("Track the period of a voice over frames.",),
)
def autocorrelation_pitch(frames, min_lag=integer(2, 6), sharpness=number(4.0, 20.0)):
    """Estimate a fundamental frequency and its strength in each frame."""
    num_frames, width = frames.shape
    max_lag = width // 2
    assert max_lag > min_lag, f"frames of {width} samples are too short for a lag of {min_lag}"
    frames = frames - jnp.mean(frames, axis=-1, keepdims=True)
    if maybe("fft"):
        # Padded to twice the width: linear rather than circular.
        power = jnp.abs(jnp.fft.rfft(frames, 2 * width, axis=-1)) ** 2
        autocorrelation = jnp.fft.irfft(power, axis=-1)[:, :max_lag]
    else:
        lagged = [
            jnp.sum(frames[:, : width - lag] * frames[:, lag:], axis=-1) for lag in range(max_lag)
        ]
        autocorrelation = jnp.stack(lagged, axis=-1)
    normalized_lags = autocorrelation / (autocorrelation[:, :1] + 1e-2)
    candidates = normalized_lags[:, min_lag:]
    if maybe("soft", 0.6):
        attention = jax.nn.softmax(sharpness * candidates, axis=-1)
        lag = attention @ jnp.arange(min_lag, max_lag, dtype=frames.dtype)
        voicing = jnp.sum(attention * candidates, axis=-1)
    else:
        lag = (jnp.argmax(candidates, axis=-1) + min_lag).astype(frames.dtype)
        voicing = jnp.max(candidates, axis=-1)
    return 1 / lag, one_of(voicing, jnp.clip(voicing, 0, 1))


@sketch(
    takes={"image": "image f[y, x]", "other": "image f[y, x]"},
    gives="f[2]: shift",
    sizes={"y": (4, 64), "x": (4, 64)},
    also=("Find the shift between two images in the Fourier domain.",),
)
def phase_correlation(image, other, sharpness=number(5.0, 50.0)):
    """Register two images by the phase of their cross-power spectrum."""
    if image.shape != other.shape:
        raise ValueError(f"images of {image.shape} and {other.shape} cannot be registered")
    height, width = image.shape
    if maybe("taper"):
        taper = jnp.outer(jnp.hanning(height), jnp.hanning(width))
        image, other = image * taper, other * taper
    cross = jnp.fft.fft2(image) * jnp.conj(jnp.fft.fft2(other))
    correlation = jnp.fft.ifft2(cross / (jnp.abs(cross) + 1.0)).real
    weights = jax.nn.softmax(sharpness * correlation.reshape(-1)).reshape(height, width)
    if maybe("circular mean", 0.6):

        def circular_mean(marginal):
            phases = 2 * jnp.pi * jnp.arange(marginal.shape[0]) / marginal.shape[0]
            angle = jnp.arctan2(marginal @ jnp.sin(phases), marginal @ jnp.cos(phases) + 1e-3)
            return marginal.shape[0] * angle / (2 * jnp.pi)

        return jnp.stack([circular_mean(jnp.sum(weights, axis=axis)) for axis in (1, 0)])
    # Shifts beyond the middle are negative ones.
    rows, cols = jnp.fft.fftfreq(height), jnp.fft.fftfreq(width)
    shift = jnp.stack([jnp.sum(weights * rows[:, None]), jnp.sum(weights * cols[None, :])])
    return shift * jnp.array([height, width])


@sketch(
    takes={"image": "image f[y, x]"},
    gives={"centroid": "f[2]", "spread": "f[2]", "eccentricity": "f[]"},
    sizes={"y": (2, 96), "x": (2, 96)},
    also=("Describe the bright region of an image by its moments.",),
)
def image_moments(image, sharpness=number(0.5, 3.0)):
    """Summarize where an image is bright by moments up to second order."""
    height, width = image.shape
    mass = one_of(
        jax.nn.sigmoid(sharpness * image),
        jax.nn.softplus(sharpness * image),
        jnp.abs(image) + 1e-3,
    )
    mass = mass / jnp.sum(mass)
    ys = jnp.arange(height, dtype=image.dtype) / height
    xs = jnp.arange(width, dtype=image.dtype) / width
    if maybe("grid"):
        grid_y, grid_x = jnp.meshgrid(ys, xs, indexing="ij")
        center_y, center_x = jnp.sum(mass * grid_y), jnp.sum(mass * grid_x)
        dev_y, dev_x = grid_y - center_y, grid_x - center_x
        var_y, var_x = jnp.sum(mass * dev_y**2), jnp.sum(mass * dev_x**2)
        cov_xy = jnp.sum(mass * dev_x * dev_y)
    else:
        # Marginals are enough for all but the mixed moment.
        rows, cols = jnp.sum(mass, axis=1), jnp.sum(mass, axis=0)
        center_y, center_x = rows @ ys, cols @ xs
        dev_y, dev_x = ys - center_y, xs - center_x
        var_y, var_x = rows @ dev_y**2, cols @ dev_x**2
        cov_xy = dev_y @ mass @ dev_x
    half_trace = (var_y + var_x) / 2
    gap = jnp.sqrt(((var_y - var_x) / 2) ** 2 + cov_xy**2 + 1e-6)
    ratio = (half_trace - gap) / (half_trace + gap)
    return {
        "centroid": jnp.stack([center_y, center_x]),
        "spread": jnp.sqrt(jnp.stack([var_y, var_x]) + 1e-6),
        "eccentricity": one_of(jnp.sqrt(jnp.clip(1 - ratio, 0, 1) + 1e-6), 1 - ratio),
    }


@sketch(
    takes={"image": "image f[y, x]"},
    gives="image f[a, e]: sinogram",
    sizes={"y": (6, 32), "x": (6, 32), "a": (3, 16), "e": (6, 24)},
    also=("Project an image along lines of several directions.",),
)
def radon_projections(
    image, num_angles=size("a"), num_bins=size("e"), span=one_of(jnp.pi, jnp.pi / 2)
):
    """Integrate an image along parallel rays, one row per angle."""
    height, width = image.shape
    reach = one_of(max(height, width) / 2, (height * height + width * width) ** 0.5 / 2)
    offsets = jnp.linspace(-reach, reach, num_bins)

    def project(angle):
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        rows = offsets[:, None] * sine + offsets[None, :] * cosine + (height - 1) / 2
        cols = offsets[:, None] * cosine - offsets[None, :] * sine + (width - 1) / 2
        values = jax.scipy.ndimage.map_coordinates(
            image, [rows, cols], order=1, mode=one_of("constant", "nearest")
        )
        return one_of(jnp.sum(values, axis=1) / num_bins, jnp.mean(values, axis=1))

    angles = span * jnp.arange(num_angles) / num_angles
    if maybe("vmap", 0.6):
        return jax.vmap(project)(angles)
    if maybe("map"):
        return jax.lax.map(project, angles)
    return jnp.stack([project(angle) for angle in angles])
