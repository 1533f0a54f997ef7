"""Dynamic programming and learning with tables."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


class TabularSolution(NamedTuple):
    """Values and greedy actions of a small decision process."""

    values: jax.Array
    actions: jax.Array
    residual: jax.Array


@sketch(
    takes={
        "transition_logits": "logits f[n, a, n]: of the next state",
        "rewards": "rewards f[n, a]",
    },
    gives=("values f[n]", "i[n]: actions", "f[]: residual"),
    sizes={"n": (4, 32), "a": (2, 6)},
    also=("Iterate the Bellman optimality operator of a learned model.",),
)
def value_iteration(
    transition_logits, rewards, *, gamma=number(0.8, 0.95), num_sweeps=integer(10, 40)
):
    """Solve a small Markov decision process by repeated backups."""
    num_states, num_actions = rewards.shape
    if transition_logits.shape != (num_states, num_actions, num_states):
        raise ValueError(f"transitions of shape {transition_logits.shape} do not fit the rewards")
    transitions = jax.nn.softmax(transition_logits, axis=-1)

    def backup(values):
        expected = one_of(
            transitions @ values,
            jnp.einsum("sap,p->sa", transitions, values),
            jnp.tensordot(transitions, values, axes=1),
        )
        return rewards + gamma * expected

    def smooth_max(q_values):
        if maybe("soft_backup", 0.35):
            # Entropy regularization with a fixed temperature.
            return 0.1 * jax.nn.logsumexp(q_values / 0.1, axis=1)
        return jnp.max(q_values, axis=1)

    values = jnp.zeros(num_states, rewards.dtype)
    if maybe("sweep_scan", 0.35):

        def sweep(values, _):
            improved = smooth_max(backup(values))
            return improved, jnp.max(jnp.abs(improved - values))

        values, residuals = jax.lax.scan(sweep, values, length=num_sweeps)
        residual = residuals[-1]
    elif maybe("sweep_while"):

        def unfinished(state):
            _, residual, count = state
            return (residual > 1e-3) & (count < num_sweeps)

        def sweep(state):
            values, _, count = state
            improved = smooth_max(backup(values))
            return improved, jnp.max(jnp.abs(improved - values)), count + 1

        start = (values, jnp.asarray(jnp.inf, rewards.dtype), 0)
        values, residual, _ = jax.lax.while_loop(unfinished, sweep, start)
    else:
        values = jax.lax.fori_loop(
            0, num_sweeps, lambda _, values: smooth_max(backup(values)), values
        )
        residual = jnp.max(jnp.abs(smooth_max(backup(values)) - values))
    actions = jnp.argmax(backup(values), axis=1)
    return TabularSolution(values, actions, residual)


@sketch(
    takes={
        "policy_logits": "logits f[n, a]",
        "transition_logits": "logits f[n, a, n]",
        "rewards": "rewards f[n, a]",
    },
    gives={"values": "values f[n]", "q_values": "values f[n, a]", "occupancy": "f[n]"},
    sizes={"n": (4, 32), "a": (2, 6)},
    dtypes="f32 f64",
    also=("Evaluate a stochastic policy exactly with a linear solve.",),
)
def evaluate_policy(policy_logits, transition_logits, rewards, gamma=number(0.8, 0.95)):
    """Solve the Bellman equations of a fixed policy."""
    policy = jax.nn.softmax(policy_logits, axis=-1)
    transitions = jax.nn.softmax(transition_logits, axis=-1)
    num_states = policy.shape[0]
    chain = jnp.einsum("sa,sap->sp", policy, transitions)
    reward = jnp.sum(policy * rewards, axis=1)
    identity = jnp.eye(num_states, dtype=chain.dtype)
    if maybe("inverse_chain", 0.4):
        # Discounted visits from each state to each other one.
        visits = jnp.linalg.inv(identity - gamma * chain)
        values = visits @ reward
        occupancy = (1 - gamma) * jnp.mean(visits, axis=0)
    else:
        values = jnp.linalg.solve(identity - gamma * chain, reward)
        start = jnp.full(num_states, 1.0 / num_states, chain.dtype)
        occupancy = (1 - gamma) * jnp.linalg.solve((identity - gamma * chain).T, start)
    q_values = rewards + gamma * transitions @ values
    if maybe("relative_values", 0.3):
        # Only differences matter for improving the policy.
        values = values - jnp.mean(values)
    if maybe("advantage_table", 0.3):
        q_values = q_values - values[:, None]
    return {"values": values, "q_values": q_values, "occupancy": occupancy}


@sketch(
    takes={"rewards": "rewards f[y, x]", "walls": "mask bool[y, x]"},
    gives="values f[y, x]",
    sizes={"y": (4, 24), "x": (4, 24)},
    dtypes="f32 bf16",
    also=("Plan on a grid by spreading values from cell to cell.",),
)
def grid_planning(
    rewards, walls, *, gamma=number(0.8, 0.95), slip=number(0.05, 0.3), num_sweeps=integer(8, 40)
):
    """Iterate state values of a grid world with walls and slippery moves."""
    height, width = rewards.shape

    def neighbors(values):
        padded = jnp.pad(values, 1, mode="edge")
        up, down = padded[:-2, 1:-1], padded[2:, 1:-1]
        left, right = padded[1:-1, :-2], padded[1:-1, 2:]
        return jnp.stack([up, down, left, right])

    if maybe("walls_block"):
        # Whoever runs into a wall stays where they were.
        blocked = neighbors(walls)

    def sweep(_, values):
        arrivals = neighbors(values)
        if maybe("walls_block"):
            arrivals = jnp.where(blocked, values, arrivals)
        best = jnp.max(arrivals, axis=0)
        average = jnp.mean(arrivals, axis=0)
        values = rewards + gamma * ((1 - slip) * best + slip * average)
        return jnp.where(walls, 0.0, values)

    init = jnp.where(walls, 0.0, rewards) if maybe("warm_grid") else jnp.zeros_like(rewards)
    values = jax.lax.fori_loop(0, num_sweeps, sweep, init)
    assert values.shape == (height, width), f"planning changed the grid to {values.shape}"
    return values


@sketch(
    takes={
        "table": "values f[n, a]: initial action values",
        "states": "ids i[t]",
        "actions": "actions i[t]",
        "rewards": "rewards f[t]",
        "next_states": "ids i[t]",
    },
    gives=("values f[n, a]", "f[t]: td_errors"),
    sizes={"n": (4, 64), "a": (4, 8), "t": (4, 256)},
    also=("Learn a table of action values from logged transitions, one by one.",),
)
def replay_q_table(
    table, states, actions, rewards, next_states, *, gamma=0.9, learning_rate=number(0.05, 0.5)
):
    """Sweep over logged transitions with tabular Q-learning."""
    if maybe("visit_rates", 0.4):
        # Robbins-Monro: the more often a pair was seen, the smaller its step.

        def learn(carry, transition):
            table, visits = carry
            state, action, reward, following = transition
            visits = visits.at[state, action].add(1)
            error = reward + gamma * jnp.max(table[following]) - table[state, action]
            rate = learning_rate / jnp.sqrt(visits[state, action])
            return (table.at[state, action].add(rate * error), visits), error

        visits = jnp.zeros(table.shape, jnp.int32)
        (table, _), errors = jax.lax.scan(
            learn, (table, visits), (states, actions, rewards, next_states)
        )
    else:

        def learn(table, transition):
            state, action, reward, following = transition
            if maybe("expected_sarsa", 0.4):
                # The value of the softmax policy rather than of the best action.
                policy = jax.nn.softmax(table[following] / one_of(0.5, 1.0))
                target = reward + gamma * policy @ table[following]
            else:
                target = reward + gamma * jnp.max(table[following])
            error = target - table[state, action]
            return table.at[state, action].add(learning_rate * error), error

        table, errors = jax.lax.scan(learn, table, (states, actions, rewards, next_states))
    return table, errors


@sketch(
    takes={
        "features": "features f[t, d]: of the states that were visited",
        "rewards": "rewards f[t]",
        "weights": "f[d]",
    },
    gives=("f[d]: weights", "values f[t]"),
    sizes={"t": (4, 256), "d": (3, 64)},
    also=("Learn a linear value function online with eligibility traces.",),
)
def td_lambda_weights(
    features, rewards, weights, gamma=0.95, lam=number(0.5, 0.95), learning_rate=number(1e-2, 1e-1)
):
    """Adapt a linear value function along a trajectory."""
    num_steps, num_features = features.shape
    if num_steps != rewards.shape[0]:
        raise ValueError(f"{num_steps} states and {rewards.shape[0]} rewards")
    # Rows of at most unit length keep the step size safe.
    norms = jnp.sqrt(jnp.sum(features**2, axis=1, keepdims=True) + 1e-6)
    features = features / jnp.maximum(norms, 1.0)
    following = jnp.concatenate([features[1:], jnp.zeros((1, num_features), features.dtype)])
    if maybe("average_reward", 0.3):
        mean_reward = jnp.mean(rewards)

    def step(carry, inputs):
        weights, trace = carry
        now, then, reward = inputs
        trace = gamma * lam * trace + now
        if maybe("clip_trace", 0.4):
            trace = jnp.clip(trace, -1.0, 1.0)
        if maybe("average_reward", 0.3):
            error = reward - mean_reward + then @ weights - now @ weights
        else:
            error = reward + gamma * then @ weights - now @ weights
        return (weights + learning_rate * error * trace, trace), error

    init = (weights, jnp.zeros_like(weights))
    (weights, _), _ = jax.lax.scan(step, init, (features, following, rewards))
    return weights, features @ weights


@sketch(
    takes={"states": "ids i[t]", "rewards": "rewards f[n]: of each state"},
    gives={"occupancy": "f[n, n]", "values": "values f[n]"},
    sizes={"n": (4, 48), "t": (8, 256)},
    also=("Learn a successor representation from a sequence of states.",),
)
def successor_representation(
    states, rewards, gamma=number(0.7, 0.95), learning_rate=number(0.05, 0.4)
):
    """Estimate how often each state will be visited after each other one."""
    num_states = rewards.shape[0]
    identity = jnp.eye(num_states, dtype=rewards.dtype)
    if maybe("count_model", 0.4):
        # From the maximum-likelihood chain, with a small prior on every transition.
        counts = jnp.full((num_states, num_states), 0.1, rewards.dtype)
        counts = counts.at[states[:-1], states[1:]].add(1.0)
        chain = counts / jnp.sum(counts, axis=1, keepdims=True)
        occupancy = jnp.linalg.solve(identity - gamma * chain, identity)
    else:

        def update(occupancy, pair):
            state, following = pair
            row = occupancy[state]
            target = identity[state] + gamma * occupancy[following]
            return occupancy.at[state].set(row + learning_rate * (target - row)), None

        occupancy, _ = jax.lax.scan(update, identity, (states[:-1], states[1:]))
    if maybe("normalize_occupancy", 0.4):
        occupancy = occupancy / jnp.sum(occupancy, axis=1, keepdims=True)
    return {"occupancy": occupancy, "values": occupancy @ rewards}
