"""Frames, filterbanks and wavelets."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"signal": "signal f[n]"},
    gives="frames f[t, w]",
    sizes={"n": (64, 4096), "t": (4, 12), "w": (8, 32)},
    dtypes="f32 bf16",
    also=("Slice a signal into overlapping frames.",),
)
def frame_signal(signal, num_frames=size("t"), width=size("w"), taper=one_of(True, False)):
    """Cut a signal into evenly spaced frames that overlap where they have to."""
    n = signal.shape[0]
    if n < width:
        raise ValueError(f"a signal of {n} samples has no frame of {width}")
    hop = max((n - width) // max(num_frames - 1, 1), 1)
    starts = jnp.minimum(hop * jnp.arange(num_frames), n - width)
    if maybe("gather", 0.6):
        frames = signal[starts[:, None] + jnp.arange(width)[None, :]]
    else:
        frames = jax.vmap(lambda s: jax.lax.dynamic_slice(signal, (s,), (width,)))(starts)
    if maybe("detrend", 0.4):
        frames = frames - jnp.mean(frames, axis=1, keepdims=True)
    if taper:
        window = one_of(jnp.hanning(width), jnp.hamming(width), jnp.bartlett(width))
        frames = frames * window.astype(frames.dtype)
    return frames


@sketch(
    takes={"signal": "signal f[n]"},
    gives="power f[f]",
    sizes={"n": (64, 4096), "f": (9, 33)},
    also=("Average the periodograms of overlapping segments.",),
)
def welch_spectrum(signal, num_bins=size("f"), overlap=one_of(0.5, 0.75, 0.25)):
    """Estimate a power spectrum by Welch's method."""
    width = 2 * (num_bins - 1)
    hop = max(int(width * (1 - overlap)), 1)
    count = (len(signal) - width) // hop + 1
    if count < 1:
        raise ValueError(f"{len(signal)} samples are fewer than one segment of {width}")
    taper = one_of(jnp.hanning(width), jnp.hamming(width))
    index = hop * jnp.arange(count)[:, None] + jnp.arange(width)[None, :]
    segments = signal[index]
    segments = segments - jnp.mean(segments, axis=1, keepdims=True)
    power = jnp.abs(jnp.fft.rfft(segments * taper, axis=-1)) ** 2
    power = one_of(jnp.mean(power, axis=0), jnp.median(power, axis=0)) / jnp.sum(taper**2)
    if maybe("one sided"):
        # Energy of the negative frequencies goes to the positive ones.
        power = power.at[1:-1].multiply(2)
    return power


@sketch(
    takes={"frames": "frames f[t, w]"},
    gives="frames f[t, w]: cleaned",
    sizes={"t": (2, 64), "w": (8, 128)},
    also=("Suppress the weak bins of a short-time spectrum.",),
)
def spectral_gate(frames, floor=number(0.05, 0.3), slope=number(2.0, 10.0)):
    """Attenuate frequency bins near the noise floor of each frame."""
    width = frames.shape[-1]
    spectrum = jnp.fft.rfft(frames, axis=-1)
    magnitude = jnp.abs(spectrum)
    if maybe("noise from frames"):
        noise = one_of(jnp.median(magnitude, axis=0), jnp.mean(magnitude, axis=0))
        reference = noise[None, :] + 1e-3
    else:
        reference = jnp.max(magnitude, axis=-1, keepdims=True) * floor + 1e-3
    if maybe("subtract"):
        gain = jnp.maximum(1 - reference / (magnitude + 1e-3), floor)
    elif maybe("wiener gain"):
        snr = jnp.square(magnitude / reference)
        gain = snr / (1 + snr)
    else:
        gain = jax.nn.sigmoid(slope * (magnitude / reference - 1))
    return jnp.fft.irfft(gain * spectrum, n=width, axis=-1)


@sketch(
    takes={"frames": "frames f[t, 2*w]: windowed frames"},
    gives="signal f[t*w+w]: signal",
    sizes={"t": (2, 48), "w": (4, 32)},
    dtypes="f32 bf16",
)
def overlap_add(frames, normalize=one_of(True, False)):
    """Reassemble a signal from frames that overlap by half."""
    num_frames, width = frames.shape
    if width % 2:
        raise ValueError(f"frames of odd width {width} do not overlap by half")
    hop = width // 2
    if maybe("scatter"):
        positions = hop * jnp.arange(num_frames)[:, None] + jnp.arange(width)[None, :]
        total = jnp.zeros(hop * (num_frames + 1), frames.dtype).at[positions].add(frames)
    else:
        # Each block of a hop is the second half of a frame and the first half of the next.
        first, second = frames[:, :hop], frames[:, hop:]
        blocks = jnp.pad(first, ((0, 1), (0, 0))) + jnp.pad(second, ((1, 0), (0, 0)))
        total = blocks.reshape(-1)
    if normalize:
        cover = jnp.full(num_frames + 1, 2.0, frames.dtype).at[jnp.array([0, -1])].set(1.0)
        total = total / jnp.repeat(cover, hop)
    return total


def _hertz_to_mel(f):
    return 2595 * math.log10(1 + f / 700)


def triangular_mel_weights(num_bins, num_bands, rate):
    """Weights of triangles that are evenly spaced on the mel scale."""
    top = _hertz_to_mel(rate / 2)
    mels = [top * i / (num_bands + 1) for i in range(num_bands + 2)]
    edges = jnp.array([700 * (10 ** (m / 2595) - 1) for m in mels])
    bins = jnp.linspace(0, rate / 2, num_bins)
    lower, center, upper = (edges[i : num_bands + i, None] for i in range(3))
    rising = (bins - lower) / (center - lower)
    falling = (upper - bins) / (upper - center)
    return jnp.maximum(0, jnp.minimum(rising, falling))


