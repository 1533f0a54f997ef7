"""Tests of hypotheses and comparisons of groups."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, sketch


@sketch(
    takes={"a": "samples f[n]: first group", "b": "samples f[m]: second group"},
    gives=("metric f[]: statistic", "probabilities f[]: p_value"),
    sizes={"n": (4, 1024), "m": (4, 1024)},
    also=("Test whether two groups have the same mean.",),
)
def two_sample_test(
    a, b, equal_variances=one_of(True, False), alternative=one_of("two-sided", "greater")
):
    """Compare the means of two groups by a t statistic."""
    n, m = a.shape[0], b.shape[0]
    if n < 2 or m < 2:
        raise ValueError(f"each group needs two samples, got {n} and {m}")
    var_a, var_b = jnp.var(a, ddof=1), jnp.var(b, ddof=1)
    if equal_variances:
        pooled = ((n - 1) * var_a + (m - 1) * var_b) / (n + m - 2)
        squared_error = pooled * (1 / n + 1 / m) + 1e-4
        dof = n + m - 2.0
    else:
        share_a, share_b = var_a / n, var_b / m
        squared_error = share_a + share_b + 1e-4
        # Welch and Satterthwaite
        dof = squared_error**2 / (share_a**2 / (n - 1) + share_b**2 / (m - 1) + 1e-8)
    statistic = (jnp.mean(a) - jnp.mean(b)) / jnp.sqrt(squared_error)
    if maybe("normal approximation"):
        # A t variable, brought close to a normal one.
        standard = statistic * (1 - 1 / (4 * dof)) / jnp.sqrt(1 + statistic**2 / (2 * dof))
        upper = jax.scipy.stats.norm.sf(standard)
    else:
        tail = jax.scipy.special.betainc(dof / 2, 0.5, dof / (dof + statistic**2))
        upper = jnp.where(statistic > 0, tail / 2, 1 - tail / 2)
    if alternative == "greater":
        return statistic, upper
    return statistic, jnp.clip(2 * jnp.minimum(upper, 1 - upper), 0, 1)


class AnovaTable(NamedTuple):
    """Sums of squares of a one-way analysis of variance."""

    between: jax.Array
    within: jax.Array
    statistic: jax.Array


@sketch(
    takes={"values": "samples f[n]", "groups": "labels i[n]: group of each value"},
    gives=("metric f[]: between", "metric f[]: within", "metric f[]: statistic"),
    sizes={"n": (16, 1024)},
    dtypes="f32 f64",
    also=("Split the variance of values into that between and within groups.",),
)
def one_way_anova(values, groups, num_groups=4):
    """Compare several group means by a one-way analysis of variance."""
    n = values.shape[0]
    if groups.shape != (n,):
        raise ValueError(f"{n} values but groups of shape {groups.shape}")
    if maybe("ranks", 0.25):
        # On ranks it is the test of Kruskal and Wallis.
        values = jnp.argsort(jnp.argsort(values)).astype(values.dtype) / n
    if maybe("one hot"):
        members = jax.nn.one_hot(groups, num_groups, dtype=values.dtype)
        sizes = jnp.sum(members, axis=0)
        means = values @ members / jnp.maximum(sizes, 1)
    else:
        sizes = jax.ops.segment_sum(jnp.ones_like(values), groups, num_groups)
        means = jax.ops.segment_sum(values, groups, num_groups) / jnp.maximum(sizes, 1)
    grand = one_of(jnp.mean(values), jnp.sum(values) / n)
    between = jnp.sum(sizes * (means - grand) ** 2)
    within = jnp.sum((values - means[groups]) ** 2)
    mean_between = between / (num_groups - 1)
    mean_within = within / max(n - num_groups, 1)
    return AnovaTable(between, within, mean_between / (mean_within + 1e-2))


@sketch(
    takes={"rows": "labels i[n]", "cols": "labels i[n]"},
    gives=("metric f[]: statistic", "metric f[]: association"),
    sizes={"n": (16, 2048)},
    also=("Test two categorical variables for independence.",),
)
def contingency_test(rows, cols, shape=(4, 4), continuity=one_of(0.0, 0.5)):
    """Cross-tabulate two categorical variables and measure their association."""
    num_rows, num_cols = shape
    if maybe("scatter"):
        table = jnp.zeros(shape).at[rows, cols].add(1.0)
    elif maybe("one hot"):
        table = jax.nn.one_hot(rows, num_rows).T @ jax.nn.one_hot(cols, num_cols)
    else:
        pairs = rows * num_cols + cols
        table = jnp.bincount(pairs, length=num_rows * num_cols).reshape(shape).astype(float)
    n = rows.shape[0]
    expected = jnp.outer(jnp.sum(table, axis=1), jnp.sum(table, axis=0)) / n
    if maybe("likelihood ratio", 0.4):
        statistic = 2 * jnp.sum(table * jnp.log((table + 1e-3) / (expected + 1e-3)))
    else:
        excess = jnp.maximum(jnp.abs(table - expected) - continuity, 0)
        statistic = jnp.sum(excess**2 / (expected + 1e-2))
    # Cramer's V
    association = jnp.sqrt(jnp.maximum(statistic, 0) / (n * (min(shape) - 1)) + 1e-6)
    return statistic, association


@sketch(
    takes={"a": "samples f[n]", "b": "samples f[m]"},
    gives="metric f[]",
    sizes={"n": (4, 512), "m": (4, 512)},
    dtypes="f32 f64",
    also=("Measure how far apart two empirical distributions are.",),
)
def distribution_distance(a, b, order=one_of(1, 2)):
    """Compare two samples by their empirical distribution functions."""
    if maybe("quantiles"):
        levels = jnp.linspace(0.05, 0.95, integer(10, 40))
        gap = jnp.abs(jnp.quantile(a, levels) - jnp.quantile(b, levels))
        if order == 1:
            return jnp.mean(gap)
        return jnp.sqrt(jnp.mean(gap**order) + 1e-6)
    n, m = len(a), len(b)
    pooled = jnp.sort(jnp.concatenate([a, b]))
    cdf_a = jnp.searchsorted(jnp.sort(a), pooled, side="right") / n
    cdf_b = jnp.searchsorted(jnp.sort(b), pooled, side="right") / m
    difference = jnp.abs(cdf_a - cdf_b).astype(a.dtype)
    if maybe("kolmogorov"):
        # The effective sample size makes the statistic comparable.
        return jnp.max(difference) * one_of((n * m / (n + m)) ** 0.5, 1)
    widths = jnp.diff(pooled)
    return jnp.sum(difference[:-1] ** order * widths)


@sketch(
    takes={"a": "samples f[n]", "b": "samples f[m]"},
    gives=("metric f[]: z_score", "probabilities f[]: superiority"),
    sizes={"n": (3, 256), "m": (3, 256)},
    also=("Compare two groups by ranks.",),
)
def rank_sum_test(a, b):
    """Test by the Mann-Whitney statistic whether one group tends to be larger."""
    n, m = a.shape[0], b.shape[0]
    if maybe("pairs"):
        # Ties count one half.
        above = (a[:, None] > b[None, :]).astype(a.dtype)
        equal = (a[:, None] == b[None, :]).astype(a.dtype)
        u = jnp.sum(above + 0.5 * equal)
    else:
        ordered = jnp.sort(b)
        below = jnp.searchsorted(ordered, a, side="left")
        up_to = jnp.searchsorted(ordered, a, side="right")
        u = jnp.sum((below + up_to) / 2)
    superiority = u / (n * m)
    deviation = (n * m * (n + m + 1) / 12) ** 0.5
    z_score = (u - n * m / 2) / deviation
    if maybe("effect size", 0.3):
        z_score = z_score / (n + m) ** 0.5
    return z_score, superiority


@sketch(
    takes={"a": "samples f[n]", "b": "samples f[m]", "key": "key"},
    gives=("metric f[]: observed", "probabilities f[]: p_value"),
    sizes={"n": (4, 64), "m": (4, 64)},
    also=("Judge a difference of groups against shuffled labels.",),
)
def permutation_test(a, b, key, num_permutations=one_of(50, 99, 199)):
    """Test a difference of two groups by permuting who belongs to which."""
    n = a.shape[0]
    pooled = jnp.concatenate([a, b])

    def statistic(x):
        first, second = x[:n], x[n:]
        if maybe("median", 0.3):
            return jnp.median(first) - jnp.median(second)
        else:
            gap = jnp.mean(first) - jnp.mean(second)
            return one_of(gap, gap / (jnp.std(x) + 1e-2))

    observed = statistic(pooled)
    keys = jax.random.split(key, num_permutations)
    if maybe("map", 0.3):
        null = jax.lax.map(lambda k: statistic(jax.random.permutation(k, pooled)), keys)
    else:
        null = jax.vmap(lambda k: statistic(jax.random.permutation(k, pooled)))(keys)
    # A soft comparison; the observed order counts as one of the permutations.
    exceeds = jax.nn.sigmoid(one_of(20.0, 50.0) * (jnp.abs(null) - jnp.abs(observed)))
    p_value = (1 + jnp.sum(exceeds)) / (num_permutations + 1)
    return observed, p_value


class ConversionSummary(NamedTuple):
    """The outcome of an experiment with two arms."""

    lift: jax.Array
    lower: jax.Array
    upper: jax.Array


@sketch(
    takes={
        "arm": "actions i[n]: arm of each visitor, odd numbers are the treatment",
        "converted": "mask bool[n]",
    },
    gives=("metric f[]: lift", "metric f[]: lower", "metric f[]: upper"),
    sizes={"n": (16, 4096)},
    also=("Evaluate an A/B test with a confidence interval.",),
)
def conversion_lift(arm, converted, z=one_of(1.96, 1.645, 2.576), prior=one_of(1.0, 0.5)):
    """Estimate the lift of a treatment over a control from conversions."""
    if arm.shape != converted.shape:
        raise ValueError(f"{arm.shape[0]} assignments but {converted.shape[0]} outcomes")
    treated = one_of(arm % 2 == 1, (arm & 1) > 0)
    rates, variances = [], []
    for group in (~treated, treated):
        visitors = jnp.sum(group) + 2 * prior
        rate = (jnp.sum(group & converted) + prior) / visitors
        rates.append(rate)
        variances.append(rate * (1 - rate) / visitors)
    control, treatment = rates
    if maybe("relative"):
        # Delta method on the logarithm of the ratio.
        lift = jnp.log(treatment / control)
        error = jnp.sqrt(variances[0] / control**2 + variances[1] / treatment**2)
    else:
        lift = treatment - control
        error = jnp.sqrt(sum(variances))
    return ConversionSummary(lift, lift - z * error, lift + z * error)


@sketch(
    takes={"z_scores": "samples f[k]: test statistics"},
    gives="probabilities f[k]: adjusted",
    sizes={"k": (2, 128)},
    also=("Turn test statistics into p-values adjusted for their number.",),
)
def adjusted_p_values(z_scores, method=one_of("fdr", "holm", "bonferroni")):
    """Correct the p-values of several z statistics for multiple testing."""
    k = z_scores.shape[0]
    if maybe("one sided", 0.3):
        p_values = jax.scipy.stats.norm.sf(z_scores)
    else:
        p_values = one_of(
            2 * jax.scipy.stats.norm.sf(jnp.abs(z_scores)),
            jax.scipy.special.erfc(jnp.abs(z_scores) / 2**0.5),
        )
    if method == "bonferroni":
        return jnp.minimum(k * p_values, 1)
    order = jnp.argsort(p_values)
    ordered = p_values[order]
    ranks = jnp.arange(1, k + 1)
    if method == "holm":
        adjusted = jax.lax.cummax((k - ranks + 1) * ordered)
    elif method == "fdr":
        # Each one is at most that of the next larger p-value.
        adjusted = jax.lax.cummin(ordered * k / ranks, reverse=True)
    else:
        raise ValueError(f"unknown method {method!r}")
    adjusted = jnp.minimum(adjusted, 1)
    return one_of(adjusted[jnp.argsort(order)], jnp.zeros_like(adjusted).at[order].set(adjusted))
