"""Search over parameters and plans without derivatives."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

fitness_cost = nested("(x: vector f[n]) -> energy f[]")


def _centered_ranks(scores):
    ranks = jnp.argsort(jnp.argsort(scores))
    return ranks / (scores.shape[0] - 1) - 0.5


@sketch(
    takes={"center": "vector f[n]", "key": "key"},
    gives=("vector f[n]", "f[p]: costs"),
    sizes={"n": (2, 64), "p": (4, 48)},
    also=("Estimate a search gradient from random perturbations and follow it.",),
)
def evolution_strategy_step(
    center, key, *, num_pairs=size("p"), sigma=number(0.02, 0.3), learning_rate=number(1e-2, 2e-1)
):
    """Move a search distribution towards perturbations that did well."""
    if num_pairs < 2:
        raise ValueError(f"at least two perturbations are needed, got {num_pairs}")
    noise = jax.random.normal(key, (num_pairs, *center.shape), dtype=center.dtype)
    costs = jax.vmap(fitness_cost)(center + sigma * noise)
    if maybe("antithetic_search"):
        # Mirrored pairs: what both share cancels.
        mirrored = jax.vmap(fitness_cost)(center - sigma * noise)
        utilities = jnp.tanh(mirrored - costs)
    elif maybe("rank_utilities"):
        utilities = -_centered_ranks(costs).astype(center.dtype)
    else:
        utilities = -(costs - jnp.mean(costs)) / (jnp.std(costs) + 1e-2)
    gradient = one_of(
        utilities @ noise / num_pairs, jnp.einsum("p,pn->n", utilities, noise) / num_pairs
    )
    if maybe("decay_center", 0.3):
        center = 0.99 * center
    return center + learning_rate * gradient, costs


@sketch(
    takes={"mean": "vector f[n]", "key": "key"},
    gives={"mean": "vector f[n]", "std": "f[n]"},
    sizes={"n": (2, 48)},
    also=("Refit a Gaussian to the best of its own samples, several times.",),
)
def cross_entropy_search(
    mean, key, *, num_samples=integer(16, 64), num_elites=integer(4, 8), num_iters=integer(1, 3)
):
    """Concentrate a sampling distribution on low costs with the cross-entropy method."""
    assert num_elites <= num_samples, f"{num_elites} elites of {num_samples} samples"
    std = jnp.full_like(mean, one_of(1.0, 0.5))
    smoothing = one_of(0.1, 0.25)
    for i in range(num_iters):
        noise = jax.random.normal(
            jax.random.fold_in(key, i), (num_samples, mean.shape[0]), mean.dtype
        )
        candidates = mean + std * noise
        costs = jax.vmap(fitness_cost)(candidates)
        if maybe("soft_elites"):
            # All samples count, better ones more.
            spread = jnp.std(costs) + 1e-2
            weights = jax.nn.softmax(-(costs - jnp.mean(costs)) / spread)
            best_mean = weights @ candidates
            best_std = jnp.sqrt(weights @ (candidates - best_mean) ** 2 + 1e-4)
        else:
            _, chosen = jax.lax.top_k(-costs, num_elites)
            elites = candidates[chosen]
            best_mean = jnp.mean(elites, axis=0)
            best_std = jnp.sqrt(jnp.var(elites, axis=0) + 1e-4)
        mean = smoothing * mean + (1 - smoothing) * best_mean
        std = smoothing * std + (1 - smoothing) * best_std
    return {"mean": mean, "std": std}


@sketch(
    takes={
        "plan": "control f[t, a]: last plan",
        "state": "state f[d]",
        "dynamics": {"drift": "f[d, d]", "control": "f[a, d]"},
        "key": "key",
    },
    gives=("control f[t, a]", "f[m]: costs"),
    sizes={"t": (3, 24), "a": (1, 4), "d": (2, 12), "m": (8, 64)},
    also=("Reweight noisy plans by their simulated cost.",),
)
def path_integral_plan(
    plan, state, dynamics, key, num_rollouts=size("m"), temperature=number(0.3, 3.0), sigma=0.3
):
    """Improve a plan with model predictive path integral control."""
    horizon, num_controls = plan.shape
    if maybe("shift_plan"):
        # One step has been executed since the plan was made.
        plan = jnp.concatenate([plan[1:], jnp.zeros((1, num_controls), plan.dtype)])
    noise = sigma * jax.random.normal(key, (num_rollouts, horizon, num_controls), plan.dtype)
    controls = one_of(jnp.clip(plan + noise, -1.0, 1.0), jnp.tanh(plan + noise))

    def advance(carry, control):
        states, cost = carry
        drift = states @ dynamics["drift"] + control @ dynamics["control"]
        states = states + 0.1 * jnp.tanh(drift)
        cost = cost + jnp.sum(states**2, axis=-1)
        if maybe("control_cost"):
            cost = cost + 0.1 * jnp.sum(control**2, axis=-1)
        return (states, cost), None

    states = jnp.broadcast_to(state, (num_rollouts, *state.shape))
    init = (states, jnp.zeros(num_rollouts, plan.dtype))
    (_, costs), _ = jax.lax.scan(advance, init, jnp.swapaxes(controls, 0, 1))
    scaled_costs = (costs - jnp.min(costs)) / (jnp.std(costs) + 1e-2)
    weights = jax.nn.softmax(-scaled_costs / temperature)
    return jnp.tensordot(weights, controls, axes=1), costs


@sketch(
    takes={
        "params": {"layers": ("l", {"w": "f[d, d]", "b": "f[d]"}), "head": "f[d, k]"},
        "key": "key",
        "observations": "observations f[b, d]",
        "actions": "actions i[b]",
    },
    gives="metric f[m]",
    sizes={"l": (1, 3), "d": (3, 24), "k": (4, 8), "b": (2, 32), "m": (3, 16)},
    also=("Rate random mutations of a policy by how well they imitate.",),
)
def mutant_scores(
    params, key, observations, actions, num_mutants=size("m"), sigma=number(0.01, 0.1)
):
    """Score a population of perturbed policies on demonstrated actions."""
    leaves, structure = jax.tree.flatten(params)

    def mutate(mutant_key):
        keys = jax.random.split(mutant_key, len(leaves))
        noisy = [
            leaf + sigma * jax.random.normal(k, leaf.shape, leaf.dtype)
            for leaf, k in zip(leaves, keys)
        ]
        return jax.tree.unflatten(structure, noisy)

    def score(mutant_key):
        mutant = mutate(mutant_key)
        h = observations
        for layer in mutant["layers"]:
            h = one_of(jnp.tanh, jax.nn.relu)(h @ layer["w"] + layer["b"])
        logits = h @ mutant["head"]
        if maybe("likelihood_score", 0.7):
            log_probs = jax.nn.log_softmax(logits)
            return jnp.mean(log_probs[jnp.arange(actions.shape[0]), actions])
        chosen = jnp.take_along_axis(logits, actions[:, None], axis=1)
        return jnp.mean(jax.nn.sigmoid(chosen - jnp.mean(logits, axis=1, keepdims=True)))

    keys = jax.random.split(key, num_mutants)
    if maybe("map_mutants", 0.3):
        return jax.lax.map(score, keys)
    return jax.vmap(score)(keys)