@sketch(
    takes={"frames": "frames f[t, w]"},
    gives="features f[t, q]: coefficients",
    sizes={"t": (2, 64), "w": (32, 256), "q": (4, 13)},
    also=("Summarize the spectral envelope of frames by cepstral coefficients.",),
)
def mel_cepstrum(frames, num_coefficients=size("q"), rate=one_of(8000, 16000, 22050)):
    """Extract mel-frequency cepstral coefficients from frames."""
    num_frames, width = frames.shape
    spectrum = jnp.fft.rfft(frames * one_of(jnp.hanning(width), jnp.hamming(width)))
    power = jnp.abs(spectrum) ** 2 / width
    num_bands = one_of(20, 24, 26)
    weights = triangular_mel_weights(power.shape[1], num_bands, rate)
    energies = one_of(power @ weights.T, jnp.einsum("tf,mf->tm", power, weights))
    log_energies = one_of(jnp.log(energies + 1e-3), jnp.log1p(10 * energies))
    # DCT-II over the bands.
    order = jnp.arange(num_coefficients)[:, None]
    basis = jnp.cos(jnp.pi / num_bands * order * (jnp.arange(num_bands)[None, :] + 0.5))
    coefficients = log_energies @ basis.T * (2 / num_bands) ** 0.5
    if maybe("lifter", 0.4):
        lifter = 1 + 11 * jnp.sin(jnp.pi * jnp.arange(num_coefficients) / 22)
        coefficients = coefficients * lifter / 12
    if maybe("mean normalization", 0.4):
        coefficients = coefficients - jnp.mean(coefficients, axis=0)
    return coefficients


@sketch(
    takes={"signal": "signal f[n]"},
    gives=("signal f[n]: envelope", "signal f[n]: phase"),
    sizes={"n": (8, 4096)},
    also=("Demodulate a signal by its analytic extension.",),
)
def analytic_envelope(signal):
    """Split a signal into envelope and phase by the Hilbert transform."""
    n = signal.shape[0]
    spectrum = jnp.fft.fft(signal)
    # Twice the positive frequencies, none of the negative ones.
    if maybe("conditional"):
        freqs = jnp.fft.fftfreq(n)
        multiplier = jnp.where(freqs > 0, 2.0, jnp.where(freqs < 0, 0.0, 1.0))
    else:
        multiplier = jnp.zeros(n, signal.dtype).at[0].set(1)
        multiplier = multiplier.at[1 : (n + 1) // 2].set(2)
        if n % 2 == 0:
            multiplier = multiplier.at[n // 2].set(1)
    analytic = jnp.fft.ifft(spectrum * multiplier)
    envelope = one_of(
        jnp.abs(analytic), jnp.sqrt(jnp.square(analytic.real) + jnp.square(analytic.imag) + 1e-9)
    )
    if maybe("cosine of phase"):
        phase = signal / (envelope + 1e-3)
    else:
        phase = analytic.imag / (envelope + 1e-3)
    return envelope, phase


@sketch(
    takes={"signal": "signal f[8*n]"},
    gives="signal f[8*n]: denoised",
    sizes={"n": (2, 512)},
    dtypes="f32 bf16",
    also=("Denoise a signal by shrinking its Haar coefficients.",),
)
def haar_shrinkage(signal, threshold=number(0.1, 1.0), levels=integer(1, 3)):
    """Shrink the details of a Haar wavelet transform and transform back."""
    n = signal.shape[0]
    if n % 2**levels:
        raise ValueError(f"{n} samples cannot be halved {levels} times")
    details = []
    smooth = signal
    for _ in range(levels):
        even, odd = smooth[0::2], smooth[1::2]
        if maybe("lifting"):
            detail = odd - even
            smooth = even + detail / 2
        else:
            smooth, detail = (even + odd) * 0.5**0.5, (even - odd) * 0.5**0.5
        details.append(detail)
    for detail in reversed(details):
        if maybe("hard", 0.3):
            # A smooth version of keeping what is above the threshold.
            kept = detail * jax.nn.sigmoid(20 * (jnp.abs(detail) - threshold))
        else:
            kept = jnp.sign(detail) * jnp.maximum(jnp.abs(detail) - threshold, 0)
        if maybe("lifting"):
            even = smooth - kept / 2
            odd = kept + even
        else:
            even, odd = (smooth + kept) * 0.5**0.5, (smooth - kept) * 0.5**0.5
        smooth = one_of(
            jnp.stack([even, odd], axis=1).reshape(-1), jnp.ravel(jnp.stack([even, odd], -1))
        )
    return smooth


@sketch(
    takes={"x": "signal f[n]"},
    gives="spectrum f[n]: coefficients",
    sizes={"n": (4, 1024)},
    also=("Transform a signal to the cosine domain with one FFT.",),
)
def cosine_transform(x, orthonormal=one_of(True, False)):
    """Take the type-II discrete cosine transform by way of a fast Fourier transform."""
    n = x.shape[0]
    k = jnp.arange(n)
    if maybe("mirrored"):
        # Even extension of twice the length.
        spectrum = jnp.fft.rfft(jnp.concatenate([x, x[::-1]]))[:n]
        rotated = spectrum * jnp.exp(-1j * jnp.pi * k / (2 * n))
        coefficients = rotated.real / 2
    else:
        reordered = jnp.concatenate([x[::2], x[1::2][::-1]])
        spectrum = jnp.fft.fft(reordered)
        phase = jnp.pi * k / (2 * n)
        coefficients = spectrum.real * jnp.cos(phase) + spectrum.imag * jnp.sin(phase)
    if orthonormal:
        coefficients = coefficients * (2 / n) ** 0.5
        coefficients = coefficients.at[0].multiply(0.5**0.5)
    return coefficients
