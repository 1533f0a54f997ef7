"""Work that NumPy does on the host, called from compiled code, and what is told to the host."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

reported_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")


def _sorted_on_host(values):
    return np.sort(values, axis=-1, kind="stable")


@sketch(
    takes={"x": "f[b, n]: samples"},
    gives="f[b]: trimmed",
    sizes={"b": (2, 32), "n": (8, 64)},
    also=("Robust means from a sort on the host.",),
    fills=False,
)
def host_trimmed_mean(x, share=number(0.05, 0.3)):
    """Sort samples on the host and average without both ends."""
    rows, count = x.shape
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    if maybe("map the callback", 0.4):

        def sort_row(row):
            one = jax.ShapeDtypeStruct(row.shape, row.dtype)
            way = one_of("sequential", "expand_dims", "broadcast_all")
            return jax.pure_callback(_sorted_on_host, one, row, vmap_method=way)

        ordered = jax.vmap(sort_row)(x)
    else:
        ordered = jax.pure_callback(_sorted_on_host, like, x)
    cut = int(share * count)
    kept = ordered[:, cut : count - cut]
    if maybe("spread of middle", 0.35):
        return (kept[:, -1] - kept[:, 0]) / 2
    return jnp.mean(kept, axis=1)


def _interpolated_on_host(points, xs, ys):
    return np.interp(points, xs, ys).astype(ys.dtype)


@sketch(
    takes={"points": "f[n]: where to look", "gaps": "f[k]: distances of the knots", "ys": "f[k]"},
    gives="f[n]: values",
    sizes={"n": (2, 64), "k": (3, 16)},
    also=("Table lookup that only NumPy has to know.",),
    fills=False,
)
def host_interpolation(points, gaps, ys):
    """Look values up in a table of knots with NumPy's interpolation."""
    xs = jnp.cumsum(jax.nn.softplus(gaps) + 0.1)
    if maybe("center knots"):
        xs = xs - jnp.mean(xs)
    out = jax.ShapeDtypeStruct(points.shape, points.dtype)
    values = jax.pure_callback(_interpolated_on_host, out, points, xs, ys)
    if maybe("linear outside", 0.4):
        # NumPy holds the ends; here they go on with a small slope.
        beyond = jnp.maximum(points - xs[-1], 0.0) - jnp.maximum(xs[0] - points, 0.0)
        values = values + one_of(0.1, 0.5) * beyond
    return values


def _bessel_on_host(x):
    return np.i0(x).astype(x.dtype)


@jax.custom_jvp
def _bessel_i0(x):
    """Modified Bessel function, from NumPy."""
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(_bessel_on_host, like, x, vmap_method="expand_dims")


@_bessel_i0.defjvp
def _bessel_i0_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return _bessel_i0(x), t * jax.scipy.special.i1(x)


@sketch(
    takes={"angles": "f[n]: observed angles", "center": "f[]: direction", "log_kappa": "f[]"},
    gives=("loss f[]", "f[]: slope"),
    sizes={"n": (2, 128)},
    also=("Von Mises likelihood with a Bessel function of the host.",),
    fills=False,
)
def von_mises_likelihood(angles, center, log_kappa):
    """Differentiate a likelihood through a special function that the host computes."""

    def negative_log_likelihood(s):
        kappa = one_of(jax.nn.softplus(s), 4 * jax.nn.sigmoid(s))
        aligned = jnp.cos(angles - center)
        normalizer = jnp.log(2 * jnp.pi * _bessel_i0(kappa))
        loss = normalizer - kappa * jnp.mean(aligned)
        if maybe("prior on kappa"):
            loss = loss + 0.01 * kappa**2
        return loss

    if maybe("forward derivative", 0.4):
        return jax.jvp(negative_log_likelihood, (log_kappa,), (jnp.ones_like(log_kappa),))
    return jax.value_and_grad(negative_log_likelihood)(log_kappa)


