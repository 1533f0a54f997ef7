"""Evaluation, selection and pacing of training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

judged_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
judged_regressor = nested("(params: P, x: features f[b, d]) -> predictions f[b]")
judged_loss = nested("(predictions: predictions f[b], targets: targets f[b]) -> loss f[]")


@sketch(
    takes={"params": "P", "x": "features f[n, b, d]", "labels": "labels i[n, b]"},
    gives={"accuracy": "metric f[]", "loss": "metric f[]"},
    sizes={"n": (2, 6), "b": (4, 32), "d": (4, 64), "c": (4, 32)},
    dtypes="f32 bf16",
    also=("Accuracy and loss over an evaluation set.",),
)
def evaluate_batches(params, x, labels):
    """Accumulate accuracy and loss over the batches of an evaluation set."""
    num_batches, batch_size, _ = x.shape
    if labels.shape != (num_batches, batch_size):
        raise ValueError(f"labels {labels.shape} do not match inputs {x.shape}")

    def batch_totals(inputs, targets):
        log_probs = jax.nn.log_softmax(judged_model(params, inputs), axis=-1)
        picked = jnp.take_along_axis(log_probs, targets[:, None], axis=-1)
        hits = jnp.argmax(log_probs, axis=-1) == targets
        return jnp.sum(hits.astype(x.dtype)), -jnp.sum(picked)

    if maybe("scan evaluation"):

        def add_batch(totals, batch):
            return jax.tree.map(jnp.add, totals, batch_totals(*batch)), None

        zero = jnp.zeros((), x.dtype)
        (hits, nll), _ = jax.lax.scan(add_batch, (zero, zero), (x, labels))
    elif maybe("vmap evaluation"):
        hits, nll = (jnp.sum(v) for v in jax.vmap(batch_totals)(x, labels))
    else:
        hits = nll = 0.0
        for inputs, targets in zip(x, labels):
            batch_hits, batch_nll = batch_totals(inputs, targets)
            hits, nll = hits + batch_hits, nll + batch_nll
    count = num_batches * batch_size
    return {"accuracy": hits / count, "loss": nll / count}


class StoppingState(NamedTuple):
    """What early stopping remembers."""

    best: jax.Array
    since_best: jax.Array
    stopped: jax.Array


@sketch(
    takes={"losses": "series f[n]: validation losses"},
    sizes={"n": (4, 256)},
    also=("Epoch at which training should have stopped.",),
)
def early_stopping(losses, patience=integer(2, 10), min_delta=number(1e-3, 1e-1)):
    """Watch validation losses and stop once they have not improved for a while."""
    if patience < 1:
        raise ValueError(f"patience must be positive, got {patience}")

    def watch(state, loss):
        improved = loss < state.best - min_delta
        best = jnp.where(improved & ~state.stopped, loss, state.best)
        since_best = jnp.where(improved, 0, state.since_best + 1)
        stopped = state.stopped | (since_best >= patience)
        return StoppingState(best, since_best, stopped), stopped

    if maybe("smooth losses", 0.4):
        kernel = jnp.ones(3, losses.dtype) / 3
        losses = jnp.convolve(jnp.pad(losses, 1, mode="edge"), kernel, mode="valid")
    start = StoppingState(losses[0] + 1.0, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
    state, flags = jax.lax.scan(watch, start, losses)
    epoch = jnp.where(state.stopped, jnp.argmax(flags), losses.shape[0])
    if maybe("state too"):
        return epoch, state
    return {"epoch": epoch, "best": state.best}


@sketch(
    takes={"losses": "f[b]: losses of examples", "step": "counts i[]"},
    gives="weights f[b]",
    sizes={"b": (4, 512)},
    also=("Weights of examples in a curriculum.",),
)
def curriculum_weights(losses, step, pace=one_of(10, 50, 4), start=number(0.2, 0.6)):
    """Pace a curriculum: easy examples first, then all of them."""
    progress = jnp.clip(start + (1 - start) * step / pace, 0.0, 1.0)
    if maybe("rank curriculum"):
        difficulty = jnp.argsort(jnp.argsort(losses)) / (losses.shape[0] - 1)
    else:
        centered = losses - jnp.mean(losses)
        difficulty = jax.nn.sigmoid(centered / (jnp.std(losses) + 1e-2))
    if maybe("hard cut", 0.3):
        chosen = (difficulty <= progress + 1e-3).astype(losses.dtype)
    elif maybe("linear cut"):
        chosen = jnp.clip((progress - difficulty) / one_of(0.2, 0.4) + 1, 0.0, 1.0)
    else:
        chosen = jax.nn.sigmoid((progress - difficulty) / one_of(0.05, 0.1))
    return chosen / jnp.maximum(jnp.max(chosen), 1e-3)


@sketch(
    takes={"members": "logits f[k, b, c]: one a member of the ensemble"},
    gives="scores f[b]: acquisition",
    sizes={"k": (2, 8), "b": (4, 64), "c": (2, 16)},
    dtypes="f32 bf16",
    also=("Acquisition scores for active learning.",),
)
def acquisition_scores(members, kind=one_of("entropy", "margin", "disagreement", "variation")):
    """Score unlabeled examples by how much a label would teach an ensemble."""
    if members.ndim != 3:
        raise ValueError(f"expected (members, examples, classes), got {members.shape}")
    log_probs = jax.nn.log_softmax(members, axis=-1)
    mean = jnp.mean(jnp.exp(log_probs), axis=0)
    entropy = -jnp.sum(mean * jnp.log(mean + 1e-9), axis=-1)
    if kind == "entropy":
        scores = entropy
    elif kind == "margin":
        top, _ = jax.lax.top_k(mean, 2)
        scores = 1 - (top[:, 0] - top[:, 1])
    elif kind == "disagreement":
        # BALD: entropy of the average less average of the entropies.
        own = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
        scores = entropy - jnp.mean(own, axis=0)
    else:
        scores = 1 - jnp.max(mean, axis=-1)
    if maybe("standard scores", 0.4):
        scores = (scores - jnp.mean(scores)) / (jnp.std(scores) + 1e-2)
    return scores


@sketch(
    takes={
        "params": "P",
        "log_weights": "f[n]: one a task",
        "x": "features f[b, d]",
        "targets": "targets f[n, b]",
    },
    gives=("loss f[]", "f[n]: task_losses"),
    sizes={"n": (2, 5), "b": (4, 24), "d": (4, 48)},
    also=("Joint loss of several regression tasks.",),
)
def multi_task_loss(params, log_weights, x, targets):
    """Balance the losses of several tasks that share one model."""
    num_tasks = targets.shape[0]
    shared = judged_regressor(params, x)
    losses = []
    for task in range(num_tasks):
        # Each task sees the shared prediction on a scale of its own.
        gain = 1.0 + task / num_tasks
        losses.append(judged_loss(gain * shared, targets[task]))
    losses = jnp.stack(losses)
    if maybe("uncertainty weights"):
        log_var = jnp.clip(log_weights, -3.0, 3.0)
        total = jnp.sum(jnp.exp(-log_var) * losses + log_var)
    elif maybe("softmax weights"):
        total = num_tasks * jnp.sum(jax.nn.softmax(log_weights) * losses)
    else:
        relative = jax.lax.stop_gradient(losses / (jnp.mean(jnp.abs(losses)) + 1e-2))
        total = jnp.sum((1 + jax.nn.sigmoid(log_weights)) * relative * losses)
    return total / num_tasks if maybe("average tasks") else total, losses
