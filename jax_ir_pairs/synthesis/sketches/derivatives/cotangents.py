"""What is done to gradients on their way back."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

shaped_encoder = nested("(params: P, x: features f[b, d]) -> features f[b, h]")


def _weighted_fwd(x, weight):
    return x, None


def _weighted_bwd(weight, _, g):
    return (weight * g,)


@functools.partial(jax.custom_vjp, nondiff_argnames=("weight",))
def weighted_gradient(x, weight):
    """Pass a value on and scale its gradient."""
    return x


weighted_gradient.defvjp(_weighted_fwd, _weighted_bwd)


@sketch(
    takes={
        "params": "P",
        "x": "features f[b, d]",
        "heads": {"main": "f[h]", "side": "f[h]"},
        "targets": "targets f[b]",
    },
    gives=("P", "loss f[]"),
    sizes={"b": (4, 32), "d": (2, 32), "h": (2, 32)},
    also=("Shared encoder that listens more to one of its tasks.",),
)
def task_weighted_gradient(params, x, heads, targets, share=number(0.05, 0.5)):
    """Let a side task move a shared encoder only a little."""

    def loss_of(p):
        z = shaped_encoder(p, x)
        main = z @ heads["main"] / z.shape[1] ** 0.5
        quiet = one_of(weighted_gradient(z, weight=share), weighted_gradient(z, share))
        side = quiet @ heads["side"] / z.shape[1] ** 0.5
        loss = jnp.mean((main - targets) ** 2)
        if maybe("side classes", 0.4):
            # The side task tells the sign of the target.
            return loss + jnp.mean(jax.nn.softplus(-jnp.sign(targets) * side))
        return loss + one_of(jnp.mean(jnp.abs(side - targets)), jnp.mean(side**2))

    loss, grads = jax.value_and_grad(loss_of)(params)
    return grads, loss


@jax.custom_gradient
def bounded_pull(x):
    """Pass a value on, with a gradient of bounded length for each row."""

    def pull(g):
        if maybe("bound entries", 0.4):
            return (jnp.clip(g, -0.1, 0.1),)
        norm = jnp.sqrt(jnp.sum(g**2, axis=-1, keepdims=True) + 1e-12)
        return (g * jnp.minimum(1.0, one_of(0.1, 1.0) / norm),)

    return x, pull


@sketch(
    takes={"table": "embeddings f[v, d]", "tokens": "tokens i[b, t]", "w": "f[d]"},
    gives=("loss f[]", "f[v, d]: gradient"),
    sizes={"v": (4, 32), "d": (2, 32), "b": (1, 8), "t": (2, 16)},
    also=("Embedding gradient that rare words cannot blow up.",),
)
def bounded_embedding_gradient(table, tokens, w, margin=number(0.1, 2.0)):
    """Bound what each looked-up embedding may get back."""

    def loss_of(rows):
        looked_up = bounded_pull(rows[tokens % rows.shape[0]])
        if maybe("pooled words"):
            scores = one_of(jnp.mean, jnp.max)(looked_up, axis=1) @ w
        else:
            scores = jnp.cumsum(looked_up, axis=1) @ w / tokens.shape[1]
        return jnp.mean(jax.nn.relu(margin - scores))

    loss, gradient = jax.value_and_grad(loss_of)(table)
    if maybe("touched rows", 0.3):
        # Only the rows that were looked up decay.
        touched = jnp.any(gradient != 0, axis=1, keepdims=True)
        gradient = jnp.where(touched, gradient + 1e-3 * table, 0.0)
    return loss, gradient


@jax.custom_vjp
def narrow_cotangent(x):
    """Pass a value on and send its gradient back in a narrow format."""
    return x


def _narrow_cotangent_bwd(_, g):
    if maybe("scaled float16", 0.4):
        top = jnp.max(jnp.abs(g)) + 1e-12
        return (((g / top).astype(jnp.float16)).astype(g.dtype) * top,)
    return (g.astype(jnp.bfloat16).astype(g.dtype),)


narrow_cotangent.defvjp(lambda x: (x, ()), _narrow_cotangent_bwd)


@sketch(
    takes={"layers": ("l", {"w": "f[d, d]"}), "x": "features f[b, d]"},
    gives={"loss": "f[]", "error": "f[]: of the narrow gradient"},
    sizes={"l": (1, 4), "b": (2, 32), "d": (2, 32)},
    also=("Loss of accuracy from narrow gradients.",),
)
def narrow_gradient_error(layers, x):
    """Measure what is lost where gradients travel in sixteen bits."""

    def loss_of(params, narrow):
        h = x
        for layer in params:
            update = one_of(jnp.tanh, jax.nn.gelu)(h @ layer["w"] / h.shape[1] ** 0.5)
            h = h + update if maybe("residual chain") else update
            if narrow:
                h = narrow_cotangent(h)
        return jnp.mean(h**2)

    loss, rough = jax.value_and_grad(loss_of)(layers, True)
    exact = jax.grad(loss_of)(layers, False)
    gaps = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), rough, exact)
    error = jnp.sqrt(sum(jax.tree.leaves(gaps)) + 1e-12)
    if maybe("relative error"):
        size = sum(jnp.sum(g**2) for g in jax.tree.leaves(exact))
        error = error / jnp.sqrt(size + 1e-6)
    return {"loss": loss, "error": error}


def _drop_padding_fwd(x, mask):
    return x, mask


def _drop_padding_bwd(mask, g):
    # A mask has no gradient.
    return jnp.where(mask[..., None], g, 0.0), None


@jax.custom_vjp
def without_padding_gradient(x, mask):
    """Pass a sequence on and let nothing come back to its padding."""
    return x


without_padding_gradient.defvjp(_drop_padding_fwd, _drop_padding_bwd)


@sketch(
    takes={"x": "sequence f[b, t, d]", "mask": "mask bool[b, t]", "query": "vector f[d]"},
    gives="f[b, t]: saliency",
    sizes={"b": (1, 8), "t": (2, 24), "d": (2, 32)},
    also=("Saliency of the positions of padded sequences.",),
)
def padded_saliency(x, mask, query, temperature=one_of(1.0, 0.5, 2.0)):
    """Tell which positions of padded sequences a pooled score depends on."""

    def score(sequence):
        sequence = without_padding_gradient(sequence, mask)
        match = sequence @ query / (temperature * query.shape[0] ** 0.5)
        if maybe("mask matches"):
            match = jnp.where(mask, match, -30.0)
        if maybe("attention pool"):
            pooled = jnp.einsum("bt,btd->bd", jax.nn.softmax(match, axis=1), sequence)
            return jnp.sum(jnp.tanh(pooled @ query))
        return jnp.sum(jax.nn.logsumexp(match, axis=1))

    slope = jax.grad(score)(x)
    if maybe("times input", 0.4):
        return jnp.sum(slope * x, axis=-1)
    return jnp.sqrt(jnp.sum(slope**2, axis=-1) + 1e-12)


def _half_step(w, x):
    return jnp.tanh(x @ w / w.shape[0] ** 0.5)


@jax.custom_vjp
def reversible_block(w, pair):
    """Add to each half what the other one says, so that both can be told from the result."""
    a, b = pair
    a = a + _half_step(w[0], b)
    return a, b + _half_step(w[1], a)


def _reversible_fwd(w, pair):
    out = reversible_block(w, pair)
    # The result is kept rather than the input.
    return out, (w, out)


def _reversible_bwd(kept, grads):
    w, (a, b) = kept
    da, db = grads
    pushed, pull = jax.vjp(_half_step, w[1], a)
    b = b - pushed
    dw_second, from_second = pull(db)
    da = da + from_second
    _, pull = jax.vjp(_half_step, w[0], b)
    dw_first, from_first = pull(da)
    return jnp.stack([dw_first, dw_second]), (da, db + from_first)


reversible_block.defvjp(_reversible_fwd, _reversible_bwd)


@sketch(
    takes={"weights": "f[l, 2, d, d]", "x": "features f[b, 2*d]"},
    gives=("loss f[]", "f[l, 2, d, d]: gradient"),
    sizes={"l": (1, 4), "b": (2, 24), "d": (2, 24)},
    also=("Gradient of a reversible network.",),
)
def reversible_chain_gradient(weights, x):
    """Train a chain of reversible blocks without keeping their inputs."""
    if x.shape[1] % 2:
        raise ValueError(f"cannot halve {x.shape[1]} features")

    def loss_of(stack):
        pair = tuple(jnp.split(x, 2, axis=1))
        if maybe("scan blocks"):
            pair, _ = jax.lax.scan(lambda p, w: (reversible_block(w, p), None), pair, stack)
        else:
            for w in stack:
                pair = reversible_block(w, pair)
        left, right = pair
        if maybe("match halves", 0.4):
            return jnp.mean((left - right) ** 2)
        return one_of(jnp.mean(left**2), jnp.mean(jnp.log1p(left**2 + right**2)))

    return jax.value_and_grad(loss_of)(weights)
