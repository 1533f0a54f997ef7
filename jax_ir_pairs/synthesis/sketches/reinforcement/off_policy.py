"""Targets that correct for the policy that acted."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={
        "target_log_probs": "f[t]: log probabilities of the actions under the current policy",
        "behavior_log_probs": "f[t]: the same under the policy that acted",
        "rewards": "rewards f[t]",
        "values": "values f[t]",
        "bootstrap": "values f[]",
        "dones": "mask bool[t]",
    },
    dtypes="f32 bf16",
    gives={"targets": "returns f[t]", "advantages": "advantages f[t]"},
    sizes={"t": (4, 256)},
    also=("Estimate V-trace targets and policy-gradient advantages.",),
)
def vtrace(
    target_log_probs,
    behavior_log_probs,
    rewards,
    values,
    bootstrap,
    dones,
    gamma=number(0.9, 0.98),
    clip_rho=1.0,
    clip_c=one_of(1.0, 0.9),
):
    """Correct value targets of an off-policy trajectory with truncated importance weights."""
    if not rewards.shape == values.shape == dones.shape:
        raise ValueError(f"shapes differ: {rewards.shape}, {values.shape}, {dones.shape}")
    # Ratios above exp(3) are cut off anyway.
    ratios = jnp.exp(jnp.clip(target_log_probs - behavior_log_probs, -20.0, 3.0))
    rhos = jnp.minimum(clip_rho, ratios)
    cs = one_of(jnp.minimum(clip_c, ratios), jnp.clip(ratios, 0.0, clip_c))
    discounts = gamma * (1.0 - dones)
    next_values = one_of(
        jnp.append(values[1:], bootstrap), jnp.concatenate([values[1:], bootstrap[None]])
    )
    deltas = rhos * (rewards + discounts * next_values - values)

    def backward(correction, inputs):
        delta, discount, c = inputs
        correction = delta + discount * c * correction
        return correction, correction

    _, corrections = jax.lax.scan(
        backward, jnp.zeros_like(bootstrap), (deltas, discounts, cs), reverse=True
    )
    targets = values + corrections
    next_targets = jnp.append(targets[1:], bootstrap)
    advantages = rhos * (rewards + discounts * next_targets - values)
    if maybe("stop"):
        targets, advantages = jax.lax.stop_gradient((targets, advantages))
    return {"targets": targets, "advantages": advantages}


@sketch(
    takes={
        "q_values": "values f[t, k]: action values",
        "actions": "actions i[t]",
        "rewards": "rewards f[t]",
        "policy_logits": "logits f[t, k]: of the policy that is evaluated",
        "behavior_log_probs": "f[t]",
    },
    dtypes="f32 bf16",
    gives="returns f[t]",
    sizes={"t": (4, 256), "k": (4, 18)},
    also=("Retrace targets of one trajectory.",),
)
def retrace_targets(
    q_values,
    actions,
    rewards,
    policy_logits,
    behavior_log_probs,
    gamma=number(0.9, 0.98),
    lam=one_of(1.0, 0.95, 0.9),
):
    """Cut eligibility traces where the policy would hardly have taken the action."""
    num_steps, num_actions = q_values.shape
    log_probs = jax.nn.log_softmax(policy_logits)
    state_values = jnp.sum(jnp.exp(log_probs) * q_values, axis=-1)
    if maybe("one_hot_actions"):
        chosen = jax.nn.one_hot(actions, num_actions, dtype=q_values.dtype)
        taken_q = jnp.sum(q_values * chosen, axis=-1)
        taken_log_probs = jnp.sum(log_probs * chosen, axis=-1)
    else:
        steps = jnp.arange(num_steps)
        taken_q = q_values[steps, actions]
        taken_log_probs = log_probs[steps, actions]
    traces = lam * jnp.exp(jnp.minimum(taken_log_probs - behavior_log_probs, 0.0))
    if maybe("floor_traces", 0.3):
        traces = jnp.maximum(traces, 0.05)
    deltas = rewards[:-1] + gamma * state_values[1:] - taken_q[:-1]

    def step(acc, inputs):
        delta, trace = inputs
        acc = delta + gamma * trace * acc
        return acc, acc

    # The trace of step t + 1 decides how much of its correction reaches step t.
    last = rewards[-1] - taken_q[-1]
    _, corrections = jax.lax.scan(step, last, (deltas, traces[1:]), reverse=True)
    return taken_q + jnp.append(corrections, last)
