"""Matrix games, shared rewards and imitation."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

imitation_policy = nested("(params: P, observations: observations f[b, d]) -> logits f[b, k]")


@sketch(
    takes={"payoffs": "matrix f[m, n]: what the row player gains"},
    gives={"row": "probabilities f[m]", "column": "probabilities f[n]", "exploitability": "f[]"},
    sizes={"m": (2, 32), "n": (2, 32)},
    also=("Approximate an equilibrium of a zero-sum game by regret matching.",),
)
def regret_matching(payoffs, num_iters=integer(10, 60)):
    """Play a zero-sum matrix game against itself and average the strategies."""
    num_rows, num_columns = payoffs.shape

    def strategy(regrets):
        positive = jnp.maximum(regrets, 0.0)
        uniform = jnp.ones_like(regrets) / regrets.shape[0]
        total = jnp.sum(positive)
        return jnp.where(total > 1e-6, positive / jnp.maximum(total, 1e-6), uniform)

    def play(carry, _):
        row_regrets, column_regrets, row_sum, column_sum = carry
        if maybe("hedge_play"):
            # Multiplicative weights: exponentials of regrets.
            row = jax.nn.softmax(0.1 * row_regrets)
            column = jax.nn.softmax(0.1 * column_regrets)
        else:
            row, column = strategy(row_regrets), strategy(column_regrets)
        row_gains, column_gains = payoffs @ column, -(row @ payoffs)
        row_regrets = row_regrets + row_gains - row @ row_gains
        column_regrets = column_regrets + column_gains - column @ column_gains
        if maybe("regret_plus"):
            row_regrets = jnp.maximum(row_regrets, 0.0)
            column_regrets = jnp.maximum(column_regrets, 0.0)
        return (row_regrets, column_regrets, row_sum + row, column_sum + column), None

    rows, columns = jnp.zeros(num_rows, payoffs.dtype), jnp.zeros(num_columns, payoffs.dtype)
    (_, _, row_sum, column_sum), _ = jax.lax.scan(
        play, (rows, columns, rows, columns), length=num_iters
    )
    row, column = row_sum / num_iters, column_sum / num_iters
    if maybe("trembling_hand", 0.3):
        # Every action keeps a small probability.
        row = 0.99 * row + 0.01 / num_rows
        column = 0.99 * column + 0.01 / num_columns
    exploitability = jnp.max(payoffs @ column) - jnp.min(row @ payoffs)
    return {"row": row, "column": column, "exploitability": exploitability}


@sketch(
    takes={"payoffs": "matrix f[n, n]", "logits": "logits f[n]: initial shares"},
    gives=("probabilities f[n]", "f[t]: mean_fitness"),
    sizes={"n": (2, 64), "t": (5, 64)},
    also=("Let strategies spread in a population by their fitness.",),
)
def replicator_dynamics(payoffs, logits, num_steps=size("t"), dt=number(0.01, 0.1)):
    """Integrate replicator equations of a symmetric game."""
    if payoffs.shape[0] != payoffs.shape[1]:
        raise ValueError(f"a symmetric game has a square matrix, got {payoffs.shape}")
    shares = jax.nn.softmax(logits)
    if maybe("mutation", 0.4):
        rate = one_of(0.01, 0.05)

    def step(shares, _):
        fitness = payoffs @ shares
        average = shares @ fitness
        if maybe("log_replicator"):
            # In logarithms, where shares stay positive by themselves.
            log_shares = jnp.log(shares + 1e-8) + dt * (fitness - average)
            shares = jax.nn.softmax(log_shares)
        else:
            growth = jnp.clip(dt * (fitness - average), -0.5, 0.5)
            shares = shares * (1 + growth)
            shares = shares / jnp.sum(shares)
        if maybe("mutation", 0.4):
            shares = (1 - rate) * shares + rate / shares.shape[0]
        return shares, average

    shares, mean_fitness = jax.lax.scan(step, shares, length=num_steps)
    return shares, mean_fitness


@sketch(
    takes={
        "params": "P",
        "observations": "observations f[b, d]: of the expert",
        "actions": "actions i[b]: that the expert took",
        "weights?": "mask bool[b]: demonstrations that count",
    },
    gives="loss f[]",
    sizes={"b": (2, 128), "d": (3, 64), "k": (4, 18)},
    also=("Fit a policy to the actions of an expert.",),
)
def behavior_cloning_loss(params, observations, actions, weights=None, smoothing=one_of(0.05, 0.1)):
    """Imitate demonstrated actions with a smoothed likelihood."""
    logits = imitation_policy(params, observations)
    if actions.shape[0] != logits.shape[0]:
        raise ValueError(f"{actions.shape[0]} actions for {logits.shape[0]} observations")
    log_probs = jax.nn.log_softmax(logits)
    if maybe("focal_imitation", 0.3):
        # Actions that are already likely matter less.
        taken = jnp.take_along_axis(log_probs, actions[:, None], axis=1)[:, 0]
        losses = -((1 - jnp.exp(taken)) ** 2) * taken
    elif maybe("smooth_imitation"):
        num_actions = logits.shape[1]
        expert = jax.nn.one_hot(actions, num_actions)
        expert = (1 - smoothing) * expert + smoothing / num_actions
        losses = -jnp.sum(expert * log_probs, axis=1)
    else:
        losses = -log_probs[jnp.arange(actions.shape[0]), actions]
    if weights is not None:
        return jnp.sum(weights * losses) / jnp.maximum(jnp.sum(weights), 1)
    return jnp.mean(losses)


@sketch(
    takes={
        "expert": "features f[b, d]: states and actions of the expert",
        "agent": "features f[n, d]: of the agent",
        "params": {"w": "f[d, h]", "b": "f[h]", "head": "f[h]"},
    },
    gives=("loss f[]", "rewards f[n]"),
    sizes={"b": (2, 64), "n": (2, 64), "d": (3, 48), "h": (4, 48)},
    dtypes="f32 bf16",
    also=("Tell expert from agent, and reward the agent for being mistaken.",),
)
def adversarial_imitation(expert, agent, params, penalty=number(0.01, 0.3)):
    """Train a discriminator whose output rewards imitation."""

    def score(inputs):
        hidden = one_of(jnp.tanh, jax.nn.relu, jax.nn.silu)(inputs @ params["w"] + params["b"])
        return hidden @ params["head"]

    expert_scores, agent_scores = score(expert), score(agent)
    loss = jnp.mean(jax.nn.softplus(-expert_scores)) + jnp.mean(jax.nn.softplus(agent_scores))
    if maybe("score_penalty"):
        # Keeps scores in a range where rewards still differ.
        loss = loss + penalty * (jnp.mean(expert_scores**2) + jnp.mean(agent_scores**2))
    if maybe("airl_reward"):
        rewards = agent_scores
    else:
        rewards = one_of(jax.nn.softplus(agent_scores), -jax.nn.softplus(-agent_scores))
    if maybe("clip_imitation", 0.3):
        rewards = jnp.clip(rewards, -10.0, 10.0)
    return loss, jax.lax.stop_gradient(rewards)


@sketch(
    takes={
        "rewards": "rewards f[b, t]",
        "features": "sequence f[b, t, d]: states that were visited",
        "weights": "f[d]: of a linear potential",
        "dones": "mask bool[b, t]",
    },
    gives="rewards f[b, t]",
    sizes={"b": (1, 32), "t": (3, 128), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Add differences of a potential to rewards.",),
)
def shape_rewards(
    rewards, features, weights, dones, gamma=number(0.9, 0.99), scale=number(0.05, 0.5)
):
    """Guide exploration with a potential that leaves the best policy unchanged."""
    potential = features @ weights
    if maybe("bounded_potential", 0.6):
        potential = one_of(jnp.tanh(potential), jax.nn.sigmoid(potential))
    if maybe("pad_potential"):
        following = jnp.pad(potential[:, 1:], ((0, 0), (0, 1)))
    else:
        last = jnp.zeros_like(potential[:, :1])
        following = jnp.concatenate([potential[:, 1:], last], axis=1)
    # States after an ending have no potential.
    following = jnp.where(dones, 0.0, following)
    shaped = rewards + scale * (gamma * following - potential)
    if maybe("clip_shaped", 0.3):
        limit = one_of(5.0, 10.0)
        shaped = jnp.clip(shaped, -limit, limit)
    return shaped


@sketch(
    takes={
        "agent_values": "values f[b, a]: of each agent's chosen action",
        "state": "features f[b, d]",
        "params": {"w1": "f[d, a*h]", "b1": "f[d, h]", "w2": "f[d, h]", "v": "f[d]"},
    },
    gives="values f[b]",
    sizes={"b": (2, 64), "a": (2, 6), "d": (3, 32), "h": (2, 16)},
    dtypes="f32 bf16",
    also=("Combine agents' values with state-dependent nonnegative weights.",),
)
def monotonic_value_mixing(agent_values, state, params):
    """Mix the values of cooperating agents into one joint value."""
    batch_size, num_agents = agent_values.shape
    hidden_size = params["b1"].shape[1]
    positive = one_of(jnp.abs, jax.nn.softplus, jax.nn.relu)
    # Nonnegative weights: the joint value never falls when an agent's rises.
    first = positive(state @ params["w1"]).reshape(batch_size, num_agents, hidden_size)
    if maybe("softmax_mixing", 0.3):
        second = jax.nn.softmax(state @ params["w2"], axis=-1)
    else:
        second = positive(state @ params["w2"])
    hidden = jnp.einsum("ba,bah->bh", agent_values, first) + state @ params["b1"]
    hidden = one_of(jax.nn.elu, jnp.tanh)(hidden)
    return jnp.sum(hidden * second, axis=-1) + state @ params["v"]
