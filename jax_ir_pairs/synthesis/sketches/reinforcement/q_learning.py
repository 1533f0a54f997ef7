"""Targets and losses of Q-learning."""

import dataclasses

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

q_network = nested("(params: P, observations: observations f[b, d]) -> values f[b, k]")


@sketch(
    takes={
        "params": "P",
        "target_params": "P",
        "batch": {
            "observations": "observations f[b, d]",
            "actions": "actions i[b]",
            "rewards": "rewards f[b]",
            "next_observations": "observations f[b, d]",
            "dones": "mask bool[b]",
        },
    },
    gives="loss f[]",
    sizes={"k": (4, 18), "b": (2, 128), "d": (3, 64)},
    also=("Regress the values of taken actions on their one-step targets.",),
)
def q_learning_loss(
    params, target_params, batch, gamma=number(0.9, 0.99), double=one_of(True, False)
):
    """Fit a Q-network to bootstrapped targets of replayed transitions."""
    q_values = q_network(params, batch["observations"])
    next_q = q_network(target_params, batch["next_observations"])
    if double:
        # The online network chooses the action that the target network rates.
        online_q = q_network(params, batch["next_observations"])
        best = jnp.argmax(online_q, axis=-1)
        next_value = jnp.take_along_axis(next_q, best[:, None], axis=-1)[:, 0]
    else:
        next_value = jnp.max(next_q, axis=-1)
    targets = batch["rewards"] + gamma * (1.0 - batch["dones"]) * next_value
    targets = jax.lax.stop_gradient(targets)
    if maybe("index_actions"):
        rows = jnp.arange(q_values.shape[0])
        chosen = q_values[rows, batch["actions"]]
    else:
        one_hot = jax.nn.one_hot(batch["actions"], q_values.shape[-1])
        chosen = jnp.sum(q_values * one_hot, axis=-1)
    errors = targets - chosen
    if maybe("huber"):
        delta = one_of(1.0, 2.0)
        magnitude = jnp.abs(errors)
        losses = jnp.where(magnitude <= delta, 0.5 * errors**2, delta * (magnitude - 0.5 * delta))
    else:
        losses = 0.5 * jnp.square(errors)
    return jnp.mean(losses)


@sketch(
    takes={
        "params": {
            "trunk": ("l", {"w": "f[d, d]", "b": "f[d]"}),
            "value": {"w": "f[d, 1]", "b": "f[1]"},
            "advantage": {"w": "f[d, k]", "b": "f[k]"},
        },
        "observations": "observations f[b, d]",
    },
    gives="values f[b, k]",
    sizes={"l": (1, 4), "d": (4, 128), "k": (4, 18)},
    dtypes="f32 bf16",
    also=("Dueling heads over a shared trunk.",),
)
def dueling_q_network(params, observations, centering=one_of("mean", "max")):
    """Split action values into a state value and centered advantages."""
    h = observations
    for i, layer in enumerate(params["trunk"]):
        update = one_of(jnp.tanh, jax.nn.relu, jax.nn.silu)(h @ layer["w"] + layer["b"])
        # Skip connections from the second layer on.
        h = update if i == 0 else h + update
    if maybe("rescale_trunk"):
        h = h / (1.0 + jnp.max(jnp.abs(h), axis=-1, keepdims=True))
    value = h @ params["value"]["w"] + params["value"]["b"]
    advantage = h @ params["advantage"]["w"] + params["advantage"]["b"]
    if centering == "max":
        baseline = jnp.max(advantage, axis=-1, keepdims=True)
    elif centering == "mean":
        baseline = jnp.mean(advantage, axis=-1, keepdims=True)
    else:
        raise ValueError(f"unknown centering {centering!r}")
    return value + advantage - baseline


