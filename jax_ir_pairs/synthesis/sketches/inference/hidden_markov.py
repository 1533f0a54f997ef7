"""Hidden Markov models and linear state space models."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _log_matmul_vector(log_matrix, log_vector):
    """Multiply a vector by a matrix, both in logarithms."""
    return jax.nn.logsumexp(log_matrix + log_vector, axis=-1)


class ForwardBackward(NamedTuple):
    """Smoothed state probabilities, and the log likelihood of the sequence."""

    posteriors: jax.Array
    log_likelihood: jax.Array


@sketch(
    takes={
        "initial": "logits f[k]: of the first state",
        "transitions": "logits f[k, k]: rows are states to leave",
        "emissions": "scores f[t, k]: log likelihood of each observation in each state",
        "mask?": "mask bool[t]: observations that were made",
    },
    dtypes="f32 bf16",
    gives=("probabilities f[t, k]", "f[]: log_likelihood"),
    sizes={"k": (2, 24), "t": (4, 256)},
    also=("Smooth the states of a hidden Markov model.",),
)
def forward_backward(initial, transitions, emissions, mask=None):
    """Pass messages forwards and backwards along a chain of hidden states."""
    num_steps, num_states = emissions.shape
    if transitions.shape != (num_states, num_states):
        raise ValueError(f"{num_states} states do not go with transitions {transitions.shape}")
    log_initial = jax.nn.log_softmax(initial)
    log_transitions = jax.nn.log_softmax(transitions, axis=-1)
    if mask is not None:
        emissions = jnp.where(mask[:, None], emissions, 0.0)

    def forward(log_alpha, emission):
        log_alpha = emission + _log_matmul_vector(log_transitions.T, log_alpha)
        return log_alpha, log_alpha

    def backward(log_beta, emission):
        previous = _log_matmul_vector(log_transitions, log_beta + emission)
        return previous, log_beta

    first = log_initial + emissions[0]
    last, rest = jax.lax.scan(forward, first, emissions[1:])
    log_alphas = jnp.concatenate([first[None], rest])
    start = jnp.zeros(num_states, emissions.dtype)
    if maybe("append_beta"):
        final, log_betas = jax.lax.scan(backward, start, emissions[1:], reverse=True)
        log_betas = jnp.concatenate([final[None], log_betas])
    else:
        _, log_betas = jax.lax.scan(backward, start, emissions, reverse=True)
    log_likelihood = jax.nn.logsumexp(last)
    if maybe("normalize_by_evidence", 0.4):
        posteriors = jnp.exp(log_alphas + log_betas - log_likelihood)
    else:
        posteriors = jax.nn.softmax(log_alphas + log_betas, axis=-1)
    if maybe("hmm_tuple"):
        return ForwardBackward(posteriors, log_likelihood)
    return posteriors, log_likelihood


@sketch(
    takes={"transitions": "logits f[k, k]", "emissions": "scores f[t, k]"},
    gives=("ids i[t]", "f[]: best_score"),
    sizes={"k": (2, 32), "t": (4, 128)},
    also=("Decode the best path through a chain of states.",),
)
def hidden_state_path(transitions, emissions, stay_bonus=number(0.1, 1.0)):
    """Find the most likely sequence of hidden states."""
    num_states = transitions.shape[0]
    log_transitions = jax.nn.log_softmax(transitions, axis=-1)
    if maybe("sticky_states", 0.4):
        # Favors staying, as a prior on long segments.
        log_transitions = log_transitions + stay_bonus * jnp.eye(num_states)

    def extend(best, emission):
        candidates = best[:, None] + log_transitions
        pointers = jnp.argmax(candidates, axis=0)
        if maybe("take_max", 0.4):
            reached = jnp.take_along_axis(candidates, pointers[None, :], axis=0)[0]
        else:
            reached = jnp.max(candidates, axis=0)
        return reached + emission, pointers

    final, pointers = jax.lax.scan(extend, emissions[0], emissions[1:])
    last = jnp.argmax(final)

    def follow(state, pointer):
        return pointer[state], state

    first, path = jax.lax.scan(follow, last, pointers, reverse=True)
    path = one_of(jnp.append(first, path), jnp.concatenate([first[None], path]))
    return path, final[last]


@sketch(
    takes={
        "transitions": "logits f[k, k]",
        "emissions": "logits f[k, v]: of symbols in each state",
        "tokens": "tokens i[b, t]",
    },
    gives="loss f[]",
    sizes={"k": (2, 12), "v": (4, 48), "b": (1, 16), "t": (3, 64)},
    also=("Negative log likelihood of symbol sequences under a hidden Markov model.",),
)
def hmm_sequence_loss(transitions, emissions, tokens):
    """Score symbol sequences with a rescaled forward pass."""
    num_states = transitions.shape[0]
    chain = jax.nn.softmax(transitions, axis=-1)
    likelihoods = jax.nn.softmax(emissions, axis=-1).T[tokens]  # (batch, time, state)

    def forward(belief, likelihood):
        joint = (belief @ chain) * likelihood
        # Rescaled at each step, so that long sequences do not underflow.
        evidence = jnp.sum(joint, axis=-1, keepdims=True) + 1e-8
        return joint / evidence, jnp.log(evidence[:, 0])

    if maybe("stationary_start", 0.3):
        # A power of the chain comes close to its stationary distribution.
        start = jnp.linalg.matrix_power(chain, 16)[0]
    else:
        start = jnp.full(num_states, 1.0 / num_states, chain.dtype)
    belief = jnp.broadcast_to(start, (tokens.shape[0], num_states))
    if maybe("unrolled_hmm", 0.25):
        total = jnp.zeros(tokens.shape[0], chain.dtype)
        for t in range(min(tokens.shape[1], 8)):
            belief, log_evidence = forward(belief, likelihoods[:, t])
            total = total + log_evidence
    else:
        _, log_evidence = jax.lax.scan(forward, belief, jnp.swapaxes(likelihoods, 0, 1))
        total = jnp.sum(log_evidence, axis=0)
    if maybe("per_symbol"):
        return -jnp.mean(total) / tokens.shape[1]
    return -jnp.mean(total)


@sketch(
    takes={
        "observations": "observations f[t, m]",
        "transition": "matrix f[d, d]",
        "emission": "matrix f[m, d]",
        "observed?": "mask bool[t]: steps with a measurement",
    },
    gives=("trajectory f[t, d]", "f[]: log_likelihood"),
    sizes={"t": (4, 64), "m": (1, 6), "d": (2, 10)},
    also=("Filter measurements with a linear Gaussian model.",),
)
def linear_gaussian_filter(
    observations,
    transition,
    emission,
    observed=None,
    process_noise=number(0.05, 0.5),
    measurement_noise=number(0.2, 1.0),
):
    """Track a hidden state through noisy linear measurements."""
    dim = transition.shape[0]
    num_outputs = observations.shape[1]
    # A spectral norm below one keeps the prediction stable.
    bound = jnp.sqrt(jnp.sum(transition**2) + 1e-6)
    transition = transition / jnp.maximum(bound, 1.0)
    identity = jnp.eye(dim, dtype=observations.dtype)
    noise = measurement_noise * jnp.eye(num_outputs, dtype=observations.dtype)
    if observed is None:
        observed = jnp.ones(observations.shape[0], bool)

    def step(belief, inputs):
        mean, covariance = belief
        observation, seen = inputs
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + process_noise * identity
        innovation = observation - emission @ mean
        innovation_covariance = emission @ covariance @ emission.T + noise
        gain = jnp.linalg.solve(innovation_covariance, emission @ covariance).T
        gain = jnp.where(seen, gain, 0.0)
        mean = mean + gain @ innovation
        if maybe("joseph_form"):
            # Joseph form, symmetric and positive however the gain was rounded.
            shrink = identity - gain @ emission
            covariance = shrink @ covariance @ shrink.T + gain @ noise @ gain.T
        else:
            covariance = covariance - gain @ emission @ covariance
            covariance = (covariance + covariance.T) / 2
        fit = innovation @ jnp.linalg.solve(innovation_covariance, innovation)
        _, log_det = jnp.linalg.slogdet(innovation_covariance)
        score = jnp.where(seen, -0.5 * (fit + log_det), 0.0)
        return (mean, covariance), (mean, score)

    init = (jnp.zeros(dim, observations.dtype), one_of(1.0, 10.0) * identity)
    _, (means, scores) = jax.lax.scan(step, init, (observations, observed))
    if maybe("score_per_step", 0.4):
        return means, jnp.sum(scores) / jnp.maximum(jnp.sum(observed), 1)
    return means, jnp.sum(scores)
