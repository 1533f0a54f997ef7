"""Classical image processing."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"image": "image f[y, x]: grayscale image"},
    gives=("image f[y, x]: magnitude", "image f[y, x]: orientation"),
    sizes={"y": (4, 96), "x": (4, 96)},
    dtypes="f32 bf16",
    also=("Detect edges by smoothed derivatives.",),
)
def sobel_edges(image, mode=one_of("edge", "reflect")):
    """Filter an image by Sobel kernels and combine both directions."""
    if image.ndim != 2:
        raise ValueError(f"expected a grayscale image, got shape {image.shape}")
    padded = jnp.pad(image, 1, mode=mode)
    # Separable: a difference along one axis, smoothing along the other.
    across = padded[:, 2:] - padded[:, :-2]
    down = padded[2:, :] - padded[:-2, :]
    center = one_of(2, 10 / 3)
    gx = across[:-2] + center * across[1:-1] + across[2:]
    gy = down[:, :-2] + center * down[:, 1:-1] + down[:, 2:]
    if maybe("manhattan", 0.3):
        magnitude = jnp.abs(gx) + jnp.abs(gy)
    else:
        magnitude = one_of(jnp.hypot(gx, gy), jnp.sqrt(gx * gx + gy * gy + 1e-6))
    if maybe("suppress weak", 0.4):
        magnitude = jnp.where(magnitude > 0.1 * jnp.max(magnitude), magnitude, 0)
    if maybe("double angle"):
        # Twice the angle, so that opposite gradients agree.
        return magnitude, 2 * gx * gy / (gx * gx + gy * gy + 1e-2)
    return magnitude / 8, gx / (magnitude + 1e-2)


def _gaussian_taps(sigma, radius, dtype):
    offsets = jnp.arange(-radius, radius + 1, dtype=dtype)
    taps = jnp.exp(-0.5 * (offsets / sigma) ** 2)
    return taps / jnp.sum(taps)


def _blur_rows(image, taps):
    radius = taps.shape[0] // 2
    padded = jnp.pad(image, ((radius, radius), (0, 0)), mode="edge")
    height = image.shape[0]
    return sum(taps[i] * padded[i : i + height] for i in range(taps.shape[0]))


@sketch(
    takes={"image": "image f[y, x]"},
    gives="image f[y, x]: sharpened",
    sizes={"y": (4, 96), "x": (4, 96)},
    dtypes="f32 bf16",
    also=("Enhance an image by what a Gaussian blur removes.",),
)
def unsharp_mask(image, sigma=number(0.5, 3.0), amount=number(0.3, 2.0)):
    """Sharpen an image by adding back what a Gaussian blur takes away."""
    radius = max(int(2 * sigma), 1)
    taps = _gaussian_taps(sigma, radius, image.dtype)
    blurred = _blur_rows(_blur_rows(image, taps).T, taps).T
    detail = image - blurred
    if maybe("threshold", 0.4):
        # Leave faint texture and noise alone.
        detail = jnp.where(jnp.abs(detail) > one_of(0.05, 0.1), detail, 0)
    elif maybe("limit", 0.4):
        detail = jnp.tanh(detail)
    sharpened = image + amount * detail
    if maybe("clip"):
        sharpened = jnp.clip(sharpened, jnp.min(image), jnp.max(image))
    return sharpened


@sketch(
    takes={"image": "image f[y, x]"},
    gives="image f[y, x]: smoothed",
    sizes={"y": (4, 64), "x": (4, 64)},
    dtypes="f32 bf16",
    also=("Average neighbors that are near in space and in intensity.",),
)
def bilateral_filter(image, radius=integer(1, 2), sigma_space=1.5, sigma_range=number(0.3, 2.0)):
    """Smooth an image but keep its edges, by bilateral weights."""
    height, width = image.shape
    padded = jnp.pad(image, radius, mode=one_of("edge", "reflect", "wrap"))
    total = jnp.zeros_like(image)
    weight_sum = jnp.zeros_like(image)
    offsets = range(-radius, radius + 1)
    for i, dy in enumerate(offsets):
        for j, dx in enumerate(offsets):
            neighbor = padded[i : i + height, j : j + width]
            closeness = jnp.exp(
                -0.5 * ((neighbor - image) / sigma_range) ** 2
                - (dx * dx + dy * dy) / (2 * sigma_space * sigma_space)
            )
            total = total + closeness * neighbor
            weight_sum = weight_sum + closeness
    smoothed = total / one_of(weight_sum, jnp.maximum(weight_sum, 1e-3))
    if maybe("blend", 0.3):
        return 0.5 * (image + smoothed)
    return smoothed


@sketch(
    takes={"image": "image f[y, x]"},
    gives="image f[y, x]: morphed",
    sizes={"y": (5, 96), "x": (5, 96)},
    dtypes="f32 bf16 f16",
    also=("Filter an image by local minima and maxima.",),
)
def morphological_filter(image, radius=integer(1, 3)):
    """Remove or extract small structures by erosion and dilation."""
    window = (2 * radius + 1, 2 * radius + 1)

    def dilate(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, (1, 1), "SAME")

    def erode(x):
        if maybe("dual", 0.4):
            return -dilate(-x)
        return jax.lax.reduce_window(x, jnp.inf, jax.lax.min, window, (1, 1), "SAME")

    if maybe("opening"):
        # Bright specks smaller than the window go.
        opened = dilate(erode(image))
        return one_of(opened, image - opened)
    if maybe("closing"):
        closed = erode(dilate(image))
        return one_of(closed, closed - image)
    gradient = dilate(image) - erode(image)
    return one_of(gradient, gradient / 2)


@sketch(
    takes={"image": "image f[y, x]"},
    gives="image f[y, x]: equalized",
    sizes={"y": (4, 64), "x": (4, 64)},
    also=("Spread the intensities of an image over the whole range.",),
)
def equalize_histogram(image, num_bins=one_of(16, 32, 64, 256), strength=number(0.3, 1.0)):
    """Equalize the histogram of an image."""
    low, high = jnp.min(image), jnp.max(image)
    unit = (image - low) / (high - low + 1e-3)
    levels = jnp.clip((unit * num_bins).astype(int), 0, num_bins - 1)
    if maybe("segment sum"):
        flat = levels.reshape(-1)
        histogram = jax.ops.segment_sum(jnp.ones(flat.shape[0]), flat, num_segments=num_bins)
    else:
        histogram = one_of(
            jnp.bincount(levels.reshape(-1), length=num_bins),
            jnp.zeros(num_bins, int).at[levels.ravel()].add(1),
        )
    cdf = jnp.cumsum(histogram) / image.size
    if maybe("clip limit", 0.3):
        # Limit the slope: contrast in flat regions is mostly noise.
        slope = jnp.minimum(jnp.diff(cdf, prepend=0.0), 4.0 / num_bins)
        cdf = jnp.cumsum(slope) / jnp.maximum(jnp.sum(slope), 1e-3)
    equalized = cdf[levels]
    return (1 - strength) * unit + strength * equalized


@sketch(
    takes={"image": "image f[y, x]"},
    gives="image f[y, x]: response",
    sizes={"y": (8, 64), "x": (8, 64)},
    also=("Score corners by the structure tensor.",),
)
def corner_response(image, k=number(0.04, 0.06), radius=integer(1, 2)):
    """Measure how corner-like each pixel is by the local structure tensor."""
    gy, gx = jnp.gradient(image)

    def local_mean(x):
        window = 2 * radius + 1
        sums = jax.lax.reduce_window(x, 0.0, jax.lax.add, (window, window), (1, 1), "SAME")
        return sums / (window * window)

    xx, yy, xy = map(local_mean, (gx * gx, gy * gy, gx * gy))
    determinant, trace = xx * yy - xy * xy, xx + yy
    if maybe("harris"):
        return determinant - k * trace**2
    if maybe("smaller eigenvalue"):
        return trace / 2 - jnp.sqrt(jnp.maximum(trace**2 / 4 - determinant, 0) + 1e-6)
    return determinant / (trace + one_of(1e-2, 1e-1))


@sketch(
    takes={"image": "image f[y, x, 3]: colors"},
    gives="image f[y, x, 3]: converted",
    sizes={"y": (2, 64), "x": (2, 64)},
    dtypes="f32 bf16",
    also=("Convert the colors of an image and adjust them.",),
)
def adjust_colors(image, saturation=number(0.3, 1.8), gamma=number(0.5, 2.2)):
    """Change the color space of an image and its saturation."""
    if image.shape[-1] != 3:
        raise ValueError(f"expected three channels, got {image.shape[-1]}")
    rgb = one_of(jax.nn.sigmoid(image), jnp.clip(0.5 + image / 6, 0, 1))
    if maybe("linear light"):
        rgb = jnp.power(rgb + 1e-3, gamma)
    red, green, blue = one_of(
        (rgb[..., 0], rgb[..., 1], rgb[..., 2]), jnp.moveaxis(rgb, -1, 0), jnp.unstack(rgb, axis=-1)
    )
    luma = one_of(
        0.299 * red + 0.587 * green + 0.114 * blue, 0.2126 * red + 0.7152 * green + 0.0722 * blue
    )
    if maybe("ycc"):
        chroma_blue = saturation * 0.564 * (blue - luma)
        chroma_red = saturation * 0.713 * (red - luma)
        return jnp.stack([luma, chroma_blue, chroma_red], axis=-1)
    if maybe("grey axis"):
        return luma[..., None] + saturation * (rgb - luma[..., None])
    value = functools.reduce(jnp.maximum, (red, green, blue))
    chroma = value - functools.reduce(jnp.minimum, (red, green, blue))
    return jnp.stack([chroma / (value + 1e-2), value, luma], axis=-1)


@sketch(
    takes={"image": "image f[y, x]", "reference": "image f[y, x]"},
    gives="metric f[]",
    sizes={"y": (8, 64), "x": (8, 64)},
    also=("Compare two images by structure.",),
)
def structural_similarity(image, reference, *, window=integer(3, 7), peak=number(1.0, 4.0)):
    """Rate the similarity of two images by local means, variances and covariance."""
    if image.shape != reference.shape:
        raise ValueError(f"images differ in shape: {image.shape} and {reference.shape}")

    if maybe("gaussian"):
        offsets = jnp.arange(window) - (window - 1) / 2
        bell = jnp.exp(-0.5 * (offsets / 1.5) ** 2)
        bell = bell / jnp.sum(bell)
        weights = jnp.outer(bell, bell)

        def local(x):
            return jax.scipy.signal.convolve2d(x, weights, mode=one_of("valid", "same"))

    else:

        def local(x):
            total = jax.lax.reduce_window(
                x, 0.0, jax.lax.add, (window, window), (1, 1), one_of("VALID", "SAME")
            )
            return total / (window * window)

    c1, c2 = 1e-4 * peak * peak, 9e-4 * peak * peak
    mu_x, mu_y = local(image), local(reference)
    var_x = local(image * image) - mu_x * mu_x
    var_y = local(reference * reference) - mu_y * mu_y
    covariance = local(image * reference) - mu_x * mu_y
    luminance = (2 * mu_x * mu_y + c1) / (mu_x * mu_x + mu_y * mu_y + c1)
    structure = (2 * covariance + c2) / (jnp.maximum(var_x + var_y, 0) + c2)
    if maybe("as loss", 0.3):
        return (1 - jnp.mean(luminance * structure)) / 2
    return jnp.mean(one_of(luminance * structure, structure * luminance))
