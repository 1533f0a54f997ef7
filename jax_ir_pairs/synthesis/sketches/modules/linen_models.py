"""Modules of flax.linen: their variables are given, or made from a key."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class DenseClassifier(nn.Module):
    """Dense layers of the given widths under a linear head."""

    widths: Sequence[int]
    num_classes: int

    @nn.compact
    def __call__(self, x):
        for width in self.widths:
            if maybe("initializer", 0.3):
                init = one_of(nn.initializers.he_normal(), nn.initializers.orthogonal())
                x = nn.Dense(width, kernel_init=init)(x)
            else:
                x = nn.Dense(width)(x)
            if maybe("normalize"):
                x = one_of(nn.LayerNorm(), nn.RMSNorm())(x)
            x = one_of(nn.relu, nn.gelu, nn.silu, nn.tanh)(x)
        return nn.Dense(self.num_classes, use_bias=one_of(True, False))(x)


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives="logits f[b, c]",
    sizes={"b": (2, 32), "d": (3, 48), "c": (2, 16)},
    also=("Logits of a freshly initialized dense classifier.",),
)
def initialized_logits(key, x):
    """Initialize a dense classifier and evaluate it on a batch."""
    model = DenseClassifier(widths=one_of((32, 16), (16,), (24, 24, 24)), num_classes=size("c"))
    variables = model.init(key, one_of(x, x[:1], jnp.zeros_like(x)))
    if maybe("shrink head", 0.3):
        # Small weights make the first predictions nearly uniform.
        variables = jax.tree.map(lambda leaf: number(0.1, 0.5) * leaf, variables)
    logits = model.apply(variables, x)
    if maybe("cap", 0.3):
        return 10.0 * jnp.tanh(logits / 10.0)
    return logits


class Bottleneck(nn.Module):
    """A wide layer between two narrow ones; the names of its layers are those of its parameters."""

    hidden: int
    features: int

    def setup(self):
        self.up = nn.Dense(self.hidden)
        self.down = nn.Dense(self.features)

    def __call__(self, x):
        h = one_of(nn.gelu, nn.silu, nn.softplus)(self.up(x))
        if maybe("rescale wide"):
            h = h / jnp.sqrt(self.hidden)
        return self.down(h)

    def expand(self, x):
        """Give the wide activations alone."""
        return self.up(x)


@sketch(
    takes={
        "params": {
            "up": {"kernel": "f[d, h]", "bias": "f[h]"},
            "down": {"kernel": "f[h, d]", "bias": "f[d]"},
        },
        "x": "features f[b, d]",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 32), "d": (4, 32), "h": (8, 64)},
    also=("Residual bottleneck with parameters of a checkpoint.",),
)
def apply_bottleneck(params, x):
    """Apply a bottleneck to parameters that come from outside."""
    hidden = params["up"]["kernel"].shape[-1]
    block = Bottleneck(hidden=hidden, features=x.shape[-1])
    out = block.apply({"params": params}, x)
    if maybe("gate by width", 0.4):
        wide = block.apply({"params": params}, x, method=one_of(block.expand, "expand"))
        out = out * nn.sigmoid(jnp.mean(wide, axis=-1, keepdims=True))
    if maybe("residual"):
        out = x + out
    if maybe("unit rows", 0.3):
        return out / (jnp.linalg.norm(out, axis=-1, keepdims=True) + 1e-6)
    return out


class ScaledProjection(nn.Module):
    """A projection with parameters of its own: a kernel and a low-rank correction."""

    features: int
    rank: int

    @nn.compact
    def __call__(self, x):
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        down = self.param("lora_a", nn.initializers.normal(0.02), (shape[0], self.rank))
        up = self.param("lora_b", one_of(nn.initializers.zeros, nn.initializers.normal(0.02)),
                        (self.rank, self.features))  # fmt: skip
        out = x @ kernel + (x @ down) @ up / self.rank
        if maybe("learned scale"):
            out = out * self.param("scale", nn.initializers.ones, (self.features,))
        if maybe("learned bias", 0.4):
            out = out + self.param("bias", nn.initializers.zeros, (self.features,))
        return out


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives="features f[b, m]",
    sizes={"b": (2, 32), "d": (6, 48), "m": (4, 32)},
    also=("Low-rank adaptation as a module with parameters of its own.",),
)
def adapted_projection(key, x, rank=integer(1, 4)):
    """Project features by a kernel with a low-rank correction."""
    layer = ScaledProjection(features=size("m"), rank=rank)
    if maybe("output and variables"):
        out, variables = layer.init_with_output(key, x)
    else:
        variables = layer.init(key, x)
        out = layer.apply(variables, x)
    if maybe("weight penalty", 0.3):
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(variables["params"]))
        return out / jnp.sqrt(1.0 + squares)
    return out


class DropoutRegressor(nn.Module):
    """A regressor whose hidden units are dropped where it is not deterministic."""

    hidden: int
    rate: float

    @nn.compact
    def __call__(self, x, deterministic=True):
        h = one_of(nn.relu, nn.elu, nn.tanh)(nn.Dense(self.hidden)(x))
        h = nn.Dropout(self.rate, deterministic=deterministic)(h)
        if maybe("second layer", 0.4):
            h = nn.gelu(nn.Dense(self.hidden)(h))
        return nn.Dense(1)(h)[..., 0]


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    sizes={"b": (2, 24), "d": (3, 32)},
    also=("Uncertainty of a regressor by dropout at test time.",),
)
def monte_carlo_dropout(key, x, num_samples=integer(3, 8), rate=number(0.1, 0.5)):
    """Keep dropout on at test time to see how sure a regressor is."""
    init_key, drop_key = jax.random.split(key)
    model = DropoutRegressor(hidden=integer(8, 32), rate=rate)
    variables = model.init(init_key, x)

    def sample(sample_key):
        return model.apply(variables, x, deterministic=False, rngs={"dropout": sample_key})

    keys = jax.random.split(drop_key, num_samples)
    draws = one_of(jax.vmap(sample)(keys), jax.lax.map(sample, keys))
    if maybe("quantiles", 0.4):
        return jnp.quantile(draws, jnp.array([0.1, 0.5, 0.9]), axis=0)
    mean, spread = jnp.mean(draws, axis=0), jnp.std(draws, axis=0)
    if maybe("against plain", 0.4):
        return mean - model.apply(variables, x), spread
    return mean, spread


class TracedNetwork(nn.Module):
    """A network that stores what happens inside of it as intermediates."""

    width: int
    depth: int

    @nn.compact
    def __call__(self, x):
        for _ in range(self.depth):
            x = one_of(nn.relu, nn.leaky_relu, nn.gelu)(nn.Dense(self.width)(x))
            self.sow("intermediates", "active", jnp.mean(x > 0))
            if maybe("sow norms"):
                self.sow("intermediates", "norm", jnp.sqrt(jnp.mean(x**2)))
        return x


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    sizes={"b": (2, 32), "d": (3, 32)},
    also=("Statistics of activations at initialization.",),
)
def sown_activations(key, x):
    """Collect statistics of hidden activations that a network sows."""
    model = TracedNetwork(width=integer(8, 40), depth=integer(2, 4))
    variables = {"params": model.init(key, x)["params"]}
    out, state = model.apply(variables, x, mutable=["intermediates"])
    stored = state["intermediates"]
    if maybe("stacked report"):
        return jnp.stack(stored["active"]), jnp.var(out, axis=0)
    report = {name: jnp.stack(values) for name, values in stored.items()}
    report["output_scale"] = jnp.sqrt(jnp.mean(out**2))
    return report
