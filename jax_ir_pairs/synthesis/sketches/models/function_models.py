"""Models of functions and sets: splines, radial bases, neural fields, hypernetworks."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

element_encoder = nested("(params: P, x: features f[n, d]) -> features f[n, h]")


@sketch(
    takes={
        "params": {"encoder": "P", "rho": {"w": "f[h, k]", "b": "f[k]"}},
        "elements": "points f[n, d]",
        "segment": "ids i[n]: the set that an element is in",
    },
    gives="features f[4, k]",
    sizes={"n": (4, 64), "d": (2, 16), "h": (3, 32), "k": (2, 16)},
    also=("Describe sets of elements independently of their order.",),
)
def deep_sets(params, elements, segment, num_sets=4):
    """Encode the elements of sets one by one and pool each set."""
    encoded = element_encoder(params["encoder"], elements)
    if maybe("max_pool", 0.3):
        pooled = jax.ops.segment_max(encoded, segment, num_segments=num_sets)
        pooled = jnp.where(jnp.isfinite(pooled), pooled, 0)
    else:
        pooled = jax.ops.segment_sum(encoded, segment, num_segments=num_sets)
        if maybe("mean_pool"):
            sizes = jnp.bincount(segment, length=num_sets)
            pooled = pooled / jnp.maximum(sizes, 1)[:, None]
        else:
            pooled = pooled / math.sqrt(elements.shape[0])
    rho = params["rho"]
    out = pooled @ rho["w"] / math.sqrt(pooled.shape[-1]) + rho["b"]
    return one_of(jax.nn.relu(out), jnp.tanh(out), out)


def spline_basis(x, grid, order):
    """Evaluate B-splines by the Cox-de Boor recursion; the last axis is the basis."""
    x = x[..., None]
    basis = ((x >= grid[:-1]) & (x < grid[1:])).astype(x.dtype)
    for degree in range(1, order + 1):
        left = (x - grid[: -(degree + 1)]) / (grid[degree:-1] - grid[: -(degree + 1)])
        right = (grid[degree + 1 :] - x) / (grid[degree + 1 :] - grid[1:-degree])
        basis = left * basis[..., :-1] + right * basis[..., 1:]
    return basis


@sketch(
    takes={
        "params": {
            "layers": ("l", {"coefficients": "f[d, d, g]", "base": "f[d, d]", "scale": "f[d]"}),
            "readout": "f[d, c]",
        },
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={"l": (1, 3), "b": (2, 32), "d": (2, 12), "g": (5, 9), "c": (2, 8)},
    also=("Sum learned univariate splines, as a Kolmogorov-Arnold network does.",),
)
def spline_network(params, x, order=one_of(2, 3), domain=2.0):
    """Pass features through layers whose edges are spline functions."""
    width = x.shape[-1]
    for layer in params["layers"]:
        num_basis = layer["coefficients"].shape[-1]
        spacing = 2 * domain / (num_basis - order)
        grid = -domain + spacing * (jnp.arange(num_basis + order + 1) - order)
        # Every value has to lie on the grid.
        if maybe("clip_domain"):
            inside = jnp.clip(x, -0.999 * domain, 0.999 * domain)
        else:
            inside = domain * jnp.tanh(x / domain)
        basis = spline_basis(inside, grid.astype(x.dtype), order)
        if maybe("flat_product"):
            flat = basis.reshape(x.shape[0], -1)
            table = layer["coefficients"].transpose(0, 2, 1).reshape(-1, width)
            spline = flat @ table
        else:
            spline = jnp.einsum("big,iog->bo", basis, layer["coefficients"])
        if maybe("base_branch", 0.7):
            base = one_of(jax.nn.silu, jax.nn.gelu)(x) @ layer["base"]
            spline = spline + base
        if maybe("standardize_outputs", 0.4):
            x = (spline - jnp.mean(spline, axis=0)) / (jnp.std(spline, axis=0) + 0.1)
            x = layer["scale"] * x
        else:
            x = layer["scale"] * spline / math.sqrt(width)
    return x @ params["readout"] / math.sqrt(width)


@sketch(
    takes={
        "params": {"centers": "f[k, d]", "log_widths": "f[k]", "weights": "f[k]", "bias": "f[]"},
        "x": "features f[b, d]",
    },
    gives="predictions f[b]",
    sizes={"b": (2, 64), "k": (3, 32), "d": (1, 32)},
    dtypes="f32 f64",
    also=("Interpolate with Gaussian bumps around learned centers.",),
)
def radial_basis_network(params, x):
    """Predict targets as a weighted sum of radial basis functions."""
    if maybe("expand_squares"):
        cross = x @ params["centers"].T
        x_norm = jnp.sum(x * x, axis=-1, keepdims=True)
        center_norm = jnp.sum(params["centers"] * params["centers"], axis=-1)
        squared = jnp.maximum(x_norm - 2 * cross + center_norm, 0)
    else:
        squared = jnp.sum((x[:, None, :] - params["centers"]) ** 2, axis=-1)
    squared = squared / x.shape[-1]
    bandwidth = jax.nn.softplus(params["log_widths"]) + 0.1
    if maybe("multiquadric", 0.35):
        activations = 1 / jnp.sqrt(1 + squared / bandwidth)
    else:
        activations = jnp.exp(-squared / (2 * bandwidth))
    if maybe("normalized"):
        # Shares of the activation: far away, the nearest center decides.
        activations = activations / (jnp.sum(activations, axis=-1, keepdims=True) + 1e-6)
    return activations @ params["weights"] + params["bias"]


@sketch(
    takes={
        "params": {
            "frequencies": "f[p, m]",
            "layers": ("l", {"w": "f[2*m, 2*m]", "b": "f[2*m]"}),
            "out": {"w": "f[2*m, c]", "b": "f[c]"},
        },
        "coords": "points f[n, p]",
    },
    gives="f[n, c]: field",
    sizes={"p": (1, 3), "m": (3, 16), "l": (1, 4), "n": (4, 64), "c": (1, 4)},
    dtypes="f32 bf16",
    also=("Represent an image or a scene as a network over coordinates.",),
)
def neural_field(params, coords, bandwidth=number(0.3, 1.5)):
    """Evaluate a coordinate network on random Fourier features."""
    phases = one_of(bandwidth * (coords @ params["frequencies"]), coords @ params["frequencies"])
    hidden = jnp.concatenate([jnp.sin(phases), jnp.cos(phases)], axis=-1)
    width = hidden.shape[-1]
    for depth, layer in enumerate(params["layers"]):
        if maybe("skip_encoding"):
            if depth > 0 and depth % 2 == 0:
                # Remind the deeper layers of where they are.
                hidden = hidden + jnp.tile(jnp.sin(phases), 2)
        hidden = hidden @ layer["w"] / math.sqrt(width) + layer["b"]
        hidden = one_of(jax.nn.relu(hidden), jnp.sin(hidden), jax.nn.gelu(hidden))
    out = hidden @ params["out"]["w"] / math.sqrt(width) + params["out"]["b"]
    return one_of(out, jax.nn.sigmoid(out), jnp.tanh(out))


@dataclass(frozen=True)
class SirenConfig:
    """Frequencies of the sine layers, and whether derivatives are wanted."""

    first_omega: float = one_of(3.0, 5.0)
    hidden_omega: float = 1.0
    with_gradient: bool = one_of(True, False)


@sketch(
    takes={
        "params": {"w_in": "f[p, m]", "b_in": "f[m]", "w": "f[m, m]", "b": "f[m]", "w_out": "f[m]"},
        "coords": "points f[n, p]",
    },
    sizes={"p": (1, 3), "m": (4, 32), "n": (2, 64)},
    also=("Evaluate a network of sines, and its slope where that is wanted.",),
)
def siren_field(params, coords):
    """Represent a scalar field by a network with sine activations."""
    config = SirenConfig()

    def value(point):
        hidden = jnp.sin(config.first_omega * (point @ params["w_in"]) + params["b_in"])
        scaled = hidden @ params["w"] / math.sqrt(hidden.shape[0])
        hidden = jnp.sin(config.hidden_omega * scaled + params["b"])
        return hidden @ params["w_out"] / math.sqrt(hidden.shape[0])

    if not config.with_gradient:
        return jax.vmap(value)(coords)
    if maybe("normals"):
        values, slopes = jax.vmap(jax.value_and_grad(value))(coords)
        lengths = jnp.sqrt(jnp.sum(slopes * slopes, axis=-1, keepdims=True) + 1e-4)
        return values, slopes / lengths
    return jax.vmap(jax.value_and_grad(value))(coords)


@sketch(
    takes={
        "params": {
            "hyper": {"w": "f[e, d*m+m]", "b": "f[d*m+m]"},
            "readout": "f[m, c]",
        },
        "context": "embeddings f[b, e]: describes the task of each example",
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={"b": (2, 24), "e": (2, 16), "d": (2, 12), "m": (2, 12), "c": (2, 8)},
    dtypes="f32 bf16",
    also=("Let one network write the weights of another.",),
)
def hypernetwork(params, context, x):
    """Generate a layer for each example from its context and apply it."""
    num_inputs, num_hidden = x.shape[-1], params["readout"].shape[0]
    hyper = params["hyper"]
    generated = context @ hyper["w"] / math.sqrt(context.shape[-1]) + hyper["b"]
    num_weights = generated.shape[-1]
    assert num_weights == (num_inputs + 1) * num_hidden, f"got {num_weights} weights"

    def apply_one(flat, features):
        weight = flat[: num_inputs * num_hidden].reshape(num_inputs, num_hidden)
        offset = flat[num_inputs * num_hidden :]
        return features @ weight / math.sqrt(num_inputs) + offset

    if maybe("vmap"):
        hidden = jax.vmap(apply_one)(generated, x)
    else:
        weights, offsets = jnp.split(generated, [num_inputs * num_hidden], axis=-1)
        weights = weights.reshape(-1, num_inputs, num_hidden)
        hidden = jnp.einsum("bd,bdm->bm", x, weights) / math.sqrt(num_inputs) + offsets
    hidden = one_of(jax.nn.relu, jnp.tanh, jax.nn.elu)(hidden)
    return hidden @ params["readout"]


@sketch(
    takes={
        "params": {
            "film": ("l", {"w": "f[e, 2*d]", "b": "f[2*d]"}),
            "layers": ("l", {"w": "f[d, d]", "b": "f[d]"}),
        },
        "condition": "embeddings f[b, e]",
        "x": "features f[b, d]",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 48), "l": (1, 4), "e": (2, 32), "d": (3, 48)},
    dtypes="f32 bf16",
    also=("Modulate the layers of a network by an embedding.",),
)
def film_network(params, condition, x):
    """Condition a residual network by scaling and shifting its features."""
    for film, layer in zip(params["film"], params["layers"]):
        modulation = condition @ film["w"] / math.sqrt(condition.shape[-1]) + film["b"]
        gain, shift = jnp.split(modulation, 2, axis=-1)
        hidden = x @ layer["w"] / math.sqrt(x.shape[-1]) + layer["b"]
        if maybe("normalize_first"):
            center = jnp.mean(hidden, axis=-1, keepdims=True)
            spread = jnp.std(hidden, axis=-1, keepdims=True)
            hidden = (hidden - center) / (spread + 1e-2)
        hidden = (1 + gain) * hidden + shift
        if maybe("residual", 0.7):
            x = x + one_of(jax.nn.relu, jax.nn.silu)(hidden)
        else:
            x = one_of(jax.nn.relu, jnp.tanh)(hidden)
    return x
