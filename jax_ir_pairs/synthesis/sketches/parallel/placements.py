"""Shardings that are asked for, while the compiler divides the work."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

placed_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")

device_mesh = one_of(
    jax.make_mesh((size("rows"), size("cols")), ("data", "model"), axis_types=(AxisType.Auto,) * 2),
    Mesh(
        np.array(jax.devices()[: size("rows*cols")]).reshape(size("rows"), size("cols")),
        ("data", "model"),
    ),
)


def constrain(x, *axes):
    """Ask for a value to be divided along named axes of the mesh."""
    return jax.lax.with_sharding_constraint(x, NamedSharding(device_mesh, P(*axes)))


@sketch(
    takes={
        "params": {"w1": "f[d, cols*m]", "b1": "f[cols*m]", "w2": "f[cols*m, d]"},
        "x": "features f[rows*b, d]",
    },
    gives="features f[rows*b, d]",
    sizes={"rows": {2, 4}, "cols": {2}, "b": (1, 16), "d": (4, 32), "m": (1, 16)},
    dtypes="f32 bf16",
    also=("Tell the compiler how activations lie between two layers.",),
    weight=1.3,
)
def constrained_mlp(params, x):
    """Apply a feed-forward block with sharding constraints on its activations."""
    x = constrain(x, "data", None)
    if maybe("constrain weights"):
        w1 = constrain(params["w1"], None, "model")
        w2 = constrain(params["w2"], "model", None)
    else:
        w1, w2 = params["w1"], params["w2"]
    hidden = x @ w1 / math.sqrt(x.shape[1])
    if maybe("bias"):
        hidden = hidden + params["b1"]
    hidden = one_of(jax.nn.gelu, jax.nn.relu, jax.nn.silu)(hidden)
    hidden = constrain(hidden, "data", "model")
    out = hidden @ w2 / math.sqrt(w2.shape[0])
    if maybe("residual"):
        out = x + out
    return constrain(out, "data", None)


@sketch(
    takes={
        "w": "f[d, cols*c]",
        "b": "f[cols*c]",
        "x": "features f[rows*b, d]",
        "y": "targets f[rows*b, cols*c]",
    },
    gives=("f[d, cols*c]", "f[cols*c]", "loss f[]"),
    sizes={"rows": {2, 4}, "cols": {1, 2}, "b": (1, 16), "d": (2, 32), "c": (1, 8)},
    also=("Compile a training step with shardings of what goes in and comes out.",),
)
def step_with_shardings(w, b, x, y, learning_rate=number(1e-4, 1e-1)):
    """Jit a step for parameters in columns and a batch in rows of the mesh."""
    columns = NamedSharding(device_mesh, P(None, "model"))
    entries = NamedSharding(device_mesh, P("model"))
    examples = NamedSharding(device_mesh, P("data"))
    replicated = NamedSharding(device_mesh, P())

    def objective(params, x, y):
        w, b = params
        error = x @ w + b - y
        return one_of(jnp.mean(error**2), jnp.mean(jnp.logaddexp(error, -error)))

    @functools.partial(
        jax.jit,
        in_shardings=(columns, entries, examples, examples),
        out_shardings=(columns, entries, replicated),
    )
    def step(w, b, x, y):
        loss, (grad_w, grad_b) = jax.value_and_grad(objective)((w, b), x, y)
        if maybe("clip"):
            norm = jnp.sqrt(jnp.sum(grad_w**2) + jnp.sum(grad_b**2))
            scale = learning_rate * jnp.minimum(1.0, 1.0 / (norm + 1e-6))
        else:
            scale = learning_rate
        return w - scale * grad_w, b - scale * grad_b, loss

    return step(w, b, x, y)


@sketch(
    takes={"params": "P", "x": "features f[rows*cols*b, d]"},
    gives="logits f[rows*cols*b, c]",
    sizes={"rows": {2, 4}, "cols": {2}, "b": (1, 8), "d": (4, 64)},
    also=("Place a batch over all devices, and evaluate a model on it.",),
    weight=1.3,
)
def placed_forward(params, x):
    """Evaluate a model on a batch that is spread over both axes of a mesh."""
    sharding = NamedSharding(device_mesh, P(one_of(("data", "model"), "data")))
    x = one_of(jax.device_put(x, sharding), jax.lax.with_sharding_constraint(x, sharding))
    if maybe("replicate params"):
        # Every device has all parameters.
        params = jax.device_put(params, NamedSharding(device_mesh, P()))
    logits = placed_model(params, x)
    if maybe("gather", 0.4):
        return jax.lax.with_sharding_constraint(logits, NamedSharding(device_mesh, P()))
    return jax.lax.with_sharding_constraint(logits, sharding)


@sketch(
    takes={
        "params": {
            "embed": "f[v, cols*d]",
            "wq": "f[cols*d, cols*h*w]",
            "wk": "f[cols*d, cols*h*w]",
            "wv": "f[cols*d, cols*h*w]",
            "wo": "f[cols*h*w, cols*d]",
        },
        "tokens": "tokens i[rows*b, t]",
    },
    gives="logits f[rows*b, t, v]",
    sizes={
        "rows": {2, 4}, "cols": {2}, "b": {1, 2}, "t": (2, 12), "d": (2, 8), "h": (1, 2),
        "w": (2, 6), "v": (8, 32),
    },
    also=("Shard heads and batch of an attention layer by rules for logical axes.",),
)  # fmt: skip
def rules_for_attention(params, tokens, head_dim=size("w")):
    """Map logical axes of a small language model to the axes of a mesh."""
    rules = {"batch": "data", "heads": "model", "embed": None, "time": None}

    def shard(x, *names):
        if len(names) != x.ndim:
            raise ValueError(f"{names} do not name the axes of {x.shape}")
        spec = P(*(rules[name] for name in names))
        return jax.lax.with_sharding_constraint(x, NamedSharding(device_mesh, spec))

    x = shard(params["embed"][tokens], "batch", "time", "embed")
    length = tokens.shape[1]

    def heads(w):
        projected = (x @ w / math.sqrt(x.shape[-1])).reshape(*tokens.shape, -1, head_dim)
        return shard(projected, "batch", "time", "heads", "embed")

    q, k, v = heads(params["wq"]), heads(params["wk"]), heads(params["wv"])
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(head_dim)
    if maybe("causal", 0.7):
        scores = jnp.where(jnp.tri(length, dtype=bool), scores, -1e9)
    if maybe("shard scores", 0.4):
        scores = shard(scores, "batch", "heads", "time", "time")
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), v)
    mixed = mixed.reshape(*tokens.shape, -1)
    out = shard(mixed @ params["wo"] / math.sqrt(mixed.shape[-1]), "batch", "time", "embed")
    x = x + out if maybe("residual") else out
    return x @ params["embed"].T / math.sqrt(x.shape[-1])


@sketch(
    takes={"x": "matrix f[rows*n, cols*d]", "y": "matrix f[rows*n, cols*d]"},
    gives="distances f[rows*n, rows*n]",
    sizes={"rows": {2, 4}, "cols": {2}, "n": (1, 12), "d": (1, 16)},
    also=("Compute pairwise distances with rows and columns on different axes.",),
)
def placed_distances(x, y):
    """Divide a matrix of distances over a mesh in blocks."""
    by_rows = NamedSharding(device_mesh, P("data", None))
    by_model = NamedSharding(device_mesh, P(one_of("model", "data"), None))
    blocks = NamedSharding(device_mesh, P("data", "model"))

    def distances(x, y):
        if maybe("gram"):
            squares = jnp.sum(x**2, axis=1)[:, None] + jnp.sum(y**2, axis=1)
            squares = jnp.maximum(squares - 2 * x @ y.T, 0.0)
        else:
            squares = jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)
        return one_of(jnp.sqrt(squares + 1e-6), squares / x.shape[1], jnp.log1p(squares))

    compiled = jax.jit(distances, in_shardings=(by_rows, by_model), out_shardings=blocks)
    return compiled(x, y)


@sketch(
    takes={"field": "field f[rows*n, cols*m]"},
    gives="field f[rows*n, cols*m]",
    sizes={"rows": {2, 4}, "cols": {2}, "n": (2, 16), "m": (2, 16)},
    also=("Let the compiler find the halos of a stencil on a sharded grid.",),
)
def placed_stencil(field, rate=number(0.05, 0.24), num_steps=integer(1, 8)):
    """Smooth a field that is placed in blocks, with a constraint after each step."""
    blocks = NamedSharding(device_mesh, P("data", "model"))

    def step(_, u):
        neighbours = [jnp.roll(u, shift, axis) for axis in (0, 1) for shift in (-1, 1)]
        u = u + rate * (sum(neighbours) - 4 * u)
        if maybe("reaction", 0.4):
            u = u + one_of(0.1, 0.05) * jnp.tanh(u)
        return jax.lax.with_sharding_constraint(u, blocks)

    field = jax.device_put(field, blocks) if maybe("place", 0.6) else field
    return jax.lax.fori_loop(0, num_steps, step, field)


@sketch(
    takes={
        "params": {"w": "f[cols*d, c]", "b": "f[c]"},
        "mu": {"w": "f[cols*d, c]", "b": "f[c]"},
        "x": "features f[rows*b, cols*d]",
        "labels": "labels i[rows*b]",
    },
    gives=({"w": "f[cols*d, c]", "b": "f[c]"}, {"w": "f[cols*d, c]", "b": "f[c]"}),
    sizes={"rows": {2, 4}, "cols": {2}, "b": (1, 8), "d": (2, 16), "c": (4, 12)},
    also=("Keep optimizer states where their parameters are.",),
)
def placed_momentum_step(params, mu, x, labels, learning_rate=number(1e-3, 1e-1)):
    """Train a classifier with a tree of shardings for its parameters and states."""
    specs = {"w": P("model", None), "b": P()}
    shardings = {name: NamedSharding(device_mesh, spec) for name, spec in specs.items()}
    batch_sharding = NamedSharding(device_mesh, P("data"))

    def objective(params, x, labels):
        log_probs = jax.nn.log_softmax(x @ params["w"] + params["b"])
        nll = -jnp.take_along_axis(log_probs, labels[:, None], axis=1)
        if maybe("smoothing", 0.4):
            return 0.9 * jnp.mean(nll) - 0.1 * jnp.mean(log_probs)
        return jnp.mean(nll)

    def step(params, mu, x, labels):
        grads = jax.grad(objective)(params, x, labels)
        mu = jax.tree.map(lambda m, g: one_of(0.9, 0.95) * m + g, mu, grads)
        if maybe("sign", 0.3):
            return jax.tree.map(lambda p, m: p - learning_rate * jnp.sign(m), params, mu), mu
        return jax.tree.map(lambda p, m: p - learning_rate * m, params, mu), mu

    compiled_step = jax.jit(
        step,
        in_shardings=(shardings, shardings, batch_sharding, batch_sharding),
        out_shardings=(shardings, shardings),
    )
    return compiled_step(params, mu, x, labels)
