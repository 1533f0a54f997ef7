"""Generative adversarial networks: losses, penalties and steps."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, size, sketch

critic = nested("(params: S, x: features f[b, d]) -> predictions f[b]")
generator = nested("(params: P, z: latent f[b, h]) -> features f[b, d]")


@sketch(
    takes={"real": "predictions f[b]", "fake": "predictions f[b]"},
    gives=("loss f[]: critic_loss", "loss f[]: generator_loss"),
    sizes={"b": (2, 512)},
    dtypes="f32 bf16",
    also=("Score a critic and a generator against each other.",),
)
def two_player_losses(
    real, fake, kind=one_of("saturating", "hinge", "least_squares", "wasserstein")
):
    """Weigh a critic's answers for real and generated samples for both players."""
    if kind == "hinge":
        on_real = jnp.mean(jnp.maximum(1 - real, 0))
        critic_loss = on_real + jnp.mean(jnp.maximum(1 + fake, 0))
        generator_loss = -jnp.mean(fake)
    elif kind == "least_squares":
        critic_loss = jnp.mean((real - 1) ** 2) / 2 + jnp.mean(fake * fake) / 2
        generator_loss = jnp.mean((fake - 1) ** 2) / 2
    elif kind == "wasserstein":
        critic_loss = jnp.mean(fake) - jnp.mean(real)
        generator_loss = -jnp.mean(fake)
    elif kind == "saturating":
        target = one_of(1.0, 0.9)
        on_real = jax.nn.softplus(-real) + (1 - target) * real
        critic_loss = jnp.mean(on_real) + jnp.mean(jax.nn.softplus(fake))
        generator_loss = jnp.mean(jax.nn.softplus(-fake))
    else:
        raise ValueError(f"unknown kind of loss {kind!r}")
    if maybe("drift", 0.35):
        # Keeps the critic's scale near zero.
        critic_loss = critic_loss + number(1e-4, 1e-2) * jnp.mean(real * real)
    if maybe("halved", 0.3):
        critic_loss = critic_loss / 2
    return critic_loss, generator_loss


