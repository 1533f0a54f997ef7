"""Digital filters: recursions, windowed designs, adaptive weights."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class BiquadCoefficients(NamedTuple):
    """A second-order section, normalized so that a0 is one."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def _second_order_section(cutoff, q):
    """Bilinear design of a second-order section; the cutoff is a fraction of the rate."""
    omega = 2 * jnp.pi * cutoff
    alpha = jnp.sin(omega) / (2 * q)
    cosine, a0 = jnp.cos(omega), 1 + alpha
    if maybe("high pass"):
        edge = (1 + cosine) / a0
        return BiquadCoefficients(edge / 2, -edge, edge / 2, -2 * cosine / a0, (1 - alpha) / a0)
    else:
        edge = (1 - cosine) / a0
        return BiquadCoefficients(edge / 2, edge, edge / 2, -2 * cosine / a0, (1 - alpha) / a0)


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: filtered",
    sizes={"n": (8, 2048)},
    also=("Run a second-order section over a signal, sample by sample.",),
)
def biquad_filter(signal, cutoff=number(0.02, 0.3), q=number(0.5, 2.0)):
    """Filter a signal by a biquad in transposed direct form."""
    if not 0 < cutoff < 0.5:
        raise ValueError(f"the cutoff must lie below half the rate, got {cutoff}")
    section = _second_order_section(cutoff, q)
    if maybe("direct form one", 0.4):

        def tick(delays, x):
            x1, x2, y1, y2 = delays
            y = section.b0 * x + section.b1 * x1 + section.b2 * x2
            y = y - section.a1 * y1 - section.a2 * y2
            return (x, x1, y, y1), y

        rest = jnp.zeros((), signal.dtype)
        _, filtered = jax.lax.scan(tick, (rest,) * 4, signal)
    else:

        def tick(registers, x):
            first, second = registers
            y = section.b0 * x + first
            first = section.b1 * x - section.a1 * y + second
            second = section.b2 * x - section.a2 * y
            return (first, second), y

        rest = jnp.zeros((), signal.dtype)
        _, filtered = jax.lax.scan(tick, (rest, rest), signal)
    return filtered


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: filtered",
    sizes={"n": (64, 4096)},
    also=("Filter a signal by a linear-phase FIR design.",),
)
def windowed_sinc_filter(
    signal, low=number(0.02, 0.1), high=number(0.15, 0.4), half=integer(5, 20)
):
    """Design a FIR filter from windowed sinc pulses and convolve with it."""
    if low >= high:
        raise ValueError(f"empty band: {low} to {high}")
    offsets = jnp.arange(-half, half + 1)
    window = one_of(
        jnp.hamming(2 * half + 1),
        jnp.blackman(2 * half + 1),
        jnp.kaiser(2 * half + 1, 6.0),
        jnp.hanning(2 * half + 1),
    )

    def low_pass(cutoff):
        pulse = 2 * cutoff * jnp.sinc(2 * cutoff * offsets) * window
        if maybe("unit gain"):
            pulse = pulse / jnp.sum(pulse)
        return pulse

    if maybe("band pass"):
        taps = low_pass(high) - low_pass(low)
    elif maybe("high pass fir"):
        # Spectral inversion: a unit impulse minus the low-pass.
        taps = jnp.where(offsets == 0, 1.0, 0.0) - low_pass(high)
    else:
        taps = low_pass(low)
    taps = taps.astype(signal.dtype)
    if maybe("edges"):
        padded = jnp.pad(signal, half, mode=one_of("edge", "reflect"))
        return jnp.convolve(padded, taps, mode="valid")
    return jnp.convolve(signal, taps, mode="same")


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: filtered",
    sizes={"n": (16, 4096)},
)
def butterworth_by_fft(signal, cutoff=number(0.03, 0.3), order=integer(1, 6)):
    """Shape a spectrum by the magnitude response of a Butterworth filter."""
    n = len(signal)
    freqs = jnp.fft.rfftfreq(n)
    ratio = freqs / cutoff
    gain = one_of(1 / jnp.sqrt(1 + ratio ** (2 * order)), jax.lax.rsqrt(1 + ratio ** (2 * order)))
    if maybe("complement", 0.3):
        gain = 1 - gain
    if maybe("remove mean", 0.4):
        signal = signal - jnp.mean(signal)
    return jnp.fft.irfft(jnp.fft.rfft(signal) * gain, n=n)


