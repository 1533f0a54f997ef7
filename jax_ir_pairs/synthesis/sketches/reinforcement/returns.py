"""Returns, advantages and bootstrapped targets of trajectories."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={
        "rewards": "rewards f[t]",
        "dones": "mask bool[t]: whether an episode ended at the step",
        "bootstrap": "values f[]: value of the state after the last step",
    },
    gives="returns f[t]",
    sizes={"t": (4, 512)},
    dtypes="f32 bf16 f64",
    also=(
        "Sum discounted future rewards, starting over at the end of each episode.",
        "Discounted returns of a trajectory that holds several episodes.",
    ),
)
def discounted_returns(rewards, dones, bootstrap, gamma=number(0.9, 0.98)):
    """Accumulate rewards backwards into discounted returns."""
    if rewards.shape != dones.shape:
        raise ValueError(f"{rewards.shape[0]} rewards do not go with {dones.shape[0]} dones")

    if maybe("in_place", 0.25):
        alive = 1.0 - dones
        returns = rewards.at[-1].add(gamma * bootstrap * alive[-1].astype(rewards.dtype))

        def fill(i, returns):
            t = rewards.shape[0] - 2 - i
            return returns.at[t].add(gamma * returns[t + 1] * alive[t])

        returns = jax.lax.fori_loop(0, rewards.shape[0] - 1, fill, returns)
    elif maybe("discount_array"):
        discounts = jnp.where(dones, 0.0, gamma)

        def step(future, inputs):
            reward, discount = inputs
            future = reward + discount * future
            return future, future

        _, returns = jax.lax.scan(
            step, bootstrap, (rewards, discounts.astype(rewards.dtype)), reverse=True
        )
    else:

        def backward(future, transition):
            reward, done = transition
            # Nothing that follows the end of an episode counts for it.
            future = jnp.where(done, reward, reward + gamma * future)
            return future, future

        if maybe("bootstrap"):
            _, returns = jax.lax.scan(backward, bootstrap, (rewards, dones), reverse=True)
        else:
            # The last episode is taken to end with the trajectory.
            start = one_of(jnp.zeros((), rewards.dtype), jnp.zeros_like(rewards[0]))
            _, flipped = jax.lax.scan(backward, start, (rewards[::-1], dones[::-1]))
            returns = flipped[::-1]
    if maybe("standardize", 0.3):
        returns = (returns - jnp.mean(returns)) / (jnp.std(returns) + one_of(1e-3, 1e-2))
    return returns


class AdvantageEstimate(NamedTuple):
    """Advantages, and the targets of the critic that go with them."""

    advantages: jax.Array
    targets: jax.Array


@sketch(
    takes={
        "rewards": "rewards f[t, b]",
        "values": "values f[t+1, b]: values, with those after the last step",
        "dones": "mask bool[t, b]",
    },
    gives=("advantages f[t, b]", "returns f[t, b]"),
    sizes={"t": (4, 256), "b": (1, 64)},
    dtypes="f32 bf16",
    also=(
        "Estimate advantages of parallel environments with an exponential trace.",
        "Generalized advantage estimation over a time-major batch.",
    ),
)
def generalized_advantages(
    rewards, values, dones, *, gamma=number(0.9, 0.98), lam=one_of(0.95, 0.9)
):
    """Blend temporal differences into generalized advantages.

    Arrays are time-major. `values` has one more row than `rewards`.
    """
    num_steps = rewards.shape[0]
    if values.shape[0] != num_steps + 1:
        raise ValueError(f"{num_steps} steps need {num_steps + 1} values, got {values.shape[0]}")
    alive = one_of(1.0 - dones, jnp.where(dones, 0.0, 1.0)).astype(rewards.dtype)
    deltas = rewards + gamma * alive * values[1:] - values[:-1]

    def backward(trace, inputs):
        delta, keep = inputs
        trace = delta + gamma * lam * keep * trace
        return trace, trace

    init = one_of(jnp.zeros_like(deltas[-1]), jnp.zeros(rewards.shape[1], rewards.dtype))
    _, advantages = jax.lax.scan(backward, init, (deltas, alive), reverse=True)
    targets = advantages + values[:-1]
    if maybe("normalize_gae", 0.4):
        # Per batch, which keeps the scale of the policy gradient.
        mean, std = jnp.mean(advantages), jnp.std(advantages)
        advantages = (advantages - mean) / (std + 1e-3)
    if maybe("estimate_tuple"):
        return AdvantageEstimate(advantages, targets)
    return advantages, targets


@sketch(
    takes={
        "rewards": "rewards f[t]",
        "values": "values f[t]: value of the state that each step leads to",
        "dones?": "mask bool[t]",
    },
    gives="returns f[t]",
    sizes={"t": (4, 512)},
    dtypes="f32 bf16",
    also=("Mix n-step returns of all lengths with weights that decay by lambda.",),
)
def lambda_returns(rewards, values, dones=None, gamma=number(0.9, 0.98), lam=number(0.5, 0.95)):
    """Interpolate between one-step targets and full returns."""
    assert 0 <= lam <= 1, f"lam must lie in [0, 1], got {lam}"
    discounts = jnp.full(rewards.shape, gamma, rewards.dtype)
    if dones is not None:
        discounts = jnp.where(dones, 0.0, discounts)

    if maybe("carry_return", 0.6):

        def step(following, inputs):
            reward, value, discount = inputs
            following = reward + discount * ((1 - lam) * value + lam * following)
            return following, following

        _, targets = jax.lax.scan(step, values[-1], (rewards, values, discounts), reverse=True)
        return jax.lax.stop_gradient(targets) if maybe("stop_lambda", 0.4) else targets
    # The recursion is affine, so that it can be composed in any order.
    offsets = rewards + discounts * (1 - lam) * values
    slopes = lam * discounts
    offsets = offsets.at[-1].add(slopes[-1] * values[-1])

    def compose(later, earlier):
        return later[0] * earlier[0], earlier[1] + earlier[0] * later[1]

    _, targets = jax.lax.associative_scan(compose, (slopes, offsets), reverse=True)
    return targets


@sketch(
    takes={"rewards": "rewards f[b, t]", "values": "values f[b, t]: of the state at each step"},
    gives="returns f[b, t]",
    sizes={"b": (1, 32), "t": (12, 256)},
    dtypes="f32 bf16",
)
def n_step_targets(rewards, values, num_steps=integer(2, 6), gamma=number(0.9, 0.98)):
    """Bootstrap after a fixed number of rewards."""
    length = rewards.shape[1]
    if num_steps >= length:
        raise ValueError(f"num_steps={num_steps} is too long for {length} rewards")
    if maybe("pad_inputs", 0.6):
        # Past the end there are no rewards, and the last value stands for what would come.
        rewards = jnp.pad(rewards, ((0, 0), (0, num_steps)))
        values = jnp.pad(values, ((0, 0), (0, num_steps)), mode="edge")
        targets = gamma**num_steps * values[:, num_steps:]
        for i in range(num_steps):
            targets = targets + gamma**i * rewards[:, i : i + length]
        return targets
    steps = jnp.arange(length)
    ends = jnp.minimum(steps + num_steps, length - 1)
    offsets = steps[None, :] - steps[:, None]
    inside = (offsets >= 0) & (steps[None, :] < ends[:, None])
    weights = jnp.where(inside, gamma ** jnp.maximum(offsets, 0), 0.0).astype(rewards.dtype)
    tails = jnp.power(gamma, ends - steps).astype(values.dtype) * values[:, ends]
    return one_of(rewards @ weights.T, jnp.einsum("bs,ts->bt", rewards, weights)) + tails


@sketch(
    takes={"advantages": "advantages f[*s]", "mask": "mask bool[*s]: steps that count"},
    dtypes="f32 bf16",
    gives="advantages f[*s]",
    sizes={"s": (4, 256)},
    also=("Whiten advantages over the valid steps of a batch.",),
)
def whiten_advantages(advantages, mask, eps=one_of(1e-3, 1e-2)):
    """Standardize advantages before a policy update."""
    if maybe("masked"):
        count = jnp.maximum(jnp.sum(mask), 1)
        mean = jnp.sum(advantages, where=mask) / count
        variance = jnp.sum((advantages - mean) ** 2, where=mask) / count
        whitened = (advantages - mean) * jax.lax.rsqrt(variance + eps)
        return jnp.where(mask, whitened, 0.0)
    if maybe("robust", 0.4):
        # Quantiles do not follow a few very large advantages.
        low, center, high = jnp.quantile(advantages, jnp.array([0.25, 0.5, 0.75]))
        limit = one_of(5.0, 10.0)
        return jnp.clip((advantages - center) / (high - low + eps), -limit, limit)
    whitened = (advantages - jnp.mean(advantages)) / (jnp.std(advantages) + eps)
    if maybe("clip_whitened"):
        whitened = jnp.clip(whitened, -3.0, 3.0)
    return whitened
