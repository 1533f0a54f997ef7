"""Parameters and optimizer states that devices share: ZeRO and FSDP."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch

FSDP_AXIS = one_of("fsdp", "data", "shard", "zero")
state_mesh = one_of(
    jax.make_mesh((size("devices"),), (FSDP_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (FSDP_AXIS,)),
)


def gather_weight(shard):
    """Put the rows of a weight together from all devices."""
    return jax.lax.all_gather(shard, FSDP_AXIS, axis=0, tiled=True)


@sketch(
    takes={
        "shards": ("l", {"w": "f[devices*k, devices*k]", "b": "f[devices*k]"}),
        "x": "features f[devices*b, devices*k]",
        "y": "targets f[devices*b, devices*k]",
    },
    gives=("l", {"w": "f[devices*k, devices*k]", "b": "f[devices*k]"}),
    sizes={"devices": {2, 4, 8}, "k": (1, 4), "b": (1, 8), "l": (1, 3)},
    also=("Train layers whose weights lie in shards until they are needed.",),
    weight=1.5,
)
def fsdp_step(shards, x, y, learning_rate=number(1e-4, 1e-1)):
    """Gather each layer's weights when it runs, and scatter its gradients."""

    def forward(shards, x):
        for i, layer in enumerate(shards):

            def apply(layer, x):
                w, b = gather_weight(layer["w"]), gather_weight(layer["b"])
                return x @ w / math.sqrt(w.shape[0]) + b

            if maybe("remat", 0.4):
                # Gather once more in the backward pass rather than keep the weights.
                apply = jax.checkpoint(apply)
            x = apply(layer, x)
            if i < len(shards) - 1:
                x = one_of(jax.nn.relu, jax.nn.gelu, jnp.tanh)(x)
        return x

    def objective(shards, x, y):
        return jnp.mean((forward(shards, x) - y) ** 2)

    def step(shards, x, y):
        # The transpose of `all_gather` is a sum that is scattered.
        grads = jax.grad(objective)(shards, x, y)
        count = jax.lax.axis_size(FSDP_AXIS)
        if maybe("clip", 0.4):
            squares = sum(jnp.sum(g**2) for g in jax.tree.leaves(grads))
            norm = jnp.sqrt(jax.lax.psum(squares, FSDP_AXIS)) / count
            rate = learning_rate * jnp.minimum(1.0, 1.0 / (norm + 1e-6))
        else:
            rate = learning_rate
        return jax.tree.map(lambda p, g: p - rate * g / count, shards, grads)

    specs = (P(FSDP_AXIS), P(FSDP_AXIS), P(FSDP_AXIS))
    sharded_step = jax.shard_map(
        step, mesh=state_mesh, in_specs=specs, out_specs=specs[0], check_vma=False
    )
    return sharded_step(shards, x, y)


@sketch(
    takes={
        "params": {"w": "f[devices*d, m]", "v": "f[devices*m]"},
        "mu": "f[devices*(d*m+m)]: first moments, in shards",
        "nu": "f[devices*(d*m+m)]: second moments, in shards",
        "x": "features f[devices*b, devices*d]",
        "y": "targets f[devices*b]",
    },
    gives=(
        {"w": "f[devices*d, m]", "v": "f[devices*m]"},
        "f[devices*(d*m+m)]",
        "f[devices*(d*m+m)]",
    ),
    sizes={"devices": {2, 4, 8}, "d": (1, 6), "m": (2, 6), "b": (1, 8)},
    also=("Update one shard of the flat parameters on each device.",),
)
def zero_adam_step(params, mu, nu, x, y, beta=one_of(0.999, 0.99, 0.95)):
    """Divide the state of Adam over the devices, and gather the new parameters."""

    def objective(params, x, y):
        hidden = one_of(jnp.tanh, jax.nn.gelu)(x @ params["w"])
        out = hidden @ params["v"].reshape(-1, hidden.shape[1]).mean(axis=0)
        return jnp.mean((out - y) ** 2)

    def update(params, mu, nu, x, y):
        flat, unravel = ravel_pytree(params)
        flat_grads, _ = ravel_pytree(jax.grad(objective)(params, x, y))
        gradient = jax.lax.psum_scatter(flat_grads, FSDP_AXIS, tiled=True)
        gradient = gradient / jax.lax.axis_size(FSDP_AXIS)
        mu = 0.9 * mu + 0.1 * gradient
        nu = beta * nu + (1 - beta) * gradient**2
        change = mu / (jnp.sqrt(jnp.maximum(nu, 0.0)) + one_of(1e-6, 1e-8))
        shard = jax.lax.dynamic_slice_in_dim(
            flat, jax.lax.axis_index(FSDP_AXIS) * gradient.size, gradient.size
        )
        if maybe("decay", 0.4):
            change = change + one_of(0.1, 0.01) * shard
        return unravel(gather_weight(shard - number(1e-4, 1e-2) * change)), mu, nu

    shard_spec = P(FSDP_AXIS)
    sharded_update = jax.shard_map(
        update,
        mesh=state_mesh,
        in_specs=(P(), shard_spec, shard_spec, shard_spec, shard_spec),
        out_specs=(P(), shard_spec, shard_spec),
        check_vma=False,
    )
    return sharded_update(params, mu, nu, x, y)


