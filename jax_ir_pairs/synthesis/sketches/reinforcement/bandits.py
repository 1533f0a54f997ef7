"""Bandits: which arm to pull next."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class ArmStatistics(NamedTuple):
    """Pulls and total reward of each arm."""

    pulls: jax.Array
    totals: jax.Array

    @property
    def means(self):
        return self.totals / jnp.maximum(self.pulls, 1.0)


@sketch(
    takes={"means": "mean f[k]: expected reward of each arm", "key": "key"},
    gives=("rewards f[t]", "f[k]: pulls"),
    sizes={"k": (2, 24), "t": (16, 256)},
    also=("Play a Gaussian bandit with upper confidence bounds.",),
)
def ucb_bandit(means, key, *, num_rounds=size("t"), bonus=one_of(1.0, 2.0, 0.5)):
    """Pull the arm whose reward might be highest, and learn from it."""
    num_arms = means.shape[0]
    noise = jax.random.normal(key, (num_rounds,), dtype=means.dtype)
    if maybe("start_with_pulls"):
        # Each arm counts as if it was pulled once, so that no count is zero.
        start = ArmStatistics(jnp.ones_like(means), means)
    else:
        start = ArmStatistics(jnp.zeros_like(means), jnp.zeros_like(means))

    def play(stats, inputs):
        now, shock = inputs
        width = bonus * jnp.sqrt(jnp.log1p(now) / (stats.pulls + 1e-2))
        arm = jnp.argmax(stats.means + width)
        reward = means[arm] + one_of(0.1, 0.5) * shock
        stats = ArmStatistics(stats.pulls.at[arm].add(1.0), stats.totals.at[arm].add(reward))
        return stats, reward

    rounds = jnp.arange(1, num_rounds + 1, dtype=means.dtype)
    stats, rewards = jax.lax.scan(play, start, (rounds, noise))
    assert stats.pulls.shape == (num_arms,), f"statistics of {stats.pulls.shape[0]} arms"
    if maybe("cumulative_regret", 0.4):
        return jnp.cumsum(jnp.max(means) - rewards), stats.pulls
    return rewards, stats.pulls


@sketch(
    takes={
        "successes": "counts i[k]",
        "failures": "counts i[k]",
        "key": "key",
    },
    gives=("f[m, k]: draws", "weights f[k]: how often each arm is best"),
    sizes={"k": (2, 32), "m": (8, 128)},
    also=("Draw success rates of arms from their posteriors, and count who wins.",),
)
def thompson_draws(successes, failures, key, num_draws=size("m"), prior=one_of(1.0, 0.5)):
    """Sample arms in proportion to the chance that they are the best one."""
    num_arms = successes.shape[0]
    shape = (num_draws, num_arms)
    if maybe("beta_by_gamma", 0.4):
        # A beta variate is a ratio of two gamma variates.
        win_key, loss_key = jax.random.split(key)
        wins = jax.random.gamma(win_key, successes + prior, shape)
        losses = jax.random.gamma(loss_key, failures + prior, shape)
        draws = wins / (wins + losses + 1e-6)
    else:
        draws = jax.random.beta(key, successes + prior, failures + prior, shape)
    best = jnp.argmax(draws, axis=1)
    if maybe("bincount_wins"):
        share = jnp.bincount(best, length=num_arms) / num_draws
    else:
        share = jnp.mean(jax.nn.one_hot(best, num_arms), axis=0)
    return draws, share


@sketch(
    takes={"rewards": "rewards f[t, k]: what each arm would pay in each round", "key": "key"},
    gives={"weights": "weights f[t, k]", "earned": "f[t]"},
    sizes={"t": (8, 256), "k": (2, 16)},
    also=("Play an adversarial bandit with exponential weights.",),
)
def exp3_bandit(rewards, key, learning_rate=number(0.01, 0.2), mixing=number(0.05, 0.3)):
    """Reweight arms exponentially by importance-weighted rewards."""
    num_rounds, num_arms = rewards.shape
    if mixing <= 0 or mixing > 1:
        raise ValueError(f"mixing must lie in (0, 1], got {mixing}")
    # The analysis wants payoffs between 0 and 1.
    payoffs = one_of(jax.nn.sigmoid(rewards), jnp.clip(rewards / 8 + 0.5, 0.0, 1.0))

    def play(log_weights, inputs):
        round_key, payoff = inputs
        probs = (1 - mixing) * jax.nn.softmax(log_weights) + mixing / num_arms
        arm = jax.random.categorical(round_key, jnp.log(probs))
        estimate = payoff[arm] / probs[arm]
        if maybe("full_information", 0.25):
            # Hedge: all payoffs are seen.
            log_weights = log_weights + learning_rate * payoff
        else:
            log_weights = log_weights.at[arm].add(learning_rate * estimate)
        return log_weights, (probs, payoff[arm])

    keys = jax.random.split(key, num_rounds)
    init = jnp.zeros(num_arms, rewards.dtype)
    _, (probs, earned) = jax.lax.scan(play, init, (keys, payoffs))
    if maybe("running_payoff", 0.4):
        rounds = jnp.arange(1, num_rounds + 1, dtype=rewards.dtype)
        earned = jnp.cumsum(earned) / rounds
    return {"weights": probs, "earned": earned}


@sketch(
    takes={
        "contexts": "features f[t, d]",
        "arms": "actions i[t]: arms that were pulled",
        "rewards": "rewards f[t]",
        "context": "features f[d]: the one to decide on",
    },
    gives="scores f[k]",
    sizes={"t": (4, 128), "d": (2, 12), "k": (4, 10)},
    dtypes="f32 f64",
    also=("Score arms for a context with linear upper confidence bounds.",),
)
def linear_ucb_scores(
    contexts, arms, rewards, context, num_arms=size("k"), ridge=1.0, width=number(0.2, 2.0)
):
    """Bound each arm's reward from ridge regressions on the contexts of its pulls."""
    num_features = contexts.shape[1]
    if context.shape != (num_features,):
        raise ValueError(f"context has shape {context.shape}, history has {num_features} features")
    pulled = jax.nn.one_hot(arms, num_arms, dtype=contexts.dtype)
    if maybe("forget_contexts", 0.4):
        # Old pulls count less, since rewards may drift.
        ages = jnp.arange(contexts.shape[0])[::-1, None]
        pulled = pulled * one_of(0.95, 0.99) ** ages.astype(contexts.dtype)
    gram = jnp.einsum("tk,td,te->kde", pulled, contexts, contexts)
    gram = gram + ridge * jnp.eye(num_features, dtype=gram.dtype)
    moments = jnp.einsum("tk,td,t->kd", pulled, contexts, rewards)
    if maybe("ucb_cholesky"):

        def score(gram, moment):
            factor = jax.scipy.linalg.cho_factor(gram, lower=True)
            coefficients = jax.scipy.linalg.cho_solve(factor, moment)
            spread = context @ jax.scipy.linalg.cho_solve(factor, context)
            return context @ coefficients + width * jnp.sqrt(spread)

        return jax.vmap(score)(gram, moments)
    inverse = jnp.linalg.inv(gram)
    coefficients = jnp.einsum("kde,ke->kd", inverse, moments)
    spread = jnp.einsum("d,kde,e->k", context, inverse, context)
    return coefficients @ context + width * jnp.sqrt(jnp.maximum(spread, 0.0) + 1e-6)


