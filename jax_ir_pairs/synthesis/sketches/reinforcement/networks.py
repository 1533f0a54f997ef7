"""Policies and critics as functions of parameters and observations."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

action_logits = nested("(params: P, observations: observations f[b, d]) -> logits f[b, k]")


@sketch(
    takes={
        "params": {
            "hidden": {"w": "f[d, h]", "b": "f[h]"},
            "logits": {"w": "f[h, k]", "b": "f[k]"},
        },
        "observations": "observations f[b, d]",
    },
    gives="logits f[b, k]",
    sizes={"d": (3, 256), "h": (4, 128), "k": (2, 18)},
    dtypes="f32 bf16 f16",
    also=("Score actions with one hidden layer.",),
)
def mlp_policy(params, observations):
    """Map observations to action logits."""
    hidden, out = params["hidden"], params["logits"]
    if observations.shape[-1] != hidden["w"].shape[0]:
        raise ValueError(
            f"expected {hidden['w'].shape[0]} observed features, got {observations.shape[-1]}"
        )
    h = observations @ hidden["w"] + hidden["b"]
    if maybe("norm_hidden", 0.4):
        h = h - jnp.mean(h, axis=-1, keepdims=True)
        h = h * jax.lax.rsqrt(jnp.mean(h**2, axis=-1, keepdims=True) + 1e-5)
    h = one_of(jnp.tanh, jax.nn.relu, jax.nn.silu, jax.nn.elu)(h)
    logits = h @ out["w"] + out["b"]
    if maybe("cap_logits"):
        # Soft cap, so that no action is ever impossible.
        cap = one_of(5.0, 10.0)
        logits = cap * jnp.tanh(logits / cap)
    return logits


@sketch(
    takes={
        "params": {"layers": ("l", {"w": "f[d, d]", "b": "f[d]"}), "head": "f[d]"},
        "observations": "observations f[b, d]",
    },
    gives="values f[b]",
    sizes={"l": (1, 5), "d": (3, 96)},
    dtypes="f32 bf16",
    also=("Predict the return from each observation.",),
)
def mlp_critic(params, observations):
    """Estimate state values with a stack of hidden layers."""
    h = observations
    if maybe("critic_input_clip", 0.3):
        h = jnp.clip(h, -5.0, 5.0)
    for i, layer in enumerate(params["layers"]):
        update = one_of(jnp.tanh, jax.nn.gelu, jax.nn.softplus)(h @ layer["w"] + layer["b"])
        if maybe("critic_norm"):
            norm = jnp.sqrt(jnp.mean(update**2, axis=-1, keepdims=True))
            update = update / (norm + 1e-2)
        # The first layer replaces the observations, later ones refine them.
        h = update if i == 0 else h + update
    values = one_of(h @ params["head"], jnp.einsum("bd,d->b", h, params["head"]))
    if maybe("bounded_values"):
        return 10.0 * jnp.tanh(values / 10.0)
    return values


@sketch(
    takes={
        "params": {
            "w": "f[d, h]",
            "b": "f[h]",
            "mean": "f[h, a]",
            "log_std": "f[a]",
        },
        "observations": "observations f[b, d]",
        "key": "key",
    },
    gives={"actions": "control f[b, a]", "log_probs": "f[b]"},
    sizes={"d": (3, 128), "h": (4, 64), "a": (1, 8)},
    also=("Sample continuous actions and their log probabilities.",),
)
def squashed_gaussian_policy(params, observations, key, min_log_std=-3.0, max_log_std=0.5):
    """Draw actions from a Gaussian that is squashed into the unit box."""
    h = one_of(jnp.tanh, jax.nn.relu, jax.nn.silu)(observations @ params["w"] + params["b"])
    mean = jnp.tanh(h @ params["mean"]) if maybe("bounded_mean") else h @ params["mean"]
    if maybe("clip_log_std"):
        log_std = jnp.clip(params["log_std"], min_log_std, max_log_std)
    else:
        # A smooth map into the allowed range keeps gradients alive at its ends.
        share = jax.nn.sigmoid(params["log_std"])
        log_std = min_log_std + share * (max_log_std - min_log_std)
    noise = jax.random.normal(key, mean.shape, dtype=mean.dtype)
    raw = mean + jnp.exp(log_std) * noise
    log_probs = -0.5 * noise**2 - log_std - 0.5 * jnp.log(2 * jnp.pi)
    # log(1 - tanh(x)^2), written so that it does not underflow.
    log_probs = log_probs - 2.0 * (jnp.log(2.0) - raw - jax.nn.softplus(-2.0 * raw))
    actions = jnp.tanh(raw)
    if maybe("action_scale", 0.4):
        actions = one_of(2.0, 0.5) * actions
    return {"actions": actions, "log_probs": jnp.sum(log_probs, axis=-1)}


@sketch(
    takes={
        "params": {
            "input": "f[d, 3*h]",
            "recurrent": "f[h, 3*h]",
            "bias": "f[3*h]",
            "head": {"w": "f[h, k]", "b": "f[k]"},
        },
        "observations": "f[t, d]: one episode",
        "starts": "mask bool[t]: first steps of episodes",
    },
    gives="logits f[t, k]",
    sizes={"t": (4, 256), "d": (3, 64), "h": (4, 48), "k": (4, 18)},
    also=("Unroll a gated recurrent policy over a trajectory.",),
)
def recurrent_policy(params, observations, starts):
    """Remember past observations of an episode when scoring actions."""
    hidden_size = params["recurrent"].shape[0]
    if params["recurrent"].shape[1] != 3 * hidden_size:
        raise ValueError(f"recurrent weights have shape {params['recurrent'].shape}")
    gates_from_inputs = observations @ params["input"] + params["bias"]

    def cell(h, inputs):
        gates, start = inputs
        h = jnp.where(start, 0.0, h)  # forget the episode before
        from_state = h @ params["recurrent"]
        reset = jax.nn.sigmoid(gates[:hidden_size] + from_state[:hidden_size])
        update = jax.nn.sigmoid(
            gates[hidden_size : 2 * hidden_size] + from_state[hidden_size : 2 * hidden_size]
        )
        candidate = jnp.tanh(gates[2 * hidden_size :] + reset * from_state[2 * hidden_size :])
        h = one_of((1 - update) * candidate + update * h, h + (1 - update) * (candidate - h))
        return h, h

    init = jnp.zeros(hidden_size, observations.dtype)
    _, states = jax.lax.scan(cell, init, (gates_from_inputs, starts))
    head = params["head"]
    if maybe("recurrent_norm", 0.3):
        scale = jax.lax.rsqrt(jnp.mean(states**2, axis=-1, keepdims=True) + 1e-3)
        states = states * scale
    logits = states @ head["w"] + head["b"]
    return jax.nn.log_softmax(logits) if maybe("log_policy_output", 0.3) else logits


@sketch(
    takes={
        "observations": "observations f[b, d]",
        "stats": {"mean": "f[d]", "m2": "f[d]", "count": "counts i[]"},
    },
    dtypes="f32 bf16",
    gives=("observations f[b, d]", {"mean": "f[d]", "m2": "f[d]", "count": "i[]"}),
    sizes={"b": (2, 128), "d": (3, 256)},
    also=("Update running moments of observations, and whiten a batch with them.",),
)
def normalize_observations(observations, stats, clip=one_of(5.0, 10.0), update=True):
    """Track the mean and variance of observations and standardize a batch."""
    if update:
        # Chan's formula for merging the moments of two sets.
        batch_size = observations.shape[0]
        batch_mean = jnp.mean(observations, axis=0)
        batch_m2 = jnp.sum((observations - batch_mean) ** 2, axis=0)
        total = stats["count"] + batch_size
        delta = batch_mean - stats["mean"]
        mean = stats["mean"] + delta * batch_size / total
        m2 = jnp.abs(stats["m2"]) + batch_m2
        m2 = m2 + delta**2 * stats["count"] * batch_size / total
        stats = {"mean": mean, "m2": m2, "count": total}
    if maybe("unbiased_stats", 0.4):
        variance = stats["m2"] / jnp.maximum(stats["count"] - 1, 1)
    else:
        variance = stats["m2"] / jnp.maximum(stats["count"], 1)
    if maybe("rsqrt_stats"):
        normalized = (observations - stats["mean"]) * jax.lax.rsqrt(variance + 1e-3)
    else:
        std = jnp.maximum(jnp.sqrt(variance + 1e-6), 1e-2)
        normalized = (observations - stats["mean"]) / std
    return jnp.clip(normalized, -clip, clip), stats


@sketch(
    takes={
        "params": "P",
        "observations": "observations f[b, d]",
        "key": "key",
        "step": "counts i[]",
    },
    gives="actions i[b]",
    sizes={"b": (1, 128), "d": (3, 64), "k": (4, 18)},
    also=("Act greedily most of the time, and at random otherwise.",),
)
def explore(
    params,
    observations,
    key,
    step,
    start=1.0,
    end=number(0.01, 0.1),
    decay_steps=one_of(4, 10, 100),
):
    """Choose between the best action and a random one, ever less at random."""
    scores = action_logits(params, observations)
    batch_size, num_actions = scores.shape
    fraction = jnp.minimum(step / decay_steps, 1.0)
    if maybe("exponential_decay", 0.4):
        epsilon = end + (start - end) * jnp.exp(-step / decay_steps)
    else:
        epsilon = start + fraction * (end - start)
    if maybe("mixture_draw", 0.4):
        # As one categorical draw from the mixture of both.
        greedy = jax.nn.one_hot(jnp.argmax(scores, axis=-1), num_actions)
        probs = (1.0 - epsilon) * greedy + epsilon / num_actions
        return jax.random.categorical(key, jnp.log(probs + 1e-8), axis=-1)
    explore_key, action_key = jax.random.split(key)
    wild = jax.random.uniform(explore_key, (batch_size,)) < epsilon
    if maybe("boltzmann_wild", 0.3):
        random_actions = jax.random.categorical(action_key, scores / one_of(2.0, 5.0))
    else:
        random_actions = jax.random.randint(action_key, (batch_size,), 0, num_actions)
    return jnp.where(wild, random_actions, jnp.argmax(scores, axis=-1))


@sketch(
    takes={"logits": "logits f[b, k]", "key": "key", "legal?": "mask bool[b, k]"},
    gives=("actions i[b]", "f[b]: log_probs", "f[b]: entropy"),
    sizes={"b": (1, 256), "k": (4, 64)},
    also=("Draw actions from tempered logits, and report their log probabilities and entropy.",),
)
def boltzmann_actions(logits, key, legal=None, temperature=number(0.2, 2.0)):
    """Sample actions with probabilities that grow exponentially with their scores."""
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    logits = logits / temperature
    if legal is not None:
        # A large negative number rather than -inf: a state without legal moves stays finite.
        logits = jnp.where(legal, logits, one_of(-1e4, -1e3))
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    if maybe("gumbel_max"):
        gumbel = jax.random.gumbel(key, logits.shape)
        actions = jnp.argmax(logits + gumbel, axis=-1)
    else:
        actions = jax.random.categorical(key, logits, axis=-1)
    entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
    if maybe("relative_entropy", 0.3):
        entropy = entropy / jnp.log(logits.shape[-1])
    chosen = jnp.take_along_axis(log_probs, actions[:, None], axis=-1)
    return actions, chosen[:, 0], entropy
