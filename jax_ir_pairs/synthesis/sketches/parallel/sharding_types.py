"""Programs in which shardings, and sums that are still due, are part of the types."""

import functools
import math

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch

LINE_AXIS = one_of("data", "x", "i", "devices")
typed_mesh = one_of(
    jax.make_mesh((size("devices"),), (LINE_AXIS,)),
    jax.make_mesh((size("devices"),), (LINE_AXIS,), axis_types=(AxisType.Explicit,)),
)
tracked_mesh = jax.make_mesh((size("devices"),), (LINE_AXIS,), axis_types=(AxisType.Auto,))


@sketch(
    takes={"w": "f[devices*k, m]", "x": "features f[devices*b, devices*k]"},
    gives="f[devices*k, m]",
    sizes={"devices": {2, 4, 8}, "k": (1, 6), "m": (1, 24), "b": (1, 12)},
    also=("Leave the gradients of the devices unreduced until one sum at the end.",),
)
def deferred_gradient_sum(w, x, learning_rate=number(1e-3, 1e-1)):
    """Differentiate with a weight whose gradient is summed over devices later."""

    def step(w, x):
        def objective(w):
            local = jax.lax.pcast(w, LINE_AXIS, to="varying")
            out = one_of(jnp.tanh, jax.nn.softplus, jnp.sin)(x @ local)
            return one_of(jnp.mean(out**2), jnp.sum(out**2) / x.shape[0])

        grads = jax.grad(objective)(jax.lax.pcast(w, LINE_AXIS, to="reduced"))
        if maybe("scatter"):
            return jax.lax.psum_scatter(grads, LINE_AXIS, scatter_dimension=0, tiled=True)
        return jax.lax.psum(grads, LINE_AXIS)

    out_specs = P(LINE_AXIS) if maybe("scatter") else P()
    grads = jax.shard_map(
        step, mesh=tracked_mesh, in_specs=(P(), P(LINE_AXIS)), out_specs=out_specs
    )(w, x)
    if maybe("normalize", 0.4):
        grads = grads / (jnp.linalg.norm(grads) + 1e-3)
    return w - learning_rate * grads


@sketch(
    takes={"shard": "f[devices*k, m]", "x": "features f[devices*b, devices*k]"},
    gives="f[devices*k, m]",
    sizes={"devices": {2, 4, 8}, "k": (1, 6), "m": (1, 24), "b": (1, 12)},
    also=("Gather a weight as reduced, so that its gradient is scattered.",),
)
def reduced_gather_step(shard, x, learning_rate=number(1e-3, 1e-1)):
    """Descend on a sharded weight whose gather keeps track of what is due."""

    @functools.partial(
        jax.shard_map,
        mesh=tracked_mesh,
        in_specs=(P(LINE_AXIS), P(LINE_AXIS)),
        out_specs=P(LINE_AXIS),
    )
    def step(shard, x):
        def objective(shard):
            w = jax.lax.all_gather(shard, LINE_AXIS, tiled=True, to="reduced")
            w = jax.lax.pcast(w, LINE_AXIS, to="varying")
            out = x @ w / math.sqrt(x.shape[1])
            if maybe("logistic"):
                return jnp.mean(jax.nn.softplus(out))
            return jnp.mean(one_of(out**2, jnp.tanh(out) ** 2))

        grads = jax.grad(objective)(shard)
        if maybe("decay", 0.4):
            grads = grads + one_of(1e-3, 1e-2) * shard
        return shard - learning_rate * grads

    return step(shard, x)


@sketch(
    takes={"x": "matrix f[n, devices*k]", "w": "matrix f[devices*k, m]"},
    sizes={"devices": {2, 4, 8}, "n": (1, 16), "k": (1, 8), "m": (1, 16)},
    also=("Multiply over a sharded axis, and sum the parts of the devices explicitly.",),
)
def unreduced_product(x, w):
    """Contract a sharded axis into partial products, which are added up afterwards."""
    x = jax.sharding.reshard(x, NamedSharding(typed_mesh, P(None, LINE_AXIS)))
    w = jax.sharding.reshard(w, NamedSharding(typed_mesh, P(LINE_AXIS, None)))
    due = P(None, None, unreduced={LINE_AXIS})
    parts = jnp.einsum("ij,jk->ik", x, w, out_sharding=NamedSharding(typed_mesh, due))

    @functools.partial(jax.shard_map, mesh=typed_mesh, in_specs=due, out_specs=P())
    def total(parts):
        out = jax.lax.psum(parts, LINE_AXIS)
        if maybe("activation"):
            out = one_of(jnp.tanh, jax.nn.gelu, jax.nn.relu)(out)
        return out / one_of(2, 4, 8) if maybe("scale", 0.4) else out

    return total(parts)


@sketch(
    takes={"x": "features f[devices*b, d]", "w": "f[d, devices*m]", "scale": "f[devices*m]"},
    sizes={"devices": {2, 4, 8}, "b": (1, 12), "d": (2, 24), "m": (1, 8)},
    also=("State how arrays lie, and reshard a result from rows to columns.",),
)
def resharded_layer(x, w, scale, eps=one_of(1e-6, 1e-5)):
    """Carry shardings in the types through a layer, and change them in one place."""
    by_rows, by_columns = P(LINE_AXIS, None), P(None, LINE_AXIS)

    @functools.partial(jax.shard_map, mesh=typed_mesh, in_specs=(by_rows, P()), out_specs=by_rows)
    def layer(x, w):
        if maybe("normalize"):
            x = x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + eps)
        return one_of(x, jnp.tanh(x), jax.nn.gelu(x)) @ w / math.sqrt(w.shape[0])

    x = jax.sharding.reshard(x, NamedSharding(typed_mesh, by_rows))
    w = jax.sharding.reshard(w, NamedSharding(typed_mesh, P()))
    hidden = jax.sharding.reshard(layer(x, w), NamedSharding(typed_mesh, by_columns))
    # Columns are whole on each device now.
    if maybe("standardize"):
        hidden = (hidden - jnp.mean(hidden, axis=0)) / (jnp.std(hidden, axis=0) + 1e-3)
    else:
        hidden = one_of(jnp.cumsum(hidden, axis=0), jax.nn.softmax(hidden, axis=0))
    scale = jax.sharding.reshard(scale, NamedSharding(typed_mesh, P(LINE_AXIS)))
    out = hidden * scale
    return jax.sharding.reshard(out, NamedSharding(typed_mesh, P()))
