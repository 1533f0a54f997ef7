"""Random paths, noise and fields."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"ends": "f[2, d]: first and last point", "key": "key"},
    gives="trajectory f[m, t, d]",
    sizes={"d": (1, 16), "m": (1, 16), "t": (5, 128)},
    also=("Draw random paths between two given points.",),
)
def brownian_bridges(ends, key, num_paths=size("m"), num_points=size("t"), sigma=number(0.05, 0.5)):
    """Tie Brownian paths down at both ends."""
    dim = ends.shape[1]
    times = jnp.linspace(0.0, 1.0, num_points, dtype=ends.dtype)
    shape = (num_paths, num_points - 1, dim)
    steps = jax.random.normal(key, shape, ends.dtype) / jnp.sqrt(num_points - 1)
    if maybe("pad_paths"):
        paths = jnp.pad(jnp.cumsum(steps, axis=1), ((0, 0), (1, 0), (0, 0)))
    else:
        origin = jnp.zeros((num_paths, 1, dim), ends.dtype)
        paths = jnp.cumsum(jnp.concatenate([origin, steps], axis=1), axis=1)
    # What a path would miss the end by is taken off in proportion to time.
    bridges = paths - times[:, None] * paths[:, -1:, :]
    line = ends[0] + times[:, None] * (ends[1] - ends[0])
    if maybe("bend_bridge", 0.3):
        line = line + jnp.sin(jnp.pi * times)[:, None] * 0.5
    if maybe("time_first", 0.3):
        # All paths share one scale.
        typical = jnp.sqrt(jnp.mean(bridges**2) + 1e-6)
        bridges = bridges / jnp.maximum(typical, 0.1)
    return line + sigma * bridges


@sketch(
    takes={"envelope": "f[k]: gain of each frequency band", "key": "key"},
    gives="signal f[n]",
    sizes={"k": (3, 32), "n": (32, 2048)},
    also=("Generate a random signal with a power-law spectrum and band gains.",),
)
def colored_noise(envelope, key, *, length=size("n"), exponent=one_of(1.0, 2.0, 0.5, -1.0)):
    """Shape white noise in the frequency domain."""
    num_bins = length // 2 + 1
    frequencies = jnp.arange(num_bins) / length
    floor = 1.0 / length
    shape = jnp.maximum(frequencies, floor) ** (-exponent / 2)
    bands = jnp.linspace(0.0, 0.5, envelope.shape[0])
    gain = jnp.interp(frequencies, bands, jax.nn.softplus(envelope))
    if maybe("random_phases", 0.4):
        phases = jax.random.uniform(key, (num_bins,), maxval=2 * jnp.pi)
        spectrum = one_of(jnp.exp(1j * phases), jnp.cos(phases) + 1j * jnp.sin(phases))
    else:
        white = jax.random.normal(key, (length,), envelope.dtype)
        spectrum = jnp.fft.rfft(white)
    noise = jnp.fft.irfft(spectrum * shape * gain, length)
    if maybe("unit_noise", 0.7):
        noise = noise - jnp.mean(noise)
        noise = noise / (jnp.sqrt(jnp.mean(noise**2)) + 1e-3)
    else:
        noise = noise / (jnp.max(jnp.abs(noise)) + 1e-3)
    return noise


@sketch(
    takes={"drift": "field f[h]: at the nodes of a grid", "key": "key"},
    gives=("state f[m]", "trajectory f[t, m]"),
    sizes={"h": (3, 32), "m": (1, 64), "t": (4, 128)},
    also=("Let walkers diffuse in a force field on an interval.",),
)
def reflected_walk(drift, key, num_walkers=size("m"), num_steps=size("t"), dt=number(1e-3, 3e-2)):
    """Simulate walkers between two walls."""
    nodes = jnp.linspace(-1.0, 1.0, drift.shape[0], dtype=drift.dtype)
    start_key, walk_key = jax.random.split(key)
    start = jax.random.uniform(start_key, (num_walkers,), drift.dtype, minval=-1.0)

    def step(position, step_key):
        force = jnp.interp(position, nodes, drift)
        if maybe("lazy_walk", 0.25):
            kicks = jax.random.rademacher(step_key, position.shape, drift.dtype)
        else:
            kicks = jax.random.normal(step_key, position.shape, drift.dtype)
        position = position + dt * force + jnp.sqrt(dt) * kicks
        if maybe("reflecting"):
            # Fold what left the interval back into it.
            position = jnp.where(position > 1.0, 2.0 - position, position)
            position = jnp.where(position < -1.0, -2.0 - position, position)
        position = jnp.clip(position, -1.0, 1.0)
        return position, position

    keys = jax.random.split(walk_key, num_steps)
    position, path = jax.lax.scan(step, start, keys)
    return position, path


@sketch(
    takes={"base": "field f[y, x]: mean of the field", "key": "key"},
    gives="field f[y, x]",
    sizes={"y": (8, 64), "x": (8, 64)},
    also=("Draw a smooth random field around a mean.",),
)
def gaussian_random_field(base, key, correlation=number(1.0, 6.0), amplitude=number(0.1, 1.0)):
    """Filter white noise into a random field with a correlation length."""
    height, width = base.shape
    white = jax.random.normal(key, base.shape, base.dtype)
    rows = 2 * jnp.pi * jnp.fft.fftfreq(height)[:, None]
    if maybe("real_field_fft"):
        columns = 2 * jnp.pi * jnp.fft.rfftfreq(width)[None, :]
    else:
        columns = 2 * jnp.pi * jnp.fft.fftfreq(width)[None, :]
    squares = correlation**2 * (rows**2 + columns**2)
    if maybe("matern_field"):
        # A Whittle-Matern field solves a fractional Laplace equation.
        transfer = (1.0 + squares) ** one_of(-1.0, -1.5)
    else:
        transfer = jnp.exp(-0.5 * squares)
    if maybe("real_field_fft"):
        smooth = jnp.fft.irfft2(jnp.fft.rfft2(white) * transfer, s=base.shape)
    else:
        smooth = jnp.real(jnp.fft.ifft2(jnp.fft.fft2(white) * transfer))
    smooth = smooth / (jnp.std(smooth) + 1e-2)
    return base + amplitude * smooth


@sketch(
    takes={"intensity": "series f[t]: logarithm of the arrival rate", "key": "key"},
    gives=("counts i[t]", "f[t]: excitation"),
    sizes={"t": (8, 256)},
    also=("Simulate event counts that excite further events.",),
)
def self_exciting_counts(
    intensity, key, feedback=number(0.1, 0.6), decay=number(0.5, 0.9), max_count=20
):
    """Draw counts whose rate rises after each event."""
    if not 0 <= feedback < 1:
        raise ValueError(f"feedback={feedback} would let the process explode")
    baseline = jnp.exp(jnp.clip(intensity, -3.0, 1.5))

    def step(excitation, inputs):
        base, step_key = inputs
        rate_now = base + excitation
        if maybe("inverse_poisson"):
            # Count how many exponential waiting times fit into the step.
            waits = jax.random.exponential(step_key, (max_count,))
            count = jnp.sum(jnp.cumsum(waits) < rate_now)
        else:
            count = jnp.minimum(jax.random.poisson(step_key, rate_now), max_count)
        if maybe("saturating_feedback", 0.4):
            count_effect = jnp.sqrt(count + 0.25) - 0.5
        else:
            count_effect = count
        excitation = decay * excitation + feedback * (1 - decay) * count_effect
        return excitation, (count, excitation)

    keys = jax.random.split(key, intensity.shape[0])
    init = jnp.zeros((), intensity.dtype)
    _, (counts, excitation) = jax.lax.scan(step, init, (baseline, keys))
    return counts, excitation


@sketch(
    takes={"transition_logits": "logits f[k, k]", "key": "key"},
    gives=("ids i[m, t]", "f[k]: occupancy"),
    sizes={"k": (2, 32), "m": (1, 32), "t": (3, 64)},
    also=("Generate state sequences of a Markov chain.",),
)
def markov_chain_paths(transition_logits, key, num_chains=size("m"), num_steps=size("t")):
    """Walk several chains through a random transition matrix."""
    num_states = transition_logits.shape[0]
    log_probs = jax.nn.log_softmax(transition_logits, axis=-1)
    start_key, walk_key = jax.random.split(key)
    states = jax.random.randint(start_key, (num_chains,), 0, num_states)

    def advance(states, step_key):
        if maybe("cumulative_walk", 0.4):
            cumulative = jnp.cumsum(jnp.exp(log_probs), axis=-1)
            uniforms = jax.random.uniform(step_key, states.shape)
            following = jnp.sum(cumulative[states] < uniforms[:, None], axis=-1)
            following = jnp.minimum(following, num_states - 1)
        else:
            following = jax.random.categorical(step_key, log_probs[states])
        return following, following

    keys = jax.random.split(walk_key, num_steps)
    if maybe("include_start"):
        _, history = jax.lax.scan(advance, states, keys[1:])
        history = jnp.concatenate([states[None], history])
    else:
        _, history = jax.lax.scan(advance, states, keys)
    paths = history.T
    if maybe("count_visits", 0.4):
        visits = jnp.bincount(paths.ravel(), length=num_states)
        return paths, visits / paths.size
    occupancy = jnp.mean(jax.nn.one_hot(paths, num_states), axis=(0, 1))
    return paths, occupancy