def _largest_eigenvalue_on_host(a):
    return np.linalg.eigvalsh(a)[..., -1].astype(a.dtype)


@sketch(
    takes={"w": "f[n, n]: recurrent weights"},
    gives=("f[n, n]: weights", "f[]: radius"),
    sizes={"n": (2, 24)},
    also=("Weights scaled by an eigenvalue of the host.",),
    fills=False,
)
def host_spectral_scaling(w, radius=number(0.5, 1.2)):
    """Scale weights to a largest eigenvalue that LAPACK finds on the host."""
    if w.ndim != 2 or w.shape[0] != w.shape[1]:
        raise ValueError(f"recurrent weights have to be square, not {w.shape}")
    sym = one_of((w + w.T) / 2, w @ w.T / w.shape[0])
    scalar = jax.ShapeDtypeStruct((), w.dtype)
    largest = jax.pure_callback(_largest_eigenvalue_on_host, scalar, sym)
    factor = radius / jnp.maximum(jnp.abs(largest), one_of(1e-2, 0.1))
    if maybe("only shrink", 0.4):
        factor = jnp.minimum(factor, 1.0)
    return w * factor, largest


def _batch_on_host(step, like):
    rng = np.random.default_rng(int(step))
    return rng.standard_normal(like.shape).astype(like.dtype)


@sketch(
    takes={"w": "f[d, h]: weights", "step": "i[]: number of the step"},
    gives=("f[d, h]: weights", "loss f[]"),
    sizes={"d": (2, 16), "h": (2, 16)},
    also=("Training step that asks the host for its batch.",),
    fills=False,
    weight=1.6,
)
def host_fed_training_step(w, step, batch_size=integer(4, 16), rate=number(1e-3, 1e-1)):
    """Ask the host for the batch of a step and train on it."""
    like = jax.ShapeDtypeStruct((batch_size, w.shape[0]), w.dtype)

    def load(number_of_step):
        return _batch_on_host(number_of_step, like)

    x = io_callback(load, like, step, ordered=one_of(False, True))

    def loss_of(weights):
        hidden = jnp.tanh(x @ weights)
        if maybe("reconstruct"):
            return jnp.mean((hidden @ weights.T - x) ** 2)
        return jnp.mean((hidden - jnp.mean(hidden, axis=0)) ** 2)

    loss, grads = jax.value_and_grad(loss_of)(w)
    if maybe("ascent", 0.2):
        return w + rate * grads, -loss
    return w - rate * grads, loss


def _round_on_host(x):
    return np.round(x * 16) / np.asarray(16, x.dtype)


@sketch(
    takes={"x": "f[n, d]: activations"},
    gives="features f[n, d]",
    sizes={"n": (2, 32), "d": (2, 32)},
    also=("What goes through a device that only the host can reach.",),
    fills=False,
)
def external_codec(x, gain=one_of(1.0, 0.5, 2.0)):
    """Send activations through a codec outside and restore their scale."""
    scale = jnp.max(jnp.abs(x), axis=-1, keepdims=True) + 1e-3
    sent = gain * x / scale
    like = jax.ShapeDtypeStruct(sent.shape, sent.dtype)
    if maybe("has effects"):
        received = io_callback(_round_on_host, like, sent)
    else:
        received = jax.pure_callback(_round_on_host, like, sent)
    restored = received * scale / gain
    if maybe("add residual", 0.3):
        return x + restored
    return restored


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives=("P", "loss f[]"),
    sizes={"b": (4, 16), "d": (2, 24), "c": (4, 8)},
    also=("Gradients, with a line of progress for whoever watches.",),
    fills=False,
    weight=1.6,
)
def printed_training_gradient(params, x, labels):
    """Differentiate a classifier and print how it does."""

    def loss_of(p):
        log_probs = jax.nn.log_softmax(reported_model(p, x), axis=-1)
        picked = jnp.take_along_axis(log_probs, labels[:, None], axis=-1)
        return -jnp.mean(picked), log_probs

    (loss, log_probs), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
    accuracy = jnp.mean(jnp.argmax(log_probs, axis=-1) == labels)
    if maybe("named fields"):
        jax.debug.print("loss {loss:.4f}, accuracy {accuracy:.2%}", loss=loss, accuracy=accuracy)
    else:
        jax.debug.print("loss {}, accuracy {}", loss, accuracy, ordered=one_of(True, False))
    if maybe("print norm", 0.4):
        squares = [jnp.sum(g**2) for g in jax.tree.leaves(grads)]
        jax.debug.print("gradient norm {}", jnp.sqrt(sum(squares)))
    return grads, loss


