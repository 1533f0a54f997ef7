"""Statistics over data that is divided over devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, size, sketch

SHARD_AXIS = one_of("shards", "data", "workers", "batch")
shard_mesh = one_of(
    jax.make_mesh((size("devices"),), (SHARD_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (SHARD_AXIS,)),
)


@sketch(
    takes={"samples": "samples f[devices*n, d]"},
    gives=("mean f[d]", "f[d]: variance"),
    sizes={"devices": {2, 4, 8}, "n": (2, 32), "d": (1, 32)},
    also=("Merge the mean and the variance of each shard into those of all samples.",),
)
def sharded_moments(samples, ddof=one_of(0, 1)):
    """Compute mean and variance of samples that lie on several devices."""

    @functools.partial(jax.shard_map, mesh=shard_mesh, in_specs=P(SHARD_AXIS), out_specs=(P(), P()))
    def moments(samples):
        count = samples.shape[0] * jax.lax.axis_size(SHARD_AXIS)
        if maybe("merge"):
            # The spread of the shards' means comes on top of the spread within them.
            mean = jnp.mean(samples, axis=0)
            spread = jnp.sum((samples - mean) ** 2, axis=0)
            total_mean = jax.lax.pmean(mean, SHARD_AXIS)
            spread = spread + samples.shape[0] * (mean - total_mean) ** 2
            return total_mean, jax.lax.psum(spread, SHARD_AXIS) / (count - ddof)
        sums = jnp.sum(samples, axis=0)
        if maybe("two passes"):
            mean = jax.lax.psum(sums, SHARD_AXIS) / count
            spread = jax.lax.psum(jnp.sum((samples - mean) ** 2, axis=0), SHARD_AXIS)
            return mean, spread / (count - ddof)
        squares = jnp.sum(samples**2, axis=0)
        sums, squares = jax.lax.psum((sums, squares), SHARD_AXIS)
        mean = sums / count
        return mean, jnp.maximum(squares - count * mean**2, 0.0) / (count - ddof)

    return moments(samples)


@sketch(
    takes={
        "x": "features f[devices*b, d]",
        "scale": "f[d]",
        "bias": "f[d]",
        "running": {"mean": "f[d]", "var": "f[d]"},
    },
    gives=("features f[devices*b, d]", {"mean": "f[d]", "var": "f[d]"}),
    sizes={"devices": {2, 4, 8}, "b": (1, 16), "d": (2, 32)},
    also=("Standardize a batch by the statistics of all devices.",),
    weight=1.3,
)
def synced_batch_norm(x, scale, bias, running, eps=one_of(1e-5, 1e-3), momentum=one_of(0.9, 0.99)):
    """Normalize a sharded batch, with mean and variance averaged over the devices."""

    def normalize(x, scale, bias, running):
        mean = jax.lax.pmean(jnp.mean(x, axis=0), SHARD_AXIS)
        if maybe("mean of squares"):
            var = jax.lax.pmean(jnp.mean(x**2, axis=0), SHARD_AXIS) - mean**2
            var = jnp.maximum(var, 0.0)
        else:
            var = jax.lax.pmean(jnp.mean((x - mean) ** 2, axis=0), SHARD_AXIS)
        normed = one_of((x - mean) * jax.lax.rsqrt(var + eps), (x - mean) / jnp.sqrt(var + eps))
        running = {
            "mean": momentum * running["mean"] + (1 - momentum) * mean,
            "var": momentum * running["var"] + (1 - momentum) * var,
        }
        return one_of(normed * scale + bias, normed * (1 + scale) + bias), running

    specs = (P(SHARD_AXIS), P(), P(), P())
    sharded_normalize = jax.shard_map(
        normalize, mesh=shard_mesh, in_specs=specs, out_specs=(P(SHARD_AXIS), P())
    )
    return sharded_normalize(x, scale, bias, running)


@sketch(
    takes={"logits": "logits f[b, devices*v]"},
    gives="probabilities f[b, devices*v]",
    sizes={"devices": {2, 4, 8}, "b": (1, 32), "v": (2, 32)},
    also=("Normalize logits whose classes lie on several devices.",),
)
def sharded_softmax(logits, temperature=one_of(1.0, 0.7, 2.0)):
    """Compute a softmax along an axis that is divided over devices."""

    def softmax(logits):
        scaled = logits / temperature if maybe("temperature", 0.4) else logits
        top = jax.lax.pmax(jnp.max(scaled, axis=-1, keepdims=True), SHARD_AXIS)
        if maybe("log sum"):
            total = jax.lax.psum(jnp.sum(jnp.exp(scaled - top), -1, keepdims=True), SHARD_AXIS)
            return jnp.exp(scaled - top - jnp.log(total))
        unnormalized = jnp.exp(scaled - top)
        total = jnp.sum(unnormalized, axis=-1, keepdims=True)
        return unnormalized / jax.lax.psum(total, axis_name=SHARD_AXIS)

    columns = P(None, SHARD_AXIS)
    return jax.shard_map(softmax, mesh=shard_mesh, in_specs=columns, out_specs=columns)(logits)


@sketch(
    takes={"log_weights": "f[devices*n]: unnormalized", "values": "values f[devices*n]"},
    gives=("f[]: log_evidence", "f[]: estimate", "metric f[]: effective_size"),
    sizes={"devices": {2, 4, 8}, "n": (2, 64)},
    also=("Average weighted samples of all devices in log space.",),
)
def sharded_importance_estimate(log_weights, values):
    """Estimate an expectation from importance samples on several devices."""

    def estimate(log_weights, values):
        top = jax.lax.pmax(jnp.max(log_weights), SHARD_AXIS)
        weights = jnp.exp(log_weights - top)
        if maybe("clip weights", 0.3):
            # The largest weight is 1 here.
            clipped = jnp.minimum(weights, one_of(0.5, 0.2))
            sums = {"weights": jnp.sum(weights), "values": jnp.sum(clipped * values)}
            sums["clipped"] = jnp.sum(clipped)
        else:
            sums = {"weights": jnp.sum(weights), "values": jnp.sum(weights * values)}
        squares = jnp.sum(weights**2)
        sums, squares = jax.lax.psum((sums, squares), SHARD_AXIS)
        count = weights.shape[0] * jax.lax.axis_size(SHARD_AXIS)
        log_evidence = top + jnp.log(sums["weights"]) - jnp.log(count)
        effective = sums["weights"] ** 2 / squares
        if maybe("fraction"):
            effective = effective / count
        if maybe("clip weights", 0.3):
            return log_evidence, sums["values"] / sums["clipped"], effective
        return log_evidence, sums["values"] / sums["weights"], effective

    specs = P(SHARD_AXIS)
    return jax.shard_map(
        estimate, mesh=shard_mesh, in_specs=(specs, specs), out_specs=(P(), P(), P())
    )(log_weights, values)


@sketch(
    takes={"x": "samples f[devices*n]"},
    gives="tally i32[m]: counts",
    sizes={"devices": {2, 4, 8}, "n": (4, 64), "m": (4, 20)},
    also=("Count samples of all devices in bins of equal width.",),
)
def sharded_histogram(x, num_bins=size("m")):
    """Add up histograms of the devices, over a range that they agree on."""

    def count(x):
        if maybe("fixed range"):
            low, high = one_of((-4.0, 4.0), (-3.0, 3.0))
        else:
            low = jax.lax.pmin(jnp.min(x), SHARD_AXIS)
            high = jax.lax.pmax(jnp.max(x), SHARD_AXIS)
        place = jnp.floor((x - low) / (high - low + 1e-6) * num_bins)
        place = jnp.clip(place, 0, num_bins - 1).astype(jnp.int32)
        if maybe("one hot"):
            local = jnp.sum(jax.nn.one_hot(place, num_bins, dtype=jnp.int32), axis=0)
        elif maybe("segment"):
            local = jax.ops.segment_sum(jnp.ones_like(place), place, num_segments=num_bins)
        else:
            local = jnp.zeros(num_bins, jnp.int32).at[place].add(1)
        return jax.lax.psum(local, SHARD_AXIS)

    return jax.shard_map(count, mesh=shard_mesh, in_specs=P(SHARD_AXIS), out_specs=P())(x)


@sketch(
    takes={"query": "embeddings f[d]", "database": "embeddings f[devices*n, d]"},
    gives=("scores f[k]", "ids i32[k]"),
    sizes={"devices": {2, 4, 8}, "n": (8, 32), "d": (2, 32), "k": (2, 6)},
    also=("Find nearest neighbours on each device, and then the nearest of those.",),
)
def sharded_nearest(query, database, num_found=size("k")):
    """Search a database whose rows are divided over devices."""

    def search(query, rows):
        if maybe("cosine"):
            norms = jnp.linalg.norm(rows, axis=-1) * jnp.linalg.norm(query)
            scores = rows @ query / (norms + 1e-6)
        else:
            scores = one_of(rows @ query, -jnp.sum((rows - query) ** 2, axis=-1))
        best, places = jax.lax.top_k(scores, num_found)
        places = places + jax.lax.axis_index(SHARD_AXIS) * rows.shape[0]
        candidates = jax.lax.all_gather(best, SHARD_AXIS, tiled=True)
        ids = jax.lax.all_gather(places, SHARD_AXIS, tiled=True)
        if maybe("sort"):
            order = jnp.argsort(-candidates)[:num_found]
            return candidates[order], ids[order]
        top, order = jax.lax.top_k(candidates, num_found)
        return top, jnp.take(ids, order)

    if maybe("check rows", 0.3):
        if database.shape[0] % shard_mesh.size:
            raise ValueError(f"cannot divide {database.shape[0]} rows over {shard_mesh.size}")
    return jax.shard_map(
        search, mesh=shard_mesh, in_specs=(P(), P(SHARD_AXIS)), out_specs=P(), check_vma=False
    )(query, database)


@sketch(
    takes={"x": "samples f[devices*n, d]"},
    gives="positive_definite f[d, d]",
    sizes={"devices": {2, 4, 8}, "n": (2, 32), "d": (2, 16)},
    also=("Sum the outer products of centred samples over the devices.",),
)
def sharded_covariance(x, ridge=one_of(1e-3, 1e-2, 0.1)):
    """Estimate a covariance matrix from samples in shards."""

    @jax.shard_map(mesh=shard_mesh, in_specs=P(SHARD_AXIS), out_specs=P())
    def covariance(x):
        count = x.shape[0] * jax.lax.axis_size(SHARD_AXIS)
        mean = jax.lax.psum(x.sum(axis=0), SHARD_AXIS) / count
        centered = x - mean
        products = one_of(centered.T @ centered, jnp.einsum("ni,nj->ij", centered, centered))
        total = jax.lax.psum(products, SHARD_AXIS) / (count - 1)
        if maybe("shrink"):
            # Shrink towards the mean variance of all coordinates.
            amount = one_of(0.1, 0.2, 0.5)
            scale = jnp.trace(total) / total.shape[0]
            total = (1 - amount) * total + amount * scale * jnp.eye(total.shape[0])
        return total + ridge * jnp.eye(total.shape[0])

    return covariance(x)


@sketch(
    takes={"x": "samples f[devices*n]"},
    gives="metric f[]: quantile",
    sizes={"devices": {2, 4, 8}, "n": (4, 64)},
    also=("Find a quantile by counting how many samples lie below a guess.",),
)
def bisected_quantile(x, level=one_of(0.5, 0.9, 0.25, 0.99), num_steps=integer(12, 30)):
    """Bisect for a quantile of samples that stay on their devices."""

    def search(x):
        target = level * x.shape[0] * jax.lax.axis_size(SHARD_AXIS)
        low = jax.lax.pmin(jnp.min(x), SHARD_AXIS)
        high = jax.lax.pmax(jnp.max(x), SHARD_AXIS)

        def halve(_, bounds):
            low, high = bounds
            middle = (low + high) / 2
            below = jax.lax.psum(jnp.sum(x <= middle), SHARD_AXIS)
            is_low = below < target
            return jnp.where(is_low, middle, low), jnp.where(is_low, high, middle)

        low, high = jax.lax.fori_loop(0, num_steps, halve, (low, high))
        return one_of((low + high) / 2, high)

    quantile = jax.shard_map(search, mesh=shard_mesh, in_specs=P(SHARD_AXIS), out_specs=P())
    return quantile(x)
