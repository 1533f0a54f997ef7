"""New primitives: elementwise ones, with rules for derivatives, batches and lowering."""

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

softplus_p = Primitive("softplus")


@softplus_p.def_impl
def _softplus_impl(x):
    if maybe("softplus by logaddexp"):
        return jnp.logaddexp(x, 0.0)
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@softplus_p.def_abstract_eval
def _softplus_abstract(x):
    return jax.core.ShapedArray(x.shape, x.dtype)


mlir.register_lowering(softplus_p, mlir.lower_fun(_softplus_impl, multiple_results=False))
ad.defjvp(softplus_p, lambda t, x: t * jax.nn.sigmoid(x))
batching.defvectorized(softplus_p)


def _softplus(x):
    return softplus_p.bind(x)


@sketch(
    takes={"w": "f[d]: weights", "x": "f[b, d]: features", "labels": "i[b]: classes"},
    gives=("loss f[]", "f[d]: gradient"),
    sizes={"b": (2, 64), "d": (2, 64)},
    also=("Logistic regression whose softplus stays one operation.",),
)
def softplus_primitive_loss(w, x, labels, penalty=number(1e-3, 1e-1)):
    """Fit a logistic model with a softplus that is a primitive of its own."""
    signs = jnp.where(labels > one_of(0, 1), 1.0, -1.0)

    def loss_of(weights):
        margins = signs * (x @ weights)
        if maybe("per example map", 0.4):
            losses = jax.vmap(_softplus)(-margins)
        else:
            losses = _softplus(-margins)
        if maybe("focus on hard", 0.3):
            losses = losses * jax.nn.sigmoid(-margins)
        return jnp.mean(losses) + penalty * jnp.sum(weights**2)

    return jax.value_and_grad(loss_of)(w)


fused_multiply_add_p = Primitive("fused_multiply_add")


def _fma_impl(x, y, z):
    return x * y + z


fused_multiply_add_p.def_impl(_fma_impl)


@fused_multiply_add_p.def_abstract_eval
def _fma_abstract(x, y, z):
    return jax.core.ShapedArray(jnp.broadcast_shapes(x.shape, y.shape, z.shape), x.dtype)


mlir.register_lowering(fused_multiply_add_p, mlir.lower_fun(_fma_impl, multiple_results=False))
ad.defjvp(
    fused_multiply_add_p,
    lambda t, x, y, z: t * y,
    lambda t, x, y, z: t * x,
    lambda t, x, y, z: t,
)
batching.defbroadcasting(fused_multiply_add_p)


def _fma(x, y, z):
    return fused_multiply_add_p.bind(x, y, z)


@sketch(
    takes={"coefficients": "f[k]: lowest power last", "x": "f[n]: points"},
    gives=("f[n]: values", "f[n]: slopes"),
    sizes={"k": (2, 8), "n": (2, 128)},
    also=("Horner's rule and the derivative that comes through it.",),
)
def horner_by_fma(coefficients, x):
    """Evaluate a polynomial and its slope by fused multiply-adds."""
    x = one_of(jnp.tanh(x), x / 4, jnp.sin(x))

    def evaluate(point):
        value = jnp.broadcast_to(coefficients[0], point.shape)
        for k in range(1, coefficients.shape[0]):
            value = _fma(value, point, jnp.broadcast_to(coefficients[k], point.shape))
        return value

    if maybe("slopes by grad"):
        slopes = jax.vmap(jax.grad(evaluate))(x)
        values = evaluate(x)
    else:
        values, slopes = jax.jvp(evaluate, (x,), (jnp.ones_like(x),))
    if maybe("newton correction", 0.3):
        # One step towards a root, bounded where the slope vanishes.
        return values, x - jnp.clip(values / (jnp.abs(slopes) + 0.1), -1.0, 1.0)
    return values, slopes


straight_round_p = Primitive("straight_round")
straight_round_p.def_impl(jnp.round)


