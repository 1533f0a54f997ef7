"""Normalizing flows: invertible layers with the logarithm of their volume change."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

flow_layer = nested("(params: P, x: features f[b, d]) -> features f[b, d] & f[b]")


def _squash(raw, limit):
    """Bounds log scales, so that no layer explodes."""
    return limit * jnp.tanh(raw / limit)


@sketch(
    takes={
        "params": {
            "inp": {"w": "f[m, h]", "b": "f[h]"},
            "scale": "f[h, m]",
            "shift": "f[h, m]",
        },
        "x": "features f[b, 2*m]",
    },
    gives=("features f[b, 2*m]", "f[b]: log_det"),
    sizes={"b": (2, 64), "m": (1, 32), "h": (2, 48)},
    also=("Transform half of the features by what the other half says.",),
)
def affine_coupling(params, x, limit=number(0.5, 3.0)):
    """Map one half of the features affinely, conditioned on the other half."""
    width = x.shape[-1]
    if width % 2:
        raise ValueError(f"{width} features have no two equal halves")
    if maybe("alternating", 0.4):
        kept, moved = x[:, ::2], x[:, 1::2]
    else:
        kept, moved = jnp.split(x, 2, axis=-1)
    pre = kept @ params["inp"]["w"] / math.sqrt(width) + params["inp"]["b"]
    hidden = one_of(jnp.tanh, jax.nn.relu, jax.nn.silu)(pre)
    shift = hidden @ params["shift"] / math.sqrt(hidden.shape[-1])
    if maybe("additive", 0.25):
        # NICE: no change of volume.
        moved = moved + shift
        log_det = jnp.zeros(x.shape[0])
    else:
        log_scale = _squash(hidden @ params["scale"] / math.sqrt(hidden.shape[-1]), limit)
        moved = one_of(moved * jnp.exp(log_scale) + shift, (moved + shift) * jnp.exp(log_scale))
        log_det = jnp.sum(log_scale, axis=-1)
    if maybe("swap"):
        return jnp.concatenate([moved, kept], axis=-1), log_det
    return jnp.concatenate([kept, moved], axis=-1), log_det


@sketch(
    takes={"params": {"w": "f[d]", "u": "f[d]", "b": "f[]"}, "x": "features f[b, d]"},
    gives=("features f[b, d]", "f[b]: log_det"),
    sizes={"b": (2, 128), "d": (2, 128)},
    also=("Stretch space along one direction, in a planar flow.",),
)
def planar_flow_layer(params, x):
    """Push samples through one planar layer and track the volume."""
    w, u = params["w"], params["u"]
    squared = jnp.sum(w * w) + 1e-3
    inner = w @ u
    if maybe("constrained", 0.7):
        # The layer is invertible only for w.u > -1.
        wanted = -1 + jax.nn.softplus(inner)
        u = u + (wanted - inner) * w / squared
    pre = x @ w + params["b"]
    bump = jnp.tanh(pre)
    slope = one_of(1 - bump * bump, 1 / jnp.cosh(jnp.clip(pre, -20, 20)) ** 2)
    out = x + bump[:, None] * u
    determinant = 1 + slope * (w @ u)
    if maybe("logabs", 0.4):
        log_det = jnp.log(jnp.abs(determinant) + 1e-4)
    else:
        log_det = jnp.log(jnp.maximum(determinant, 1e-3))
    return out, log_det


@sketch(
    takes={
        "params": {"center": "f[d]", "log_alpha": "f[]", "beta": "f[]"},
        "x": "features f[b, d]",
    },
    gives=("features f[b, d]", "f[b]: log_det"),
    sizes={"b": (2, 128), "d": (2, 64)},
    also=("Contract or expand space around a learned point.",),
)
def radial_flow(params, x):
    """Push samples towards or away from a center and track the volume."""
    dims = x.shape[-1]
    softness = one_of(jax.nn.softplus(params["log_alpha"]), jnp.exp(params["log_alpha"] / 4)) + 0.1
    strength = jax.nn.softplus(params["beta"]) - softness * number(0.5, 0.9)
    offsets = x - params["center"]
    radius = jnp.sqrt(jnp.sum(offsets * offsets, axis=-1) + 1e-6)
    inverse = 1 / (softness + radius)
    gain = 1 + strength * inverse
    out = x + (strength * inverse)[:, None] * offsets
    radial = gain - strength * radius * inverse * inverse
    if maybe("separate", 0.4):
        tangential_part = (dims - 1) * jnp.log(gain)
        log_det = tangential_part + jnp.log(jnp.maximum(radial, 1e-3))
    else:
        logs = jnp.log(jnp.stack([gain, jnp.maximum(radial, 1e-3)]))
        log_det = (dims - 1) * logs[0] + logs[1]
    if maybe("per_dimension", 0.3):
        log_det = log_det / dims
    return out, log_det


@sketch(
    takes={
        "params": ({"w": "f[d, d]", "b": "f[d]"}, {"w": "f[d, d]", "b": "f[d]"}),
        "x": "features f[b, d]",
    },
    gives=("features f[b, d]", "f[b]: log_det"),
    sizes={"b": (2, 64), "d": (2, 48)},
    also=("Standardize each feature given those before it.",),
)
def masked_autoregressive_layer(params, x, limit=number(0.5, 2.0)):
    """Whiten features one after another with masked linear conditioners."""
    dims = x.shape[-1]
    order = jnp.arange(dims)
    if maybe("reversed", 0.4):
        order = order[::-1]
    # Feature i may look at j only where j comes earlier.
    if maybe("compare"):
        allowed = (order[:, None] < order[None, :]).astype(x.dtype)
    else:
        allowed = jnp.triu(jnp.ones((dims, dims), x.dtype), 1)
        allowed = allowed[order][:, order]
    statistics = []
    for layer in params:
        masked = layer["w"] * allowed / math.sqrt(dims)
        statistics.append(x @ masked + layer["b"])
    mean, raw = statistics
    log_scale = _squash(raw, limit)
    out = (x - mean) * jnp.exp(-log_scale)
    log_det = -jnp.sum(log_scale, axis=-1)
    if maybe("permute", 0.4):
        out = out[:, ::-1]
    return out, log_det


@sketch(
    takes={
        "params": {"widths": "f[d, k]", "heights": "f[d, k]", "slopes": "f[d, k+1]"},
        "x": "features f[b, d]",
    },
    gives=("features f[b, d]", "f[b]: log_det"),
    sizes={"b": (2, 32), "d": (1, 16), "k": (3, 10)},
    also=("Bend each feature by its own monotone spline.",),
)
def rational_quadratic_spline(params, x, bound=number(2.0, 5.0), min_bin=0.02):
    """Transform features by rational-quadratic splines with linear tails."""
    num_bins = params["widths"].shape[-1]
    if min_bin * num_bins >= 1:
        raise ValueError(f"{num_bins} bins of at least {min_bin} do not fit")

    def knots(raw):
        shares = jax.nn.softmax(raw, axis=-1)
        shares = min_bin + (1 - min_bin * num_bins) * shares
        ends = jnp.cumsum(shares, axis=-1)
        return 2 * bound * jnp.pad(ends, ((0, 0), (1, 0))) - bound

    x_knots, z_knots = knots(params["widths"]), knots(params["heights"])
    slopes = one_of(jax.nn.softplus(params["slopes"]), jnp.exp(params["slopes"] / 3)) + 0.05
    inside = jnp.abs(x) < bound
    clipped = jnp.clip(x, -bound, bound)
    index = jnp.sum(clipped[..., None] >= x_knots[None, :, 1:-1], axis=-1)

    def pick(table):
        if maybe("one_hot", 0.4):
            choice = jax.nn.one_hot(index, num_bins, dtype=x.dtype)
            return jnp.sum(choice * table[:, :num_bins], axis=-1)
        columns = jnp.arange(x.shape[-1])
        return table[columns[None, :], index]

    left, right = pick(x_knots), pick(x_knots[:, 1:])
    low, high = pick(z_knots), pick(z_knots[:, 1:])
    slope_left, slope_right = pick(slopes), pick(slopes[:, 1:])
    secant = (high - low) / (right - left)
    position = jnp.clip((clipped - left) / (right - left), 0, 1)
    rest = 1 - position
    curvature = slope_left + slope_right - 2 * secant
    denominator = secant + curvature * position * rest
    numerator = secant * position * position + slope_left * position * rest
    out = low + (high - low) * numerator / denominator
    bends = slope_right * position * position + 2 * secant * position * rest
    bends = bends + slope_left * rest * rest
    log_slope = 2 * jnp.log(secant) + jnp.log(bends) - 2 * jnp.log(denominator)
    out = jnp.where(inside, out, x)
    return out, jnp.sum(jnp.where(inside, log_slope, 0.0), axis=-1)


@sketch(
    takes={
        "params": {"log_scale": "f[d]", "bias": "f[d]", "lower": "f[d, d]", "upper": "f[d, d]"},
        "x": "features f[b, d]",
    },
    gives=("features f[b, d]", "f[b]: log_det"),
    sizes={"b": (2, 128), "d": (2, 48)},
    also=("Mix features by an invertible matrix in its LU form, as Glow does.",),
)
def glow_mixing(params, x, limit=number(0.5, 2.0)):
    """Scale each feature and mix all of them with a triangular factorization."""
    batch_size, dims = x.shape
    if params["lower"].shape != (dims, dims):
        raise ValueError(f"expected {dims}x{dims} factors, got {params['lower'].shape}")
    log_scale = _squash(params["log_scale"], limit)
    identity = jnp.eye(dims, dtype=x.dtype)
    lower = jnp.tril(params["lower"], -1) / dims + identity
    upper = jnp.triu(params["upper"], 1) / dims + jnp.diag(jnp.exp(log_scale))
    if maybe("matrix_first", 0.4):
        mixed = x @ (lower @ upper).T
    else:
        mixed = (x @ upper.T) @ lower.T
    if maybe("bias"):
        mixed = mixed + params["bias"]
    # Only the diagonal changes volumes.
    log_det = jnp.sum(log_scale)
    if maybe("flip", 0.3):
        mixed = mixed[:, ::-1]
    return mixed, jnp.full(batch_size, log_det)


@sketch(
    takes={"params": "P", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 64), "d": (2, 48)},
    also=("Fit a flow by maximum likelihood.",),
)
def flow_negative_log_likelihood(params, x, prior=one_of("normal", "logistic", "normal")):
    """Average the negative log-likelihood of data under a flow."""
    z, log_det = flow_layer(params, x)
    dims = z.shape[-1]
    if prior == "normal":
        squares = jnp.sum(z * z, axis=-1)
        log_prior = -(squares + dims * math.log(2 * math.pi)) / 2
    elif prior == "logistic":
        log_prior = jnp.sum(-z - 2 * jax.nn.softplus(-z), axis=-1)
    else:
        raise ValueError(f"unknown prior {prior!r}")
    log_likelihood = log_prior + log_det
    if maybe("bits", 0.4):
        # Bits per dimension, as papers on images report it.
        return -jnp.mean(log_likelihood) / (dims * math.log(2))
    if maybe("robust", 0.3):
        return -jnp.mean(jnp.maximum(log_likelihood, -number(100.0, 900.0)))
    return -jnp.mean(log_likelihood)