@sketch(
    takes={
        "w": "f[devices*k, c]",
        "momentum": "f[devices*k, c]: in shards",
        "x": "features f[devices*b, devices*k]",
        "labels": "labels i[devices*b]",
    },
    gives=("f[devices*k, c]", "f[devices*k, c]"),
    sizes={"devices": {2, 4, 8}, "k": (1, 6), "c": (4, 12), "b": (1, 8)},
    also=("Scatter the summed gradient, update a shard, and gather the weights.",),
)
def sharded_momentum_step(w, momentum, x, labels, learning_rate=number(1e-3, 1e-1)):
    """Keep the momentum of replicated weights in shards."""

    def objective(w, x, labels):
        log_probs = jax.nn.log_softmax(x @ w)
        return -jnp.mean(jnp.take_along_axis(log_probs, labels[:, None], axis=1))

    @functools.partial(
        jax.shard_map,
        mesh=state_mesh,
        in_specs=(P(), P(FSDP_AXIS), P(FSDP_AXIS), P(FSDP_AXIS)),
        out_specs=(P(), P(FSDP_AXIS)),
        check_vma=False,
    )
    def step(w, momentum, x, labels):
        grads = jax.grad(objective)(w, x, labels)
        gradient = jax.lax.psum_scatter(grads, FSDP_AXIS, scatter_dimension=0, tiled=True)
        gradient = gradient / jax.lax.axis_size(FSDP_AXIS)
        momentum = one_of(0.9, 0.95, 0.99) * momentum + gradient
        if maybe("nesterov", 0.4):
            change = one_of(0.9, 0.95) * momentum + gradient
        else:
            change = momentum
        if maybe("slice weights"):
            start = jax.lax.axis_index(FSDP_AXIS) * change.shape[0]
            shard = jax.lax.dynamic_slice_in_dim(w, start, change.shape[0])
            w = gather_weight(shard - learning_rate * change)
        else:
            w = w - learning_rate * gather_weight(change)
        return w, momentum

    return step(w, momentum, x, labels)


@sketch(
    takes={
        "stacked": "f[l, devices*k, devices*k]: the weights of all layers",
        "scales": "f[l, devices*k]",
        "x": "features f[devices*b, devices*k]",
    },
    gives="features f[devices*b, devices*k]",
    sizes={"devices": {2, 4, 8}, "l": (2, 6), "k": (1, 4), "b": (1, 8)},
    dtypes="f32 bf16",
    also=("Scan over layers that gather their weights one at a time.",),
)
def scanned_fsdp_forward(stacked, scales, x):
    """Run residual layers in a scan, with each weight gathered just in time."""

    def forward(stacked, scales, x):
        def layer(x, params):
            shard, scale = params
            if maybe("gather in bf16", 0.3):
                w = gather_weight(shard.astype(jnp.bfloat16)).astype(x.dtype)
            else:
                w = gather_weight(shard)
            mean_square = jnp.mean(x * x, axis=-1, keepdims=True)
            normed = x * jax.lax.rsqrt(mean_square + 1e-5) * scale
            update = one_of(jax.nn.gelu, jax.nn.silu, jnp.tanh)(normed @ w / math.sqrt(w.shape[0]))
            return x + update, None

        if maybe("unroll", 0.3):
            for shard, scale in zip(stacked, scales):
                x, _ = layer(x, (shard, scale))
        else:
            x, _ = jax.lax.scan(layer, x, (stacked, scales))
        return x

    return jax.shard_map(
        forward,
        mesh=state_mesh,
        in_specs=(P(None, FSDP_AXIS), P(), P(FSDP_AXIS)),
        out_specs=P(FSDP_AXIS),
    )(stacked, scales, x)


@sketch(
    takes={"shards": {"w": "f[devices*k, d]", "b": "f[devices*k]"}},
    gives={"norms": "f[]", "largest": "f[]", "fraction_zero": "f[]"},
    sizes={"devices": {2, 4, 8}, "k": (1, 8), "d": (2, 32)},
    also=("Inspect sharded parameters without gathering them.",),
)
def sharded_norms(shards, threshold=one_of(1e-3, 1e-2, 0.1)):
    """Report norms of parameters whose rows are divided over devices."""

    def report(shards):
        leaves = jax.tree.leaves(shards)
        squares = sum(jnp.sum(leaf**2) for leaf in leaves)
        small = sum(jnp.sum(jnp.abs(leaf) < threshold) for leaf in leaves)
        squares, small = jax.lax.psum((squares, small), FSDP_AXIS)
        total = sum(leaf.size for leaf in leaves) * jax.lax.axis_size(FSDP_AXIS)
        largest = jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves])
        return {
            "norms": jnp.sqrt(squares) if maybe("norm") else jnp.sqrt(squares / total),
            "largest": jax.lax.pmax(jnp.max(largest), FSDP_AXIS),
            "fraction_zero": small / total,
        }

    specs = P(FSDP_AXIS)
    return jax.shard_map(report, mesh=state_mesh, in_specs=(specs,), out_specs=P())(shards)