@straight_round_p.def_abstract_eval
def _straight_round_abstract(x):
    """Keeps shape and dtype."""
    return jax.core.ShapedArray(x.shape, x.dtype)


def _straight_round_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    if maybe("window of gradient"):
        t = ad.instantiate_zeros(t) * (jnp.abs(x) <= one_of(2.0, 8.0))
    return straight_round_p.bind(x), t


def _straight_round_batch(args, dims):
    (x,), (axis,) = args, dims
    return straight_round_p.bind(x), axis


mlir.register_lowering(straight_round_p, mlir.lower_fun(jnp.round, multiple_results=False))
ad.primitive_jvps[straight_round_p] = _straight_round_jvp
batching.primitive_batchers[straight_round_p] = _straight_round_batch


@sketch(
    takes={"w": "f[d, h]: weights", "x": "f[b, d]: features", "targets": "f[b, h]: targets"},
    gives=("f[d, h]: weights", "loss f[]"),
    sizes={"b": (2, 32), "d": (2, 32), "h": (2, 32)},
    also=("Quantization-aware training step.",),
)
def quantized_training_step(w, x, targets, levels=integer(3, 15), rate=number(1e-3, 1e-1)):
    """Train weights through a rounding primitive that passes gradients on."""
    limit = one_of(jnp.max(jnp.abs(w), axis=0, keepdims=True), jnp.max(jnp.abs(w)))
    scale = jax.lax.stop_gradient(limit) / levels + 1e-3

    def loss_of(weights):
        quantized = straight_round_p.bind(weights / scale) * scale
        predictions = x @ quantized / x.shape[1] ** 0.5
        if maybe("round activations too", 0.3):
            predictions = straight_round_p.bind(predictions * 8) / 8
        error = predictions - targets
        if maybe("absolute error", 0.35):
            return jnp.mean(jnp.sqrt(error**2 + 1e-4))
        return jnp.mean(error**2)

    loss, grads = jax.value_and_grad(loss_of)(w)
    return w - rate * grads, loss


sin_cos_p = Primitive("sin_cos")
sin_cos_p.multiple_results = True


@sin_cos_p.def_impl
def _sin_cos_impl(x):
    return [jnp.sin(x), jnp.cos(x)]


@sin_cos_p.def_abstract_eval
def _sin_cos_abstract(x):
    return [jax.core.ShapedArray(x.shape, x.dtype)] * 2


def _sin_cos_jvp(primals, tangents):
    (x,), (t,) = primals, map(ad.instantiate_zeros, tangents)
    sin, cos = sin_cos_p.bind(x)
    return [sin, cos], [cos * t, -sin * t]


def _sin_cos_batch(args, dims):
    return sin_cos_p.bind(*args), [dims[0]] * 2


mlir.register_lowering(sin_cos_p, mlir.lower_fun(_sin_cos_impl, multiple_results=True))
ad.primitive_jvps[sin_cos_p] = _sin_cos_jvp
batching.primitive_batchers[sin_cos_p] = _sin_cos_batch


@sketch(
    takes={"x": "f[n, d]: points", "frequencies": "f[d, k]: directions"},
    gives="features f[n, 2*k]",
    sizes={"n": (2, 64), "d": (1, 8), "k": (2, 32)},
    also=("Random Fourier features with one primitive for both waves.",),
)
def fourier_features_primitive(x, frequencies, scale=number(0.3, 3.0)):
    """Map points to sines and cosines that a single primitive computes together."""

    def waves(point):
        sin, cos = sin_cos_p.bind(scale * (point @ frequencies))
        return jnp.concatenate(one_of([sin, cos], [cos, sin]), axis=-1)

    if maybe("map over points"):
        features = jax.vmap(waves)(x)
    else:
        features = waves(x)
    if maybe("unit kernel"):
        features = features / frequencies.shape[1] ** 0.5
    if maybe("push forward", 0.3):
        # How features change where all points move together.
        _, features = jax.jvp(waves, (x,), (jnp.ones_like(x),))
    return features