@sketch(
    takes={
        "params": {"w": "f[d, h]", "b": "f[h]", "heads": "f[e, h, k]"},
        "observations": "observations f[b, d]",
    },
    gives="values f[b, k]",
    sizes={"e": (2, 5), "d": (3, 128), "h": (4, 64), "k": (4, 18)},
    dtypes="f32 bf16",
    also=("Combine the action values of several heads over shared features.",),
)
def ensemble_q_network(params, observations, pessimism=number(0.1, 1.0)):
    """Estimate action values with an ensemble of linear heads."""
    num_heads = params["heads"].shape[0]
    if num_heads < 2:
        raise ValueError(f"an ensemble needs at least two heads, got {num_heads}")
    features = one_of(jax.nn.relu, jnp.tanh, jax.nn.gelu)(observations @ params["w"] + params["b"])
    if maybe("vmap_heads", 0.3):
        per_head = jax.vmap(lambda head: features @ head)(params["heads"])
    else:
        per_head = jnp.einsum("bh,ehk->ebk", features, params["heads"])
    if maybe("pessimistic"):
        # Heads disagree where there is little data.
        spread = jnp.sqrt(jnp.var(per_head, axis=0) + 1e-4)
        return jnp.mean(per_head, axis=0) - pessimism * spread
    return one_of(jnp.mean(per_head, axis=0), jnp.min(per_head, axis=0))


@dataclasses.dataclass(frozen=True)
class ValueSupport:
    """Atoms of a categorical value distribution."""

    low: float
    high: float
    num_atoms: int

    @property
    def spacing(self):
        return (self.high - self.low) / (self.num_atoms - 1)

    def atoms(self):
        return jnp.linspace(self.low, self.high, self.num_atoms)


@sketch(
    takes={
        "logits": "logits f[b, a]: of the return at the next state",
        "rewards": "rewards f[b]",
        "dones": "mask bool[b]",
    },
    gives="probabilities f[b, a]",
    sizes={"b": (2, 64), "a": (5, 51)},
    also=("Move a categorical return distribution by a Bellman update and project it back.",),
)
def categorical_projection(
    logits, rewards, dones, gamma=number(0.9, 0.99), v_max=one_of(5.0, 10.0)
):
    """Project shifted return atoms onto a fixed support."""
    support = ValueSupport(-v_max, v_max, logits.shape[-1])
    atoms = support.atoms()
    next_probs = jax.nn.softmax(logits, axis=-1)
    discounts = gamma * (1.0 - dones)
    shifted = jnp.clip(rewards[:, None] + discounts[:, None] * atoms, support.low, support.high)
    if maybe("triangular_kernel", 0.6):
        # Each atom gets what lies within one spacing of it, by distance.
        gaps = jnp.abs(shifted[:, :, None] - atoms[None, None, :]) / support.spacing
        overlap = jnp.clip(1.0 - gaps, 0.0, 1.0)
        projected = one_of(
            jnp.einsum("bi,bij->bj", next_probs, overlap),
            jnp.sum(next_probs[:, :, None] * overlap, axis=1),
        )
    else:
        place = (shifted - support.low) / support.spacing
        lower = jnp.clip(jnp.floor(place), 0, support.num_atoms - 2).astype(jnp.int32)
        upper_share = place - lower

        def scatter(lower, upper_share, probs):
            spread = jnp.zeros(support.num_atoms, probs.dtype)
            spread = spread.at[lower].add(probs * (1 - upper_share))
            return spread.at[lower + 1].add(probs * upper_share)

        projected = jax.vmap(scatter)(lower, upper_share, next_probs)
    return projected


