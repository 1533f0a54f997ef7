"""Losses of actor-critic methods."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

actor_network = nested("(params: P, observations: observations f[b, d]) -> logits f[b, k]")
critic_network = nested("(params: C, observations: observations f[b, d]) -> values f[b]")


def _categorical_entropy(log_probs):
    return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)


class PolicyLoss(NamedTuple):
    """A loss and what one watches beside it."""

    loss: jax.Array
    entropy: jax.Array
    clipped_share: jax.Array


@sketch(
    takes={
        "logits": "logits f[b, k]: of the policy that is trained",
        "actions": "actions i[b]",
        "old_log_probs": "f[b]: of the actions, when they were taken",
        "advantages": "advantages f[b]",
    },
    dtypes="f32 bf16",
    gives=("loss f[]", "f[]: entropy", "f[]: clipped_share"),
    sizes={"b": (2, 512), "k": (4, 18)},
    also=("Clipped surrogate objective of PPO.",),
)
def clipped_surrogate_loss(
    logits,
    actions,
    old_log_probs,
    advantages,
    clip_eps=one_of(0.1, 0.2, 0.3),
    entropy_cost=number(1e-3, 3e-2),
):
    """Improve a policy within a trust region of probability ratios."""
    if maybe("normalize_advantages"):
        advantages = (advantages - jnp.mean(advantages)) / (jnp.std(advantages) + 1e-3)
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    picked = jnp.take_along_axis(log_probs, actions[:, None], axis=-1)[:, 0]
    # Far off-policy samples are clipped anyway; the bound only keeps exp finite.
    ratio = jnp.exp(jnp.clip(picked - old_log_probs, -10.0, 3.0))
    clipped_ratio = jnp.clip(ratio, 1.0 - clip_eps, 1.0 + clip_eps)
    surrogate = jnp.minimum(ratio * advantages, clipped_ratio * advantages)
    if maybe("dual_clip", 0.3):
        # Dual clip: bounds the loss where the advantage is negative as well.
        surrogate = jnp.where(advantages < 0, jnp.maximum(surrogate, 3.0 * advantages), surrogate)
    entropy = jnp.mean(_categorical_entropy(log_probs))
    loss = -jnp.mean(surrogate) - entropy_cost * entropy
    clipped_share = jnp.mean((jnp.abs(ratio - 1.0) > clip_eps).astype(logits.dtype))
    if maybe("ppo_tuple"):
        return PolicyLoss(loss, entropy, clipped_share)
    return loss, entropy, clipped_share


@sketch(
    takes={
        "params": {"actor": "P", "critic": "C"},
        "batch": {
            "observations": "observations f[b, d]",
            "actions": "actions i[b]",
            "returns": "returns f[b]",
        },
    },
    gives="loss f[]",
    sizes={"b": (2, 128), "d": (3, 64), "k": (4, 18)},
    also=("Advantage actor-critic loss of a batch.",),
)
def actor_critic_loss(
    params, batch, value_cost=one_of(0.5, 0.25, 1.0), entropy_cost=number(1e-3, 3e-2)
):
    """Weigh policy gradient, value regression and entropy into one objective."""
    observations, actions, returns = batch["observations"], batch["actions"], batch["returns"]
    logits = actor_network(params["actor"], observations)
    values = critic_network(params["critic"], observations)
    if values.shape != returns.shape:
        raise ValueError(f"critic gives {values.shape} for returns of shape {returns.shape}")
    log_probs = jax.nn.log_softmax(logits)
    advantages = jax.lax.stop_gradient(returns - values)
    if maybe("clip_advantages", 0.3):
        advantages = jnp.clip(advantages, -5.0, 5.0)
    if maybe("one_hot_policy"):
        chosen = jax.nn.one_hot(actions, logits.shape[-1], dtype=logits.dtype)
        taken = jnp.sum(chosen * log_probs, axis=-1)
    else:
        taken = jax.vmap(lambda row, action: row[action])(log_probs, actions)
    policy_loss = -jnp.mean(advantages * taken)
    value_loss = one_of(
        0.5 * jnp.mean((returns - values) ** 2),
        jnp.mean(jnp.log(jnp.cosh(jnp.clip(returns - values, -20.0, 20.0)))),
    )
    loss = policy_loss + value_cost * value_loss
    if maybe("entropy_bonus", 0.7):
        # A flat policy keeps exploring.
        loss = loss - entropy_cost * jnp.mean(_categorical_entropy(log_probs))
    return loss


@sketch(
    takes={
        "params": "P",
        "observations": "observations f[b, d]",
        "actions": "actions i[b]",
        "returns": "returns f[b]",
    },
    gives=("P", "loss f[]"),
    sizes={"b": (2, 128), "d": (3, 64), "k": (4, 18)},
    also=("Take one REINFORCE step on a batch of returns.",),
)
def reinforce_update(params, observations, actions, returns, learning_rate=number(1e-3, 3e-2)):
    """Raise the probability of actions in proportion to the return that followed."""
    num_samples = returns.shape[0]
    if maybe("leave_one_out"):
        # Leave-one-out baseline: the mean of all other returns, which keeps it unbiased.
        baseline = (jnp.sum(returns) - returns) / max(num_samples - 1, 1)
    elif maybe("median_baseline", 0.3):
        baseline = jnp.median(returns)
    else:
        baseline = jnp.mean(returns)
    weights = jax.lax.stop_gradient(returns - baseline)

    def surrogate(params):
        log_probs = jax.nn.log_softmax(actor_network(params, observations))
        taken = log_probs[jnp.arange(num_samples), actions]
        loss = -jnp.mean(weights * taken)
        if maybe("reinforce_entropy", 0.4):
            loss = loss - 0.01 * jnp.mean(_categorical_entropy(log_probs))
        return loss

    loss, grads = jax.value_and_grad(surrogate)(params)
    if maybe("clip_reinforce"):
        # By value, leaf by leaf.
        grads = jax.tree.map(functools.partial(jnp.clip, min=-1.0, max=1.0), grads)
    params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    return params, loss


@sketch(
    takes={
        "logits": "logits f[b, k]",
        "actions": "actions i[b]",
        "advantages": "advantages f[b]",
    },
    dtypes="f32 bf16",
    gives="loss f[]",
    sizes={"b": (2, 512), "k": (4, 32)},
    also=("Advantage-weighted regression onto the actions of a data set.",),
)
def advantage_weighted_loss(
    logits, actions, advantages, temperature=number(0.3, 3.0), max_weight=20.0
):
    """Imitate actions, the better ones with exponentially more weight."""
    if maybe("softmax_weights"):
        # Normalized over the batch, so that its best actions set the scale.
        weights = jax.nn.softmax(advantages / temperature) * advantages.shape[0]
    else:
        exponent = jnp.minimum(advantages / temperature, jnp.log(max_weight))
        weights = jnp.exp(exponent)
    weights = jax.lax.stop_gradient(weights)
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    if maybe("index_logged", 0.4):
        taken = log_probs[jnp.arange(actions.shape[0]), actions]
    else:
        taken = jnp.take_along_axis(log_probs, actions[:, None], axis=-1).squeeze(-1)
    losses = -weights * taken
    if maybe("crr_filter", 0.3):
        # Only actions that beat the average are imitated.
        losses = jnp.where(advantages > jnp.mean(advantages), losses, 0.0)
    if maybe("effective_sample_size", 0.4):
        effective = jnp.sum(weights) ** 2 / (jnp.sum(weights**2) + 1e-6)
        return jnp.sum(losses) / (effective + 1.0)
    return jnp.mean(losses)


@sketch(
    takes={
        "logits": "logits f[b, k]",
        "q1": "values f[b, k]",
        "q2": "values f[b, k]",
        "log_alpha": "f[]: logarithm of the entropy temperature",
    },
    gives={"actor": "loss f[]", "alpha": "loss f[]"},
    sizes={"b": (2, 128), "k": (4, 18)},
    dtypes="f32 bf16",
    also=("Discrete soft actor-critic: losses of the policy and of its temperature.",),
)
def soft_actor_losses(logits, q1, q2, log_alpha, target_share=one_of(0.5, 0.9, 0.98)):
    """Trade expected value against entropy at a learned temperature."""
    assert q1.shape == q2.shape, f"critics disagree in shape: {q1.shape} and {q2.shape}"
    log_probs = jax.nn.log_softmax(logits)
    probs = one_of(jnp.exp(log_probs), jax.nn.softmax(logits))
    temperature = jnp.exp(jnp.clip(log_alpha, -5.0, 2.0))
    # The smaller estimate counts, against overestimation.
    q_min = jax.lax.stop_gradient(jnp.minimum(q1, q2))
    inner = jax.lax.stop_gradient(temperature) * log_probs - q_min
    actor_loss = jnp.mean(jnp.sum(probs * inner, axis=-1))
    entropy = jax.lax.stop_gradient(_categorical_entropy(log_probs))
    target = target_share * math.log(logits.shape[-1])
    if maybe("log_alpha_loss"):
        alpha_loss = jnp.mean(log_alpha * (entropy - target))
    else:
        alpha_loss = temperature * jnp.mean(entropy - target)
    return {"actor": actor_loss, "alpha": alpha_loss}


@sketch(
    takes={
        "params": "P",
        "old_params": "P",
        "observations": "observations f[b, d]",
    },
    dtypes="f32 bf16",
    gives="metric f[]",
    sizes={"b": (2, 128), "d": (3, 64), "k": (4, 18)},
    also=("Measure how far an update has moved the policy.",),
)
def policy_divergence(params, old_params, observations):
    """Average the Kullback-Leibler divergence from the old policy to the new one."""
    new = jax.nn.log_softmax(actor_network(params, observations))
    old = jax.nn.log_softmax(actor_network(old_params, observations))
    if maybe("symmetric_kl", 0.3):
        gaps = jnp.sum((jnp.exp(old) - jnp.exp(new)) * (old - new), axis=-1)
        return 0.5 * jnp.mean(gaps)
    if maybe("sampled_kl", 0.3):
        # The second-order estimator, which is never negative.
        per_action = 0.5 * jnp.square(new - old)
        return jnp.mean(jnp.sum(jnp.exp(old) * per_action, axis=-1))
    divergence = jnp.sum(jnp.exp(old) * (old - new), axis=-1)
    return one_of(jnp.mean(divergence), jnp.max(divergence))
