"""What is kept of a computation for its gradient, and what is computed again."""

import functools

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

recomputed_block = nested("(params: P, x: features f[b, d]) -> features f[b, d]")

REMAT_POLICY = one_of(
    jax.checkpoint_policies.dots_saveable,
    jax.checkpoint_policies.checkpoint_dots,
    jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    jax.checkpoint_policies.everything_saveable,
    jax.checkpoint_policies.nothing_saveable,
)


@sketch(
    takes={"layers": ("l", {"w": "f[d, h]", "v": "f[h, d]"}), "x": "features f[b, d]"},
    gives=("loss f[]", ("l", {"w": "f[d, h]", "v": "f[h, d]"})),
    sizes={"l": (1, 4), "b": (2, 32), "d": (2, 32), "h": (2, 48)},
    dtypes="f32 bf16",
    also=("Backward pass that recomputes all but named activations.",),
    weight=1.5,
)
def named_activation_gradient(layers, x, target=number(0.2, 2.0)):
    """Keep only the activations that have a name for the backward pass."""
    if maybe("keep named", 0.4):
        policy = jax.checkpoint_policies.save_only_these_names(one_of("hidden", "residual"))
    elif maybe("keep unnamed", 0.3):
        policy = one_of(
            jax.checkpoint_policies.save_any_names_but_these("hidden"),
            jax.checkpoint_policies.save_anything_except_these_names("hidden"),
        )
    else:
        policy = jax.checkpoint_policies.save_from_both_policies(
            one_of(
                jax.checkpoint_policies.dots_saveable,
                jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
            ),
            jax.checkpoint_policies.save_only_these_names("hidden"),
        )

    @functools.partial(jax.checkpoint, policy=policy)
    def feed_forward(layer, h):
        hidden = checkpoint_name(h @ layer["w"] / h.shape[1] ** 0.5, "hidden")
        hidden = one_of(jnp.tanh, jax.nn.gelu, jax.nn.silu, jnp.sin)(hidden)
        update = hidden @ layer["v"] / hidden.shape[1] ** 0.5
        return checkpoint_name(h + update, "residual")

    def loss_of(params):
        h = x
        for layer in params:
            h = feed_forward(layer, h)
            if maybe("normalize between", 0.4):
                h = h / jnp.sqrt(jnp.mean(h**2, axis=-1, keepdims=True) + 1e-2)
        return jnp.mean((h - target) ** 2)

    return jax.value_and_grad(loss_of)(layers)


@sketch(
    takes={"stack": {"w": "f[l, d, d]", "b": "f[l, d]"}, "x": "features f[b, d]"},
    gives=("loss f[]", {"w": "f[l, d, d]", "b": "f[l, d]"}),
    sizes={"l": (1, 8), "b": (2, 32), "d": (2, 32)},
    also=("Gradient through a scan that keeps one carry a layer.",),
)
def rematerialized_scan_gradient(stack, x, unroll=one_of(1, 2)):
    """Recompute each layer of a scanned stack on the way back."""

    def layer(h, params):
        out = jnp.tanh(h @ params["w"] / h.shape[1] ** 0.5 + params["b"])
        if maybe("attend batch", 0.3):
            weights = jax.nn.softmax(out @ out.T / out.shape[1] ** 0.5, axis=-1)
            out = weights @ out
        if maybe("residual scan"):
            out = h + out
        return out, None

    if maybe("policy of products", 0.6):
        # Inside of a scan nothing can be merged with the first computation.
        layer = jax.checkpoint(layer, policy=REMAT_POLICY, prevent_cse=False)
    else:
        layer = jax.checkpoint(layer, prevent_cse=one_of(False, True))

    def loss_of(params):
        h, _ = jax.lax.scan(layer, x, params, unroll=unroll)
        return one_of(jnp.mean(h**2), jnp.mean(jax.nn.softplus(h)))

    return jax.value_and_grad(loss_of)(stack)


