"""Scalar functions whose derivatives are written by hand, as what follows from them is not good."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@jax.custom_jvp
def robust_penalty(r):
    """Penalty of a residual that grows slower than the square."""
    if maybe("huber penalty", 0.25):
        size = jnp.abs(r)
        return jnp.where(size < 1.0, 0.5 * r**2, size - 0.5)
    elif maybe("absolute penalty", 0.3):
        return jnp.sqrt(r**2 + 0.01)
    elif maybe("welsch penalty", 0.4):
        return 1 - jnp.exp(-(r**2) / 2)
    elif maybe("cauchy penalty"):
        return jnp.log1p(r**2) / 2
    else:
        return jnp.logaddexp(r, -r) - jnp.log(2.0)


@robust_penalty.defjvp
def _robust_penalty_jvp(primals, tangents):
    (r,), (dr,) = primals, tangents
    value = robust_penalty(r)
    if maybe("huber penalty", 0.25):
        slope = jnp.clip(r, -1.0, 1.0)
    elif maybe("absolute penalty", 0.3):
        slope = r / value
    elif maybe("welsch penalty", 0.4):
        slope = r * jnp.exp(-(r**2) / 2)
    elif maybe("cauchy penalty"):
        slope = r / (1 + r**2)
    else:
        slope = jnp.tanh(r)
    return value, slope * dr


@sketch(
    takes={"weights": "vector f[d]", "x": "features f[b, d]", "targets": "targets f[b]"},
    gives=("loss f[]", "vector f[d]: gradient"),
    sizes={"b": (4, 128), "d": (2, 64)},
    dtypes="f32 f64",
    also=("Regression that outliers do not spoil.",),
    weight=1.5,
)
def robust_fit_gradient(weights, x, targets, scale=number(0.3, 3.0)):
    """Differentiate a robust regression loss through a penalty with a known slope."""

    def objective(w):
        residuals = (x @ w - targets) / scale
        if maybe("center residuals", 0.3):
            residuals = residuals - jnp.mean(residuals)
        return scale**2 * one_of(jnp.mean, jnp.sum)(robust_penalty(residuals))

    if maybe("reweighted step", 0.35):
        # Each residual counts by the slope of its penalty.
        residuals = (x @ weights - targets) / scale
        influence = jax.vmap(jax.grad(robust_penalty))(residuals)
        counts = jnp.abs(influence) / (jnp.abs(residuals) + 1e-2)
        gram = x.T @ (counts[:, None] * x) + 0.5 * jnp.eye(x.shape[1], dtype=x.dtype)
        return objective(weights), jnp.linalg.solve(gram, x.T @ (counts * (targets - x @ weights)))
    if maybe("forward slopes", 0.3):
        return objective(weights), jax.jacfwd(objective)(weights)
    return jax.value_and_grad(objective)(weights)


@jax.custom_jvp
def shaped_unit(x):
    """Activation whose slope is cheap to tell from its value."""
    if maybe("swish unit", 0.25):
        return x * jax.nn.sigmoid(x)
    elif maybe("softclip unit", 0.3):
        return x / jnp.sqrt(1 + x**2)
    elif maybe("snake unit", 0.35):
        return x + jnp.sin(x) ** 2
    elif maybe("bump unit"):
        return jnp.exp(-(x**2))
    else:
        return 1.7159 * jnp.tanh(2 * x / 3)


def _shaped_unit_slope(t, value, x):
    if maybe("swish unit", 0.25):
        gate = jax.nn.sigmoid(x)
        return t * (gate + value * (1 - gate))
    elif maybe("softclip unit", 0.3):
        return t * jax.lax.rsqrt(1 + x**2) ** 3
    elif maybe("snake unit", 0.35):
        return t * (1 + jnp.sin(2 * x))
    elif maybe("bump unit"):
        return t * (-2 * x * value)
    else:
        return t * (2 / 3) * (1.7159 - value**2 / 1.7159)


shaped_unit.defjvps(_shaped_unit_slope)


@sketch(
    takes={"w": "matrix f[d, h]", "b": "f[h]", "x": "features f[b, d]"},
    gives="hidden f[b, h]",
    sizes={"b": (2, 64), "d": (2, 64), "h": (2, 64)},
    dtypes="f32 f64",
    also=("Layer with an activation that has a rule for its derivative.",),
)
def known_slope_layer(w, b, x):
    """Apply a dense layer whose activation tells its derivative."""
    d = x.shape[1]
    pre = x @ w / d**0.5 + b
    if maybe("normalize units", 0.4):
        pre = (pre - jnp.mean(pre, axis=-1, keepdims=True)) / (
            jnp.std(pre, axis=-1, keepdims=True) + 1e-2
        )
    hidden = shaped_unit(pre)
    if maybe("subtract rest", 0.3):
        hidden = hidden - shaped_unit(jnp.zeros((), x.dtype))
    return hidden


@sketch(
    takes={"w": "matrix f[d, h]", "x": "features f[b, d]"},
    gives={"saturated": "f[h]", "slopes": "f[b, h]"},
    sizes={"b": (2, 64), "d": (2, 48), "h": (2, 48)},
    dtypes="f32 f64",
    also=("How far the units of a layer are from responding.",),
)
def unit_saturation(w, x, threshold=number(0.05, 0.5)):
    """Measure which units of a layer no longer respond to their inputs."""
    pre = x @ w / x.shape[1] ** 0.5
    if maybe("pushed ones"):
        _, slopes = jax.jvp(shaped_unit, (pre,), (jnp.ones_like(pre),))
    elif maybe("pulled ones"):
        value, pull = jax.vjp(shaped_unit, pre)
        (slopes,) = pull(jnp.ones_like(value))
    else:
        slopes = jax.vmap(jax.vmap(jax.grad(shaped_unit)))(pre)
    dead = jnp.abs(slopes) < threshold
    if maybe("soft count", 0.4):
        saturated = jnp.mean(jax.nn.sigmoid((threshold - jnp.abs(slopes)) / 0.1), axis=0)
    else:
        saturated = jnp.mean(dead.astype(x.dtype), axis=0)
    return {"saturated": saturated, "slopes": slopes}


@jax.custom_jvp
def floored_log(x):
    """Logarithm that stays finite where its argument vanishes."""
    return jnp.log(jnp.maximum(x, 1e-3))


floored_log.defjvps(lambda t, value, x: t / jnp.maximum(x, one_of(1e-3, 1e-2, 0.05)))


@sketch(
    takes={"weights": "vector f[d]", "x": "features f[b, d]", "events": "counts i[b]"},
    gives=("loss f[]", "vector f[d]: gradient"),
    sizes={"b": (4, 128), "d": (2, 48)},
    also=("Poisson regression with a logarithm that cannot diverge.",),
)
def poisson_count_gradient(weights, x, events, ridge=number(1e-3, 1e-1)):
    """Fit rates of events by a likelihood whose logarithm is floored."""
    if events.shape != x.shape[:1]:
        raise ValueError(f"{events.shape} counts for {x.shape[0]} rows")
    observed = events.astype(x.dtype)

    def negative_log_likelihood(w):
        drive = x @ w
        rates = one_of(jax.nn.softplus(drive), jax.nn.relu(drive), drive**2 / (1 + jnp.abs(drive)))
        loss = jnp.mean(rates - observed * floored_log(rates))
        if maybe("penalized rates"):
            loss = loss + ridge * one_of(w @ w, jnp.sum(jnp.sqrt(w**2 + 1e-3)))
        return loss

    return jax.value_and_grad(negative_log_likelihood)(weights)


@jax.custom_jvp
def log_one_minus_exp(x):
    """log(1 - exp(-x)) for positive x."""
    return jnp.where(x < 0.693, jnp.log(-jnp.expm1(-x)), jnp.log1p(-jnp.exp(-x)))


@log_one_minus_exp.defjvp
def _log_one_minus_exp_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    if maybe("ratio of exponentials"):
        decay = jnp.exp(-x)
        return log_one_minus_exp(x), dx * decay / (1 - decay)
    return log_one_minus_exp(x), dx / jnp.expm1(x)


@sketch(
    takes={"log_rates": "f[b]", "durations": "f[b]", "failed": "mask bool[b]"},
    gives=("loss f[]", "f[b]: gradient"),
    sizes={"b": (4, 256)},
    also=("Exponential lifetimes of which only an upper bound is known.",),
)
def censored_lifetime_gradient(log_rates, durations, failed, horizon=number(0.5, 5.0)):
    """Differentiate the likelihood of lifetimes that were inspected only once."""
    elapsed = horizon * (0.05 + jax.nn.sigmoid(durations))

    def loss_of(rates):
        hazard = elapsed * (1e-2 + jax.nn.softplus(rates))
        if maybe("aging", 0.4):
            # Hazards rise with time.
            hazard = hazard * (1 + one_of(0.5, 0.1) * elapsed)
        terms = jnp.where(failed, log_one_minus_exp(hazard), -hazard)
        return -one_of(jnp.mean, jnp.sum)(terms)

    if maybe("per subject", 0.3):
        loss, pull = jax.vjp(loss_of, log_rates)
        return loss, pull(jnp.ones_like(loss))[0]
    return jax.value_and_grad(loss_of)(log_rates)


@jax.custom_jvp
def floored_sqrt(x):
    """Square root with a finite slope at 0."""
    return jnp.sqrt(jnp.maximum(x, 0.0))


@floored_sqrt.defjvp
def _floored_sqrt_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    root = floored_sqrt(x)
    return root, 0.5 * dx / jnp.maximum(root, one_of(1e-2, 1e-1))


@sketch(
    takes={"params": "f[3]: base, reaction and memory", "series": "series f[t]"},
    gives=("loss f[]", "f[3]: gradient"),
    sizes={"t": (4, 64)},
    also=("Conditional volatility and how it depends on its parameters.",),
)
def volatility_recursion_gradient(params, series, target=number(0.5, 2.0), lag=integer(1, 2)):
    """Differentiate a volatility recursion whose square root has a bounded slope."""
    shocks = jnp.tanh(series)

    def loss_of(p):
        base, reaction, memory = jax.nn.sigmoid(p) * jnp.array([0.5, 0.4, 0.5])

        def step(variance, shock):
            if maybe("asymmetric shocks"):
                effect = reaction * jnp.minimum(shock, 0.0) ** 2
            else:
                effect = reaction * shock**2
            return base + effect + memory * variance, floored_sqrt(variance)

        last, path = jax.lax.scan(step, jnp.zeros((), series.dtype), shocks)
        if maybe("last volatility", 0.3):
            return (floored_sqrt(last) - target) ** 2
        return jnp.mean((path[lag:] - target) ** 2)

    return jax.value_and_grad(loss_of)(params)
