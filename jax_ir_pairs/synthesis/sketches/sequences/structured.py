"""Dynamic programs over sequences: random fields, hidden Markov models, labels of frames."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={
        "emissions": "logits f[b, t, k]: score of each tag at each position",
        "transitions": "f[k, k]: score of one tag after another",
        "tags": "labels i[b, t]",
        "mask?": "mask bool[b, t]: true at positions that count",
    },
    gives="loss f[]",
    sizes={"b": (1, 8), "t": (3, 32), "k": (4, 10)},
    also=("Train a linear-chain random field by maximum likelihood.",),
)
def crf_loss(emissions, transitions, tags, mask=None):
    """Score the tags of sequences against all others in a linear-chain random field."""
    seq_len, num_tags = emissions.shape[1:]
    if transitions.shape != (num_tags, num_tags):
        raise ValueError(f"expected {num_tags}x{num_tags} transitions, got {transitions.shape}")
    valid = jnp.ones(tags.shape, bool) if mask is None else mask.at[:, 0].set(True)
    if maybe("one_hot"):
        chosen = jax.nn.one_hot(tags, num_tags, dtype=emissions.dtype)
        unary = jnp.sum(chosen * emissions, axis=-1)
    else:
        unary = jnp.take_along_axis(emissions, tags[..., None], axis=-1)[..., 0]
    pairwise = transitions[tags[:, :-1], tags[:, 1:]]
    tag_score = jnp.sum(unary * valid, axis=1) + jnp.sum(pairwise * valid[:, 1:], axis=1)

    def step(message, inputs):
        emission, keep = inputs
        if maybe("exponentiate"):
            # A product of matrices, after the largest message is taken out.
            peak = jnp.max(message, axis=1, keepdims=True)
            mixed = jnp.exp(message - peak) @ jnp.exp(transitions)
            new = jnp.log(mixed + 1e-30) + peak + emission
        else:
            candidates = message[:, :, None] + transitions + emission[:, None, :]
            new = one_of(jax.scipy.special.logsumexp, jax.nn.logsumexp)(candidates, axis=1)
        return jnp.where(keep[:, None], new, message), None

    if maybe("unrolled", 0.35):
        message = emissions[:, 0]
        for index in range(1, seq_len):
            message, _ = step(message, (emissions[:, index], valid[:, index]))
    else:
        rest = (emissions[:, 1:].swapaxes(0, 1), valid[:, 1:].T)
        message, _ = jax.lax.scan(step, emissions[:, 0], rest)
    log_likelihood = tag_score - jax.nn.logsumexp(message, axis=-1)
    if maybe("weigh_by_length", 0.3):
        lengths = jnp.sum(valid, axis=1)
        return -jnp.mean(log_likelihood / lengths)
    if maybe("per_position"):
        return -jnp.sum(log_likelihood) / jnp.sum(valid)
    return -jnp.mean(log_likelihood)


@sketch(
    takes={
        "emissions": "logits f[t, k]: score of each state at each time",
        "transitions": "f[k, k]: score of moving from one state to another",
    },
    gives=("i[t]: path", "f[]: score"),
    sizes={"t": (3, 64), "k": (2, 12)},
    also=("Find the highest-scoring sequence of states.",),
)
def viterbi_path(emissions, transitions, normalize=one_of(True, False)):
    """Decode the best path through a trellis, with back-pointers."""
    num_steps, num_states = emissions.shape
    assert transitions.shape == (num_states, num_states), f"bad shape {transitions.shape}"
    if normalize:
        emissions = jax.nn.log_softmax(emissions, axis=-1)
        transitions = jax.nn.log_softmax(transitions, axis=-1)

    def forward(best, emission):
        candidates = best[:, None] + transitions
        pointers = jnp.argmax(candidates, axis=0)
        return jnp.max(candidates, axis=0) + emission, pointers

    final, pointers = jax.lax.scan(forward, emissions[0], emissions[1:])
    last = jnp.argmax(final)

    def backward(current, pointer):
        previous = pointer[current]
        return previous, previous

    if maybe("beam_margin", 0.3):
        # How much better the best ending is than the next one.
        top_two, _ = jax.lax.top_k(final, 2)
        score = top_two[0] - top_two[1]
    elif maybe("average_score"):
        score = jnp.max(final) / num_steps
    else:
        score = jnp.max(final)
    if maybe("preallocate"):

        def trace(offset, path):
            step = num_steps - 2 - offset
            return path.at[step].set(pointers[step, path[step + 1]])

        path = jnp.full(num_steps, last)
        return jax.lax.fori_loop(0, num_steps - 1, trace, path), score
    _, earlier = jax.lax.scan(backward, last, pointers, reverse=True)
    if maybe("append"):
        path = jnp.append(earlier, last)
    else:
        path = jnp.concatenate([earlier, last[None]])
    return path, score


@sketch(
    takes={
        "observations": "observations f[t, d]",
        "means": "f[k, d]: mean of each state",
        "transition_logits": "f[k, k]",
        "initial_logits": "f[k]",
    },
    gives=("probabilities f[t, k]: filtered", "f[]: log_likelihood"),
    sizes={"t": (3, 64), "d": (1, 6), "k": (2, 8)},
    also=("Run the forward algorithm of a hidden Markov model.",),
)
def hmm_forward(observations, means, transition_logits, initial_logits, variance=number(0.6, 9.0)):
    """Filter the states of a hidden Markov model with Gaussian observations."""
    num_features = means.shape[1]
    if observations.shape[1] != num_features:
        raise ValueError(f"states have {num_features} features, got {observations.shape[1]}")
    squared = jnp.sum((observations[:, None, :] - means[None, :, :]) ** 2, axis=-1)
    log_emission = -0.5 * (squared / variance + num_features * math.log(variance))
    log_transition = jax.nn.log_softmax(transition_logits, axis=-1)
    if maybe("scaled"):
        # Probabilities that are normalized at each step; the norms make up the likelihood.
        transition = jnp.exp(log_transition)

        def step(belief, log_obs):
            peak = jnp.max(log_obs)
            joint = (belief @ transition) * jnp.exp(log_obs - peak) + 1e-12
            total = jnp.sum(joint)
            belief = joint / total
            return belief, (belief, jnp.log(total) + peak)

        _, (beliefs, log_norms) = jax.lax.scan(step, jax.nn.softmax(initial_logits), log_emission)
        return beliefs, jnp.sum(log_norms)

    def advance(log_alpha, log_obs):
        predicted = jax.nn.logsumexp(log_alpha[:, None] + log_transition, axis=0)
        log_alpha = predicted + log_obs
        return log_alpha, log_alpha

    start = jax.nn.log_softmax(initial_logits)
    last, log_alphas = jax.lax.scan(advance, start, log_emission)
    return jax.nn.softmax(log_alphas, axis=-1), jax.nn.logsumexp(last)


@sketch(
    takes={
        "unary": "logits f[t, k]",
        "pairwise": "f[k, k]",
    },
    gives="probabilities f[t, k]: marginals",
    sizes={"t": (3, 32), "k": (2, 8)},
    also=("Infer the marginal distribution of each state of a chain.",),
)
def chain_marginals(unary, pairwise):
    """Pass messages along a chain to get the marginals of its states."""
    if unary.ndim != 2 or pairwise.shape[0] != unary.shape[1]:
        raise ValueError(f"{pairwise.shape} potentials do not go with states {unary.shape}")

    def log_partition(unary):
        def step(message, potential):
            joint = message[:, None] + pairwise + potential[None, :]
            return jax.nn.logsumexp(joint, axis=0), None

        message, _ = jax.lax.scan(step, unary[0], unary[1:])
        return jax.nn.logsumexp(message)

    if maybe("by_gradient", 0.4):
        # The derivative of the log-partition function is the marginal.
        return jax.grad(log_partition)(unary)

    def forward(message, potential):
        new = jax.nn.logsumexp(message[:, None] + pairwise, axis=0) + potential
        return new, new

    def backward(message, potential):
        new = jax.nn.logsumexp(pairwise + (potential + message)[None, :], axis=1)
        return new, new

    if maybe("lists", 0.4):
        ahead = [unary[0]]
        for potential in unary[1:]:
            ahead.append(forward(ahead[-1], potential)[0])
        ahead = jnp.stack(ahead)
    else:
        _, ahead = jax.lax.scan(forward, unary[0], unary[1:])
        ahead = jnp.concatenate([unary[:1], ahead])
    end = jnp.zeros_like(unary[0])
    _, behind = jax.lax.scan(backward, end, unary[1:], reverse=True)
    behind = jnp.concatenate([behind, end[None]])
    log_marginals = ahead + behind
    if maybe("explicit"):
        log_marginals = log_marginals - jnp.max(log_marginals, axis=1, keepdims=True)
        marginals = jnp.exp(log_marginals)
        return marginals / jnp.sum(marginals, axis=1, keepdims=True)
    return jax.nn.softmax(log_marginals, axis=1)


@sketch(
    takes={"logits": "logits f[t, v]: one row per frame", "labels": "labels i[s]"},
    gives="loss f[]",
    sizes={"t": (14, 64), "v": (5, 32), "s": (1, 5)},
    also=("Sum over all alignments of labels with frames.",),
)
def ctc_alignment_loss(logits, labels, lowest=one_of(-1e5, -1e6)):
    """Score a label sequence by connectionist temporal classification.

    The last class is the blank, which may stand between any two labels.
    """
    num_labels = labels.shape[0]
    blank = logits.shape[1] - 1
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    # Blanks around every label: blank, l1, blank, l2, ..., blank.
    extended = jnp.full(2 * num_labels + 1, blank, labels.dtype).at[1::2].set(labels)
    # A blank may be skipped unless the labels on both sides of it are equal.
    two_before = jnp.pad(extended[:-2], (2, 0), constant_values=blank)
    can_skip = (extended != blank) & (extended != two_before)
    start = jnp.full(extended.shape, lowest, log_probs.dtype)
    start = start.at[0].set(log_probs[0, blank]).at[1].set(log_probs[0, labels[0]])

    def step(log_alpha, frame):
        if maybe("roll"):
            one_back = jnp.roll(log_alpha, 1).at[0].set(lowest)
            two_back = jnp.roll(log_alpha, 2).at[:2].set(lowest)
        else:
            one_back = jnp.pad(log_alpha[:-1], (1, 0), constant_values=lowest)
            two_back = jnp.pad(log_alpha[:-2], (2, 0), constant_values=lowest)
        two_back = jnp.where(can_skip, two_back, lowest)
        if maybe("logaddexp"):
            total = jnp.logaddexp(jnp.logaddexp(log_alpha, one_back), two_back)
        else:
            total = jax.nn.logsumexp(jnp.stack([log_alpha, one_back, two_back]), axis=0)
        if maybe("gather_first"):
            return total + frame, None
        return total + frame[extended], None

    if maybe("gather_first"):
        # The scores of the extended labels, for all frames.
        emissions = one_of(log_probs[:, extended], jnp.take(log_probs, extended, axis=1))
        log_alpha, _ = jax.lax.scan(step, start, emissions[1:])
    else:
        log_alpha, _ = jax.lax.scan(step, start, log_probs[1:])
    log_likelihood = jnp.logaddexp(log_alpha[-1], log_alpha[-2])
    if maybe("focal", 0.3):
        # Alignments that are likely already count less.
        return -log_likelihood * (1 - jnp.exp(log_likelihood))
    if maybe("per_label"):
        return -log_likelihood / num_labels
    return -log_likelihood
