"""Spectra of signals."""

import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, sketch


@sketch(takes={"signal": "signal f[n]"}, gives="signal f[n]", sizes={"n": (16, 4096)})
def moving_average(signal, width=integer(3, 9)):
    """Smooth a signal with a moving average."""
    window = jnp.ones(width, signal.dtype) / width
    return jnp.convolve(signal, window, mode="same")


@sketch(takes={"signal": "signal f[n]"}, gives="power f[n//2+1]", sizes={"n": (16, 4096)})
def power_spectrum(signal):
    """Estimate the power spectrum of a real signal."""
    if maybe("window"):
        signal = signal * one_of(jnp.hanning, jnp.hamming, jnp.blackman)(signal.shape[0])
    spectrum = jnp.fft.rfft(signal - jnp.mean(signal))
    return jnp.abs(spectrum) ** 2 / signal.shape[0]


@sketch(takes={"power": "power f[n]"}, gives="f[]")
def spectral_entropy(power):
    """Measure how flat a power spectrum is by its entropy."""
    weights = power / (jnp.sum(power) + 1e-9)
    return -jnp.sum(weights * jnp.log(weights + 1e-9))
