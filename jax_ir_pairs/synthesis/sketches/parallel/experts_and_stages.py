"""Experts and pipeline stages, each on a device of its own."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch

EXPERT_AXIS = one_of("expert", "ep", "experts")
STAGE_AXIS = one_of("stage", "pipe", "stages", "pp")
expert_mesh = jax.make_mesh((size("devices"),), (EXPERT_AXIS,), axis_types=(AxisType.Auto,))
stage_mesh = one_of(
    jax.make_mesh((size("devices"),), (STAGE_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (STAGE_AXIS,)),
)


@sketch(
    takes={
        "w_in": "f[devices*k, d, m]: one matrix per expert",
        "w_out": "f[devices*k, m, d]",
        "tokens": "features f[devices*devices*k*b, d]: in equal groups, by expert",
    },
    gives="features f[devices*devices*k*b, d]",
    sizes={"devices": {2, 4}, "k": {1, 2}, "b": (1, 4), "d": (2, 24), "m": (2, 24)},
    dtypes="f32 bf16",
    also=("Send tokens to their experts on other devices, and bring them back.",),
)
def expert_exchange(w_in, w_out, tokens):
    """Run experts on the devices that hold them, between two all-to-all exchanges."""

    def layer(w_in, w_out, tokens):
        local_experts, width, _ = w_in.shape
        num_devices = jax.lax.axis_size(EXPERT_AXIS)
        grouped = tokens.reshape(num_devices, local_experts, -1, width)
        received = jax.lax.all_to_all(grouped, EXPERT_AXIS, split_axis=0, concat_axis=0)
        slots = jnp.moveaxis(received, 1, 0).reshape(local_experts, -1, width)
        if maybe("vmap experts"):
            hidden = jax.vmap(jnp.matmul)(slots, w_in)
        else:
            hidden = jnp.einsum("esd,edm->esm", slots, w_in)
        hidden = one_of(jax.nn.gelu, jax.nn.relu, jax.nn.silu)(hidden / math.sqrt(width))
        out = jnp.einsum("esm,emd->esd", hidden, w_out) / math.sqrt(w_out.shape[1])
        out = out.reshape(local_experts, num_devices, -1, width)
        returned = jax.lax.all_to_all(
            jnp.moveaxis(out, 1, 0), EXPERT_AXIS, split_axis=0, concat_axis=0
        )
        returned = returned.reshape(tokens.shape)
        return tokens + returned if maybe("residual") else returned

    specs = P(EXPERT_AXIS)
    return jax.shard_map(layer, mesh=expert_mesh, in_specs=specs, out_specs=specs)(
        w_in, w_out, tokens
    )


@sketch(
    takes={
        "params": {
            "router": "f[d, devices]",
            "w_in": "f[devices, d, m]",
            "w_out": "f[devices, m, d]",
        },
        "x": "features f[devices*b, d]",
    },
    gives=("features f[devices*b, d]", "loss f[]: balance"),
    sizes={"devices": {2, 4, 8}, "b": (2, 8), "d": (2, 24), "m": (2, 24)},
    also=("Route tokens to one expert per device, and drop what exceeds its capacity.",),
)
def routed_expert_layer(params, x, capacity_factor=one_of(1.0, 1.25, 2.0)):
    """Dispatch tokens by a router to the experts of all devices, within a capacity."""
    num_experts = params["router"].shape[1]
    capacity = max(1, math.ceil(capacity_factor * x.shape[0] / num_experts**2))

    def layer(params, x):
        gates = jax.nn.softmax(x @ params["router"], axis=-1)
        choice = jnp.argmax(gates, axis=-1)
        assigned = jax.nn.one_hot(choice, num_experts)
        place = jnp.sum((jnp.cumsum(assigned, axis=0) - 1) * assigned, axis=-1)
        slots = jax.nn.one_hot(place.astype(jnp.int32), capacity)
        dispatch = assigned[:, :, None] * slots[:, None, :]
        sent = jnp.einsum("bec,bd->ecd", dispatch, x)
        received = jax.lax.all_to_all(sent, EXPERT_AXIS, 0, 0, tiled=True)
        hidden = one_of(jax.nn.relu, jax.nn.gelu)(
            received @ params["w_in"][0] / math.sqrt(x.shape[1])
        )
        out = hidden @ params["w_out"][0]
        back = jax.lax.all_to_all(out, EXPERT_AXIS, 0, 0, tiled=True)
        if maybe("gate", 0.7):
            combine = dispatch * jnp.max(gates, axis=-1)[:, None, None]
        else:
            combine = dispatch
        y = jnp.einsum("bec,ecd->bd", combine, back)
        # Balanced experts get equal shares of tokens and of probability.
        share = jax.lax.pmean(jnp.mean(assigned, axis=0), EXPERT_AXIS)
        mean_gate = jax.lax.pmean(jnp.mean(gates, axis=0), EXPERT_AXIS)
        return one_of(x + y, y), num_experts * jnp.sum(share * mean_gate)

    held = P(EXPERT_AXIS)
    return jax.shard_map(
        layer,
        mesh=expert_mesh,
        in_specs=({"router": P(), "w_in": held, "w_out": held}, held),
        out_specs=(held, P()),
    )(params, x)


@sketch(
    takes={
        "stages": {"w": "f[devices, d, d]", "b": "f[devices, d]"},
        "microbatches": "features f[l, b, d]",
    },
    gives="features f[l, b, d]",
    sizes={"devices": {2, 4, 8}, "l": (1, 6), "b": (1, 8), "d": (2, 24)},
    also=("Move microbatches from stage to stage, one device per tick.",),
    weight=1.5,
)
def pipelined_stages(stages, microbatches):
    """Run microbatches through a pipeline whose stages lie on the devices of a row."""

    def run(stages, microbatches):
        w, b = stages["w"][0], stages["b"][0]
        num_stages = jax.lax.axis_size(STAGE_AXIS)
        stage = jax.lax.axis_index(STAGE_AXIS)
        count = microbatches.shape[0]
        to_next = [(i, (i + 1) % num_stages) for i in range(num_stages)]

        def apply(x):
            out = one_of(jnp.tanh, jax.nn.gelu, jax.nn.silu)(x @ w / math.sqrt(w.shape[0]) + b)
            return x + out if maybe("residual stage", 0.4) else out

        def tick(t, carry):
            held, outputs = carry
            # The first stage takes a new microbatch while there are any.
            fresh = microbatches[jnp.minimum(t, count - 1)]
            out = apply(jnp.where(stage == 0, fresh, held))
            done = t - (num_stages - 1)
            is_done = (stage == num_stages - 1) & (done >= 0)
            place = jnp.maximum(done, 0)
            if maybe("where"):
                kept = jnp.where(is_done, out, outputs[place])
                outputs = outputs.at[place].set(kept)
            else:
                outputs = outputs.at[place].add(jnp.where(is_done, out, 0.0))
            return jax.lax.ppermute(out, STAGE_AXIS, to_next), outputs

        carry = jnp.zeros_like(microbatches[0]), jnp.zeros_like(microbatches)
        ticks = count + num_stages - 1
        if maybe("python loop", 0.3):
            for t in range(ticks):
                carry = tick(t, carry)
            _, outputs = carry
        else:
            _, outputs = jax.lax.fori_loop(0, ticks, tick, carry)
        return jax.lax.psum(outputs, STAGE_AXIS)

    return jax.shard_map(
        run, mesh=stage_mesh, in_specs=(P(STAGE_AXIS), P()), out_specs=P(), check_vma=False
    )(stages, microbatches)


@sketch(
    takes={
        "w": "f[devices*k, d, d]: the layers of all stages",
        "x": "features f[l, b, d]: microbatches",
        "y": "targets f[l, b, d]",
    },
    gives=("f[devices*k, d, d]", "loss f[]"),
    sizes={"devices": {2, 4, 8}, "k": (1, 3), "l": (1, 4), "b": (1, 4), "d": (2, 16)},
    also=("Train the layers of a pipeline, and send errors back through its stages.",),
)
def pipelined_training_step(w, x, y, learning_rate=number(1e-3, 1e-1)):
    """Differentiate through a pipeline of layers that are divided over devices."""

    def forward(w, x):
        stage = jax.lax.axis_index(STAGE_AXIS)
        num_stages = jax.lax.axis_size(STAGE_AXIS)
        held, outputs = jnp.zeros_like(x[0]), []
        for t in range(len(x) + num_stages - 1):
            h = jnp.where(stage == 0, x[min(t, len(x) - 1)], held)
            for layer in w:
                h = one_of(jnp.tanh, jax.nn.silu)(h @ layer / math.sqrt(layer.shape[0]))
            if t >= num_stages - 1:
                outputs.append(h)
            held = jax.lax.ppermute(h, STAGE_AXIS, [(i, i + 1) for i in range(num_stages - 1)])
        return jnp.stack(outputs)

    def objective(w, x, y):
        error = (forward(w, x) - y) ** 2
        is_last = jax.lax.axis_index(STAGE_AXIS) == jax.lax.axis_size(STAGE_AXIS) - 1
        return jnp.where(is_last, jnp.mean(error), 0.0)

    def step(w, x, y):
        loss, grads = jax.value_and_grad(objective)(w, x, y)
        if maybe("normalize", 0.4):
            norm = jnp.sqrt(jax.lax.psum(jnp.sum(grads**2), STAGE_AXIS))
            grads = grads / (norm + 1e-3)
        return w - learning_rate * grads, jax.lax.psum(loss, STAGE_AXIS)

    specs = (P(STAGE_AXIS), P(), P())
    sharded_step = jax.shard_map(
        step, mesh=stage_mesh, in_specs=specs, out_specs=(specs[0], P()), check_vma=False
    )
    return sharded_step(w, x, y)


@sketch(
    takes={
        "w": "f[devices, d, d]",
        "b": "f[devices, d]",
        "x": "features f[devices*n, d]: examples, in shards",
    },
    gives="features f[devices*n, d]",
    sizes={"devices": {2, 4, 8}, "n": (1, 8), "d": (2, 24)},
    also=("Let shards of examples visit the layers of all devices in turn.",),
)
def circulating_examples(w, b, x):
    """Pass each shard of a batch around all devices, which hold one layer each."""

    @functools.partial(
        jax.shard_map, mesh=stage_mesh, in_specs=(P(STAGE_AXIS),) * 3, out_specs=P(STAGE_AXIS)
    )
    def visit(w, b, x):
        num_devices = jax.lax.axis_size(STAGE_AXIS)
        ring = [(i, (i + 1) % num_devices) for i in range(num_devices)]
        if maybe("scan"):

            def step(h, _):
                h = jnp.tanh(h @ w[0] + b[0])
                return jax.lax.ppermute(h, STAGE_AXIS, perm=ring), None

            x, _ = jax.lax.scan(step, x, length=num_devices)
            return x
        for _ in range(num_devices):
            h = one_of(jnp.tanh, jax.nn.relu, jax.nn.softplus)(
                x @ w[0] / math.sqrt(w.shape[1]) + b[0]
            )
            x = jax.lax.ppermute(one_of(h, x + h), STAGE_AXIS, perm=ring)
        return x

    return visit(w, b, x)


@sketch(
    takes={
        "teacher": {"w": "f[d, c]", "b": "f[c]"},
        "student": {"w": "f[d, c]", "b": "f[c]"},
        "x": "features f[b, d]",
    },
    gives=("metric f[]: divergence", "metric f[]: agreement"),
    sizes={"b": (2, 32), "d": (2, 32), "c": (3, 16)},
    also=("Let the second of two devices compare its predictions with the first one's.",),
)
def two_device_distillation(teacher, student, x, temperature=one_of(1.0, 2.0, 4.0)):
    """Run a teacher and a student on a device each, and compare them."""
    mesh = jax.make_mesh((2,), (STAGE_AXIS,), axis_types=(AxisType.Auto,))
    both = jax.tree.map(lambda t, s: jnp.stack([t, s]), teacher, student)

    def compare(params, x):
        logits = x @ params["w"][0] + params["b"][0]
        other = jax.lax.ppermute(logits, STAGE_AXIS, [(0, 1), (1, 0)])
        log_p = jax.nn.log_softmax(other / temperature)
        log_q = jax.nn.log_softmax(logits / temperature)
        divergence = jnp.mean(jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1))
        if maybe("both ways", 0.4):
            divergence = jax.lax.pmean(divergence, STAGE_AXIS)
        else:
            is_student = jax.lax.axis_index(STAGE_AXIS) == 1
            divergence = jax.lax.psum(jnp.where(is_student, divergence, 0.0), STAGE_AXIS)
        same = jnp.argmax(logits, axis=-1) == jnp.argmax(other, axis=-1)
        return divergence, jax.lax.pmean(jnp.mean(same), STAGE_AXIS)

    return jax.shard_map(compare, mesh=mesh, in_specs=(P(STAGE_AXIS), P()), out_specs=(P(), P()))(
        both, x
    )
