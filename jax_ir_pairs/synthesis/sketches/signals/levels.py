"""Levels, rates and simple conversions of signals and images."""

import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: emphasized",
    sizes={"n": (4, 4096)},
    dtypes="f32 bf16 f16",
    also=("Boost the high frequencies of speech before analysis.",),
)
def pre_emphasis(signal, coefficient=one_of(0.97, 0.95, 0.9), keep_first=one_of(True, False)):
    """Difference a signal partially, which flattens the spectrum of speech."""
    if maybe("pad"):
        previous = jnp.pad(signal[:-1], (1, 0))
    else:
        previous = jnp.concatenate([jnp.zeros(1, signal.dtype), signal[:-1]])
    emphasized = signal - coefficient * previous
    if keep_first:
        return emphasized
    return emphasized.at[0].set(0)


@sketch(
    takes={"signal": "signal f[p, n]: one row per channel"},
    gives="signal f[n]: mono",
    sizes={"p": (1, 6), "n": (8, 2048)},
    dtypes="f32 bf16 f16",
    also=("Mix several channels down to one.",),
)
def downmix_channels(signal, gains=None, preserve=one_of("level", "power")):
    """Sum channels with gains that keep the level or the power."""
    num_channels, length = signal.shape
    if preserve not in ("level", "power"):
        raise ValueError(f"cannot preserve {preserve!r}")
    if gains is None:
        gains = 1 / num_channels if preserve == "level" else num_channels**-0.5
    mono = gains * jnp.sum(signal, axis=0)
    if maybe("limiter"):
        mono = one_of(jnp.tanh(mono), mono / (1 + jnp.abs(mono)), jnp.clip(mono, -1, 1))
    assert mono.shape == (length,), f"expected {length} samples, got {mono.shape}"
    return mono


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: leveled",
    sizes={"n": (4, 4096)},
    dtypes="f32 bf16",
    also=("Bring a signal to a wanted level.",),
)
def normalize_level(signal, target=number(0.1, 1.0), mode=one_of("rms", "peak")):
    """Scale a signal to a target level, by its peak or by its power."""
    if maybe("remove offset"):
        signal = signal - jnp.mean(signal)
    if mode == "peak":
        level = jnp.max(jnp.abs(signal))
    elif mode == "rms":
        level = jnp.sqrt(jnp.mean(signal * signal) + 1e-6)
    else:
        raise ValueError(f"mode must be rms or peak, got {mode!r}")
    return signal * (target / one_of(level + 1e-3, jnp.maximum(level, 1e-3)))


@sketch(
    takes={"frames": "frames f[t, w]"},
    gives={"zero_crossings": "f[t]", "energy": "f[t]", "crest": "f[t]"},
    sizes={"t": (1, 128), "w": (4, 256)},
    also=("Describe frames of audio by simple features of time.",),
)
def temporal_features(frames):
    """Extract zero crossings, energy and crest factor of each frame."""
    width = frames.shape[-1]
    positive = frames > 0
    crossings = jnp.sum(positive[:, 1:] != positive[:, :-1], axis=1) / (width - 1)
    power = jnp.mean(frames * frames, axis=1)
    if maybe("decibels"):
        energy = 10 * jnp.log10(power + 1e-6)
    else:
        energy = one_of(power, jnp.log1p(power))
    crest = jnp.max(jnp.abs(frames), axis=1) / jnp.sqrt(power + 1e-4)
    return {"zero_crossings": crossings, "energy": energy, "crest": crest}


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n*p]: upsampled",
    sizes={"n": (4, 512), "p": (2, 4)},
    dtypes="f32 bf16",
    also=("Raise the sampling rate by an integer factor.",),
)
def upsample_signal(signal, factor=size("p"), method=one_of("linear", "hold")):
    """Insert samples between those of a signal."""
    n = signal.shape[0]
    if method == "hold":
        return one_of(
            jnp.repeat(signal, factor), jnp.broadcast_to(signal[:, None], (n, factor)).reshape(-1)
        )
    if maybe("weights"):
        fraction = jnp.arange(factor, dtype=signal.dtype) / factor
        following = jnp.append(signal[1:], signal[-1])
        blend = signal[:, None] * (1 - fraction) + following[:, None] * fraction
        return blend.reshape(n * factor)
    times = jnp.arange(n * factor) / factor
    return jnp.interp(times, jnp.arange(n), signal).astype(signal.dtype)


@sketch(
    takes={"image": "image f[2*y, 2*x]"},
    gives="image f[y, x]: reduced",
    sizes={"y": (2, 64), "x": (2, 64)},
    dtypes="f32 bf16 f16",
    also=("Halve the resolution of an image.",),
)
def halve_image(image, method=one_of("mean", "max")):
    """Reduce an image to half its size by pooling pairs of rows and columns."""
    height, width = image.shape
    if height % 2 or width % 2:
        raise ValueError(f"cannot halve an image of {height} x {width}")
    if method != "mean" and method != "max":
        raise ValueError(f"unknown method {method!r}")
    if maybe("reshape"):
        tiles = image.reshape(height // 2, 2, width // 2, 2)
        return jnp.mean(tiles, axis=(1, 3)) if method == "mean" else jnp.max(tiles, axis=(1, 3))
    corners = [image[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    stacked = jnp.stack(corners)
    return jnp.mean(stacked, axis=0) if method == "mean" else jnp.max(stacked, axis=0)


@sketch(
    takes={"x": "signal f[n]", "kernel": "kernel f[k]"},
    gives="signal f[n]: convolved",
    sizes={"n": (24, 1024), "k": (2, 16)},
    also=("Convolve on a circle.",),
)
def circular_convolution(x, kernel):
    """Convolve a periodic signal with a shorter kernel."""
    n = x.shape[0]
    k = kernel.shape[0]
    if k > n:
        raise ValueError(f"a kernel of {k} taps wraps around a period of {n}")
    if maybe("normalize"):
        kernel = kernel / (jnp.sum(jnp.abs(kernel)) + 1e-3)
    if maybe("fourier"):
        return jnp.fft.irfft(jnp.fft.rfft(x) * jnp.fft.rfft(kernel, n), n)
    if maybe("wrap"):
        # The end of the period comes before its start.
        wrapped = jnp.concatenate([x[n - k + 1 :], x])
        return jnp.convolve(wrapped, kernel, mode="valid")
    return sum(kernel[i] * jnp.roll(x, i) for i in range(k))


@sketch(
    takes={"pixels": "u8[y, x, 3]: bytes of an image"},
    gives="image f32[y, x]: luminance",
    sizes={"y": (2, 96), "x": (2, 96)},
    also=("Decode bytes to a grayscale image.",),
)
def bytes_to_luminance(pixels, mean=one_of(0.5, 0.45), std=one_of(0.25, 0.5)):
    """Convert an image of bytes to normalized luminance."""
    if pixels.dtype != jnp.uint8 or pixels.shape[-1] != 3:
        raise ValueError(f"expected bytes in three channels, got {pixels.dtype}{pixels.shape}")
    rgb = pixels.astype(jnp.float32) / 255
    if maybe("linear light"):
        rgb = jnp.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    coefficients = jnp.array(one_of([0.2126, 0.7152, 0.0722], [0.299, 0.587, 0.114]))
    luminance = one_of(rgb @ coefficients, jnp.tensordot(rgb, coefficients, axes=1))
    return (luminance - mean) / std
