"""Modules of flax.linen for images, sequences and latent variables."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class ConvClassifier(nn.Module):
    """Convolutions with pooling between them and a dense head."""

    channels: int
    num_classes: int

    @nn.compact
    def __call__(self, x):
        for stage in range(2):
            x = nn.Conv(self.channels * 2**stage, kernel_size=one_of((3, 3), (5, 5)))(x)
            if maybe("group norm", 0.4):
                x = nn.GroupNorm(num_groups=one_of(2, 4))(x)
            x = one_of(nn.relu, nn.silu)(x)
            if maybe("pool", 0.7):
                x = one_of(nn.max_pool, nn.avg_pool)(x, (2, 2), strides=(2, 2))
        if maybe("flatten head", 0.3):
            x = x.reshape(x.shape[0], -1)
        else:
            x = jnp.mean(x, axis=(1, 2))
        return nn.Dense(self.num_classes)(x)


@sketch(
    takes={"key": "key", "images": "image f[b, r, w, k]"},
    gives="logits f[b, c]",
    sizes={"b": (1, 6), "r": (8, 16), "w": (8, 16), "k": (1, 3), "c": (2, 10)},
    also=("Logits of a small convolutional network at initialization.",),
)
def convolutional_logits(key, images):
    """Classify images by a small convolutional network."""
    if images.ndim != 4:
        raise ValueError(f"expected a batch of images, got shape {images.shape}")
    if maybe("standardize"):
        mean = jnp.mean(images, axis=(1, 2), keepdims=True)
        images = (images - mean) / (jnp.std(images, axis=(1, 2), keepdims=True) + 1e-3)
    model = ConvClassifier(channels=one_of(4, 8), num_classes=size("c"))
    variables = model.init(key, images)
    if maybe("flip average", 0.3):
        views = [images, images[:, :, ::-1]]
        return sum(model.apply(variables, view) for view in views) / len(views)
    return model.apply(variables, images)


class EncoderBlock(nn.Module):
    """Attention and a feed-forward layer, each with a residual and a norm before it."""

    num_heads: int
    expansion: int = 2

    @nn.compact
    def __call__(self, x, mask=None):
        width = x.shape[-1]
        h = one_of(nn.LayerNorm(), nn.RMSNorm())(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=self.num_heads)(h, mask=mask)
        h = nn.LayerNorm()(x)
        if maybe("gated"):
            gate = nn.silu(nn.Dense(self.expansion * width)(h))
            h = gate * nn.Dense(self.expansion * width, use_bias=False)(h)
        else:
            h = one_of(nn.gelu, nn.relu)(nn.Dense(self.expansion * width)(h))
        return x + nn.Dense(width)(h)


@sketch(
    takes={"key": "key", "x": "sequence f[b, t, h*k]"},
    gives="sequence f[b, t, h*k]",
    sizes={"b": (1, 4), "t": (4, 16), "h": (2, 4), "k": (4, 8)},
    also=("Transformer blocks of flax on a sequence.",),
)
def encoded_sequence(key, x, depth=integer(1, 2)):
    """Run a sequence through the blocks of an encoder."""
    block = EncoderBlock(num_heads=size("h"))
    mask = nn.make_causal_mask(jnp.ones(x.shape[:2])) if maybe("causal") else None
    if maybe("shared weights", 0.4):
        # All layers are one block, as in ALBERT.
        variables = block.init(key, x)
        for _ in range(depth):
            x = block.apply(variables, x, mask=mask)
        return x
    for layer_key in jax.random.split(key, depth):
        variables = block.init(layer_key, x)
        x = block.apply(variables, x, mask=mask)
    return x


class TokenTagger(nn.Module):
    """An embedding, a recurrent layer and a tag for each token."""

    vocab_size: int
    width: int
    num_tags: int

    @nn.compact
    def __call__(self, tokens, lengths=None):
        x = nn.Embed(self.vocab_size, self.width)(tokens)
        cell = one_of(
            nn.LSTMCell(self.width), nn.GRUCell(self.width), nn.OptimizedLSTMCell(self.width)
        )
        h = nn.RNN(cell)(x, seq_lengths=lengths)
        if maybe("both directions"):
            back = nn.RNN(nn.GRUCell(self.width), reverse=True, keep_order=True)
            h = jnp.concatenate([h, back(x, seq_lengths=lengths)], axis=-1)
        if maybe("skip embedding", 0.4):
            h = jnp.concatenate([h, x], axis=-1)
        return nn.Dense(self.num_tags)(h)


@sketch(
    takes={"key": "key", "tokens": "tokens i[b, t]", "lengths?": "counts i[b]: lengths"},
    gives="f[b, t, c]: tag logits",
    sizes={"b": (1, 6), "t": (4, 16), "c": (3, 9)},
    also=("Tag each token by a recurrent network.",),
)
def tagged_tokens(key, tokens, lengths=None):
    """Score the tags of tokens by a recurrent network over their embeddings."""
    model = TokenTagger(vocab_size=integer(8, 40), width=one_of(8, 12, 16), num_tags=size("c"))
    variables = model.init(key, tokens)
    scores = model.apply(variables, tokens, lengths)
    if maybe("log probabilities"):
        return nn.log_softmax(scores, axis=-1)
    return scores


class LatentCoder(nn.Module):
    """An encoder and a decoder with a Gaussian between them."""

    num_latents: int
    hidden: int

    @nn.compact
    def __call__(self, x):
        h = one_of(nn.relu, nn.tanh, nn.silu)(nn.Dense(self.hidden, name="encode")(x))
        mean = nn.Dense(self.num_latents, name="mean")(h)
        log_var = nn.Dense(self.num_latents, name="log_var")(h)
        if maybe("clip variance"):
            log_var = jnp.clip(log_var, -6.0, 6.0)
        noise = jax.random.normal(self.make_rng("latent"), mean.shape)
        z = mean + jnp.exp(0.5 * log_var) * noise
        h = nn.relu(nn.Dense(self.hidden, name="decode")(z))
        return nn.Dense(x.shape[-1], name="output")(h), mean, log_var


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 24), "d": (4, 32)},
    also=("Evidence bound of a variational autoencoder written in flax.",),
)
def latent_coder_loss(key, x, beta=number(0.1, 2.0)):
    """Bound the evidence of data under an autoencoder with its own stream of noise."""
    param_key, init_key, noise_key = jax.random.split(key, 3)
    x = jnp.tanh(x)
    model = LatentCoder(num_latents=integer(2, 8), hidden=integer(8, 32))
    variables = model.init({"params": param_key, "latent": init_key}, x)
    output, mean, log_var = model.apply(variables, x, rngs={"latent": noise_key})
    if maybe("absolute error", 0.4):
        error = jnp.sum(jnp.abs(output - x), axis=-1)
    else:
        error = 0.5 * jnp.sum((output - x) ** 2, axis=-1)
    divergence = 0.5 * jnp.sum(jnp.exp(log_var) + mean**2 - 1.0 - log_var, axis=-1)
    if maybe("free bits", 0.3):
        divergence = jnp.maximum(divergence, 0.5)
    return jnp.mean(error + beta * divergence)


class ResidualLayer(nn.Module):
    """One of equal layers; the carry goes through it, as `nn.scan` wants."""

    width: int

    @nn.compact
    def __call__(self, x, _):
        h = one_of(nn.LayerNorm(), nn.RMSNorm())(x)
        h = one_of(nn.gelu, nn.swish)(nn.Dense(self.width)(h))
        x = x + nn.Dense(x.shape[-1])(h)
        return x, one_of(None, jnp.mean(x**2))


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    sizes={"b": (2, 24), "d": (4, 32)},
    also=("Stack equal layers by lifting one of them over a scan.",),
)
def scanned_residual_layers(key, x, depth=integer(2, 6)):
    """Lift a residual layer over a scan whose steps have parameters of their own."""
    layer = ResidualLayer
    if maybe("remat lifted", 0.4):
        layer = nn.remat(layer)
    stack = nn.scan(
        layer,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        length=depth,
    )
    model = stack(width=integer(8, 32))
    variables = model.init(key, x, None)
    out, norms = model.apply(variables, x, None)
    if maybe("final norm", 0.4):
        out = out / jnp.sqrt(jnp.mean(out**2, axis=-1, keepdims=True) + 1e-6)
    if maybe("return parameters", 0.3):
        return out, jax.tree.map(lambda leaf: jnp.mean(jnp.abs(leaf)), variables["params"])
    return out, norms