@sketch(
    takes={"real": "predictions f[b]", "fake": "predictions f[b]"},
    gives="loss f[]",
    sizes={"b": (2, 256)},
    dtypes="f32 bf16",
    also=("Ask that real samples look more real than the average fake one.",),
)
def relativistic_critic_loss(real, fake):
    """Compare real and generated samples by the difference of their scores."""
    assert real.shape == fake.shape, f"{real.shape} real and {fake.shape} fake scores"
    if maybe("averaged", 0.6):
        forward = real - jnp.mean(fake)
        backward = fake - jnp.mean(real)
    else:
        forward = real - fake
        backward = -forward
    if maybe("hinge", 0.35):
        losses = jnp.maximum(1 - forward, 0) + jnp.maximum(1 + backward, 0)
    elif maybe("squared", 0.35):
        losses = (forward - 1) ** 2 + (backward + 1) ** 2
    else:
        losses = jax.nn.softplus(-forward) + jax.nn.softplus(backward)
    if maybe("top_half", 0.25):
        kept, _ = jax.lax.top_k(losses, max(losses.shape[0] // 2, 1))
        return jnp.mean(kept)
    return one_of(jnp.mean(losses), jnp.mean(losses) / 2)


@sketch(
    takes={"params": "S", "key": "key", "real": "features f[b, d]", "fake": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 24), "d": (2, 48)},
    also=("Keep the critic's slope near one between real and fake samples.",),
)
def gradient_penalty(
    params, key, real, fake, target=one_of(1.0, 1.0, 0.0), weight=number(1.0, 20.0)
):
    """Penalize a critic whose gradient norm is not the wanted one."""
    batch_size = real.shape[0]
    if maybe("perturb", 0.3):
        # DRAGAN looks around real samples only.
        spread = one_of(0.5, 0.1) * jnp.std(real)
        points = real + spread * jax.random.normal(key, real.shape)
    else:
        mix = jax.random.uniform(key, (batch_size, 1))
        points = mix * real + (1 - mix) * fake
    if maybe("pullback", 0.4):
        scores, pullback = jax.vjp(lambda x: critic(params, x), points)
        (slopes,) = pullback(jnp.ones_like(scores))
    else:
        slopes = jax.grad(lambda x: jnp.sum(critic(params, x)))(points)
    norms = jnp.sqrt(jnp.sum(slopes * slopes, axis=-1) + 1e-6)
    excess = norms - target
    if maybe("one_sided", 0.3):
        excess = jnp.maximum(excess, 0)
    return weight * jnp.mean(excess * excess)


@sketch(
    takes={"critic_params": "S", "generator_params": "P", "key": "key", "real": "features f[b, d]"},
    gives=("S", "P", "loss f[]: critic_loss"),
    sizes={"b": (2, 16), "d": (2, 32), "h": (2, 16)},
    also=("Train a critic and a generator in turn.",),
)
def alternating_gan_step(
    critic_params,
    generator_params,
    key,
    real,
    latent_dim=size("h"),
    learning_rate=number(1e-4, 1e-2),
):
    """Take one step of each player of a generative adversarial network."""
    batch_size = real.shape[0]
    critic_key, generator_key = jax.random.split(key)
    scale = one_of(1.0, 0.5)

    def draw(weights, key):
        z = scale * jax.random.normal(key, (batch_size, latent_dim))
        return generator(weights, z)

    def critic_objective(weights):
        fake = jax.lax.stop_gradient(draw(generator_params, critic_key))
        on_real, on_fake = critic(weights, real), critic(weights, fake)
        if maybe("hinge"):
            return jnp.mean(jnp.maximum(1 - on_real, 0) + jnp.maximum(1 + on_fake, 0))
        return jnp.mean(jax.nn.softplus(-on_real) + jax.nn.softplus(on_fake))

    def generator_objective(weights):
        on_fake = critic(critic_params, draw(weights, generator_key))
        return one_of(-jnp.mean(on_fake), jnp.mean(jax.nn.softplus(-on_fake)))

    critic_loss, slopes = jax.value_and_grad(critic_objective)(critic_params)
    if maybe("clip_weights", 0.3):
        limit = one_of(1.0, 2.0)
        critic_params = jax.tree.map(
            lambda p, g: jnp.clip(p - learning_rate * g, -limit, limit), critic_params, slopes
        )
    else:
        critic_params = jax.tree.map(lambda p, g: p - learning_rate * g, critic_params, slopes)
    slopes = jax.grad(generator_objective)(generator_params)
    generator_params = jax.tree.map(lambda p, g: p - learning_rate * g, generator_params, slopes)
    return critic_params, generator_params, critic_loss


@sketch(
    takes={"features": "features f[b, d]"},
    gives="features f[b, d+1]: extended",
    sizes={"b": (2, 64), "d": (2, 128)},
    dtypes="f32 bf16",
    also=("Tell the critic how varied its batch is.",),
)
def minibatch_deviation(features, eps=number(1e-6, 1e-3)):
    """Append the spread of the batch as one more feature."""
    batch_size, _ = features.shape
    mean = jnp.mean(features, axis=0)
    centered = features - mean
    if maybe("pairwise", 0.3):
        gaps = jnp.abs(features[:, None] - features[None])
        spread = jnp.mean(jnp.exp(-jnp.mean(gaps, axis=-1)), axis=1, keepdims=True)
    else:
        deviation = jnp.sqrt(jnp.mean(centered * centered, axis=0) + eps)
        spread = one_of(jnp.mean(deviation), jnp.max(deviation))
        spread = jnp.broadcast_to(spread, (batch_size, 1))
    if maybe("centered", 0.3):
        features = centered
    return jnp.concatenate([features, spread], axis=-1)


@sketch(
    takes={"real": "features f[b, d]", "fake": "features f[m, d]"},
    gives="metric f[]",
    sizes={"b": (4, 48), "m": (4, 48), "d": (2, 32)},
    also=("Measure the distance between features of real and generated samples.",),
)
def kernel_inception_distance(real, fake, degree=one_of(3, 2), coefficient=1.0):
    """Estimate the squared maximum mean discrepancy with a polynomial kernel."""
    dims = real.shape[-1]
    if fake.shape[-1] != dims:
        raise ValueError(f"features of {dims} and {fake.shape[-1]} dimensions")

    def kernel_matrix(rows, others):
        return (rows @ others.T / dims + coefficient) ** degree

    def mean_off_diagonal(matrix):
        n = matrix.shape[0]
        return (jnp.sum(matrix) - jnp.trace(matrix)) / (n * (n - 1))

    if maybe("standardize"):
        scale = jnp.std(real, axis=0) + 0.1
        real, fake = real / scale, fake / scale
    cross = jnp.mean(kernel_matrix(real, fake))
    if maybe("unbiased", 0.6):
        within = mean_off_diagonal(kernel_matrix(real, real))
        within = within + mean_off_diagonal(kernel_matrix(fake, fake))
    else:
        within = jnp.mean(kernel_matrix(real, real)) + jnp.mean(kernel_matrix(fake, fake))
    distance = within - 2 * cross
    if maybe("root", 0.3):
        return jnp.sqrt(jnp.maximum(distance, 0) + 1e-4)
    return distance


@sketch(
    takes={
        "params": {"embed": "f[3, 3, 1, d]", "layers": ("l", "f[3, 3, d, d]"), "out": "f[d, k]"},
        "images": "image f[b, height, width, 1]",
    },
    gives="loss f[]",
    sizes={
        "b": (1, 4),
        "height": (6, 16),
        "width": (6, 24),
        "d": (2, 12),
        "l": (1, 4),
        "k": (4, 8),
    },
    also=("Model images pixel by pixel with masked convolutions.",),
)
def masked_convolution_nll(params, images, low=-2.0, high=2.0):
    """Evaluate the likelihood of quantized pixels, each given those before it."""
    num_levels = params["out"].shape[-1]
    scaled = (images - low) / (high - low) * num_levels
    levels = jnp.clip(jnp.floor(scaled), 0, num_levels - 1).astype(jnp.int32)[..., 0]
    inputs = (levels[..., None] + 0.5) / num_levels * 2 - 1

    def convolve(x, kernel, sees_center):
        # Rows above, and what is to the left in the same row.
        mask = jnp.array([[1, 1, 1], [1, float(sees_center), 0], [0, 0, 0]])
        return jax.lax.conv_general_dilated(
            x,
            kernel * mask[:, :, None, None] / math.sqrt(5 * x.shape[-1]),
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    hidden = convolve(inputs, params["embed"], sees_center=False)
    for kernel in params["layers"]:
        update = convolve(one_of(jax.nn.relu, jax.nn.elu)(hidden), kernel, sees_center=True)
        hidden = hidden + update if maybe("residual") else update
    logits = hidden @ params["out"] / math.sqrt(hidden.shape[-1])
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    picked = jnp.take_along_axis(log_probs, levels[..., None], axis=-1)
    if maybe("bits"):
        return -jnp.mean(picked) / math.log(2)
    return -jnp.mean(jnp.sum(picked, axis=(1, 2, 3))) / (images.shape[1] * images.shape[2])
