"""Training with few bits or few weights."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

compressed_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
compression_loss = nested("(logits: logits f[b, c], labels: labels i[b]) -> loss f[]")


def _round_fwd(x):
    return jnp.round(x), None


def _round_bwd(_, g):
    return (g,)


@jax.custom_vjp
def round_through(x):
    """Round with the derivative of the identity."""
    return jnp.round(x)


round_through.defvjp(_round_fwd, _round_bwd)


def _fake_quantized(w, levels, axis):
    """Put values on a symmetric grid of integers, and scale them back."""
    largest = jnp.max(jnp.abs(w), axis=axis, keepdims=axis is not None)
    scale = jax.lax.stop_gradient(jnp.maximum(largest, 1e-3) / levels)
    if maybe("stop gradient rounding"):
        scaled = w / scale
        rounded = scaled + jax.lax.stop_gradient(jnp.round(scaled) - scaled)
    else:
        rounded = round_through(w / scale)
    return jnp.clip(rounded, -levels, levels) * scale


@sketch(
    takes={"params": "P", "batch": ("features f[b, d]", "labels i[b]")},
    gives="loss f[]",
    dtypes="f32 bf16",
    also=("Quantization-aware training objective.",),
)
def quantization_aware_loss(params, batch, bits=one_of(8, 4, 6)):
    """Train weights so that they survive quantization."""
    x, labels = batch
    if not 2 <= bits <= 16:
        raise ValueError(f"bits must be between 2 and 16, got {bits}")
    levels = 2 ** (bits - 1) - 1

    def quantized(leaf):
        if leaf.ndim < 2:
            return leaf
        return _fake_quantized(leaf, levels, axis=0 if maybe("per channel") else None)

    weights = jax.tree.map(quantized, params)
    if maybe("quantize inputs", 0.4):
        x = _fake_quantized(x, levels, axis=None)
    loss = compression_loss(compressed_model(weights, x), labels)
    if maybe("grid penalty", 0.3):
        # Draw weights towards their grid points.
        gaps = jax.tree.map(
            lambda p, q: jnp.mean((p - jax.lax.stop_gradient(q)) ** 2), params, weights
        )
        loss = loss + number(1e-3, 1e-1) * sum(jax.tree.leaves(gaps))
    return loss


@sketch(
    takes={"x": "features f[b, d]", "w": "matrix f[d, h]"},
    gives="features f[b, h]",
    sizes={"b": (4, 48), "d": (4, 128), "h": (4, 64)},
    also=("Matrix product in eight-bit integers.",),
)
def int8_matmul(x, w, levels=127):
    """Multiply in eight-bit integers and scale the sums back to floats."""
    if x.ndim != 2 or x.shape[-1] != w.shape[0]:
        raise ValueError(f"inner sizes differ: {x.shape[-1]} and {w.shape[0]}")
    x_scale = jnp.max(jnp.abs(x), axis=-1, keepdims=True) / levels + 1e-6
    w_scale = jnp.max(jnp.abs(w), axis=0, keepdims=True) / levels + 1e-6
    if maybe("shift inputs", 0.3):
        # Activations that are not centered use half of the grid only.
        center = jnp.mean(x, axis=-1, keepdims=True)
        x_int = jnp.clip(jnp.round((x - center) / (2 * x_scale)), -levels, levels)
        correction = center * jnp.sum(w, axis=0)
        x_scale = 2 * x_scale
    else:
        x_int = jnp.round(x / x_scale)
        correction = None
    w_int = jnp.round(w / w_scale).astype(jnp.int8)
    dims = (((1,), (0,)), ((), ()))
    sums = jax.lax.dot_general(
        x_int.astype(jnp.int8), w_int, dims, preferred_element_type=jnp.int32
    )
    out = sums.astype(x.dtype) * x_scale * w_scale
    return out if correction is None else out + correction


@sketch(
    takes={"params": "P", "grads": "P"},
    also=("Masks of the weights that are worth keeping.",),
)
def pruning_masks(params, grads, sparsity=number(0.2, 0.9), scope=one_of("global", "leaf")):
    """Rank weights by how much they matter and mask out the rest."""
    if sparsity <= 0 or sparsity >= 1:
        raise ValueError(f"sparsity must be in (0, 1), got {sparsity}")
    if maybe("first order scores"):
        # The change of the loss if a weight were zero, to first order.
        scores = jax.tree.map(lambda p, g: jnp.abs(p * g), params, grads)
    else:
        scores = jax.tree.map(lambda p, g: jnp.abs(p) + 1e-3 * jnp.abs(g), params, grads)
    if scope == "global":
        flat = jnp.concatenate([s.ravel() for s in jax.tree.leaves(scores)])
        threshold = jnp.quantile(flat, sparsity)
        masks = jax.tree.map(lambda s: s >= threshold, scores)
    else:
        masks = jax.tree.map(lambda s: s >= jnp.quantile(s, sparsity), scores)
    if maybe("keep vectors"):
        masks = jax.tree.map(lambda m, p: m if p.ndim > 1 else jnp.ones_like(m), masks, params)
    if maybe("pruned too"):
        return masks, jax.tree.map(lambda p, m: jnp.where(m, p, 0), params, masks)
    return masks


@sketch(
    takes={"x": "features f[b, d]", "w": "matrix f[d, h]", "gate": "f[d, h]: logits of keeping"},
    gives=("features f[b, h]", "loss f[]"),
    sizes={"b": (4, 48), "d": (4, 64), "h": (4, 48)},
    dtypes="f32 bf16",
    also=("Layer whose connections can be switched off.",),
)
def gated_sparse_layer(x, w, gate, temperature=number(0.3, 1.0), weight=number(1e-3, 1e-1)):
    """Learn which weights a layer needs, with gates that are cut off at both ends."""
    low, high = one_of((-0.1, 1.1), (-0.2, 1.2))
    soft = jax.nn.sigmoid(gate / temperature)
    stretched = soft * (high - low) + low
    if maybe("hard gates", 0.6):
        open_share = jnp.clip(stretched, 0.0, 1.0)
    else:
        open_share = soft
    pre = x @ (w * open_share)
    # Expected share of open gates, which can be differentiated.
    shift = temperature * jnp.log(-low / high)
    penalty = jnp.mean(jax.nn.sigmoid(gate - shift))
    out = one_of(jax.nn.relu, jnp.tanh, jax.nn.gelu)(pre)
    return out, weight * penalty


@sketch(
    takes={"w": "matrix f[n, m]"},
    gives="matrix f[n, m]: compressed",
    sizes={"n": (8, 64), "m": (8, 64)},
    also=("Structured compression of a weight matrix.",),
)
def structured_compression(w, keep=integer(2, 6)):
    """Compress a weight matrix into a form that hardware likes."""
    rows, columns = w.shape
    if maybe("two of four", 0.4):
        # Of each four neighbours the two largest stay.
        width = columns - columns % 4
        blocks = w[:, :width].reshape(rows, -1, 4)
        ranks = jnp.sum(jnp.abs(blocks)[..., None, :] > jnp.abs(blocks)[..., :, None], axis=-1)
        pruned = jnp.where(ranks < 2, blocks, 0).reshape(rows, width)
        return jnp.concatenate([pruned, w[:, width:]], axis=1)
    if maybe("low rank"):
        rank = min(keep, rows, columns)
        u, s, vt = jnp.linalg.svd(w, full_matrices=False)
        return (u[:, :rank] * s[:rank]) @ vt[:rank]
    norms = jnp.sum(w**2, axis=0)
    ranks = jnp.argsort(jnp.argsort(-norms))
    kept = one_of(ranks < keep, ranks <= columns // 2)
    return w * kept.astype(w.dtype) if maybe("multiply mask") else jnp.where(kept, w, 0)
