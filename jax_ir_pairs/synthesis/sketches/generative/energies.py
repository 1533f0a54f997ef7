"""Densities to sample from, and networks that give one number for each sample."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Rate points by a mixture of Gaussians whose centers lie on a circle.",),
)
def ring_mixture_log_density(x, num_modes=integer(3, 8), radius=number(1.0, 3.0), width=0.5):
    """Evaluate the log density of Gaussians around a ring, normal in other directions."""
    if x.shape[0] < 2:
        raise ValueError(f"a ring needs two dimensions, got {x.shape[0]}")
    angles = 2 * math.pi * jnp.arange(num_modes, dtype=x.dtype) / num_modes
    centers = radius * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
    offsets = (x[:2] - centers) / width
    log_modes = -jnp.sum(offsets * offsets, axis=-1) / 2
    if maybe("uneven", 0.4):
        log_modes = log_modes + jax.nn.log_softmax(jnp.cos(angles))
    log_ring = one_of(
        jax.nn.logsumexp(log_modes) - math.log(num_modes),
        jnp.log(jnp.mean(jnp.exp(log_modes - jnp.max(log_modes)))) + jnp.max(log_modes),
    )
    rest = x[2:]
    if maybe("heavy_tails", 0.3):
        return log_ring - jnp.sum(jnp.log1p(rest * rest))
    return log_ring - jnp.sum(rest * rest) / 2


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 256)},
    dtypes="f32 f64",
    also=("Score a configuration of a chain of coupled double wells.",),
)
def lattice_field_log_density(x, mass=number(0.2, 2.0), coupling=number(0.05, 0.5)):
    """Give the negative action of a scalar field on a periodic chain."""
    gradient = one_of(jnp.roll(x, -1) - x, x - jnp.roll(x, 1))
    kinetic = jnp.sum(gradient * gradient) / 2
    if maybe("broken_symmetry"):
        # A negative mass term makes two wells at each site.
        well = x * x - mass / (2 * coupling)
        potential = coupling * jnp.sum(well * well) / 4
    else:
        squares = x * x
        potential = jnp.sum(mass * squares / 2 + coupling * squares * squares / 4)
    action = kinetic + potential
    if maybe("external_field", 0.3):
        action = action - number(-0.5, 0.5) * jnp.sum(x)
    if maybe("per_site", 0.4):
        return -action / x.shape[0]
    return -action


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Bend a Gaussian into the shape of a banana and evaluate it.",),
)
def banana_log_density(x, curvature=number(0.03, 0.5), spread=number(0.5, 3.0)):
    """Evaluate the log density of a normal distribution that is bent in its plane."""
    first, second = x[0], x[1]
    bent = second + curvature * (first * first - spread * spread)
    log_density = -(first * first) / (2 * spread * spread) - bent * bent / 2
    if maybe("remaining", 0.7):
        others = x[2:]
        log_density = log_density - jnp.sum(others * others) / 2
    if maybe("normalized", 0.4):
        log_density = log_density - math.log(spread) - x.shape[0] / 2 * math.log(2 * math.pi)
    if maybe("tempered", 0.3):
        return log_density / one_of(2.0, 4.0, 10.0)
    return log_density


@sketch(
    takes={
        "params": {
            "layers": ("l", {"w": "f[d, d]", "b": "f[d]"}),
            "head": "f[d]",
            "center": "f[d]",
        },
        "x": "features f[b, d]",
    },
    gives="predictions f[b]",
    sizes={"b": (2, 64), "d": (2, 64), "l": (1, 3)},
    also=("Assign energies that grow with the distance from a center.",),
)
def network_energy(params, x, confinement=number(0.01, 0.5)):
    """Give each sample the energy of a smooth network with a quadratic envelope."""
    hidden = x
    scale = 1 / math.sqrt(x.shape[-1])
    for layer in params["layers"]:
        pre = scale * hidden @ layer["w"] + layer["b"]
        hidden = one_of(jax.nn.softplus, jax.nn.silu, jnp.tanh, jax.nn.gelu)(pre)
        if maybe("skip", 0.4):
            hidden = (hidden + x) / 2
    energies = scale * hidden @ params["head"]
    if maybe("envelope", 0.7):
        # Without it the density could not be normalized.
        offsets = x - params["center"]
        energies = energies + confinement * jnp.sum(offsets * offsets, axis=-1)
    if maybe("bounded", 0.3):
        return 20.0 * jnp.tanh(energies / 20.0)
    return energies


@sketch(
    takes={
        "params": ("l", {"w": "f[d, d]", "u": "f[d]"}),
        "x": "features f[b, d]",
    },
    gives="predictions f[b]",
    sizes={"b": (2, 64), "d": (2, 48), "l": (1, 4)},
    also=("Judge samples by a network whose layers have bounded spectral norm.",),
)
def spectral_norm_critic(params, x, num_iters=one_of(1, 2, 3), slope=number(0.05, 0.3)):
    """Score samples by a critic that is normalized by power iteration."""

    def normalized(w, u):
        for _ in range(num_iters):
            right = u @ w
            right = right / (jnp.linalg.norm(right) + 1e-3)
            u = w @ right
            u = u / (jnp.linalg.norm(u) + 1e-3)
        if maybe("frozen_vectors", 0.4):
            u, right = jax.lax.stop_gradient((u, right))
        sigma = u @ w @ right
        return w / jnp.maximum(jnp.abs(sigma), 0.1)

    hidden = x
    for index, layer in enumerate(params):
        hidden = hidden @ normalized(layer["w"], layer["u"])
        last = index == len(params) - 1
        if not last:
            hidden = one_of(jax.nn.leaky_relu(hidden, slope), jax.nn.elu(hidden))
    if maybe("head_from_first", 0.3):
        return jnp.tanh(hidden) @ params[0]["u"] / math.sqrt(hidden.shape[-1])
    return one_of(jnp.mean, jnp.sum)(hidden, axis=-1)


@sketch(
    takes={
        "visible": "mask bool[b, n]",
        "weights": "f[n, m]",
        "visible_bias": "f[n]",
        "hidden_bias": "f[m]",
        "key": "key",
    },
    sizes={"b": (2, 32), "n": (4, 128), "m": (2, 64)},
    also=("Estimate the gradient of a restricted Boltzmann machine.",),
)
def contrastive_divergence(
    visible, weights, visible_bias, hidden_bias, key, num_steps=one_of(1, 1, 2, 3)
):
    """Run contrastive divergence with a few steps of block Gibbs sampling.

    Gives updates that raise the likelihood of the visible units.
    """
    data = visible.astype(weights.dtype)
    num_visible, num_hidden = weights.shape
    if data.shape[1] != num_visible:
        raise ValueError(f"{data.shape[1]} units, but weights for {num_visible}")
    scaled = weights / math.sqrt(num_visible)

    def hidden_probs(units):
        return jax.nn.sigmoid(units @ scaled + hidden_bias)

    def visible_probs(units):
        return jax.nn.sigmoid(units @ scaled.T + visible_bias)

    positive = hidden_probs(data)
    chain = positive
    for step_key in jax.random.split(key, num_steps):
        hidden_key, visible_key = jax.random.split(step_key)
        sampled = jax.random.bernoulli(hidden_key, chain).astype(data.dtype)
        reconstruction = visible_probs(sampled)
        if maybe("sample_visible"):
            bits = jax.random.bernoulli(visible_key, reconstruction)
            reconstruction = bits.astype(data.dtype)
        chain = hidden_probs(reconstruction)
    batch_size = data.shape[0]
    updates = {
        "weights": (data.T @ positive - reconstruction.T @ chain) / batch_size,
        "visible_bias": jnp.mean(data - reconstruction, axis=0),
        "hidden_bias": jnp.mean(positive - chain, axis=0),
    }
    if maybe("error"):
        difference = data - reconstruction
        return updates, jnp.mean(difference * difference)
    return updates
