"""Replay of transitions, and parameters that trail others."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"params": "P", "target_params": "P"},
    gives="P",
    also=("Let target parameters trail the online ones.",),
)
def track_target_params(params, target_params, tau=number(0.005, 0.1)):
    """Move target parameters a little towards the online ones."""
    if maybe("polyak_lerp"):
        return jax.tree.map(lambda new, old: old + tau * (new - old), params, target_params)

    def blend(online, target):
        if online.shape != target.shape:
            raise ValueError(f"cannot blend {online.shape} into {target.shape}")
        # Integers, such as counts, are copied.
        is_float = jnp.issubdtype(online.dtype, jnp.floating)
        return tau * online + (1 - tau) * target if is_float else online

    return jax.tree.map(blend, params, target_params)


@sketch(
    takes={
        "priorities": "values f[n]: last temporal-difference errors",
        "key": "key",
    },
    gives=("ids i[m]", "f[m]: importance weights"),
    sizes={"n": (16, 4096), "m": (4, 64)},
    also=("Sample replayed transitions in proportion to their priority.",),
)
def prioritized_sample(
    priorities, key, batch_size=size("m"), exponent=0.6, correction=number(0.3, 1.0)
):
    """Draw transitions with large errors more often and weight them down."""
    capacity = priorities.shape[0]
    sharpened = (jnp.abs(priorities) + one_of(1e-2, 1e-3)) ** exponent
    if maybe("stratified_replay"):
        # One draw from each of equal slices of the cumulative sum.
        cumulative = jnp.cumsum(sharpened)
        offsets = jax.random.uniform(key, (batch_size,))
        marks = (jnp.arange(batch_size) + offsets) / batch_size * cumulative[-1]
        ids = jnp.clip(jnp.searchsorted(cumulative, marks), 0, capacity - 1)
        probs = sharpened[ids] / cumulative[-1]
    else:
        logits = jnp.log(sharpened)
        ids = jax.random.categorical(key, logits, shape=(batch_size,))
        probs = jax.nn.softmax(logits)[ids]
    weights = (capacity * probs) ** (-correction)
    if maybe("mean_weights", 0.4):
        return ids, weights / jnp.mean(weights)
    return ids, weights / jnp.max(weights)


@sketch(
    takes={
        "buffer": {
            "observations": "observations f[n, d]",
            "rewards": "rewards f[n]",
            "actions": "actions i[n]",
        },
        "position": "counts i[]: number of transitions written so far",
        "observations": "observations f[b, d]",
        "rewards": "rewards f[b]",
        "actions": "actions i[b]",
    },
    gives=(
        {"observations": "f[n, d]", "rewards": "f[n]", "actions": "i[n]"},
        "counts i[]",
    ),
    sizes={"n": (64, 1024), "d": (2, 32), "b": (1, 48)},
    also=("Overwrite the oldest transitions of a ring buffer with a new batch.",),
)
def ring_buffer_insert(buffer, position, observations, rewards, actions):
    """Append transitions to a replay buffer that wraps around."""
    capacity = buffer["rewards"].shape[0]
    num_new = rewards.shape[0]
    if num_new > capacity:
        raise ValueError(f"{num_new} transitions do not fit into a buffer of {capacity}")
    new = {"observations": observations, "rewards": rewards, "actions": actions}
    if maybe("roll_buffer", 0.4):
        # The newest transitions always stand at the end.
        buffer = jax.tree.map(
            lambda old, fresh: jnp.roll(old, -num_new, axis=0).at[-num_new:].set(fresh),
            buffer,
            new,
        )
    else:
        slots = (position + jnp.arange(num_new)) % capacity
        if maybe("dict_buffer"):
            buffer = {name: buffer[name].at[slots].set(new[name]) for name in buffer}
        else:
            buffer = jax.tree.map(lambda old, fresh: old.at[slots].set(fresh), buffer, new)
    if maybe("wrap_position", 0.4):
        return buffer, (position + num_new) % capacity
    return buffer, position + num_new


@sketch(
    takes={
        "observations": "observations f[n, d]",
        "rewards": "rewards f[n]",
        "filled": "mask bool[n]: slots that hold a transition",
        "key": "key",
    },
    gives={"observations": "observations f[m, d]", "returns": "returns f[m]"},
    sizes={"n": (24, 1024), "d": (2, 48), "m": (4, 64)},
    also=("Draw short windows from a replay buffer and sum their rewards.",),
)
def sample_windows(
    observations, rewards, filled, key, num_windows=size("m"), horizon=one_of(3, 5, 8), gamma=0.97
):
    """Sample starting points from a replay buffer, with the rewards that followed."""
    capacity = rewards.shape[0]
    usable = filled & (jnp.arange(capacity) < capacity - horizon)
    if maybe("choice_weights", 0.4):
        weights = usable + 1e-6  # keeps an empty buffer from dividing by zero
        starts = jax.random.choice(key, capacity, (num_windows,), p=weights / jnp.sum(weights))
    else:
        starts = jax.random.categorical(key, jnp.where(usable, 0.0, -1e4), shape=(num_windows,))
    offsets = jnp.arange(horizon)
    index = jnp.minimum(starts[:, None] + offsets, capacity - 1)
    if maybe("window_discount", 0.6):
        returns = rewards[index] @ (gamma**offsets).astype(rewards.dtype)
    else:
        returns = sum(gamma**i * rewards[index[:, i]] for i in range(horizon))
    picked = observations[starts]
    if maybe("noisy_replay", 0.3):
        noise_key = jax.random.fold_in(key, 1)
        picked = picked + 0.01 * jax.random.normal(noise_key, picked.shape, picked.dtype)
    return {"observations": picked, "returns": returns}


@sketch(
    takes={
        "params": {"target": "f[d, h]", "w": "f[d, h]", "predictor": "f[h, h]"},
        "observations": "observations f[b, d]",
    },
    dtypes="f32 bf16",
    gives=("rewards f[b]", "loss f[]"),
    sizes={"b": (2, 128), "d": (3, 64), "h": (4, 48)},
    also=("Reward observations that a predictor of random features does not know yet.",),
)
def distillation_bonus(params, observations, clip=one_of(5.0, 3.0)):
    """Measure novelty by the error of predicting a fixed random network."""
    inputs = jnp.clip(observations, -clip, clip)
    activation = one_of(jnp.tanh, jax.nn.relu, jnp.sin)
    target = jax.lax.stop_gradient(activation(inputs @ params["target"]))
    hidden = jax.nn.relu(inputs @ params["w"])
    predicted = hidden @ params["predictor"] / hidden.shape[-1]
    errors = jnp.mean((predicted - target) ** 2, axis=-1)
    loss = jnp.mean(errors)
    if maybe("standardize_bonus", 0.6):
        bonus = errors / (jnp.std(errors) + 1e-2)
    else:
        bonus = jnp.log1p(errors)
    if maybe("cap_bonus", 0.4):
        bonus = jnp.minimum(bonus, 10.0)
    return jax.lax.stop_gradient(bonus), loss
