"""Collectives between the examples of a `vmap`, or the replicas of a `pmap`."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

BATCH_AXIS = one_of("batch", "i", "examples", "b")
REPLICA_AXIS = one_of("replicas", "members", "population")


@sketch(
    takes={"x": "features f[b, d]", "scale": "f[d]", "bias": "f[d]"},
    gives="features f[b, d]",
    sizes={"b": (2, 32), "d": (2, 64)},
    also=("Write batch norm for one example, with means over a named axis.",),
)
def per_example_batch_norm(x, scale, bias, eps=one_of(1e-5, 1e-3)):
    """Standardize one example of a vmap by the statistics of all of them."""

    def normalize(x):
        mean = jax.lax.pmean(x, BATCH_AXIS)
        centered = x - mean
        if maybe("largest", 0.3):
            spread = jax.lax.pmax(jnp.abs(centered), BATCH_AXIS)
            normed = centered / (spread + eps)
        else:
            var = one_of(
                jax.lax.pmean(centered**2, BATCH_AXIS),
                jnp.maximum(jax.lax.pmean(x**2, BATCH_AXIS) - mean**2, 0.0),
            )
            normed = centered * jax.lax.rsqrt(var + eps)
        if maybe("affine"):
            normed = normed * scale + bias
        return one_of(normed, jax.nn.relu(normed), jax.nn.silu(normed))

    return jax.vmap(normalize, axis_name=BATCH_AXIS)(x)


@sketch(
    takes={"anchors": "embeddings f[b, d]", "positives": "embeddings f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 64)},
    also=("Gather the embeddings of all examples as negatives for each one.",),
)
def gathered_contrastive_loss(anchors, positives, temperature=one_of(0.1, 0.2, 0.5, 1.0)):
    """Contrast each example with those of the whole batch through a named axis."""

    def unit(x):
        return x * jax.lax.rsqrt(jnp.sum(x * x) + 1e-6)

    def example_loss(anchor, positive):
        anchor, positive = unit(anchor), unit(positive)
        candidates = jax.lax.all_gather(positive, BATCH_AXIS)
        logits = candidates @ anchor / temperature
        own = jnp.vdot(anchor, positive) / temperature
        loss = jax.nn.logsumexp(logits) - own
        if maybe("symmetric"):
            others = jax.lax.all_gather(anchor, axis_name=BATCH_AXIS)
            loss = (loss + jax.nn.logsumexp(others @ positive / temperature) - own) / 2
        if maybe("hardest", 0.3):
            # Add the most similar negative once more.
            index = jax.lax.axis_index(BATCH_AXIS)
            is_own = jnp.arange(logits.size) == index
            hardest = jnp.max(jnp.where(is_own, -1e3, logits))
            loss = loss + jax.nn.relu(hardest - own + one_of(0.1, 0.5))
        return loss

    losses = jax.vmap(example_loss, axis_name=BATCH_AXIS)(anchors, positives)
    return one_of(jnp.mean(losses), jnp.sum(losses) / anchors.shape[0])


@sketch(
    takes={"members": {"w": "f[l, d, c]", "b": "f[l, c]"}, "x": "features f[b, d]"},
    gives=("logits f[b, c]", "metric f[]: disagreement"),
    sizes={"l": (2, 6), "b": (1, 16), "d": (2, 32), "c": (2, 16)},
    also=("Average an ensemble along the axis of its members.",),
)
def ensemble_consensus(members, x):
    """Let the members of an ensemble agree on a prediction, and see how far they differ."""

    def member(params, x):
        logits = x @ params["w"] + params["b"]
        if maybe("median", 0.3):
            everyone = jax.lax.all_gather(logits, REPLICA_AXIS)
            mean = jnp.median(everyone, axis=0)
        elif maybe("geometric"):
            mean = jax.lax.pmean(jax.nn.log_softmax(logits), REPLICA_AXIS)
        else:
            mean = jax.lax.pmean(logits, REPLICA_AXIS)
        gap = jnp.mean(one_of((logits - mean) ** 2, jnp.abs(logits - mean)))
        if maybe("worst"):
            return mean, jax.lax.pmax(gap, REPLICA_AXIS)
        return mean, jax.lax.pmean(gap, REPLICA_AXIS)

    run = jax.vmap(member, in_axes=(0, None), out_axes=None, axis_name=REPLICA_AXIS)
    return run(members, x)


@sketch(
    takes={
        "population": {"w": "f[l, d]", "rate": "f[l]: raw learning rates"},
        "x": "features f[b, d]",
        "y": "targets f[b]",
    },
    gives=({"w": "f[l, d]", "rate": "f[l]"}, "loss f[]: best"),
    sizes={"l": (3, 8), "b": (4, 32), "d": (2, 32)},
    also=("Train a population, whose worst members copy the best one.",),
)
def population_exploit_step(population, x, y, base_rate=number(1e-3, 1e-1)):
    """Train members side by side and let the worse ones take over the best weights."""

    def step(member):
        def objective(w):
            return jnp.mean((x @ w - y) ** 2) / 2

        rate = base_rate * jax.nn.sigmoid(member["rate"])
        w = member["w"]
        for _ in range(one_of(1, 2, 3)):
            w = w - rate * jax.grad(objective)(w)
        score = objective(w)
        everyone = jax.lax.all_gather((w, member["rate"], score), REPLICA_AXIS)
        all_w, all_rates, scores = everyone
        order = jnp.argsort(scores)
        if maybe("threshold"):
            is_bad = score > one_of(jnp.mean(scores), jnp.median(scores))
        else:
            is_bad = score >= scores[order[-1]]
        best = order[0]
        w = jnp.where(is_bad, all_w[best], w)
        if maybe("perturb", 0.6):
            explored = all_rates[best] + one_of(0.2, -0.2, 0.1)
            new_rate = jnp.where(is_bad, explored, member["rate"])
        else:
            new_rate = jnp.where(is_bad, all_rates[best], member["rate"])
        return {"w": w, "rate": new_rate}, jax.lax.pmin(score, REPLICA_AXIS)

    return jax.vmap(step, out_axes=(0, None), axis_name=REPLICA_AXIS)(population)


@sketch(
    takes={"grads": {"w": "f[b, d, c]: per example", "b": "f[b, c]"}},
    gives={"w": "f[d, c]", "b": "f[c]"},
    sizes={"b": (2, 16), "d": (2, 24), "c": (1, 16)},
    also=("Clip the gradient of each example, and sum them along the batch.",),
)
def clipped_example_sum(grads, max_norm=one_of(0.5, 1.0, 2.0)):
    """Bound how much one example adds to a gradient that is summed over a named axis."""

    def contribute(grads):
        squares = sum(jnp.sum(g**2) for g in jax.tree.leaves(grads))
        norm = jnp.sqrt(squares + 1e-12)
        if maybe("automatic"):
            scale = max_norm / (norm + one_of(0.01, 0.1))
        else:
            scale = jnp.minimum(1.0, max_norm / norm)
        if maybe("agreeing signs", 0.4):
            # Leave out coordinates in which the examples disagree.
            votes = jax.lax.pmean(jax.tree.map(jnp.sign, grads), BATCH_AXIS)
            agreed = jax.tree.map(lambda v: jnp.abs(v) > one_of(0.2, 0.5), votes)
            grads = jax.tree.map(lambda g, a: jnp.where(a, g, 0.0), grads, agreed)
        clipped = jax.tree.map(lambda g: g * scale, grads)
        return one_of(jax.lax.psum, jax.lax.pmean)(clipped, BATCH_AXIS)

    return jax.vmap(contribute, out_axes=None, axis_name=BATCH_AXIS)(grads)


@sketch(
    takes={"opinions": "state f[n, d]: one row per agent"},
    gives="state f[n, d]",
    sizes={"n": (3, 16), "d": (1, 16)},
    also=("Gossip around a ring of agents that are mapped over.",),
)
def gossip_averaging(opinions, num_rounds=integer(1, 6), weight=one_of(0.5, 0.25, 1 / 3)):
    """Average the values of neighbours in a ring, written for one agent."""
    num_agents = opinions.shape[0]

    def agent(x):
        to_right = [(i, (i + 1) % num_agents) for i in range(num_agents)]
        to_left = [(j, i) for i, j in to_right]
        for _ in range(num_rounds):
            left = jax.lax.ppermute(x, "agents", to_right)
            if maybe("one neighbour", 0.4):
                x = (1 - weight) * x + weight * left
            else:
                right = jax.lax.ppermute(x, "agents", perm=to_left)
                x = (1 - weight) * x + weight * (left + right) / 2
        if maybe("compare"):
            return x - jax.lax.pmean(x, "agents")
        if maybe("bounded"):
            low, high = jax.lax.pmin(x, "agents"), jax.lax.pmax(x, "agents")
            return (x - low) / (high - low + 1e-3)
        return x

    return jax.vmap(agent, axis_name="agents")(opinions)


@sketch(
    takes={"x": "features f[h, b, d]: groups of examples"},
    gives="features f[h, b, d]",
    sizes={"h": (2, 6), "b": (2, 16), "d": (2, 32)},
    also=("Center examples within their group and scale them over all groups.",),
)
def two_level_normalization(x, eps=one_of(1e-5, 1e-3)):
    """Normalize along two named axes, of groups and of their examples."""

    def normalize(x):
        mean = jax.lax.pmean(x, "example")
        if maybe("whole mean", 0.4):
            mean = (mean + jax.lax.pmean(mean, "group")) / 2
        centered = x - mean
        if maybe("both axes", 0.6):
            var = jax.lax.pmean(centered**2, ("group", "example"))
        else:
            var = jax.lax.pmean(jax.lax.pmean(centered**2, "example"), axis_name="group")
        normed = centered * jax.lax.rsqrt(var + eps)
        if maybe("rank weight", 0.3):
            count = jax.lax.axis_size("example")
            normed = normed * (1 + jax.lax.axis_index("example")) / count
        return normed

    by_example = jax.vmap(normalize, axis_name="example")
    return jax.vmap(by_example, axis_name="group")(x)
