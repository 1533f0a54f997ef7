"""Sums, counts and statistics that are kept in references and updated in place."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

microbatch_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")


@sketch(
    takes={"xs": "f[n, d]: rows"},
    gives="f[d]: total",
    sizes={"n": (2, 64), "d": (2, 48)},
    also=("In-place sum over rows.",),
    fills=False,
    weight=1.5,
)
def accumulate_rows(xs):
    """Add up rows in a reference that a loop updates in place."""
    num_rows, width = xs.shape
    total_ref = jax.new_ref(jnp.zeros((width,), xs.dtype))

    def add_row(i, _):
        row = xs[i]
        if maybe("squash rows"):
            row = one_of(jnp.tanh(row), jnp.abs(row), row * row)
        if maybe("addupdate"):
            jax.ref.addupdate(total_ref, ..., row)
        else:
            total_ref[...] += row

    jax.lax.fori_loop(0, num_rows, add_row, None)
    total = one_of(total_ref[...], jax.freeze(total_ref))
    if maybe("mean row", 0.4):
        return total / num_rows
    return total


@sketch(
    takes={"xs": "f[t, d]: samples"},
    gives=("f[d]: mean", "f[d]: variance"),
    sizes={"t": (2, 64), "d": (1, 32)},
    also=("Welford's algorithm with its state in references.",),
    fills=False,
)
def running_moments(xs):
    """Keep mean and variance up to date while samples come one by one."""
    width = xs.shape[1]
    mean_ref = jax.new_ref(jnp.zeros((width,)))
    spread_ref = jax.new_ref(jnp.zeros((width,)))
    count_ref = jax.new_ref(jnp.zeros((), jnp.int32))

    def observe(_, x):
        count_ref[...] += 1
        delta = x - mean_ref[...]
        mean_ref[...] += delta / count_ref[...]
        spread_ref[...] += delta * (x - mean_ref[...])
        if maybe("trace of mean"):
            return None, mean_ref[...]
        return None, None

    _, means = jax.lax.scan(observe, None, xs)
    count = count_ref[...]
    if maybe("unbiased spread"):
        count = jnp.maximum(count - 1, 1)
    variance = spread_ref[...] / count
    if maybe("trace of mean"):
        return jnp.mean(means, axis=0), variance
    if maybe("give deviation", 0.4):
        return mean_ref[...], jnp.sqrt(variance + 1e-9)
    return mean_ref[...], variance


@sketch(
    takes={"labels": "i[n]: observed classes", "weights": "f[n]: weight of each observation"},
    gives="f[k]: counts",
    sizes={"n": (2, 64), "k": (4, 12)},
    also=("Weighted histogram by read-modify-write.",),
    fills=False,
)
def count_in_place(labels, weights, num_classes=size("k")):
    """Count classes by adding to one entry of a reference at a time."""
    if labels.shape != weights.shape:
        raise ValueError(f"{labels.shape} labels for {weights.shape} weights")
    counts_ref = jax.new_ref(jnp.full((num_classes,), one_of(0.0, 1.0)))

    def count(i, skipped):
        amount = jnp.abs(weights[i])
        if maybe("skip light"):
            keep = amount > one_of(0.1, 0.5)
            amount = jnp.where(keep, amount, 0.0)
            skipped = skipped + 1 - keep.astype(jnp.int32)
        counts_ref[labels[i]] += amount
        return skipped

    skipped = jax.lax.fori_loop(0, labels.shape[0], count, 0)
    counts = counts_ref[...]
    if maybe("give shares"):
        return counts / (jnp.sum(counts) + 1e-3)
    return counts / (1 + skipped)


@sketch(
    takes={"params": "P", "xs": "f[k, b, d]: microbatches", "labels": "i[k, b]: classes"},
    gives=("P", "loss f[]"),
    sizes={"k": (2, 4), "b": (2, 8), "d": (2, 16), "c": (4, 8)},
    also=("Gradient accumulation over microbatches.",),
    fills=False,
    weight=1.5,
)
def microbatch_gradients(params, xs, labels):
    """Accumulate gradients of microbatches in one reference per parameter."""
    num_batches = xs.shape[0]
    grad_refs = jax.tree.map(lambda p: jax.new_ref(jnp.zeros_like(p)), params)

    def loss_of(p, x, y):
        log_probs = jax.nn.log_softmax(microbatch_model(p, x), axis=-1)
        return -jnp.mean(jnp.take_along_axis(log_probs, y[:, None], axis=-1))

    total = jnp.zeros(())
    for x, y in zip(xs, labels, strict=True):
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        total = total + loss
        for ref, gradient in zip(jax.tree.leaves(grad_refs), jax.tree.leaves(grads), strict=True):
            if maybe("clip each"):
                gradient = jnp.clip(gradient, -1.0, 1.0)
            ref[...] += gradient
    grads = jax.tree.map(lambda ref: ref[...] / num_batches, grad_refs)
    if maybe("summed loss", 0.3):
        return grads, total
    return grads, total / num_batches


@sketch(
    takes={"xs": "f[t]: losses"},
    gives=("f[]: best", "i32[]: when"),
    sizes={"t": (4, 128)},
    also=("Patience of early stopping, kept in references.",),
    fills=False,
)
def best_so_far(xs, patience=integer(3, 20), tolerance=number(1e-3, 1e-1)):
    """Track the best loss and when it came, as early stopping does."""
    best_ref = jax.new_ref(one_of(xs[0], jnp.asarray(1e6, xs.dtype)))
    when_ref = jax.new_ref(jnp.zeros((), jnp.int32))

    def visit(i, stopped):
        better = (xs[i] < best_ref[...] - tolerance) & jnp.logical_not(stopped)
        if maybe("write by cond"):

            def keep():
                best_ref[...] = xs[i]
                when_ref[...] = i

            jax.lax.cond(better, keep, lambda: None)
        else:
            best_ref[...] = jnp.where(better, xs[i], best_ref[...])
            when_ref[...] = jnp.where(better, i, when_ref[...])
        return stopped | (i - when_ref[...] >= patience)

    jax.lax.fori_loop(0, xs.shape[0], visit, jnp.asarray(False))
    return jax.freeze(best_ref), jax.freeze(when_ref)


@sketch(
    takes={"xs": "f[t, d]: values"},
    gives="f[t, d]: smoothed",
    sizes={"t": (2, 48), "d": (1, 32)},
    also=("Moving average whose state no carry passes on.",),
    fills=False,
)
def bias_corrected_average(xs, decay=number(0.5, 0.99)):
    """Average exponentially with the state in a reference beside the loop."""
    average_ref = jax.new_ref(jnp.zeros(xs.shape[1:], xs.dtype))
    weight_ref = jax.new_ref(jnp.zeros((), xs.dtype))

    def step(carry, x):
        average_ref[...] = decay * average_ref[...] + (1 - decay) * x
        weight_ref[...] = decay * weight_ref[...] + (1 - decay)
        average = average_ref[...]
        if maybe("correct bias"):
            average = average / weight_ref[...]
        if maybe("give surprise", 0.35):
            return carry, x - average
        return carry, average

    _, smoothed = jax.lax.scan(step, one_of(None, 0), xs, reverse=one_of(False, True))
    return smoothed
