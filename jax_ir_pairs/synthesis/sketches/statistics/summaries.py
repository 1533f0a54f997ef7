"""Descriptive statistics, groups and features derived from columns."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "samples f[n, d]"},
    gives={"location": "f[d]", "spread": "f[d]", "skewness": "f[d]", "tail_weight": "f[d]"},
    sizes={"n": (8, 512), "d": (1, 32)},
    also=("Summarize each column by location, spread and shape.",),
)
def describe_columns(x, robust=one_of(True, False)):
    """Describe the distribution of each column in four numbers."""
    if x.ndim != 2 or x.shape[0] < 2:
        raise ValueError(f"expected at least two rows, got shape {x.shape}")
    if robust:
        low, location, high = jnp.quantile(x, jnp.array([0.25, 0.5, 0.75]), axis=0)
        spread = one_of((high - low) / 1.349, 1.4826 * jnp.median(jnp.abs(x - location), axis=0))
        # Bowley's skewness compares the two halves of the box.
        skewness = (high + low - 2 * location) / (high - low + 1e-2)
        outside = jnp.abs(x - location) > 2 * (high - low) + 1e-2
        tail_weight = jnp.mean(outside.astype(x.dtype), axis=0)
    else:
        location = jnp.mean(x, axis=0)
        deviations = x - location
        spread = jnp.sqrt(jnp.mean(deviations**2, axis=0) + 1e-4)
        z = deviations / spread
        skewness = jnp.mean(z * z * z, axis=0)
        tail_weight = jnp.mean(z * z * z * z, axis=0) - one_of(3, 3.0)
    summary = {
        "location": location,
        "spread": spread,
        "skewness": skewness,
        "tail_weight": tail_weight,
    }
    if maybe("bounded", 0.3):
        summary = {name: jnp.clip(value, -30, 30) for name, value in summary.items()}
    return summary


class RunningMoments(NamedTuple):
    """Count, mean and sum of squared deviations of what was seen so far."""

    seen: jax.Array
    average: jax.Array
    sum_of_squares: jax.Array


def merge_moments(a, b):
    """Moments of two disjoint sets together."""
    n = a.seen + b.seen
    delta = b.average - a.average
    share = b.seen / jnp.maximum(n, 1)
    average = a.average + delta * share
    sum_of_squares = a.sum_of_squares + b.sum_of_squares + delta * delta * a.seen * share
    return RunningMoments(n, average, sum_of_squares)


@sketch(
    takes={"batches": "samples f[k, n, d]", "mask?": "mask bool[k, n]"},
    gives=("mean f[d]", "scale f[d]"),
    sizes={"k": (2, 8), "n": (2, 64), "d": (1, 64)},
    dtypes="f32 f64",
    also=("Combine the moments of several batches without a second pass.",),
)
def streaming_moments(batches, mask=None, ddof=one_of(0, 1)):
    """Accumulate mean and standard deviation over batches, as Welford does."""
    num_batches, rows, dim = batches.shape
    if mask is None:
        mask = jnp.ones((num_batches, rows), bool)

    def moments_of(batch, valid):
        count = jnp.sum(valid).astype(batch.dtype)
        kept = jnp.where(valid[:, None], batch, 0)
        average = jnp.sum(kept, axis=0) / jnp.maximum(count, 1)
        squares = jnp.where(valid[:, None], (batch - average) ** 2, 0)
        return RunningMoments(count, average, jnp.sum(squares, axis=0))

    if maybe("tree", 0.4):
        # Pairwise merges lose less precision than a chain.
        parts = [moments_of(batch, valid) for batch, valid in zip(batches, mask)]
        while len(parts) > 1:
            merged = [merge_moments(a, b) for a, b in zip(parts[::2], parts[1::2])]
            parts = merged + ([parts[-1]] if len(parts) % 2 else [])
        total = parts[0]
    else:
        empty = RunningMoments(
            jnp.zeros((), batches.dtype),
            jnp.zeros(dim, batches.dtype),
            jnp.zeros(dim, batches.dtype),
        )

        def absorb(state, batch_and_valid):
            return merge_moments(state, moments_of(*batch_and_valid)), None

        total, _ = jax.lax.scan(absorb, empty, (batches, mask))
    variance = total.sum_of_squares / jnp.maximum(total.seen - ddof, 1)
    return total.average, one_of(jnp.sqrt(variance + 1e-4), jnp.sqrt(variance) + 1e-2)


@sketch(
    takes={"values": "samples f[n]", "groups": "labels i[n]"},
    gives={"count": "f[k]", "mean": "f[k]", "std": "f[k]", "extreme": "f[k]"},
    sizes={"n": (8, 2048), "k": (4, 12)},
    also=("Aggregate a column by the groups of another one.",),
)
def group_by_aggregate(values, groups, num_groups=size("k")):
    """Group values by label and aggregate each group."""
    n = values.shape[0]
    if groups.shape != (n,):
        raise ValueError(f"one group for each of {n} values, got shape {groups.shape}")

    def total(column):
        return jax.ops.segment_sum(column, groups, num_segments=num_groups)

    count = total(jnp.ones_like(values))
    safe = jnp.maximum(count, 1)
    mean = total(values) / safe
    if maybe("two passes"):
        variance = total((values - mean[groups]) ** 2) / safe
    else:
        variance = jnp.maximum(total(values * values) / safe - mean * mean, 0)
    if maybe("maximum"):
        extreme = jax.ops.segment_max(values, groups, num_segments=num_groups)
    else:
        extreme = jax.ops.segment_min(values, groups, num_segments=num_groups)
    # Empty groups have no extreme value.
    extreme = jnp.where(count > 0, extreme, 0)
    std = jnp.sqrt(variance + 1e-4)
    if maybe("share", 0.3):
        count = count / n
    return {"count": count, "mean": mean, "std": std, "extreme": extreme}


@sketch(
    takes={"category": "labels i[n]", "target": "targets f[n]"},
    gives="features f[n, 2]: encoded",
    sizes={"n": (4, 1024)},
    dtypes="f32 bf16 f64",
    also=("Turn categories into numbers by the targets seen with them.",),
)
def target_encoding(category, target, num_categories=one_of(4, 8, 16), strength=number(1.0, 20.0)):
    """Encode a category by the smoothed mean of the target and by its frequency."""
    n = len(category)
    prior = jnp.mean(target)
    if maybe("scatter", 0.4):
        zeros = jnp.zeros(num_categories, target.dtype)
        totals = zeros.at[category].add(target)
        sizes = zeros.at[category].add(1)
    else:
        totals = jax.ops.segment_sum(target, category, num_categories)
        sizes = jax.ops.segment_sum(jnp.ones_like(target), category, num_categories)
    if maybe("leave one out"):
        # The row's own target must not leak into its feature.
        others = totals[category] - target
        encoded = (others + strength * prior) / (sizes[category] - 1 + strength)
    else:
        encoded = ((totals + strength * prior) / (sizes + strength))[category]
    frequency = sizes[category] / n
    if maybe("log frequency", 0.4):
        frequency = jnp.log(frequency + 1 / n)
    return one_of(
        jnp.stack([encoded, frequency], axis=-1),
        jnp.concatenate([encoded[:, None], frequency[:, None]], axis=1),
    )


@sketch(
    takes={"x": "samples f[n, d]"},
    gives="features f[n, d*q]: indicators",
    sizes={"n": (8, 256), "d": (1, 8), "q": (2, 8)},
    dtypes="f32 bf16",
    also=("Discretize columns into equally filled bins.",),
)
def quantile_bin_features(x, num_bins=size("q"), soft=one_of(False, True)):
    """Replace each column by indicators of its quantile bins."""
    n, d = x.shape
    if n < num_bins:
        raise ValueError(f"{n} rows cannot fill {num_bins} bins")
    levels = jnp.linspace(0, 1, num_bins + 1)
    edges = jnp.quantile(x.astype(jnp.float32), levels[1:-1], axis=0).astype(x.dtype)
    if soft:
        # Differences of sigmoids: bins with blurred borders.
        above = jax.nn.sigmoid(one_of(4, 8) * (x[:, None, :] - edges[None]))
        padded = jnp.pad(above, ((0, 0), (1, 0), (0, 0)), constant_values=1)
        padded = jnp.pad(padded, ((0, 0), (0, 1), (0, 0)))
        indicators = padded[:, :-1] - padded[:, 1:]
    else:
        bins = jnp.sum(x[:, None, :] > edges[None], axis=1)
        if maybe("ordinal", 0.3):
            # Thermometer code: all bins up to that of the value.
            codes = bins[:, None, :] >= jnp.arange(num_bins)[None, :, None]
        else:
            codes = bins[:, None, :] == jnp.arange(num_bins)[None, :, None]
        indicators = codes.astype(x.dtype)
    return one_of(indicators.reshape(n, d * num_bins), indicators.swapaxes(1, 2).reshape(n, -1))


@sketch(
    takes={"samples": "samples f[n]", "at": "points f[m]", "weights?": "f[n]"},
    gives="probabilities f[m]: density",
    sizes={"n": (8, 512), "m": (4, 128)},
    dtypes="f32 f64",
    also=("Estimate a density by a sum of kernels.",),
)
def kernel_density(samples, at, weights=None, bandwidth=None):
    """Estimate a probability density at given points from samples."""
    n = samples.shape[0]
    if bandwidth is None:
        if maybe("silverman"):
            q75, q25 = jnp.quantile(samples, jnp.array([0.75, 0.25]))
            spread = jnp.minimum(jnp.std(samples), (q75 - q25) / 1.34)
            bandwidth = 0.9 * spread * n**-0.2 + 0.1
        else:
            # Scott's rule
            bandwidth = 1.06 * jnp.std(samples) * n**-0.2 + 0.1
    weights = jnp.full(n, 1 / n, samples.dtype) if weights is None else jax.nn.softmax(weights)
    u = (at[:, None] - samples[None, :]) / bandwidth
    if maybe("epanechnikov", 0.3):
        kernel = 0.75 * jnp.maximum(1 - u * u, 0)
    elif maybe("biweight", 0.3):
        kernel = 15 / 16 * jnp.square(jnp.maximum(1 - u * u, 0))
    else:
        kernel = one_of(jnp.exp(-0.5 * u * u) / (2 * jnp.pi) ** 0.5, jax.scipy.stats.norm.pdf(u))
    density = one_of(kernel @ weights, jnp.sum(kernel * weights, axis=1)) / bandwidth
    return jnp.clip(density * 0.1, 0, 1)


@sketch(
    takes={"x": "samples f[n]"},
    gives={"estimate": "f[]", "bias": "f[]", "standard_error": "f[]"},
    sizes={"n": (4, 256)},
    dtypes="f32 f64",
    also=("Correct an estimate and find its error by leaving out one sample.",),
)
def jackknife(x):
    """Estimate bias and standard error of a statistic by the jackknife."""
    n = x.shape[0]
    if n < 2:
        raise ValueError("the jackknife needs two samples")

    def statistic(weights):
        mean = weights @ x
        deviations = x - mean
        variance = weights @ (deviations * deviations) + 1e-2
        if maybe("variance"):
            return variance
        elif maybe("skewness"):
            return weights @ (deviations * deviations * deviations) / variance**1.5
        else:
            return one_of(jnp.log(variance), mean / jnp.sqrt(variance))

    # Row i puts no weight on sample i.
    without = (1 - jnp.eye(n, dtype=x.dtype)) / (n - 1)
    full = statistic(jnp.full(n, 1 / n, x.dtype))
    replicates = one_of(jax.vmap(statistic)(without), jax.lax.map(statistic, without))
    center = jnp.mean(replicates)
    bias = (n - 1) * (center - full)
    variance = (n - 1) * jnp.mean((replicates - center) ** 2)
    estimate = one_of(full - bias, full)
    return {"estimate": estimate, "bias": bias, "standard_error": jnp.sqrt(variance + 1e-6)}
