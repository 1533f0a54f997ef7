"""Random changes of images for training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

image_augmentation = nested("(key: key, images: image f[b, h, w, c]) -> image f[b, h, w, c]")


@sketch(
    takes={"key": "key", "images": "image f[b, h, w, c]"},
    gives="image f[b, h, w, c]: flipped",
    sizes={"b": (1, 8), "h": (4, 32), "w": (4, 128), "c": (1, 4)},
    dtypes="f32 bf16 f16",
    also=("Mirror each image of a batch with some probability.",),
)
def random_flip(key, images, probability=one_of(0.5, 0.5, 0.3)):
    """Flip images at random, each by itself."""
    if not 0 <= probability <= 1:
        raise ValueError(f"{probability} is no probability")
    b = images.shape[0]
    if maybe("both_axes", 0.4):
        horizontal_key, vertical_key = jax.random.split(key)
        flips = ((horizontal_key, 2), (vertical_key, 1))
    else:
        flips = ((key, 2),)
    for flip_key, axis in flips:
        coin = jax.random.bernoulli(flip_key, probability, (b, 1, 1, 1))
        if maybe("blend", 0.25):
            coin = coin.astype(images.dtype)
            images = coin * jnp.flip(images, axis) + (1 - coin) * images
        else:
            images = jnp.where(coin, jnp.flip(images, axis), images)
    return images


@sketch(
    takes={"key": "key", "images": "image f[b, h, w, c]"},
    gives="image f[b, h, w, c]: shifted",
    sizes={"b": (1, 6), "h": (6, 24), "w": (6, 48), "c": (1, 4)},
    dtypes="f32 bf16",
    also=("Pad a batch of images and cut windows of the old size out of it.",),
)
def random_shift_crop(key, images, padding=integer(1, 4)):
    """Crop images at random offsets after padding them, as for CIFAR."""
    b, height, width, channels = images.shape
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = jnp.pad(images, pads, mode=one_of("reflect", "edge", "constant"))
    if maybe("per_image", 0.6):
        offsets = jax.random.randint(key, (b, 2), 0, 2 * padding + 1)

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
    takes={"key": "key", "images": "image f[b, h, w, c]", "labels": "labels i[b]"},
    sizes={"b": (2, 8), "h": (4, 24), "w": (4, 64), "c": (1, 4)},
    also=("Train between examples: blend images and labels with the same weight.",),
)
def mixup_batch(key, images, labels, num_classes=integer(4, 10), alpha=number(0.2, 1.0)):
    """Mix pairs of images and their labels by Beta-distributed weights."""
    assert labels.shape[0] == images.shape[0], f"{labels.shape[0]} labels for {images.shape[0]}"
    mix_key, order_key = jax.random.split(key)
    targets = jax.nn.one_hot(labels, num_classes, dtype=images.dtype)
    if maybe("per_example"):
        lam = jax.random.beta(mix_key, alpha, alpha, (images.shape[0],), images.dtype)
    else:
        lam = jax.random.beta(mix_key, alpha, alpha, (1,), images.dtype)
    if maybe("dominant", 0.4):
        # Keeps the first image the stronger one.
        lam = jnp.maximum(lam, 1 - lam)
    if maybe("permute", 0.6):
        order = jax.random.permutation(order_key, images.shape[0])
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
    takes={"key": "key", "images": "image f[b, h, w, c]"},
    gives=("image f[b, h, w, c]: pasted", "weights f[b]: kept_share"),
    sizes={"b": (2, 6), "h": (6, 24), "w": (6, 64), "c": (1, 4)},
    also=("Replace a random rectangle of each image by that of another one.",),
)
def cutmix_images(key, images, alpha=number(0.5, 1.0)):
    """Paste a rectangle of the next image and report what share of pixels is left."""
    b, h, w, _ = images.shape
    share_key, center_key = jax.random.split(key)
    area = one_of(
        jax.random.beta(share_key, alpha, alpha, (b,)),
        alpha * jax.random.uniform(share_key, (b,)),
    )
    center = jax.random.uniform(center_key, (b, 2))
    extent = jnp.sqrt(jnp.clip(area, 0, 1))
    inside = True
    for axis, length in enumerate((h, w)):
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
    takes={"key": "key", "images": "image f[b, h, w, c]"},
    gives="image f[b, h, w, c]: occluded",
    sizes={"b": (1, 8), "h": (6, 32), "w": (6, 64), "c": (1, 4)},
    dtypes="f32 bf16",
    also=("Hide a square of each image.",),
)
def cutout(key, images, side=one_of(3, 4, 5, 8), holes=one_of(1, 1, 2, 3)):
    """Occlude random squares of the images."""
    b, h, w, c = images.shape
    if side > min(h, w):
        side = min(h, w)
    rows, columns = jnp.arange(h), jnp.arange(w)
    if maybe("mean_fill"):
        fill = jnp.mean(images, axis=(1, 2), keepdims=True)
    else:
        fill = jnp.zeros((), images.dtype)
    for hole_key in jax.random.split(key, holes):
        row_key, column_key = jax.random.split(hole_key)
        top = jax.random.randint(row_key, (b, 1), 0, h - side + 1)
        left = jax.random.randint(column_key, (b, 1), 0, w - side + 1)
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
    takes={"key": "key", "images": "image f[b, h, w, 3]"},
    gives="image f[b, h, w, 3]: recolored",
    sizes={"b": (1, 6), "h": (4, 32), "w": (4, 96)},
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
        y = 0.299 * red + 0.587 * green + 0.114 * blue
        i, q = jnp.cos(angle) * i - jnp.sin(angle) * q, jnp.sin(angle) * i + jnp.cos(angle) * q
        rgb = (y + 0.956 * i + 0.621 * q, y - 0.272 * i - 0.647 * q, y - 1.106 * i + 1.703 * q)
        images = jnp.stack(rgb, axis=-1)
    if maybe("clip", 0.4):
        images = jnp.clip(images, one_of(-1, -3), one_of(1, 3))
    return images


@sketch(
    takes={"key": "key", "images": "image f[b, h, w, c]"},
    gives="image f[b, h, w, c]: erased",
    sizes={"b": (1, 6), "h": (6, 32), "w": (6, 64), "c": (1, 4)},
    also=("Overwrite rectangles of random area and aspect in some images.",),
)
def random_erasing(key, images, probability=number(0.3, 0.9), max_area=number(0.1, 0.4)):
    """Erase a rectangle of random shape from randomly chosen images."""
    b, h, w, c = images.shape
    keys = dict(zip(("coin", "area", "aspect", "place", "fill"), jax.random.split(key, 5)))
    area = jax.random.uniform(keys["area"], (b,), minval=0.02, maxval=max_area)
    log_aspect = jax.random.uniform(keys["aspect"], (b,), minval=-1.0, maxval=1.0)
    height = jnp.sqrt(area * jnp.exp(log_aspect)) * h
    width = jnp.sqrt(area * jnp.exp(-log_aspect)) * w
    place = jax.random.uniform(keys["place"], (2, b))
    top = place[0] * jnp.maximum(h - height, 0)
    left = place[1] * jnp.maximum(w - width, 0)
    y = jnp.arange(h)[None, :, None]
    x = jnp.arange(w)[None, None, :]

    def column(v):
        return v[:, None, None]

    inside = (y >= column(top)) & (y < column(top + height))
    inside = inside & (x >= column(left)) & (x < column(left + width))
    if maybe("coin", 0.7):
        inside = inside & column(jax.random.bernoulli(keys["coin"], probability, (b,)))
    if maybe("constant"):
        fill = number(-1.0, 1.0)
    else:
        fill = jax.random.normal(keys["fill"], (b, h, w, c), images.dtype)
    return jnp.where(inside[..., None], fill, images)


@sketch(
    takes={"key": "key", "images": "image f[b, h, w, c]"},
    gives=("image f[b, h, w, c]: first_view", "image f[b, h, w, c]: second_view"),
    sizes={"b": (1, 4), "h": (6, 24), "w": (6, 32), "c": (1, 4)},
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
        axes = (1, 2, 3)
        first, second = (
            (v - jnp.mean(v, axes, keepdims=True)) / (jnp.std(v, axes, keepdims=True) + 1e-3)
            for v in (first, second)
        )
    return first, second