@sketch(
    takes={"signal": "signal f[n]: what is measured", "target": "signal f[n]: what is wanted"},
    gives=("signal f[n]: error", "kernel f[k]: taps"),
    sizes={"n": (16, 1024), "k": (2, 12)},
    dtypes="f32 bf16",
    also=("Adapt the taps of a filter by stochastic gradient steps.",),
)
def lms_filter(signal, target, num_taps=size("k"), rate=number(0.02, 0.3)):
    """Cancel what a reference explains of a signal by an adaptive filter."""
    if signal.shape != target.shape:
        raise ValueError(f"signal {signal.shape} and target {target.shape} differ in length")

    def adapt(carry, sample):
        taps, recent = carry
        x, wanted = sample
        recent = one_of(jnp.concatenate([x[None], recent[:-1]]), jnp.roll(recent, 1).at[0].set(x))
        error = wanted - jnp.dot(taps, recent)
        if maybe("normalized", 0.6):
            # The step is relative to the energy in the delay line.
            taps = taps + rate * error * recent / (1 + jnp.dot(recent, recent))
        elif maybe("sign"):
            taps = taps + rate / num_taps * jnp.tanh(4 * error) * recent
        else:
            taps = taps + rate * jnp.clip(error, -1, 1) * recent / (10 * num_taps)
        if maybe("leak", 0.3):
            taps = taps * (1 - rate / 100)
        return (taps, recent), error

    start = (jnp.zeros(num_taps, signal.dtype), jnp.zeros(num_taps, signal.dtype))
    (taps, _), errors = jax.lax.scan(adapt, start, (signal, target))
    return errors, taps


@sketch(
    takes={"signal": "signal f[n]", "target": "signal f[n]"},
    gives=("signal f[n]: prediction", "kernel f[k]: taps"),
    sizes={"n": (16, 512), "k": (2, 8)},
    dtypes="f32 f64",
)
def rls_filter(signal, target, num_taps=size("k"), *, forget=one_of(0.99, 0.98, 1.0), delta=1.0):
    """Track a linear predictor by recursive least squares with forgetting."""
    n = signal.shape[0]
    # Row i holds the latest samples up to i, newest first.
    lags = jnp.arange(n)[:, None] - jnp.arange(num_taps)[None, :]
    regressors = jnp.where(lags >= 0, signal[jnp.maximum(lags, 0)], 0)

    def update(carry, row):
        taps, inverse = carry
        x, wanted = row
        image = inverse @ x
        gain = image / (forget + x @ image)
        prediction = taps @ x
        taps = taps + gain * (wanted - prediction)
        inverse = (inverse - jnp.outer(gain, image)) / forget
        # Rounding must neither skew the matrix nor let it run away.
        inverse = jnp.clip((inverse + inverse.T) / 2, -100, 100)
        return (taps, inverse), prediction

    start = (
        jnp.zeros(num_taps, signal.dtype),
        jnp.eye(num_taps, dtype=signal.dtype) / delta,
    )
    (taps, _), predictions = jax.lax.scan(update, start, (regressors, target))
    return predictions, taps


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: compressed",
    sizes={"n": (8, 2048)},
    dtypes="f32 bf16",
    also=("Reduce the dynamic range of a signal by a compressor.",),
)
def compress_dynamics(
    signal, threshold=number(0.2, 1.0), ratio=number(1.5, 8.0), attack=0.4, release=0.05
):
    """Follow the envelope of a signal and turn its loud parts down."""
    if ratio < 1:
        raise ValueError(f"a ratio of {ratio} would expand")

    def follow(level, x):
        magnitude = one_of(jnp.abs(x), jnp.sqrt(x * x + 1e-6))
        coefficient = jnp.where(magnitude > level, attack, release)
        level = level + coefficient * (magnitude - level)
        return level, level

    _, envelope = jax.lax.scan(follow, jnp.zeros((), signal.dtype), signal)
    if maybe("decibels"):
        excess = jnp.maximum(20 * jnp.log10((envelope + 1e-4) / threshold), 0)
        if maybe("soft knee", 0.4):
            excess = jnp.sqrt(jnp.square(excess) + 4.0) - 2
        gain = 10 ** (-excess * (1 - 1 / ratio) / 20)
    else:
        over = jnp.maximum(envelope / threshold, 1)
        gain = over ** (1 / ratio - 1)
    if maybe("makeup", 0.4):
        gain = gain * threshold ** (1 / ratio - 1)
    return signal * gain


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: wet",
    sizes={"n": (32, 2048)},
    dtypes="f32 bf16",
    also=("Thicken a signal with delayed copies of itself.",),
)
def delay_effect(signal, delay=integer(2, 12), feedback=number(0.2, 0.7), mix=number(0.2, 0.6)):
    """Mix a signal with its echoes."""
    if maybe("chorus", 0.35):
        # A slowly moving tap, read between samples by linear interpolation.
        n = signal.shape[0]
        positions = jnp.arange(n)
        depth = (delay / 2) * (1 + jnp.sin(2 * jnp.pi * positions * one_of(0.01, 0.005, 0.02)))
        read = jnp.clip(positions - depth, 0, n - 1).astype(signal.dtype)
        below = jnp.floor(read).astype(int)
        fraction = read - below.astype(signal.dtype)
        above = jnp.minimum(below + 1, n - 1)
        wet = (1 - fraction) * signal[below] + fraction * signal[above]
    elif maybe("feedback line"):

        def circulate(line, x):
            out = x + feedback * line[-1]
            return jnp.concatenate([out[None], line[:-1]]), out

        _, wet = jax.lax.scan(circulate, jnp.zeros(delay, signal.dtype), signal)
    else:
        wet = signal
        for echo in range(1, one_of(3, 4, 5)):
            lag = echo * delay
            if lag < len(signal):
                wet = wet + feedback**echo * jnp.pad(signal, (lag, 0))[:-lag]
    return (1 - mix) * signal + mix * wet
