"""Modulation, coding and synchronization."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"symbols": "i[n]: values 0 to 3"},
    gives="signal f[n*p]: waveform",
    sizes={"n": (4, 256), "p": (4, 16)},
    also=("Modulate symbols onto a carrier by quadrature phase-shift keying.",),
)
def qpsk_waveform(symbols, samples_per_symbol=size("p"), carrier=number(0.05, 0.3)):
    """Generate the passband waveform of a sequence of two-bit symbols."""
    if maybe("gray table"):
        # Neighbors in the constellation differ in one bit.
        constellation = jnp.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        in_phase, quadrature = constellation[symbols].T * 0.5**0.5
    elif maybe("bits"):
        in_phase = (1.0 - 2.0 * (symbols & 1)) * 0.5**0.5
        quadrature = (1.0 - 2.0 * ((symbols >> 1) & 1)) * 0.5**0.5
    else:
        phase = jnp.pi / 4 + jnp.pi / 2 * symbols
        in_phase, quadrature = jnp.cos(phase), jnp.sin(phase)
    in_phase = jnp.repeat(in_phase, samples_per_symbol)
    quadrature = jnp.repeat(quadrature, samples_per_symbol)
    if maybe("shaping", 0.4):
        pulse = jnp.hanning(samples_per_symbol + 2)[1:-1]
        pulse = pulse / jnp.sum(pulse)
        in_phase, quadrature = (
            jnp.convolve(part, pulse, mode="same") for part in (in_phase, quadrature)
        )
    phase_of_carrier = 2 * jnp.pi * carrier * jnp.arange(in_phase.shape[0])
    return in_phase * jnp.cos(phase_of_carrier) - quadrature * jnp.sin(phase_of_carrier)


@sketch(
    takes={"symbols": "i[t, n]: one row of values 0 to 3 per OFDM symbol"},
    gives="frames f[t, 2*n+2+p]: transmitted",
    sizes={"t": (1, 32), "n": (4, 64), "p": (1, 4)},
)
def ofdm_frames(symbols, prefix=size("p"), clip=one_of(None, 2.0, 3.0)):
    """Map symbols to subcarriers and transform them to frames with a cyclic prefix."""
    num_frames, num_carriers = symbols.shape
    angle = jnp.pi / 2 * symbols + jnp.pi / 4
    points = one_of(jnp.exp(1j * angle), jnp.cos(angle) + 1j * jnp.sin(angle))
    # No direct current and no Nyquist carrier.
    carriers = jnp.pad(points, ((0, 0), (1, 1)))
    frames = jnp.fft.irfft(carriers, axis=-1) * num_carriers**0.5
    if clip is not None:
        frames = jnp.clip(frames, -clip, clip)
    tail = frames[:, -prefix:]
    framed = jnp.concatenate([tail, frames], axis=1)
    if maybe("window edges", 0.3):
        ramp = (jnp.arange(prefix) + 1) / (prefix + 1)
        framed = framed.at[:, :prefix].multiply(ramp)
    assert framed.shape == (num_frames, 2 * num_carriers + 2 + prefix), f"got {framed.shape}"
    return framed


@sketch(
    takes={"bits": "bool[n]: message"},
    gives="i[n, 2]: coded bits",
    sizes={"n": (4, 1024)},
    dtypes="f32 f64",
    also=("Encode a message by a convolutional code of rate one half.",),
)
def convolutional_encode(bits, generators=one_of((0b111, 0b101), (0b1111, 0b1101), (7, 5))):
    """Shift message bits through a register and emit the parities of its taps."""
    if len(generators) != 2 or min(generators) <= 0:
        raise ValueError(f"rate one half needs two generators, got {generators}")
    memory = max(g.bit_length() for g in generators)
    register = bits.astype(int)
    if maybe("scan"):

        def shift(window, bit):
            window = ((window << 1) | bit) & (2**memory - 1)
            if maybe("fold"):
                masked = window & jnp.array(generators)
                # Fold the parity into the lowest bit.
                for distance in (4, 2, 1):
                    masked = masked ^ (masked >> distance)
                return window, masked & 1
            parities = [sum((window & g) >> i & 1 for i in range(memory)) % 2 for g in generators]
            return window, jnp.stack(parities)

        _, coded = jax.lax.scan(shift, jnp.zeros((), register.dtype), register)
        return coded
    padded = jnp.pad(register, (memory - 1, 0))
    if maybe("convolve", 0.4):
        # Over the integers, and then modulo two.
        responses = [jnp.array([g >> i & 1 for i in range(memory)]) for g in generators]
        sums = [jnp.convolve(padded, response, mode="valid") for response in responses]
        streams = [jnp.round(total).astype(int) % 2 for total in sums]
        return one_of(jnp.stack(streams, axis=-1), jnp.stack(streams).T)
    streams = []
    for g in generators:
        taps = [i for i in range(memory) if g >> i & 1]
        delayed = [padded[memory - 1 - i : padded.shape[0] - i] for i in taps]
        streams.append(one_of(functools.reduce(jnp.bitwise_xor, delayed), sum(delayed) % 2))
    return jnp.stack(streams, axis=-1)


@sketch(
    takes={"words": "i[n, 7]: received words, bits or small counts"},
    gives=("i[n, 4]: decoded", "bool[n]: corrected"),
    sizes={"n": (2, 512)},
    dtypes="f32 f64",
    also=("Repair single bit errors of a Hamming code.",),
)
def hamming_decode(words):
    """Correct one flipped bit per word of the (7, 4) Hamming code."""
    if words.shape[-1] != 7:
        raise ValueError(f"words must have 7 bits, got {words.shape[-1]}")
    bits = one_of(words & 1, words % 2)
    positions = jnp.arange(1, 8)
    if maybe("matrix"):
        # Row i of the check matrix has bit i of each position.
        checks = (positions[None, :] >> jnp.arange(3)[:, None]) & 1
        syndrome = (bits @ checks.T) % 2
        location = syndrome @ jnp.array([1, 2, 4])
    else:
        location = jnp.zeros(bits.shape[0], bits.dtype)
        for i in range(3):
            covered = ((positions >> i) & 1).astype(bool)
            parity = jnp.sum(jnp.where(covered, bits, 0), axis=-1) % 2
            location = location + (parity << i)
    wrong = location > 0
    # Position 0 means that all checks hold, and then nothing flips.
    flips = (positions[None, :] == location[:, None]).astype(bits.dtype)
    bits = one_of(bits ^ flips, (bits + flips) % 2)
    data = bits[:, jnp.array([2, 4, 5, 6])]
    return data, wrong


@sketch(
    takes={"signal": "signal f[n]", "template": "kernel f[k]"},
    gives=("signal f[n]: response", "i[]: location"),
    sizes={"n": (32, 2048), "k": (4, 24)},
    also=("Search a signal for a known pulse.",),
)
def matched_filter_response(signal, template, normalize=one_of(True, False)):
    """Correlate a signal with a known pulse and locate the best match."""
    n, width = signal.shape[0], template.shape[0]
    if width > n:
        raise ValueError(f"a template of {width} samples is longer than the signal ({n})")
    template = template - jnp.mean(template)
    template = template / (jnp.linalg.norm(template) + 1e-3)
    if maybe("fft"):
        length = n + width - 1
        product = jnp.fft.rfft(signal, length) * jnp.conj(jnp.fft.rfft(template, length))
        response = jnp.fft.irfft(product, length)[:n]
    else:
        response = one_of(
            jnp.correlate(jnp.pad(signal, (0, width - 1)), template, mode="valid"),
            jnp.convolve(signal, template[::-1], mode="full")[width - 1 :],
        )
    if normalize:
        # Divided by the local energy, so that loud parts do not win.
        energy = jnp.convolve(signal * signal, jnp.ones(width, signal.dtype), mode="full")
        response = response / jnp.sqrt(energy[width - 1 :] + 1e-2)
    return response, one_of(jnp.argmax(response), jnp.argmax(jnp.abs(response)))


@sketch(
    takes={"x": "signal f[n]", "y": "signal f[n]"},
    gives=("f[]: delay", "signal f[2*n]: correlation"),
    sizes={"n": (16, 1024)},
    also=("Estimate by how much one signal lags behind another.",),
)
def time_delay(x, y, sharpness=number(2.0, 10.0)):
    """Estimate the delay between two signals from their cross-correlation."""
    if x.shape != y.shape:
        raise ValueError(f"signals of {x.shape[0]} and {y.shape[0]} samples")
    n = len(x)
    cross = jnp.fft.rfft(x, 2 * n) * jnp.conj(jnp.fft.rfft(y, 2 * n))
    if maybe("phase transform"):
        # Whitened: only the phase tells the delay.
        cross = cross / (jnp.abs(cross) + 1e-2 * n)
        correlation = jnp.fft.irfft(cross, 2 * n)
    else:
        energy = jnp.sqrt(jnp.sum(x * x) * jnp.sum(y * y) + 1e-6)
        correlation = jnp.fft.irfft(cross, 2 * n) / energy
    correlation = one_of(jnp.fft.fftshift(correlation), jnp.roll(correlation, n))
    lags = jnp.arange(-n, n)
    peak = jnp.max(jnp.abs(correlation)) + 1e-6
    # A soft maximum, which is smooth where two peaks are nearly equal.
    weights = jax.nn.softmax(sharpness * correlation / peak)
    delay = one_of(jnp.sum(weights * lags), jnp.dot(weights, lags))
    if maybe("fraction of length", 0.3):
        delay = delay / n
    return delay, correlation


@sketch(
    takes={"signal": "signal f[n]"},
    gives="signal f[n]: decoded",
    sizes={"n": (8, 4096)},
    dtypes="f32",
    also=("Compand, quantize and expand a signal.",),
)
def quantize_companded(signal, num_bits=integer(3, 8), law=one_of("mu", "uniform")):
    """Quantize a signal to few bits, finer near zero where the law says so."""
    if law not in ("mu", "uniform"):
        raise ValueError(f"unknown law {law!r}")
    levels = 2**num_bits - 1
    peak = one_of(4.0, jnp.max(jnp.abs(signal)) + 1e-3)
    x = jnp.clip(signal / peak, -1, 1)
    mu = one_of(255.0, 100.0, 15.0)
    if law == "mu":
        x = jnp.sign(x) * jnp.log1p(mu * jnp.abs(x)) / jnp.log1p(mu)
    codes = jnp.round((x + 1) / 2 * levels)
    if maybe("straight through", 0.4):
        # Rounding has no slope; the gradient passes it unchanged.
        scaled = (x + 1) / 2 * levels
        codes = scaled + jax.lax.stop_gradient(codes - scaled)
    x = 2 * codes / levels - 1
    if law == "mu":
        x = jnp.sign(x) * (jnp.exp(jnp.abs(x) * jnp.log1p(mu)) - 1) / mu
    return peak * x
