"""Diagnostics of fitted models that are given as functions."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

regressor = nested("(params: P, x: features f[b, d]) -> predictions f[b]")
regression_loss = nested("(predictions: predictions f[b], targets: targets f[b]) -> loss f[]")


@sketch(
    takes={"params": {"centers": "f[k, d]", "heights": "f[k]"}, "x": "features f[b, d]"},
    gives="predictions f[b]",
    sizes={"k": (2, 16), "d": (1, 32)},
    dtypes="f32 bf16",
    also=("Predict by a mixture of local bumps.",),
)
def radial_basis_regressor(params, x, width=number(0.5, 3.0)):
    """Predict by radial basis functions around learned centers."""
    centers, heights = params["centers"], params["heights"]
    squared = jnp.mean((x[:, None, :] - centers[None, :, :]) ** 2, axis=-1)
    if maybe("normalized"):
        # Weights that add up to one interpolate between the heights.
        activation = jax.nn.softmax(-squared / width, axis=-1)
    else:
        activation = one_of(jnp.exp(-squared / width), 1 / (1 + squared / width))
    predictions = one_of(activation @ heights, jnp.sum(activation * heights, axis=-1))
    if maybe("by dimension", 0.2):
        predictions = predictions / centers.shape[1]
    return predictions


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "targets": "targets f[b]"},
    gives="scores f[d]: importance",
    sizes={"b": (4, 64), "d": (2, 12)},
    also=("Rank features by what a model loses without them.",),
)
def feature_importance(params, x, targets, relative=one_of(True, False)):
    """Measure how much the loss grows when one feature is scrambled."""
    num_rows, num_features = x.shape
    baseline = regression_loss(regressor(params, x), targets)

    def scrambled_version(column):
        if maybe("reverse"):
            # A fixed permutation keeps the feature's distribution.
            scrambled = column[::-1]
        else:
            scrambled = one_of(
                jnp.roll(column, num_rows // 2), jnp.full_like(column, jnp.mean(column))
            )
        return scrambled

    increases = []
    for j in range(num_features):
        changed = x.at[:, j].set(scrambled_version(x[:, j]))
        increases.append(regression_loss(regressor(params, changed), targets) - baseline)
    importance = jnp.stack(increases)
    if relative:
        importance = importance / (jnp.sum(jnp.abs(importance)) + 1e-2)
    return importance


@sketch(
    takes={"params": "P", "x": "features f[b, d]"},
    gives=("samples f[m]: grid", "predictions f[m]: dependence"),
    sizes={"b": (2, 32), "d": (2, 16), "m": (3, 12)},
    also=("Trace what a model predicts as one feature varies.",),
)
def partial_dependence(params, x, feature=0, num_points=size("m"), span=number(1.0, 3.0)):
    """Average predictions while one feature is set to each point of a grid."""
    if not 0 <= feature < x.shape[1]:
        raise ValueError(f"no feature {feature} among {x.shape[1]}")
    grid = jnp.linspace(-span, span, num_points)

    def average_at(value):
        predictions = regressor(params, x.at[:, feature].set(value))
        return one_of(jnp.mean(predictions), jnp.median(predictions))

    if maybe("vmap", 0.6):
        dependence = jax.vmap(average_at)(grid)
    else:
        dependence = jnp.stack([average_at(value) for value in grid])
    if maybe("centered"):
        dependence = dependence - dependence[0]
    return grid, dependence


@sketch(
    takes={
        "params": "P",
        "calibration": ("features f[b, d]", "targets f[b]"),
        "x": "features f[m, d]: new samples",
    },
    gives=("predictions f[m]: lower", "predictions f[m]: upper"),
    sizes={"b": (8, 64), "m": (2, 64)},
    also=("Wrap predictions into intervals with guaranteed coverage.",),
)
def conformal_intervals(params, calibration, x, coverage=one_of(0.9, 0.8, 0.95)):
    """Form prediction intervals from the errors on held-out samples."""
    held_out, targets = calibration
    if held_out.shape[1] != x.shape[1]:
        raise ValueError(f"calibrated on {held_out.shape[1]} features, asked for {x.shape[1]}")
    n = targets.shape[0]
    predict = functools.partial(regressor, params)
    errors = jnp.abs(targets - predict(held_out))
    # The finite-sample correction asks for a slightly higher quantile.
    level = min(1.0, coverage * (n + 1) / n)
    if maybe("sort"):
        half_width = jnp.sort(errors)[min(int(level * n), n - 1)]
    else:
        half_width = jnp.quantile(errors, level, method=one_of("higher", "linear"))
    center = predict(x)
    return center - half_width, center + half_width


@sketch(
    takes={"x": "features f[n, d]", "y": "targets f[n]"},
    gives={"penalties": "f[k]", "errors": "f[k]", "best": "f[]"},
    sizes={"n": (12, 128), "d": (1, 8), "k": (3, 6)},
    dtypes="f32 f64",
    also=("Compare penalties of ridge regression on held-out folds.",),
)
def cross_validated_ridge(x, y, num_penalties=size("k"), num_folds=integer(2, 4)):
    """Choose the penalty of a ridge regression by cross-validation."""
    n, d = x.shape
    if num_folds < 2 or num_folds > n:
        raise ValueError(f"cannot make {num_folds} folds of {n} samples")
    penalties = jnp.logspace(-1, 2, num_penalties, dtype=x.dtype)
    fold_of = one_of(jnp.arange(n) % num_folds, jnp.arange(n) * num_folds // n)
    errors = jnp.zeros(num_penalties, x.dtype)
    for fold in range(num_folds):
        held = (fold_of == fold).astype(x.dtype)
        train = x * (1 - held)[:, None]
        # One eigendecomposition serves all penalties.
        curvatures, axes = jnp.linalg.eigh(train.T @ train)
        rotated = axes.T @ (train.T @ y)
        shrunk = rotated[:, None] / (jnp.maximum(curvatures, 0)[:, None] + penalties[None, :])
        deviations = (y[:, None] - x @ (axes @ shrunk)) * held[:, None]
        errors = errors + jnp.sum(deviations**2, axis=0) / n
    if maybe("soft choice"):
        best = jax.nn.softmax(-errors / (jnp.min(errors) + 0.1)) @ penalties
    else:
        best = penalties[jnp.argmax(-errors)]
    return {"penalties": penalties, "errors": errors, "best": best}