@sketch(
    takes={"means": "mean f[k]", "key": "key"},
    gives="probabilities f[k]",
    sizes={"k": (2, 32)},
    also=("Learn preferences over arms by stochastic gradient ascent.",),
)
def gradient_bandit(means, key, *, num_rounds=integer(20, 200), step_size=number(0.02, 0.3)):
    """Adjust softmax preferences by rewards relative to their running average."""

    def play(i, carry):
        preferences, baseline = carry
        arm_key, reward_key = jax.random.split(jax.random.fold_in(key, i))
        probs = jax.nn.softmax(preferences)
        arm = jax.random.categorical(arm_key, preferences)
        reward = means[arm] + jax.random.normal(reward_key, dtype=means.dtype)
        chosen = jax.nn.one_hot(arm, means.shape[0], dtype=means.dtype)
        gain = one_of(reward - baseline, jnp.clip(reward - baseline, -2.0, 2.0))
        preferences = preferences + step_size * gain * (chosen - probs)
        if maybe("center_preferences", 0.4):
            # Only differences of preferences matter.
            preferences = preferences - jnp.mean(preferences)
        if maybe("decayed_baseline"):
            baseline = 0.9 * baseline + 0.1 * reward
        else:
            baseline = baseline + (reward - baseline) / (i + 1)
        return preferences, baseline

    init = (jnp.zeros_like(means), jnp.zeros((), means.dtype))
    preferences, _ = jax.lax.fori_loop(0, num_rounds, play, init)
    return jax.nn.softmax(preferences)


@sketch(
    takes={
        "priors": "logits f[k]",
        "values": "values f[k]: mean value of each child",
        "visits": "counts i[k]",
    },
    dtypes="f32 bf16",
    gives="scores f[k]",
    sizes={"k": (2, 128)},
    also=("Rank the children of a search node by value and prior.",),
)
def puct_scores(priors, values, visits, exploration=number(0.5, 3.0), base=19652.0):
    """Score the moves of a search node with the PUCT rule."""
    if priors.shape != visits.shape:
        raise ValueError(f"{priors.shape[0]} priors for {visits.shape[0]} children")
    probs = jax.nn.softmax(priors)
    total = jnp.sum(visits)
    if maybe("growing_exploration", 0.4):
        exploration = exploration + jnp.log((total + base + 1) / base)
    if maybe("rescale_children"):
        # To the range of the values of this node.
        low, high = jnp.min(values), jnp.max(values)
        values = (values - low) / jnp.maximum(high - low, 1e-2)
    else:
        values = jnp.tanh(values / one_of(3.0, 5.0))
    if maybe("first_play_urgency", 0.4):
        reduction = one_of(0.2, 0.25)
        seen = jnp.sum(jnp.where(visits > 0, probs, 0.0))
        parent = jnp.sum(values * visits) / jnp.maximum(total, 1)
        values = jnp.where(visits > 0, values, parent - reduction * jnp.sqrt(seen + 1e-6))
    bonus = exploration * probs * jnp.sqrt(total + 1.0) / (1.0 + visits)
    return values + bonus
