"""Functions of several arguments with a rule for each of them, and inverses of functions."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@jax.custom_jvp
def soft_maximum(x, y):
    """Larger one of two numbers, rounded off where they meet."""
    if maybe("root maximum", 0.4):
        return 0.5 * (x + y + jnp.sqrt((x - y) ** 2 + 0.1))
    return jnp.maximum(x, y) + jnp.log1p(jnp.exp(-jnp.abs(x - y)))


def _share_of_first(x, y):
    if maybe("root maximum", 0.4):
        gap = x - y
        return 0.5 * (1 + gap / jnp.sqrt(gap**2 + 0.1))
    return jax.nn.sigmoid(x - y)


soft_maximum.defjvps(
    lambda t, value, x, y: t * _share_of_first(x, y),
    lambda t, value, x, y: t * _share_of_first(y, x),
)


@sketch(
    takes={"curves": "f[k, n]: candidates"},
    gives=("f[n]: envelope", "f[k, n]: shares"),
    sizes={"k": (2, 6), "n": (2, 128)},
    dtypes="f32 f64",
    also=("Upper envelope of curves and who makes it up.",),
)
def smooth_envelope_shares(curves, sharpness=number(0.5, 5.0)):
    """Tell how much each curve contributes to the smooth maximum of all."""
    if curves.ndim != 2 or curves.shape[0] < 2:
        raise ValueError(f"expected two or more curves, got shape {curves.shape}")

    def envelope(rows):
        if maybe("reduce curves"):
            return functools.reduce(soft_maximum, sharpness * rows) / sharpness
        elif maybe("scan curves"):
            top, _ = jax.lax.scan(
                lambda best, row: (soft_maximum(best, sharpness * row), None),
                sharpness * rows[0],
                rows[1:],
            )
            return top / sharpness
        else:
            best = sharpness * rows[0]
            for row in rows[1:]:
                best = soft_maximum(best, sharpness * row)
            return best / sharpness

    top, pull = jax.vjp(envelope, curves)
    (shares,) = pull(jnp.ones_like(top))
    if maybe("percent shares", 0.3):
        shares = 100 * shares
    return top, shares


@jax.custom_jvp
def guarded_ratio(a, b):
    """a / b, close to 0 where b is."""
    return a * b / (b**2 + 0.1)


def _guarded_ratio_jvp(primals, tangents):
    (a, b), (da, db) = primals, tangents
    value = guarded_ratio(a, b)
    # What is constant has no tangent at all, so its term is left out.
    total = jnp.zeros_like(value)
    if not isinstance(da, jax.custom_derivatives.SymbolicZero):
        total = total + da * b / (b**2 + 0.1)
    if not isinstance(db, jax.custom_derivatives.SymbolicZero):
        total = total + db * a * (0.1 - b**2) / (b**2 + 0.1) ** 2
    return value, total


guarded_ratio.defjvp(_guarded_ratio_jvp, symbolic_zeros=True)


@sketch(
    takes={"near": "image f[h, w]: one band", "red": "image f[h, w]: other band"},
    gives=("image f[h, w]: index", "image f[h, w]: response"),
    sizes={"h": (2, 24), "w": (2, 24)},
    also=("Index of two bands and its response to one of them.",),
)
def band_contrast_response(near, red, gain=number(0.5, 2.0), both=one_of(True, False)):
    """Compare two bands by a ratio that is safe where both are dark."""
    if near.shape != red.shape:
        raise ValueError(f"bands of shapes {near.shape} and {red.shape}")

    def index_of(a, b):
        if maybe("soil term", 0.4):
            return 1.5 * guarded_ratio(a - b, a + b + 0.5)
        return guarded_ratio(gain * (a - b), a + b)

    if both:
        return jax.jvp(index_of, (near, red), (jnp.ones_like(near), jnp.ones_like(red)))
    if maybe("response by pull", 0.4):
        index, pull = jax.vjp(lambda a: index_of(a, red), near)
        return index, pull(jnp.ones_like(index))[0]
    return jax.jvp(lambda a: index_of(a, red), (near,), (jnp.ones_like(near),))


@jax.custom_vjp
def gated_product(gate, value):
    """Let a value through as far as its gate is open."""
    if maybe("tanh gate", 0.4):
        return value * jnp.tanh(gate)
    return value * jax.nn.sigmoid(gate)


def _gated_product_fwd(gate, value):
    # Only the inputs are kept, as the gate is cheap to compute again.
    return gated_product(gate, value), (gate, value)


def _gated_product_bwd(kept, g):
    gate, value = kept
    if maybe("tanh gate", 0.4):
        opened = jnp.tanh(gate)
        return g * value * (1 - opened**2), g * opened
    opened = jax.nn.sigmoid(gate)
    return g * value * opened * (1 - opened), g * opened


gated_product.defvjp(_gated_product_fwd, _gated_product_bwd, optimize_remat=True)


@sketch(
    takes={"w": "matrix f[d, 2*h]", "x": "features f[b, d]", "targets": "features f[b, h]"},
    gives=("loss f[]", "matrix f[d, 2*h]: gradient"),
    sizes={"b": (2, 48), "d": (2, 48), "h": (2, 32)},
    dtypes="f32 bf16",
    also=("Gated linear unit that stores no gate.",),
)
def gated_unit_gradient(w, x, targets):
    """Train a gated linear unit that computes its gates again on the way back."""

    def loss_of(weights):
        gate, value = jnp.split(x @ weights / x.shape[1] ** 0.5, 2, axis=-1)
        out = gated_product(gate, value)
        if maybe("skip gated", 0.4):
            out = out + 0.1 * value
        return one_of(jnp.mean((out - targets) ** 2), jnp.mean(jnp.abs(out - targets)))

    return jax.value_and_grad(loss_of)(w)


@jax.custom_jvp
def eccentric_anomaly(mean_anomaly, eccentricity):
    """Angle E with E - e sin(E) = M."""

    def newton(_, angle):
        error = angle - eccentricity * jnp.sin(angle) - mean_anomaly
        return angle - error / (1 - eccentricity * jnp.cos(angle))

    start = one_of(mean_anomaly, mean_anomaly + eccentricity * jnp.sin(mean_anomaly))
    return jax.lax.fori_loop(0, integer(4, 8), newton, start)


@eccentric_anomaly.defjvp
def _eccentric_anomaly_jvp(primals, tangents):
    mean_anomaly, eccentricity = primals
    d_mean, d_eccentricity = tangents
    angle = eccentric_anomaly(mean_anomaly, eccentricity)
    slope = 1 - eccentricity * jnp.cos(angle)
    return angle, (d_mean + jnp.sin(angle) * d_eccentricity) / slope


@sketch(
    takes={"times": "f[n]: times", "shape": "f[]: shape of the orbit"},
    gives=("points f[n, 2]: positions", "f[n, 2]: velocities"),
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Positions and velocities on a Kepler orbit.",),
)
def kepler_orbit(times, shape, period=number(1.0, 10.0)):
    """Follow an orbit by an equation that is solved, and differentiated, implicitly."""
    eccentricity = one_of(0.6, 0.4) * jax.nn.sigmoid(shape)

    def position(t):
        angle = eccentric_anomaly(2 * jnp.pi * t / period, eccentricity)
        width = jnp.sqrt(1 - eccentricity**2)
        return jnp.stack([jnp.cos(angle) - eccentricity, width * jnp.sin(angle)], axis=-1)

    if maybe("derivative per time"):
        return jax.vmap(position)(times), jax.vmap(jax.jacfwd(position))(times)
    places, velocities = jax.jvp(position, (times,), (jnp.ones_like(times),))
    if maybe("unit speeds", 0.3):
        speed = jnp.sqrt(jnp.sum(velocities**2, axis=-1, keepdims=True) + 1e-6)
        velocities = velocities / speed
    return places, velocities


@jax.custom_jvp
def inverse_of_increasing(y):
    """x with x + g(x) = y, where g increases."""

    def error(x):
        if maybe("cubic growth", 0.4):
            return x + x**3 - y
        return x + jnp.tanh(x) - y

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        above = error(middle) > 0
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    reach = 2 + jnp.abs(y)
    low, high = jax.lax.fori_loop(0, integer(10, 24), halve, (-reach, reach))
    return (low + high) / 2


@inverse_of_increasing.defjvp
def _inverse_of_increasing_jvp(primals, tangents):
    (y,), (dy,) = primals, tangents
    x = inverse_of_increasing(y)
    # The slope of the inverse is that of the function, inverted.
    if maybe("cubic growth", 0.4):
        return x, dy / (1 + 3 * x**2)
    return x, dy / (2 - jnp.tanh(x) ** 2)


@sketch(
    takes={"samples": "samples f[n]"},
    gives=("f[n]: latents", "f[n]: log_densities"),
    sizes={"n": (2, 256)},
    also=("Density of samples under a map that is inverted by bisection.",),
    weight=0.7,
)
def bisected_flow_density(samples, scale=number(0.5, 2.0)):
    """Evaluate a density through a monotone map that has no closed inverse."""

    def latent_of(sample):
        return inverse_of_increasing(3 * jnp.tanh(sample / 3))

    latents = latent_of(samples)
    slopes = jax.vmap(jax.grad(latent_of))(samples)
    if maybe("library density"):
        log_base = one_of(
            jax.scipy.stats.norm.logpdf(latents, scale=scale),
            jax.scipy.stats.laplace.logpdf(latents, scale=scale),
            jax.scipy.stats.logistic.logpdf(latents, scale=scale),
        )
    elif maybe("heavy tails", 0.4):
        log_base = -jnp.abs(latents) / scale - jnp.log(2 * scale)
    else:
        log_base = -0.5 * (latents / scale) ** 2 - jnp.log(scale * (2 * jnp.pi) ** 0.5)
    return latents, log_base + jnp.log(slopes + 1e-6)
