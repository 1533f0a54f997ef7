"""Losses and measures of images and segmentations."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

pixel_model = nested(
    "(params: P, image: image f[b, height, width, channels]) -> feature_map f[b, height, width, k]"
)


@sketch(
    takes={"logits": "image f[b, height, width, k]", "labels": "labels i[b, height, width]"},
    gives="loss f[]",
    sizes={"b": (1, 4), "height": (4, 32), "width": (4, 64), "k": (4, 8)},
    also=("Penalize the missing overlap of predicted and true regions.",),
)
def dice_loss(logits, labels, smooth=number(1e-2, 1.0), squared=one_of(False, True)):
    """Compare soft segmentations with labels by the Dice coefficient of each class."""
    num_classes = logits.shape[-1]
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"labels {labels.shape} do not fit logits {logits.shape}")
    probabilities = jax.nn.softmax(logits, axis=-1)
    truth = jax.nn.one_hot(labels, num_classes, dtype=logits.dtype)
    axes = one_of((1, 2), (0, 1, 2))
    intersection = jnp.sum(probabilities * truth, axis=axes)
    if squared:
        cardinality = jnp.sum(jnp.square(probabilities) + truth, axis=axes)
    else:
        cardinality = jnp.sum(probabilities + truth, axis=axes)
    dice = (2 * intersection + smooth) / (cardinality + smooth)
    if maybe("skip_background", 0.4):
        dice = dice[..., 1:]
    if maybe("logarithmic", 0.25):
        return -jnp.mean(jnp.log(dice))
    return 1 - jnp.mean(dice)


@sketch(
    takes={
        "logits": "image f[b, height, width, k]",
        "labels": "labels i[b, height, width]",
        "weights?": "f[k]",
    },
    gives="loss f[]",
    sizes={"b": (1, 4), "height": (4, 32), "width": (4, 64), "k": (4, 12)},
    dtypes="f32 bf16",
    also=("Turn down the loss of pixels that are already easy.",),
)
def pixel_focal_loss(logits, labels, weights=None, focusing=one_of(2.0, 1.0, 0.5, 1.5)):
    """Focus the cross-entropy of a segmentation on pixels that are hard."""
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    if maybe("one_hot"):
        truth = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        log_p = jnp.sum(truth * log_probs, axis=-1)
    else:
        log_p = jnp.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]
    # 1 - p, and never quite 0, where a power has no slope.
    modulation = jnp.clip(1 - jnp.exp(log_p), 1e-3, 1.0) ** focusing
    losses = -modulation * log_p
    if weights is not None:
        losses = losses * jax.nn.softplus(weights)[labels]
    if maybe("hardest", 0.3):
        flat = losses.reshape(losses.shape[0], -1)
        kept = max(1, flat.shape[1] // one_of(2, 4))
        worst, _ = jax.lax.top_k(flat, kept)
        return jnp.mean(worst)
    if maybe("per_image", 0.4):
        return jnp.mean(jnp.mean(losses, axis=(1, 2)))
    return jnp.mean(losses)


@sketch(
    takes={
        "logits": "image f[b, height, width]",
        "truth": "mask bool[b, height, width]",
        "valid?": "mask bool[b, height, width]",
    },
    gives="loss f[]",
    sizes={"b": (1, 4), "height": (4, 32), "width": (4, 128)},
    also=("Weigh false positives and false negatives of a binary mask differently.",),
)
def tversky_loss(
    logits,
    truth,
    valid=None,
    alarm_weight=number(0.2, 0.5),
    miss_weight=number(0.5, 0.8),
    power=0.75,
):
    """Balance missed and invented pixels of a binary segmentation by the Tversky index."""
    p = jax.nn.sigmoid(logits)
    g = truth.astype(p.dtype)
    if valid is not None:
        keep = valid.astype(p.dtype)
        p, g = p * keep, g * keep
    dims = one_of((-2, -1), None)
    true_positive = jnp.sum(p * g, dims)
    false_positive = jnp.sum(p * (1 - g), dims)
    false_negative = jnp.sum((1 - p) * g, dims)
    if maybe("smoothed", 0.6):
        true_positive = true_positive + 1.0
    errors = alarm_weight * false_positive + miss_weight * false_negative
    index = true_positive / (true_positive + errors + 1e-3)
    missing = jnp.clip(1 - index, 1e-4)
    if maybe("focal", 0.4):
        missing = missing**power
    return missing.mean()


@sketch(
    takes={"predicted": "labels i[n]", "labels": "labels i[n]"},
    sizes={"n": (16, 4096)},
    also=("Count which classes are taken for which, and score their overlap.",),
)
def mean_iou_from_labels(predicted, labels, num_classes=integer(4, 8)):
    """Average intersection over union of classes from a confusion matrix."""
    assert predicted.shape == labels.shape, f"{predicted.shape} is not {labels.shape}"
    if maybe("bincount"):
        pairs = num_classes * labels + predicted
        confusion = jnp.bincount(pairs, length=num_classes * num_classes)
        confusion = confusion.reshape(num_classes, num_classes).astype(jnp.float32)
    else:
        truth = jax.nn.one_hot(labels, num_classes)
        guess = jax.nn.one_hot(predicted, num_classes)
        confusion = truth.T @ guess
    hits = jnp.diagonal(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    iou = hits / jnp.maximum(union, 1.0)
    present = union > 0
    mean = jnp.sum(iou * present) / jnp.maximum(jnp.sum(present), 1)
    if maybe("accuracy"):
        accuracy = jnp.sum(hits) / jnp.sum(confusion)
        return {"miou": mean, "accuracy": accuracy, "per_class": iou}
    if maybe("frequency_weighted", 0.4):
        frequency = jnp.sum(confusion, axis=1) / jnp.sum(confusion)
        return mean, jnp.sum(frequency * iou)
    return mean


@sketch(
    takes={
        "first": "image f[b, height, width, channels]",
        "second": "image f[b, height, width, channels]",
    },
    gives="metric f[b]",
    sizes={"b": (1, 4), "height": (12, 24), "width": (12, 48), "channels": (1, 3)},
    also=("Compare luminance, contrast and structure of two images locally.",),
)
def windowed_ssim(first, second, window_size=one_of(7, 5, 11), data_range=one_of(1.0, 4.0)):
    """Rate the structural similarity of two images over local windows."""
    channels = first.shape[-1]
    if maybe("gaussian", 0.6):
        offsets = jnp.arange(window_size, dtype=first.dtype) - (window_size - 1) / 2
        taps = jnp.exp(-jnp.square(offsets / 1.5) / 2)
    else:
        taps = jnp.ones(window_size, first.dtype)
    taps = taps / jnp.sum(taps)
    kernel = jnp.tile(jnp.outer(taps, taps)[:, :, None, None], (1, 1, 1, channels))

    def local_mean(image):
        return jax.lax.conv_general_dilated(
            image,
            kernel,
            window_strides=(1, 1),
            padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=channels,
        )

    c1, c2 = 1e-4 * data_range, 9e-4 * data_range
    if maybe("squash"):
        first, second = jax.nn.sigmoid(first), jax.nn.sigmoid(second)
    mu_x, mu_y = local_mean(first), local_mean(second)
    # Rounding makes E[x^2] - mu^2 slightly negative in flat windows.
    var_x = jnp.maximum(local_mean(first * first) - mu_x * mu_x, 0)
    var_y = jnp.maximum(local_mean(second * second) - mu_y * mu_y, 0)
    covariance = local_mean(first * second) - mu_x * mu_y
    contrast = (2 * covariance + c2) / (var_x + var_y + c2)
    if maybe("contrast_only", 0.2):
        return jnp.mean(contrast, axis=(1, 2, 3))
    luminance = (2 * mu_x * mu_y + c1) / (mu_x * mu_x + mu_y * mu_y + c1)
    return jnp.mean(luminance * contrast, axis=(1, 2, 3))


@sketch(
    takes={"image": "image f[b, height, width, channels]"},
    gives="loss f[]",
    sizes={"b": (1, 6), "height": (4, 64), "width": (4, 128), "channels": (1, 4)},
    dtypes="f32 bf16",
    also=("Sum the differences of neighbouring pixels, which noise makes large.",),
)
def image_roughness(image, weight=number(1e-3, 1.0), eps=number(1e-6, 1e-3)):
    """Penalize rough images by the size of their differences."""
    if image.ndim != 4:
        raise ValueError(f"expected a batch of images, got shape {image.shape}")
    vertical = image[:, 1:] - image[:, :-1]
    horizontal = image[:, :, 1:] - image[:, :, :-1]
    if maybe("isotropic"):
        squares = jnp.square(vertical[:, :, :-1]) + jnp.square(horizontal[:, :-1])
        roughness = jnp.mean(jnp.sqrt(squares + eps))
    elif maybe("smooth", 0.4):
        terms = [jnp.sqrt(jnp.square(difference) + eps) for difference in (vertical, horizontal)]
        roughness = sum(jnp.mean(term) for term in terms)
    else:
        roughness = jnp.mean(jnp.abs(vertical)) + jnp.mean(jnp.abs(horizontal))
    if maybe("second_order", 0.3):
        curvature = image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2]
        roughness = roughness + jnp.mean(jnp.abs(curvature)) / 2
    return weight * roughness


@sketch(
    takes={
        "params": "P",
        "batch": ("image f[b, height, width, channels]", "labels i[b, height, width]"),
    },
    gives="loss f[]",
    sizes={"b": (1, 4), "height": (4, 16), "width": (4, 32), "k": (4, 8)},
    also=("Train a segmentation network with pixelwise cross-entropy.",),
)
def segmentation_objective(params, batch, smoothing=number(0.01, 0.2)):
    """Evaluate the pixelwise training loss of a segmentation network."""
    image, labels = batch
    logits = pixel_model(params, image)
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    picked = jnp.take_along_axis(log_probs, labels[..., None], axis=-1)
    loss = -jnp.mean(picked)
    if maybe("label_smoothing", 0.4):
        loss = (1 - smoothing) * loss - smoothing * jnp.mean(log_probs)
    if maybe("overlap", 0.4):
        p = jnp.exp(log_probs)
        truth = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        dice = 2 * jnp.sum(p * truth) / (jnp.sum(p) + jnp.sum(truth))
        loss = loss + 1 - dice
    if maybe("decay", 0.4):
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        loss = loss + number(1e-5, 1e-3) * squares
    return loss


@sketch(
    takes={
        "prediction": "image f[b, height, width, channels]",
        "target": "image f[b, height, width, channels]",
    },
    gives="loss f[]",
    sizes={"b": (1, 4), "height": (4, 32), "width": (4, 64), "channels": (1, 4)},
    also=("Measure reconstruction errors robustly, with their edges.",),
)
def charbonnier_edge_loss(
    prediction, target, epsilon=number(1e-3, 1e-1), edge_weight=number(0.05, 1.0)
):
    """Penalize a restored image by a smooth absolute error and wrong edges."""
    error = prediction - target

    def charbonnier(e):
        return jnp.mean(jnp.sqrt(jnp.square(e) + epsilon * epsilon))

    loss = charbonnier(error)
    if maybe("gradients"):
        for axis in (1, 2):
            loss = loss + edge_weight * charbonnier(jnp.diff(error, axis=axis))
    else:
        # The Laplacian of the error, by shifts with wrap-around.
        shifts = [(1, 1), (-1, 1), (1, 2), (-1, 2)]
        laplacian = sum(jnp.roll(error, shift, axis=along) for shift, along in shifts) - 4 * error
        loss = loss + edge_weight * charbonnier(laplacian)
    if maybe("frequency", 0.3):
        spectrum = jnp.fft.rfft2(error, axes=(1, 2), norm="ortho")
        loss = loss + number(0.01, 0.1) * jnp.mean(jnp.abs(spectrum) ** 2)
    return loss
