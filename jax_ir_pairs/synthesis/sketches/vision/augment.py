"""Random changes of images for training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

image_augmentation = nested(
    "(key: key, images: image f[b, height, width, channels]) -> image f[b, height, width, channels]"
)


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]"},
    gives="image f[b, height, width, channels]: flipped",
    sizes={"b": (1, 8), "height": (4, 32), "width": (4, 128), "channels": (1, 4)},
    dtypes="f32 bf16 f16",
    also=("Mirror each image of a batch with some probability.",),
)
def random_flip(key, images, probability=one_of(0.5, 0.5, 0.3)):
    """Flip images at random, each by itself."""
    if not 0 <= probability <= 1:
        raise ValueError(f"{probability} is no probability")
    batch_size = images.shape[0]
    if maybe("both_axes", 0.4):
        horizontal_key, vertical_key = jax.random.split(key)
        flips = ((horizontal_key, 2), (vertical_key, 1))
    else:
        flips = ((key, 2),)
    for flip_key, axis in flips:
        coin = jax.random.bernoulli(flip_key, probability, (batch_size, 1, 1, 1))
        if maybe("blend", 0.25):
            coin = coin.astype(images.dtype)
            images = coin * jnp.flip(images, axis) + (1 - coin) * images
        else:
            images = jnp.where(coin, jnp.flip(images, axis), images)
    return images


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]"},
    gives="image f[b, height, width, channels]: shifted",
    sizes={"b": (1, 6), "height": (6, 24), "width": (6, 48), "channels": (1, 4)},
    dtypes="f32 bf16",
    also=("Pad a batch of images and cut windows of the old size out of it.",),
)
def random_shift_crop(key, images, padding=integer(1, 4)):
    """Crop images at random offsets after padding them, as for CIFAR."""
    batch_size, height, width, channels = images.shape
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = jnp.pad(images, pads, mode=one_of("reflect", "edge", "constant"))
    if maybe("per_image", 0.6):
        offsets = jax.random.randint(key, (batch_size, 2), 0, 2 * padding + 1)

        def crop(image, offset):
            start = (offset[0], offset[1], 0)
            return jax.lax.dynamic_slice(image, start, (height, width, channels))

        return jax.vmap(crop)(padded, offsets)
    # One offset for the whole batch is enough with small batches.
    top, left = jax.random.randint(key, (2,), 0, 2 * padding + 1)
    return jax.lax.dynamic_slice(padded, (0, top, left, 0), images.shape)


class MixedBatch(NamedTuple):
    """Blended images and the soft labels that go with them."""

    images: jax.Array
    labels: jax.Array


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]", "labels": "labels i[b]"},
    sizes={"b": (2, 8), "height": (4, 24), "width": (4, 64), "channels": (1, 4)},
    also=("Train between examples: blend images and labels with the same weight.",),
)
def mixup_batch(key, images, labels, num_classes=integer(4, 10), concentration=number(0.2, 1.0)):
    """Mix pairs of images and their labels by Beta-distributed weights."""
    batch_size = images.shape[0]
    assert labels.shape[0] == batch_size, f"{labels.shape[0]} labels for {batch_size} images"
    mix_key, order_key = jax.random.split(key)
    targets = jax.nn.one_hot(labels, num_classes, dtype=images.dtype)
    if maybe("per_example"):
        lam = jax.random.beta(mix_key, concentration, concentration, (batch_size,), images.dtype)
    else:
        lam = jax.random.beta(mix_key, concentration, concentration, (1,), images.dtype)
    if maybe("dominant", 0.4):
        # Keeps the first image the stronger one.
        lam = jnp.maximum(lam, 1 - lam)
    if maybe("permute", 0.6):
        order = jax.random.permutation(order_key, batch_size)
        other_images, other_targets = images[order], targets[order]
    else:
        other_images, other_targets = images[::-1], targets[::-1]
    pixel_weight = lam[:, None, None, None]
    mixed = pixel_weight * images + (1 - pixel_weight) * other_images
    soft = lam[:, None] * targets + (1 - lam[:, None]) * other_targets
    if maybe("record"):
        return MixedBatch(mixed, soft)
    return mixed, soft


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]"},
    gives=("image f[b, height, width, channels]: pasted", "weights f[b]: kept_share"),
    sizes={"b": (2, 6), "height": (6, 24), "width": (6, 64), "channels": (1, 4)},
    also=("Replace a random rectangle of each image by that of another one.",),
)
def cutmix_images(key, images, concentration=number(0.5, 1.0)):
    """Paste a rectangle of the next image and report what share of pixels is left."""
    batch_size, height, width, _ = images.shape
    share_key, center_key = jax.random.split(key)
    area = one_of(
        jax.random.beta(share_key, concentration, concentration, (batch_size,)),
        concentration * jax.random.uniform(share_key, (batch_size,)),
    )
    center = jax.random.uniform(center_key, (batch_size, 2))
    extent = jnp.sqrt(jnp.clip(area, 0, 1))
    inside = True
    for axis, length in enumerate((height, width)):
        positions = (jnp.arange(length) + 0.5) / length
        distance = jnp.abs(positions[None] - center[:, axis, None])
        within = distance < extent[:, None] / 2
        inside = inside & (within[:, :, None] if axis == 0 else within[:, None, :])
    donors = one_of(jnp.roll(images, 1, axis=0), images[::-1])
    pasted = jnp.where(inside[..., None], donors, images)
    # The labels follow the pixels that are really there, not the area that was drawn.
    kept_share = 1 - jnp.mean(inside.astype(images.dtype), axis=(1, 2))
    if maybe("floor", 0.3):
        kept_share = jnp.maximum(kept_share, 0.1)
    return pasted, kept_share


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]"},
    gives="image f[b, height, width, channels]: occluded",
    sizes={"b": (1, 8), "height": (6, 32), "width": (6, 64), "channels": (1, 4)},
    dtypes="f32 bf16",
    also=("Hide a square of each image.",),
)
def cutout(key, images, side=one_of(3, 4, 5, 8), holes=one_of(1, 1, 2, 3)):
    """Occlude random squares of the images."""
    batch_size, height, width, channels = images.shape
    if side > min(height, width):
        side = min(height, width)
    rows, columns = jnp.arange(height), jnp.arange(width)
    if maybe("mean_fill"):
        fill = jnp.mean(images, axis=(1, 2), keepdims=True)
    else:
        fill = jnp.zeros((), images.dtype)
    for hole_key in jax.random.split(key, holes):
        row_key, column_key = jax.random.split(hole_key)
        top = jax.random.randint(row_key, (batch_size, 1), 0, height - side + 1)
        left = jax.random.randint(column_key, (batch_size, 1), 0, width - side + 1)
        in_rows = (rows >= top) & (rows < top + side)
        in_columns = (columns >= left) & (columns < left + side)
        hole = in_rows[:, :, None] & in_columns[:, None, :]
        if maybe("noise", 0.3):
            noise = jax.random.normal(row_key, images.shape, images.dtype)
            images = jnp.where(hole[..., None], fill + noise, images)
        else:
            images = jnp.where(hole[..., None], fill, images)
    return images


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, 3]"},
    gives="image f[b, height, width, 3]: recolored",
    sizes={"b": (1, 6), "height": (4, 32), "width": (4, 96)},
    also=("Vary brightness, contrast and saturation of each image.",),
)
def color_jitter(
    key,
    images,
    brightness=number(0.1, 0.5),
    contrast=number(0.1, 0.5),
    saturation=number(0.1, 0.8),
):
    """Jitter the colors of RGB images."""
    if images.shape[-1] != 3:
        raise ValueError(f"colors need three channels, got {images.shape[-1]}")
    shape = (images.shape[0], 1, 1, 1)
    keys = jax.random.split(key, 4)
    luma = jnp.array([0.299, 0.587, 0.114], images.dtype)

    def factor(key, strength):
        return jax.random.uniform(key, shape, images.dtype, 1 - strength, 1 + strength)

    gray = jnp.sum(images * luma, axis=-1, keepdims=True)
    if maybe("saturation", 0.7):
        images = gray + factor(keys[2], saturation) * (images - gray)
    mean = jnp.mean(gray, axis=(1, 2), keepdims=True)
    images = mean + factor(keys[1], contrast) * (images - mean)
    if maybe("additive"):
        shift = jax.random.uniform(keys[0], shape, images.dtype, -brightness, brightness)
        images = images + shift
    else:
        images = images * factor(keys[0], brightness)
    if maybe("hue", 0.4):
        # A rotation of the chrominance plane of YIQ.
        angle = jax.random.uniform(keys[3], shape[:3], images.dtype, -0.3, 0.3)
        red, green, blue = jnp.moveaxis(images, -1, 0)
        i = 0.596 * red - 0.274 * green - 0.322 * blue
        q = 0.211 * red - 0.523 * green + 0.312 * blue
        lightness = 0.299 * red + 0.587 * green + 0.114 * blue
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        i, q = cos * i - sin * q, sin * i + cos * q
        red = lightness + 0.956 * i + 0.621 * q
        green = lightness - 0.272 * i - 0.647 * q
        blue = lightness - 1.106 * i + 1.703 * q
        images = jnp.stack([red, green, blue], axis=-1)
    if maybe("clip", 0.4):
        images = jnp.clip(images, one_of(-1, -3), one_of(1, 3))
    return images


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]"},
    gives="image f[b, height, width, channels]: erased",
    sizes={"b": (1, 6), "height": (6, 32), "width": (6, 64), "channels": (1, 4)},
    also=("Overwrite rectangles of random area and aspect in some images.",),
)
def random_erasing(key, images, probability=number(0.3, 0.9), max_area=number(0.1, 0.4)):
    """Erase a rectangle of random shape from randomly chosen images."""
    batch_size, image_height, image_width, channels = images.shape
    names = ("coin", "area", "aspect", "place", "fill")
    keys = dict(zip(names, jax.random.split(key, len(names))))
    area = jax.random.uniform(keys["area"], (batch_size,), minval=0.02, maxval=max_area)
    log_aspect = jax.random.uniform(keys["aspect"], (batch_size,), minval=-1.0, maxval=1.0)
    height = jnp.sqrt(area * jnp.exp(log_aspect)) * image_height
    width = jnp.sqrt(area * jnp.exp(-log_aspect)) * image_width
    place = jax.random.uniform(keys["place"], (2, batch_size))
    top = place[0] * jnp.maximum(image_height - height, 0)
    left = place[1] * jnp.maximum(image_width - width, 0)
    row_index = jnp.arange(image_height)[None, :, None]
    column_index = jnp.arange(image_width)[None, None, :]

    def column(per_image):
        return per_image[:, None, None]

    inside = (row_index >= column(top)) & (row_index < column(top + height))
    inside = inside & (column_index >= column(left)) & (column_index < column(left + width))
    if maybe("coin", 0.7):
        inside = inside & column(jax.random.bernoulli(keys["coin"], probability, (batch_size,)))
    if maybe("constant"):
        fill = number(-1.0, 1.0)
    else:
        fill = jax.random.normal(
            keys["fill"], (batch_size, image_height, image_width, channels), images.dtype
        )
    return jnp.where(inside[..., None], fill, images)


def _standardized_images(images, eps=1e-3):
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    std = jnp.std(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) / (std + eps)


@sketch(
    takes={"key": "key", "images": "image f[b, height, width, channels]"},
    gives=(
        "image f[b, height, width, channels]: first_view",
        "image f[b, height, width, channels]: second_view",
    ),
    sizes={"b": (1, 4), "height": (6, 24), "width": (6, 32), "channels": (1, 4)},
    also=("Prepare the pairs of views that contrastive learning compares.",),
)
def two_views(key, images, noise_scale=number(0.01, 0.2)):
    """Draw two augmented views of each image for contrastive learning."""

    def view(key):
        augment_key, noise_key, drop_key = jax.random.split(key, 3)
        x = image_augmentation(augment_key, images)
        if maybe("noise"):
            x = x + noise_scale * jax.random.normal(noise_key, x.shape, x.dtype)
        if maybe("channel_drop", 0.4):
            keep = jax.random.bernoulli(drop_key, 0.8, (x.shape[0], 1, 1, x.shape[-1]))
            x = jnp.where(keep, x, 0.0)
        return x

    first_key, second_key = jax.random.split(key)
    first, second = view(first_key), view(second_key)
    if maybe("standardize"):
        return _standardized_images(first), _standardized_images(second)
    return first, second
