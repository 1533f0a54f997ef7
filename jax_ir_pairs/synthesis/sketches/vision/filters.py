"""Filters of images, and what they find."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"image": "image f[b, 4*m, 4*n, channels]"},
    sizes={"b": (1, 3), "m": (2, 8), "n": (2, 16), "channels": (1, 4)},
    dtypes="f32 bf16",
    also=("Split an image into bands of detail and a coarse rest.",),
)
def laplacian_pyramid(image, num_levels=one_of(2, 1, 2)):
    """Decompose images into differences between blurred resolutions."""
    taps = jnp.array(one_of([1, 2, 1], [1, 4, 6, 4, 1]), image.dtype)
    taps = taps / jnp.sum(taps)
    reach = taps.shape[0] // 2

    def blur(x):
        for axis in (1, 2):
            padding = [(0, 0)] * 4
            padding[axis] = (reach, reach)
            padded = jnp.pad(x, padding, mode="edge")
            length = x.shape[axis]
            shifted = []
            for start in range(2 * reach + 1):
                part = jax.lax.slice_in_dim(padded, start, start + length, axis=axis)
                shifted.append(taps[start] * part)
            x = sum(shifted)
        return x

    bands = []
    current = image
    for level in range(num_levels):
        batch_size, height, width, channels = current.shape
        if height % 2 or width % 2:
            raise ValueError(f"level {level} of size {height}x{width} cannot be halved")
        smaller = blur(current)[:, ::2, ::2]
        if maybe("resize"):
            expanded = jax.image.resize(smaller, (batch_size, height, width, channels), "bilinear")
        else:
            expanded = jnp.repeat(jnp.repeat(smaller, 2, axis=1), 2, axis=2)
        bands.append(current - expanded)
        current = smaller
    if maybe("energies", 0.3):
        return jnp.stack([jnp.mean(band**2) for band in bands]), current
    return bands, current


@sketch(
    takes={"image": "image f[height, width]"},
    gives="image f[height, width]: strength",
    sizes={"height": (6, 64), "width": (6, 256)},
    also=("Find where brightness changes, and how much.",),
)
def edge_strength(image, low=number(0.05, 0.5), high=number(1.0, 4.0)):
    """Measure edges by the gradient magnitude of a smoothed image."""
    if maybe("scharr", 0.35):
        smooth = jnp.array([3.0, 10.0, 3.0]) / 16
    else:
        # Sobel's filter.
        smooth = jnp.array([1.0, 2.0, 1.0]) / 4
    slope = jnp.array([-0.5, 0.0, 0.5])
    padded = jnp.pad(image, 1, mode=one_of("edge", "reflect"))
    across = jax.scipy.signal.convolve2d(padded, jnp.outer(smooth, -slope), mode="valid")
    down = jax.scipy.signal.convolve2d(padded, jnp.outer(-slope, smooth), mode="valid")
    magnitude = one_of(
        jnp.sqrt(across * across + down * down + 1e-12), jnp.abs(across) + jnp.abs(down)
    )
    if maybe("normalize", 0.4):
        magnitude = magnitude / (jnp.mean(magnitude) + 1e-6)
    if maybe("soft_threshold"):
        return jnp.clip((magnitude - low) / (high - low), 0, 1)
    if maybe("orientation", 0.3):
        # Strong along diagonals, weak along the axes.
        return magnitude * jnp.abs(2 * across * down) / (across * across + down * down + 1e-6)
    return magnitude


@sketch(
    takes={"first": "image f[height, width]", "second": "image f[height, width]"},
    gives="flow f[height, width, 2]",
    sizes={"height": (8, 48), "width": (8, 96)},
    also=("Solve the brightness constancy equation in small windows.",),
)
def lucas_kanade_flow(first, second, window=one_of(3, 5, 7), ridge=number(0.1, 1.0)):
    """Estimate optical flow between two images by local least squares."""
    if first.shape != second.shape:
        raise ValueError(f"images of shapes {first.shape} and {second.shape}")
    average = (first + second) / 2
    iy, ix = jnp.gradient(average)
    it = second - first

    def window_sum(values):
        if maybe("gaussian", 0.4):
            offsets = jnp.arange(window) - window // 2
            taps = jnp.exp(-jnp.square(offsets) / window)
            taps = taps / jnp.sum(taps)
            return jax.scipy.signal.convolve2d(values, jnp.outer(taps, taps), mode="same")
        dims = (window, window)
        total = jax.lax.reduce_window(values, 0.0, jax.lax.add, dims, (1, 1), "SAME")
        return total / (window * window)

    xx = window_sum(ix * ix) + ridge
    yy = window_sum(iy * iy) + ridge
    xy = window_sum(ix * iy)
    xt, yt = window_sum(ix * it), window_sum(iy * it)
    # Cramer's rule for the 2x2 system of every pixel.
    determinant = xx * yy - xy * xy
    flow_x = (xy * yt - yy * xt) / determinant
    flow_y = (xy * xt - xx * yt) / determinant
    if maybe("clip", 0.3):
        limit = window / 2
        flow_x = jnp.clip(flow_x, -limit, limit)
        flow_y = jnp.clip(flow_y, -limit, limit)
    return jnp.stack([flow_y, flow_x], axis=-1)


@sketch(
    takes={"image": "image f[height, width]"},
    sizes={"height": (8, 48), "width": (8, 96)},
    also=("Detect corners, where both eigenvalues of the structure tensor are large.",),
)
def harris_corners(
    image, sensitivity=number(0.04, 0.06), num_corners=integer(2, 6), border=one_of(1, 2)
):
    """Locate corners by the response of the structure tensor."""
    gy, gx = jnp.gradient(image)
    products = jnp.stack([gx * gx, gy * gy, gx * gy])
    window = one_of(3, 5)
    dims, strides = (1, window, window), (1, 1, 1)
    tensor = jax.lax.reduce_window(products, 0.0, jax.lax.add, dims, strides, "SAME")
    xx, yy, xy = tensor / (window * window)
    if maybe("min_eigenvalue", 0.4):
        # Shi and Tomasi's measure.
        response = (xx + yy) / 2 - jnp.sqrt(jnp.square((xx - yy) / 2) + xy * xy + 1e-12)
    else:
        response = xx * yy - xy * xy - sensitivity * jnp.square(xx + yy)
    inner = jnp.zeros_like(response).at[border:-border, border:-border].set(1.0)
    response = response * inner
    if maybe("response_only", 0.3):
        return response
    peak = jax.lax.reduce_window(response, -jnp.inf, jax.lax.max, (3, 3), (1, 1), "SAME")
    candidates = jnp.where(response >= peak, response, -1e3)
    strengths, flat = jax.lax.top_k(candidates.reshape(-1), num_corners)
    rows, columns = jnp.divmod(flat, image.shape[1])
    return {"corners": jnp.stack([rows, columns], axis=-1), "strengths": strengths}


@sketch(
    takes={"image": "image f[height, width]"},
    gives="image f[height, width]: smoothed",
    sizes={"height": (4, 48), "width": (4, 128)},
    also=("Average neighbours that look alike, so that edges stay.",),
)
def edge_preserving_blur(
    image, radius=one_of(1, 2), sigma_space=number(0.8, 3.0), sigma_range=number(0.3, 2.0)
):
    """Smooth an image without blurring its edges."""
    height, width = image.shape
    padded = jnp.pad(image, radius, mode=one_of("edge", "reflect", "symmetric"))
    total = jnp.zeros_like(image)
    norm = jnp.zeros_like(image)
    span = range(-radius, radius + 1)
    for down in span:
        for right in span:
            neighbour = padded[
                radius + down : radius + down + height, radius + right : radius + right + width
            ]
            closeness = -(down * down + right * right) / (2 * sigma_space * sigma_space)
            difference = (neighbour - image) / sigma_range
            if maybe("heavy_tails", 0.35):
                weight = jnp.exp(closeness) / (1 + jnp.square(difference))
            else:
                weight = jnp.exp(closeness - jnp.square(difference) / 2)
            total = total + weight * neighbour
            norm = norm + weight
    smoothed = total / norm
    if maybe("detail", 0.3):
        # Sharpen by what was taken away.
        return image + number(0.3, 1.0) * (image - smoothed)
    return smoothed