@sketch(
    takes={"quantiles": "values f[b, q]: predicted", "targets": "values f[b, m]: target samples"},
    gives="loss f[]",
    sizes={"b": (2, 32), "q": (4, 64), "m": (4, 64)},
    dtypes="f32 bf16",
    also=("Quantile Huber loss over all pairs of predicted and target quantiles.",),
)
def quantile_huber_loss(quantiles, targets, kappa=one_of(1.0, 0.5, 2.0), reduction="mean"):
    """Penalize over- and underestimation of return quantiles asymmetrically."""
    num_quantiles = quantiles.shape[-1]
    if maybe("arange_taus"):
        taus = ((jnp.arange(num_quantiles) + 0.5) / num_quantiles).astype(quantiles.dtype)
    else:
        edges = jnp.linspace(0, 1, num_quantiles + 1, dtype=quantiles.dtype)
        taus = (edges[1:] + edges[:-1]) / 2
    targets = jax.lax.stop_gradient(targets)
    errors = targets[:, None, :] - quantiles[:, :, None]  # (batch, quantile, target)
    magnitude = jnp.abs(errors)
    if maybe("clipped_huber"):
        clipped = jnp.minimum(magnitude, kappa)
        huber = clipped * (magnitude - 0.5 * clipped)
    else:
        huber = jnp.where(magnitude <= kappa, 0.5 * errors**2, kappa * (magnitude - 0.5 * kappa))
    tilt = jnp.abs(taus[None, :, None] - (errors < 0))
    losses = jnp.sum(jnp.mean(tilt * huber / kappa, axis=2), axis=1)
    if reduction == "mean":
        return jnp.mean(losses)
    if reduction == "sum":
        return jnp.sum(losses)
    raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")


@sketch(
    takes={
        "q_values": "values f[b, k]",
        "actions": "actions i[b]: actions of the data set",
        "td_targets": "targets f[b]",
    },
    gives="loss f[]",
    sizes={"b": (2, 256), "k": (4, 18)},
    dtypes="f32 bf16",
    also=("Conservative Q-learning objective for discrete actions.",),
)
def conservative_q_loss(q_values, actions, td_targets, conservatism=number(0.1, 5.0)):
    """Push down action values that the data set does not support."""
    temperature = one_of(1.0, 0.5, 2.0)
    taken = jnp.take_along_axis(q_values, actions[:, None], axis=1).squeeze(1)
    soft_max = temperature * jax.nn.logsumexp(q_values / temperature, axis=1)
    gap = soft_max - taken
    if maybe("lagrange", 0.4):
        # Only a gap beyond the budget is paid for.
        gap = jax.nn.relu(gap - one_of(1.0, 2.0))
    errors = taken - td_targets
    if maybe("cql_mse"):
        bellman = jnp.mean(errors**2)
    else:
        # Huber, in terms of the part of an error that is at most 1.
        small = jnp.clip(errors, -1.0, 1.0)
        bellman = jnp.mean(small * (errors - 0.5 * small))
    return bellman + conservatism * jnp.mean(gap)


@sketch(
    takes={
        "q_values": "values f[b, k]: at the states",
        "next_q": "values f[b, k]: at the next states",
        "actions": "actions i[b]",
        "rewards": "rewards f[b]",
        "dones": "mask bool[b]",
    },
    dtypes="f32 bf16",
    gives="targets f[b]",
    sizes={"b": (2, 256), "k": (4, 18)},
    also=("Soft targets of entropy-regularized Q-learning.",),
)
def soft_q_targets(
    q_values,
    next_q,
    actions,
    rewards,
    dones,
    gamma=number(0.9, 0.99),
    tau=number(0.1, 1.0),
):
    """Back up soft values of the next states."""
    if next_q.shape[0] != rewards.shape[0]:
        raise ValueError(f"{rewards.shape[0]} rewards for {next_q.shape[0]} next states")
    log_policy = jax.nn.log_softmax(next_q / tau, axis=-1)
    if maybe("log_mean"):
        soft_value = tau * jax.nn.logsumexp(next_q / tau, axis=-1)
    else:
        policy = jnp.exp(log_policy)
        soft_value = jnp.sum(policy * (next_q - tau * log_policy), axis=-1)
    if maybe("munchausen"):
        # Munchausen: the log probability of what was done is a reward as well.
        taken_log_policy = jax.nn.log_softmax(q_values / tau, axis=-1)
        bonus = jnp.take_along_axis(taken_log_policy, actions[:, None], axis=-1)[:, 0]
        rewards = rewards + 0.9 * jnp.clip(tau * bonus, -1.0, 0.0)
    targets = rewards + jnp.where(dones, 0.0, gamma * soft_value)
    if maybe("clip_soft_targets", 0.4):
        limit = one_of(10.0, 20.0)
        targets = jnp.clip(targets, -limit, limit)
    return jax.lax.stop_gradient(targets) if maybe("stop_soft_targets") else targets
