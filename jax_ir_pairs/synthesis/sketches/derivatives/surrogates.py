"""Steps that have no useful derivative, and what stands in for it."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@jax.custom_jvp
def fire(potential):
    """1 where a potential is above the threshold."""
    return (potential > 0).astype(potential.dtype)


@fire.defjvp
def _fire_jvp(primals, tangents):
    (u,), (du,) = primals, tangents
    if maybe("fast sigmoid slope", 0.4):
        slope = 1 / (1 + one_of(1.0, 5.0, 10.0) * jnp.abs(u)) ** 2
    elif maybe("triangle slope", 0.4):
        slope = jnp.maximum(0.0, 1 - jnp.abs(u))
    elif maybe("arctan slope"):
        slope = 1 / (1 + (jnp.pi * u) ** 2)
    else:
        slope = jnp.exp(-2 * u**2)
    return fire(u), slope * du


@sketch(
    takes={"w": "matrix f[d, h]", "currents": "sequence f[t, b, d]", "targets": "targets f[b, h]"},
    gives=("loss f[]", "matrix f[d, h]: gradient"),
    sizes={"t": (3, 16), "b": (1, 16), "d": (2, 24), "h": (2, 24)},
    also=("Surrogate gradient of a network of spiking neurons.",),
)
def spiking_layer_gradient(w, currents, targets, decay=number(0.3, 0.95), threshold=1.0):
    """Train leaky neurons whose spikes are differentiated by a surrogate."""
    _, batch, _ = currents.shape

    def loss_of(weights):
        def step(voltage, current):
            voltage = decay * voltage + current @ weights
            spikes = fire(voltage - threshold)
            if maybe("reset by subtraction"):
                voltage = voltage - threshold * spikes
            elif maybe("detached reset"):
                voltage = voltage * (1 - jax.lax.stop_gradient(spikes))
            else:
                voltage = voltage * (1 - spikes)
            return voltage, spikes

        rest = jnp.zeros((batch, weights.shape[1]), w.dtype)
        _, spikes = jax.lax.scan(step, rest, currents)
        rates = jnp.mean(spikes, axis=0)
        loss = jnp.mean((rates - jax.nn.sigmoid(targets)) ** 2)
        if maybe("rate penalty", 0.4):
            loss = loss + 0.1 * jnp.mean(rates**2)
        return loss

    return jax.value_and_grad(loss_of)(w)


@jax.custom_gradient
def round_with_gradient(x):
    """Round, and pass the gradient as if nothing had happened."""
    if maybe("gradient inside of the range", 0.4):
        return jnp.round(x), lambda g: (g * (jnp.abs(x) <= 8.0),)
    return jnp.round(x), lambda g: (g,)


@sketch(
    takes={"w": "matrix f[d, h]", "x": "features f[b, d]", "targets": "features f[b, h]"},
    gives=("loss f[]", "matrix f[d, h]: gradient"),
    sizes={"b": (2, 48), "d": (2, 48), "h": (2, 32)},
    also=("Quantization-aware training step.",),
)
def quantized_layer_gradient(w, x, targets, bits=one_of(4, 3, 8)):
    """Train weights through the rounding to few bits."""
    levels = 2 ** (bits - 1) - 1

    def quantize(values):
        if maybe("scale per column"):
            top = jnp.max(jnp.abs(values), axis=0, keepdims=True)
        else:
            top = jnp.max(jnp.abs(values))
        step = jax.lax.stop_gradient(top + 1e-3) / levels
        if maybe("custom gradient", 0.6):
            return step * round_with_gradient(values / step)
        # x + stop_gradient(q(x) - x) has the value of q and the gradient of x.
        return values + jax.lax.stop_gradient(step * jnp.round(values / step) - values)

    def loss_of(weights):
        inputs = quantize(x) if maybe("quantize inputs", 0.4) else x
        out = inputs @ quantize(weights)
        return jnp.mean((out - targets) ** 2) / x.shape[1]

    return jax.value_and_grad(loss_of)(w)


def _levels_fwd(x, step):
    scaled = x / step
    return step * jnp.clip(jnp.round(scaled), -4, 3), scaled


def _levels_bwd(scaled, g):
    inside = (scaled >= -4) & (scaled <= 3)
    by_step = jnp.where(inside, jnp.round(scaled) - scaled, jnp.clip(scaled, -4, 3))
    return jnp.where(inside, g, 0.0), one_of(1.0, 0.1) * jnp.sum(g * by_step)


@jax.custom_vjp
def learned_levels(x, step):
    """Round to eight levels whose distance is learned."""
    return _levels_fwd(x, step)[0]


learned_levels.defvjp(_levels_fwd, _levels_bwd)


@sketch(
    takes={"x": "features f[b, d]", "log_step": "f[]: logarithm of the step"},
    gives={"loss": "f[]", "gradient": "f[]"},
    sizes={"b": (2, 64), "d": (2, 64)},
    also=("Gradient of the distance between levels of a quantizer.",),
)
def learned_step_gradient(x, log_step, rate=number(1e-3, 1e-1), num_steps=integer(1, 3)):
    """Learn the step size of a quantizer along with what it rounds."""

    def distortion(log_size):
        step = jnp.exp(jnp.tanh(log_size)) / one_of(2.0, 4.0)
        rounded = learned_levels(x, step)
        if maybe("kept correlation", 0.4):
            return -jnp.mean(rounded * x) + 0.5 * jnp.mean(rounded**2)
        return jnp.mean((rounded - x) ** 2)

    for _ in range(num_steps):
        log_step = log_step - rate * jax.grad(distortion)(log_step)
    loss, gradient = jax.value_and_grad(distortion)(log_step)
    return {"loss": loss, "gradient": gradient}


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def clamp_through(x, low, high):
    """Clamp, with a gradient that also leads back from outside."""
    return jnp.clip(x, low, high)


def _clamp_through_fwd(x, low, high):
    return clamp_through(x, low, high), x


def _clamp_through_bwd(low, high, x, g):
    if maybe("only inwards"):
        # What would push further outside is dropped.
        outwards = ((x < low) & (g > 0)) | ((x > high) & (g < 0))
        return (jnp.where(outwards, 0.0, g),)
    return (g,)


clamp_through.defvjp(_clamp_through_fwd, _clamp_through_bwd)


@sketch(
    takes={"controls": "f[t, d]: controls", "start": "state f[d]"},
    gives=("f[t, d]: controls", "loss f[]"),
    sizes={"t": (2, 16), "d": (1, 16)},
    also=("Plan with actuators that saturate.",),
)
def saturated_plan_step(controls, start, limit=number(0.2, 2.0), rate=number(0.05, 1.0)):
    """Improve a plan whose controls are clamped without losing their gradient."""

    def cost(plan):
        def advance(state, control):
            applied = clamp_through(control, -limit, limit)
            state = one_of(0.9 * state + applied, state + 0.5 * applied - 0.1 * jnp.tanh(state))
            return state, jnp.mean(state**2)

        final, costs = jax.lax.scan(advance, start, plan)
        if maybe("terminal cost"):
            return jnp.mean(costs) + jnp.mean(final**2)
        return jnp.mean(costs) + 0.01 * jnp.mean(plan**2)

    loss, slope = jax.value_and_grad(cost)(controls)
    if maybe("unit slope", 0.4):
        slope = slope / (jnp.sqrt(jnp.mean(slope**2)) + 1e-3)
    return controls - rate * slope, loss


@jax.custom_vjp
def keep_largest(scores):
    """Mask of the larger half of the scores."""
    return (scores >= jnp.median(scores)).astype(scores.dtype)


keep_largest.defvjp(lambda scores: (keep_largest(scores), None), lambda _, g: (g,))


@sketch(
    takes={"scores": "f[d, h]: scores", "w": "matrix f[d, h]", "x": "features f[b, d]"},
    gives=("f[d, h]: scores", "loss f[]"),
    sizes={"b": (2, 32), "d": (2, 32), "h": (2, 24)},
    also=("Subnetwork found by scores of its connections.",),
)
def subnetwork_score_step(scores, w, x, rate=number(0.1, 5.0)):
    """Move scores of connections whose weights stay as they are."""
    target = jax.lax.stop_gradient(one_of(jnp.mean(x, axis=1), jnp.max(x, axis=1)))

    def loss_of(s):
        mask = keep_largest(jnp.abs(s) if maybe("magnitude scores") else s)
        hidden = jnp.tanh(x @ (w * mask) / x.shape[1] ** 0.5)
        return jnp.mean((jnp.mean(hidden, axis=1) - target) ** 2)

    loss, slope = jax.value_and_grad(loss_of)(scores)
    if maybe("signed step", 0.3):
        slope = jnp.sign(slope)
    return scores - rate * slope, loss