@sketch(
    takes={"params": "P", "x": "features f[b, d]"},
    gives=("loss f[]", "features f[b, d]: input_gradient"),
    sizes={"b": (2, 16), "d": (2, 32)},
    also=("Input gradient of a block that is computed twice.",),
)
def recomputed_input_gradient(params, x, scale=number(0.5, 2.0), power=one_of(2, 3)):
    """Differentiate a block by its inputs and recompute its inside."""

    @functools.partial(jax.checkpoint, static_argnums=(2,), policy=REMAT_POLICY)
    def block(p, inputs, exponent):
        out = jnp.tanh(recomputed_block(p, scale * inputs))
        return jnp.abs(out) ** exponent if maybe("magnitudes") else out**exponent

    def loss_of(inputs):
        out = block(params, inputs, power)
        if maybe("twice through", 0.3):
            out = block(params, out, power)
        return jnp.mean(out)

    return jax.value_and_grad(loss_of)(x)


@sketch(
    takes={"start": "state f[d]", "w": "matrix f[d, d]", "goal": "state f[d]"},
    gives=("loss f[]", "matrix f[d, d]: gradient"),
    sizes={"d": (2, 24)},
    dtypes="f32 f64",
    also=("Backpropagation through time in segments.",),
)
def segmented_rollout_gradient(start, w, goal, segments=integer(2, 4), length=integer(2, 6)):
    """Keep the state only at the ends of segments of a long rollout."""

    def advance(state, matrix):
        if maybe("threshold units", 0.4):
            drift = jax.nn.relu(matrix @ state / state.shape[0])
        else:
            drift = matrix @ jnp.tanh(state) / state.shape[0] ** 0.5
        return state + one_of(0.1, 0.2) * (drift - state)

    @jax.checkpoint
    def segment(state, matrix):
        if maybe("loop segment"):
            state = jax.lax.fori_loop(0, length, lambda _, s: advance(s, matrix), state)
        else:
            for _ in range(length):
                state = advance(state, matrix)
        return checkpoint_name(state, "end") if maybe("name ends", 0.4) else state

    def loss_of(matrix):
        if maybe("scan segments", 0.4):

            def next_segment(state, _):
                state = segment(state, matrix)
                return state, jnp.mean((state - goal) ** 2)

            _, errors = jax.lax.scan(next_segment, start, length=segments)
            return jnp.mean(errors) if maybe("all ends") else errors[-1]
        state, ends = start, []
        for _ in range(segments):
            state = segment(state, matrix)
            ends.append(state)
        if maybe("all ends"):
            return jnp.mean((jnp.stack(ends) - goal) ** 2)
        return one_of(jnp.mean((state - goal) ** 2), jnp.max(jnp.abs(state - goal)))

    return jax.value_and_grad(loss_of)(w)


@sketch(
    takes={"batches": "f[k, b, d]: micro-batches", "w": "matrix f[d, h]"},
    gives=("loss f[]", "matrix f[d, h]: gradient"),
    sizes={"k": (2, 4), "b": (2, 16), "d": (2, 24), "h": (2, 24)},
    also=("Gradients of micro-batches one after the other.",),
)
def fenced_accumulation(batches, w):
    """Accumulate gradients with barriers that keep one micro-batch in memory at a time."""

    def loss_of(weights, batch):
        hidden = one_of(jnp.tanh, jax.nn.softplus)(batch @ weights / batch.shape[1] ** 0.5)
        return jnp.mean(hidden**2) if maybe("energy") else jnp.mean(jnp.log1p(hidden**2))

    total, gradient = jnp.zeros((), w.dtype), jnp.zeros_like(w)
    for batch in batches:
        if maybe("fence inputs"):
            batch, gradient = jax.lax.optimization_barrier((batch, gradient))
        loss, slope = jax.value_and_grad(loss_of)(w, batch)
        total, gradient = total + loss, gradient + slope
        if not maybe("fence inputs"):
            # The next one starts when this one is added.
            total, gradient = jax.lax.optimization_barrier((total, gradient))
    count = batches.shape[0]
    return total / count, gradient / count
