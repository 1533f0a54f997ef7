"""Losses between images and on images."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def _shrink(images):
    """Halve both sides by averaging blocks of four pixels."""
    b, h, w, c = images.shape
    even = images[:, : h - h % 2, : w - w % 2]
    return jnp.mean(even.reshape(b, h // 2, 2, w // 2, 2, c), axis=(2, 4))


@sketch(
    takes={"image": "image f[b, h, w, c]"},
    gives="loss f[]",
    sizes={"b": (1, 8), "h": (4, 64), "w": (4, 64), "c": (1, 4)},
    dtypes="f32 bf16",
    also=("Total variation of images.",),
)
def total_variation(image, weight=number(1e-3, 1.0), eps=1e-3):
    """Charge an image for the jumps between neighbouring pixels."""
    if image.ndim != 4 or min(image.shape[1:3]) < 2:
        raise ValueError(f"expected images with two rows and columns or more, got {image.shape}")
    dy = image[:, 1:, :, :] - image[:, :-1, :, :]
    dx = image[:, :, 1:, :] - image[:, :, :-1, :]
    if maybe("isotropic"):
        # Both differences of a pixel count as one jump.
        squared = dy[:, :, :-1] ** 2 + dx[:, :-1] ** 2
        jumps = jnp.mean(jnp.sqrt(squared + eps))
    elif maybe("squared jumps", 0.4):
        jumps = jnp.mean(dy**2) + jnp.mean(dx**2)
    else:
        jumps = sum(jnp.mean(jnp.sqrt(d**2 + eps)) for d in (dy, dx))
    if maybe("edge aware", 0.3):
        contrast = jnp.std(image) + one_of(0.1, 0.5)
        jumps = jumps / contrast
    return weight * jumps


@sketch(
    takes={"image": "image f[b, h, w, c]", "reference": "image f[b, h, w, c]"},
    gives="loss f[]",
    sizes={"b": (1, 8), "h": (8, 64), "w": (8, 64), "c": (1, 4)},
    dtypes="f32 bf16",
    also=("Reconstruction error over several resolutions.",),
)
def pyramid_reconstruction_loss(image, reference, num_levels=integer(1, 3), decay=number(0.3, 1.0)):
    """Compare two images at several resolutions."""
    if image.shape != reference.shape:
        raise ValueError(f"images differ in shape: {image.shape} and {reference.shape}")
    total, weight = 0.0, 1.0
    for level in range(num_levels):
        error = image - reference
        if maybe("band pass", 0.4):
            # Details of this level only: what the next one cannot show.
            error = error - jnp.mean(error, axis=(1, 2), keepdims=True)
        if maybe("charbonnier"):
            total = total + weight * jnp.mean(jnp.sqrt(error**2 + one_of(1e-3, 1e-2)))
        else:
            total = total + weight * one_of(jnp.mean(error**2), jnp.mean(jnp.abs(error)))
        weight = weight * decay
        if level + 1 < num_levels and min(image.shape[1:3]) >= 4:
            image, reference = _shrink(image), _shrink(reference)
    return total


@sketch(
    takes={
        "content": "feature_map f[b, h, w, c]",
        "style": "feature_map f[b, h, w, c]",
        "generated": "feature_map f[b, h, w, c]",
    },
    gives="loss f[]",
    sizes={"b": (1, 4), "h": (3, 24), "w": (3, 24), "c": (2, 32)},
    also=("Style transfer objective on feature maps.",),
)
def style_transfer_loss(content, style, generated, style_weight=number(0.1, 10.0)):
    """Keep the content of one feature map and take the statistics of another."""
    batch, height, width, channels = generated.shape

    def gram(features):
        flat = features.reshape(batch, height * width, channels)
        if maybe("center channels", 0.4):
            flat = flat - jnp.mean(flat, axis=1, keepdims=True)
        return jnp.einsum("bpc,bpk->bck", flat, flat) / (height * width)

    if maybe("channel moments", 0.4):
        # Means and deviations of channels are cheaper than all products.
        style_gap = 0.0
        for moment in (jnp.mean, jnp.std):
            wanted, found = (moment(z, axis=(1, 2)) for z in (style, generated))
            style_gap = style_gap + jnp.mean((wanted - found) ** 2)
    else:
        style_gap = jnp.mean((gram(style) - gram(generated)) ** 2)
        style_gap = style_gap / (channels if maybe("per channel style") else 1.0)
    content_gap = one_of(
        jnp.mean((content - generated) ** 2), jnp.mean(jnp.abs(content - generated))
    )
    return content_gap + style_weight * style_gap


@sketch(
    takes={
        "real": "logits f[b]: scores of real examples",
        "fake": "logits f[b]: of others",
    },
    gives=("loss f[]: critic_loss", "loss f[]: generator_loss"),
    sizes={"b": (2, 1024)},
    dtypes="f32 bf16",
    also=("Losses of a critic and of a generator.",),
)
def adversarial_losses(real, fake, kind=one_of("hinge", "logistic", "least squares", "relative")):
    """Score a critic and a generator against each other."""
    if kind == "hinge":
        critic = jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake))
        generator = -jnp.mean(fake)
    elif kind == "logistic":
        critic = jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(fake))
        generator = jnp.mean(jax.nn.softplus(-fake))
    elif kind == "least squares":
        critic = 0.5 * (jnp.mean((real - 1) ** 2) + jnp.mean(fake**2))
        generator = 0.5 * jnp.mean((fake - 1) ** 2)
    else:
        # Each real example should beat the average generated one.
        gap = real - jnp.mean(fake)
        critic = jnp.mean(jax.nn.softplus(-gap))
        generator = jnp.mean(jax.nn.softplus(jnp.mean(real) - fake))
    if maybe("bound scores", 0.4):
        # Scores far from 0 leave the generator without a gradient.
        critic = critic + number(1e-3, 1e-1) * (jnp.mean(real**2) + jnp.mean(fake**2))
    return critic, generator


@sketch(
    takes={"image": "image f[b, h, w, c]", "reference": "image f[b, h, w, c]"},
    gives="loss f[]",
    sizes={"b": (1, 4), "h": (8, 48), "w": (8, 48), "c": (1, 3)},
    also=("Loss on the edges and the spectrum of images.",),
)
def detail_loss(image, reference, alpha=number(0.1, 2.0)):
    """Match the fine detail of two images rather than their brightness."""
    loss = 0.0
    if maybe("sobel"):
        smooth, slope = jnp.array([1.0, 2.0, 1.0]) / 4, jnp.array([-1.0, 0.0, 1.0]) / 2
        for vertical, horizontal in ((smooth, slope), (slope, smooth)):
            taps = jnp.outer(vertical, horizontal)
            edges = []
            for z in (image, reference):
                rows, columns = z.shape[1] - 2, z.shape[2] - 2
                parts = [
                    taps[i, j] * z[:, i : i + rows, j : j + columns]
                    for i in range(3)
                    for j in range(3)
                ]
                edges.append(sum(parts))
            loss = loss + jnp.mean(jnp.abs(edges[0] - edges[1]))
    else:
        for axis in (1, 2):
            loss = loss + jnp.mean(
                (jnp.diff(image, axis=axis) - jnp.diff(reference, axis=axis)) ** 2
            )
    if maybe("spectrum", 0.6):
        spectra = [jnp.abs(jnp.fft.rfft2(z, axes=(1, 2))) for z in (image, reference)]
        scale = image.shape[1] * image.shape[2]
        gap = (spectra[0] - spectra[1]) / scale**0.5
        loss = loss + alpha * one_of(jnp.mean(gap**2), jnp.mean(jnp.abs(gap)))
    return loss
