"""Training with the batch divided over devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

replica_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
replica_loss = nested("(predictions: predictions f[b], targets: targets f[b]) -> loss f[]")

DATA_AXIS = one_of("data", "batch", "dp", "devices")
data_mesh = one_of(
    jax.make_mesh((size("devices"),), (DATA_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (DATA_AXIS,)),
)


@sketch(
    takes={"params": "P", "x": "features f[devices*b, d]", "labels": "labels i[devices*b]"},
    gives=("P", "loss f[]"),
    sizes={"devices": {2, 4, 8}, "b": (1, 16), "d": (4, 64), "c": (4, 16)},
    also=("Take a data-parallel step: each device has its part of the batch.",),
    weight=1.5,
)
def data_parallel_step(params, x, labels, learning_rate=number(1e-4, 1e-1)):
    """Train on a batch that is divided over the devices, with averaged gradients."""

    def objective(params, x, labels):
        log_probs = jax.nn.log_softmax(replica_model(params, x), axis=-1)
        picked = jnp.take_along_axis(log_probs, labels[:, None], axis=-1)
        return -jnp.mean(picked)

    def step(params, x, labels):
        loss, grads = jax.value_and_grad(objective)(params, x, labels)
        if maybe("one reduction", 0.3):
            loss, grads = jax.lax.pmean((loss, grads), DATA_AXIS)
        else:
            grads = jax.lax.pmean(grads, axis_name=DATA_AXIS)
            loss = jax.lax.pmean(loss, axis_name=DATA_AXIS)
        if maybe("clip", 0.3):
            norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(grads)))
            scale = jnp.minimum(1.0, one_of(1.0, 0.5) / (norm + 1e-6))
            grads = jax.tree.map(lambda g: g * scale, grads)
        params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
        return params, loss

    if maybe("check batch", 0.3):
        num_devices = data_mesh.shape[DATA_AXIS]
        if x.shape[0] % num_devices:
            raise ValueError(f"{num_devices} devices cannot share {x.shape[0]} examples")
    sharded_step = jax.shard_map(
        step,
        mesh=data_mesh,
        in_specs=(P(), P(DATA_AXIS), P(DATA_AXIS)),
        out_specs=(P(), P()),
        check_vma=False,
    )
    return sharded_step(params, x, labels)


@sketch(
    takes={
        "params": {"w": "f[d, c]", "b": "f[c]"},
        "velocity": {"w": "f[d, c]", "b": "f[c]"},
        "x": "features f[devices, b, d]: one batch per device",
        "y": "targets f[devices, b, c]",
    },
    gives=({"w": "f[d, c]", "b": "f[c]"}, {"w": "f[d, c]", "b": "f[c]"}, "loss f[]"),
    sizes={"devices": {2, 4, 8}, "b": (1, 16), "d": (2, 32), "c": (1, 16)},
    also=("Train a linear model by pmap, with one batch on each device.",),
)
def replicated_momentum_step(params, velocity, x, y, learning_rate=number(1e-4, 1e-1)):
    """Take a momentum step on all devices, which average their gradients."""

    def objective(params, x, y):
        error = x @ params["w"] + params["b"] - y
        return one_of(jnp.mean(error**2), jnp.mean(jnp.abs(error)), 0.5 * jnp.mean(error**2))

    @functools.partial(jax.pmap, axis_name=DATA_AXIS, in_axes=(None, None, 0, 0), out_axes=None)
    def step(params, velocity, x, y):
        loss, grads = jax.value_and_grad(objective)(params, x, y)
        if maybe("mean loss", 0.7):
            loss = jax.lax.pmean(loss, DATA_AXIS)
        else:
            loss = jax.lax.pmax(loss, DATA_AXIS)
        grads = jax.lax.pmean(grads, DATA_AXIS)
        if maybe("decay", 0.4):
            grads = jax.tree.map(lambda g, p: g + one_of(1e-4, 1e-3) * p, grads, params)
        velocity = jax.tree.map(lambda v, g: one_of(0.9, 0.95, 0.99) * v + g, velocity, grads)
        params = jax.tree.map(lambda p, v: p - learning_rate * v, params, velocity)
        return params, velocity, loss

    return step(params, velocity, x, y)


@sketch(
    takes={
        "params": {"w1": "f[d, m]", "w2": "f[m, c]"},
        "x": "features f[devices*k*b, d]",
        "y": "targets f[devices*k*b, c]",
    },
    gives={"w1": "f[d, m]", "w2": "f[m, c]"},
    sizes={"devices": {2, 4, 8}, "k": (2, 4), "b": (1, 4), "d": (2, 32), "m": (2, 32), "c": (1, 8)},
    also=("Sum gradients over microbatches first, and then once over the devices.",),
)
def accumulated_gradients(params, x, y, num_microbatches=size("k")):
    """Accumulate gradients over microbatches before the devices exchange them."""

    def objective(params, x, y):
        hidden = one_of(jnp.tanh, jax.nn.gelu, jax.nn.relu)(x @ params["w1"])
        return jnp.mean((hidden @ params["w2"] - y) ** 2)

    def local_gradients(params, x, y):
        x = x.reshape(num_microbatches, -1, x.shape[-1])
        y = y.reshape(num_microbatches, -1, y.shape[-1])
        total = jax.tree.map(jnp.zeros_like, params)
        if maybe("unrolled", 0.4):
            for i in range(num_microbatches):
                grads = jax.grad(objective)(params, x[i], y[i])
                total = jax.tree.map(jnp.add, total, grads)
        else:

            def accumulate(total, microbatch):
                grads = jax.grad(objective)(params, *microbatch)
                return jax.tree.map(jnp.add, total, grads), None

            total, _ = jax.lax.scan(accumulate, total, (x, y))
        if maybe("sum", 0.4):
            total = jax.lax.psum(total, DATA_AXIS)
            count = num_microbatches * jax.lax.axis_size(DATA_AXIS)
            return jax.tree.map(lambda g: g / count, total)
        return jax.tree.map(lambda g: jax.lax.pmean(g / num_microbatches, DATA_AXIS), total)

    return jax.shard_map(
        local_gradients,
        mesh=data_mesh,
        in_specs=(P(), P(DATA_AXIS), P(DATA_AXIS)),
        out_specs=P(),
        check_vma=False,
    )(params, x, y)


@sketch(
    takes={
        "logits": "logits f[devices*b, c]",
        "labels": "labels i[devices*b]",
        "valid?": "mask bool[devices*b]",
    },
    gives={"loss": "f[]", "accuracy": "f[]"},
    sizes={"devices": {2, 4, 8}, "b": (1, 32), "c": (4, 32)},
    also=("Add up loss and hits of all devices, and divide by the count once.",),
)
def sharded_metrics(logits, labels, valid=None):
    """Evaluate a sharded batch whose padding differs between devices."""
    if valid is None:
        valid = jnp.ones(labels.shape, bool)

    @functools.partial(jax.shard_map, mesh=data_mesh, in_specs=P(DATA_AXIS), out_specs=P())
    def count(logits, labels, valid):
        weight = valid.astype(logits.dtype)
        log_probs = jax.nn.log_softmax(logits)
        picked = jnp.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0]
        if maybe("top k", 0.4):
            _, best = jax.lax.top_k(logits, one_of(2, 3))
            is_hit = jnp.any(best == labels[:, None], axis=1)
        else:
            is_hit = jnp.argmax(logits, axis=1) == labels
        sums = {
            "loss": -jnp.sum(picked * weight),
            "accuracy": jnp.sum(is_hit * weight),
            "count": jnp.sum(weight),
        }
        return jax.lax.psum(sums, DATA_AXIS)

    sums = count(logits, labels, valid)
    total = jnp.maximum(sums["count"], 1.0)
    return {name: sums[name] / total for name in ("loss", "accuracy")}


@sketch(
    takes={
        "params": {"w": "f[d]", "b": "f[]"},
        "x": "features f[devices*b, d]",
        "y": "targets f[devices*b]",
    },
    gives={"w": "f[d]", "b": "f[]"},
    sizes={"devices": {2, 4, 8}, "b": (2, 16), "d": (2, 32)},
    also=("Let each device descend alone for some steps, and average the weights then.",),
)
def local_sgd_round(params, x, y, num_local_steps=integer(2, 6), learning_rate=number(1e-3, 1e-1)):
    """Average parameters that the devices trained apart for a few steps."""

    def objective(params, x, y):
        predictions = x @ params["w"] + params["b"]
        return replica_loss(predictions, y)

    def train(params, x, y):
        start = params

        def local_step(_, params):
            grads = jax.grad(objective)(params, x, y)
            return jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)

        if maybe("unrolled rounds"):
            for i in range(num_local_steps):
                params = local_step(i, params)
        else:
            params = jax.lax.fori_loop(0, num_local_steps, local_step, params)
        if maybe("outer step", 0.4):
            # The average change of the devices is a gradient of an outer step.
            change = jax.tree.map(jnp.subtract, params, start)
            change = jax.lax.pmean(change, DATA_AXIS)
            return jax.tree.map(lambda p, c: p + one_of(0.7, 0.5, 1.2) * c, start, change)
        return jax.lax.pmean(params, DATA_AXIS)

    specs = (P(), P(DATA_AXIS), P(DATA_AXIS))
    sharded_train = jax.shard_map(
        train, mesh=data_mesh, in_specs=specs, out_specs=P(), check_vma=False
    )
    return sharded_train(params, x, y)


@sketch(
    takes={"w": "f[d, c]", "x": "features f[devices*b, d]", "y": "targets f[devices*b, c]"},
    gives=("f[d, c]", "metric f[]: noise_scale"),
    sizes={"devices": {2, 4, 8}, "b": (2, 16), "d": (2, 32), "c": (1, 16)},
    also=("Estimate the gradient noise scale from the spread between the devices.",),
)
def gradient_noise_scale(w, x, y, eps=one_of(1e-6, 1e-4)):
    """Compare gradients of small batches on devices with that of the whole batch."""

    def objective(w, x, y):
        return 0.5 * jnp.mean(jnp.sum((one_of(x @ w, jnp.tanh(x @ w)) - y) ** 2, axis=-1))

    def per_device(w, x, y):
        grads = jax.grad(objective)(w, x, y)
        mean = jax.lax.pmean(grads, DATA_AXIS)
        small = jax.lax.pmean(jnp.sum(grads**2), DATA_AXIS)
        big = jnp.sum(mean**2)
        count = jax.lax.axis_size(DATA_AXIS)
        variance = (small - big) * count / (count - 1)
        if maybe("unbiased"):
            big = jnp.maximum(big - variance / count, 0.0)
        return mean, variance / (big + eps)

    return jax.shard_map(
        per_device,
        mesh=data_mesh,
        in_specs=(P(), P(DATA_AXIS), P(DATA_AXIS)),
        out_specs=(P(), P()),
        check_vma=False,
    )(w, x, y)


@sketch(
    takes={
        "grads": {"w": "f[devices, d, c]: one gradient per device", "b": "f[devices, c]"},
        "residual": {"w": "f[devices, d, c]", "b": "f[devices, c]"},
    },
    gives=({"w": "f[d, c]", "b": "f[c]"}, {"w": "f[devices, d, c]", "b": "f[devices, c]"}),
    sizes={"devices": {2, 4, 8}, "d": (2, 32), "c": (1, 16)},
    also=("Exchange gradients in few bits, and keep what was rounded off for later.",),
)
def compressed_all_reduce(grads, residual):
    """Average gradients in low precision with error feedback on each device."""

    def reduce_leaf(gradient, error):
        corrected = gradient + error
        if maybe("signs", 0.4):
            scale = jnp.mean(jnp.abs(corrected))
            sent = jnp.sign(corrected) * scale
            total = jax.lax.pmean(sent, DATA_AXIS)
        elif maybe("int8"):
            top = jax.lax.pmax(jnp.max(jnp.abs(corrected)), DATA_AXIS) + 1e-12
            codes = jnp.round(corrected / top * 127).astype(jnp.int8)
            sent = codes * (top / 127)
            codes = jax.lax.psum(codes.astype(jnp.int32), DATA_AXIS)
            total = codes * (top / 127) / jax.lax.axis_size(DATA_AXIS)
        else:
            sent = corrected.astype(jnp.bfloat16)
            total = jax.lax.pmean(sent, DATA_AXIS).astype(gradient.dtype)
        return total, corrected - sent.astype(gradient.dtype)

    def reduce(grads, residual):
        pairs = {name: reduce_leaf(grads[name], residual[name]) for name in grads}
        means = {name: mean for name, (mean, _) in pairs.items()}
        return means, {name: error for name, (_, error) in pairs.items()}

    return jax.pmap(reduce, axis_name=DATA_AXIS, out_axes=(None, 0))(grads, residual)