def _warn_if_high(name, value):
    if value > 100:
        print(f"{name} is {value}")


@sketch(
    takes={"x": "f[n, d]: activations", "w": "f[d, h]: weights"},
    gives="activations f[n, h]",
    sizes={"n": (2, 32), "d": (2, 48), "h": (2, 32)},
    also=("Layer whose activations are watched from the host.",),
    fills=False,
    weight=1.6,
)
def watched_layer(x, w):
    """Apply a layer and let the host warn of activations that grow."""

    def watch(value):
        _warn_if_high(one_of("layer", "largest activation"), value)

    y = one_of(jax.nn.relu, jax.nn.gelu, jnp.tanh)(x @ w / x.shape[1] ** 0.5)
    largest = jnp.max(jnp.abs(y))
    if maybe("only when large"):
        jax.lax.cond(
            largest > one_of(10.0, 100.0),
            lambda v: jax.debug.callback(watch, v),
            lambda v: None,
            largest,
        )
    else:
        jax.debug.callback(watch, largest)
    if maybe("dead units", 0.35):
        dead = jnp.mean(jnp.all(y <= 0, axis=0))
        jax.debug.print("share of dead units: {}", dead)
    return y


@sketch(
    takes={"x": "f[n, d]: rows", "w": "f[d, h]: weights"},
    gives="f[n, h]: outputs",
    sizes={"n": (2, 64), "d": (2, 48), "h": (2, 48)},
    also=("Product that tells where its operands lie.",),
    fills=False,
)
def inspected_product(x, w):
    """Multiply matrices and tell how the compiler has laid them over devices."""

    def report(sharding):
        print(f"sharding: {sharding}")

    hidden = one_of(x @ w, jnp.dot(x, w), jnp.einsum("nd,dh->nh", x, w))
    if maybe("short report"):
        jax.debug.inspect_array_sharding(hidden, callback=print)
    else:
        jax.debug.inspect_array_sharding(hidden, callback=report)
    if maybe("inspect operand too", 0.3):
        jax.debug.inspect_array_sharding(x, callback=report)
    if maybe("normalize outputs"):
        hidden = hidden / (jnp.max(jnp.abs(hidden), axis=one_of(0, 1), keepdims=True) + 0.1)
    return hidden


@sketch(
    takes={"x": "f[n]: start", "target": "f[n]: target"},
    gives=("f[n]: found", "f[]: error"),
    sizes={"n": (2, 32)},
    also=("Iteration that reports now and then.",),
    fills=False,
)
def reporting_iteration(x, target, num_steps=integer(4, 20), rate=number(0.05, 0.5)):
    """Iterate towards a target and print the error every few steps."""
    every = one_of(2, 4, 5)

    def step(i, state):
        gap = state - target
        error = jnp.sqrt(jnp.mean(gap**2) + 1e-9)
        if maybe("by cond"):
            jax.lax.cond(
                i % every == 0,
                lambda: jax.debug.print("step {i}: {error}", i=i, error=error),
                lambda: None,
            )
        else:
            jax.debug.print("{}: {}", i, error)
        direction = one_of(gap, jnp.tanh(gap), gap / (1 + jnp.abs(gap)))
        return state - rate * direction

    found = jax.lax.fori_loop(0, num_steps, step, x)
    return found, jnp.mean((found - target) ** 2)
