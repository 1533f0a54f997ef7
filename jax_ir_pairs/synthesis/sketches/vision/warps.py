"""Sampling, warping and filtering of images and optical flow."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _bilinear(image, row, column):
    """Reads `image` of shape (h, w, c) at fractional places, which are clipped to it."""
    height, width = image.shape[:2]
    row = jnp.clip(row, 0, height - 1)
    column = jnp.clip(column, 0, width - 1)
    top_row = jnp.clip(jnp.floor(row).astype(jnp.int32), 0, height - 2)
    left_column = jnp.clip(jnp.floor(column).astype(jnp.int32), 0, width - 2)
    down = (row - top_row)[..., None]
    right = (column - left_column)[..., None]
    top = (1 - right) * image[top_row, left_column] + right * image[top_row, left_column + 1]
    below = image[top_row + 1, left_column], image[top_row + 1, left_column + 1]
    bottom = (1 - right) * below[0] + right * below[1]
    return (1 - down) * top + down * bottom


def _pixel_grid(height, width):
    rows = jnp.arange(height, dtype=jnp.float32)
    columns = jnp.arange(width, dtype=jnp.float32)
    return jnp.meshgrid(rows, columns, indexing="ij")


@sketch(
    takes={"image": "image f[height, width, channels]", "points": "points f[n, 2]"},
    gives="features f[n, channels]: samples",
    sizes={"height": (4, 32), "width": (4, 128), "channels": (1, 8), "n": (4, 512)},
    also=("Read an image at fractional positions.",),
)
def sample_image(image, points, normalized=one_of(True, False)):
    """Interpolate pixel values at scattered points."""
    if points.shape[-1] != 2:
        raise ValueError(f"points have two coordinates, got {points.shape[-1]}")
    height, width, _ = image.shape
    row, column = points[:, 0], points[:, 1]
    if normalized:
        # Positions in [-1, 1], whatever the size of the image.
        row = (jnp.tanh(row) + 1) / 2 * (height - 1)
        column = (jnp.tanh(column) + 1) / 2 * (width - 1)
    else:
        row, column = row + height / 2, column + width / 2
    if maybe("map_coordinates", 0.4):

        def read(channel):
            coordinates = [row, column]
            return jax.scipy.ndimage.map_coordinates(channel, coordinates, 1, mode="nearest")

        return jnp.stack([read(image[..., i]) for i in range(image.shape[-1])], axis=-1)
    samples = _bilinear(image, row, column)
    if maybe("border", 0.3):
        inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
        samples = jnp.where(inside[:, None], samples, 0.0)
    return samples


@sketch(
    takes={"image": "image f[b, height, width, channels]", "flow": "flow f[b, height, width, 2]"},
    gives="image f[b, height, width, channels]: warped",
    sizes={"b": (1, 4), "height": (4, 24), "width": (4, 64), "channels": (1, 4)},
    also=("Fetch each pixel from where the flow says that it comes from.",),
)
def backward_flow_warp(image, flow, max_displacement=number(2.0, 10.0)):
    """Warp images backwards along optical flow."""
    batch_size, height, width, _ = image.shape
    if flow.shape != (batch_size, height, width, 2):
        raise ValueError(f"flow {flow.shape} does not fit images {image.shape}")
    if maybe("bounded", 0.4):
        flow = max_displacement * jnp.tanh(flow / max_displacement)
    rows, columns = _pixel_grid(height, width)
    row, column = rows + flow[..., 0], columns + flow[..., 1]
    if maybe("wrap", 0.2):
        row, column = jnp.mod(row, height - 1), jnp.mod(column, width - 1)
    warped = jax.vmap(_bilinear)(image, row, column)
    if maybe("occlusion"):
        # What comes from outside is unknown.
        visible = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
        warped = jnp.where(visible[..., None], warped, one_of(0.0, image))
    return warped


@sketch(
    takes={"image": "image f[height, width, channels]", "matrix": "f[2, 3]"},
    gives="image f[height, width, channels]: warped",
    sizes={"height": (6, 32), "width": (6, 128), "channels": (1, 4)},
    also=("Rotate, shear and shift an image around its center.",),
)
def affine_warp(image, matrix, strength=number(0.02, 0.3)):
    """Resample an image under an affine map near the identity."""
    height, width, _ = image.shape
    identity = jnp.eye(2, 3, dtype=image.dtype)
    matrix = identity + strength * one_of(jnp.tanh(matrix), jnp.sin(matrix))
    row_axis = jnp.linspace(-1, 1, height)
    column_axis = jnp.linspace(-1, 1, width)
    yy, xx = jnp.meshgrid(row_axis, column_axis, indexing="ij")
    if maybe("homogeneous"):
        grid = jnp.stack([xx, yy, jnp.ones_like(xx)])
        source = jnp.einsum("ij,jhw->ihw", matrix, grid)
    else:
        linear, shift = matrix[:, :2], matrix[:, 2]
        source = jnp.einsum("ij,jhw->ihw", linear, jnp.stack([xx, yy]))
        source = source + shift[:, None, None]
    columns = (source[0] + 1) * (width - 1) / 2
    rows = (source[1] + 1) * (height - 1) / 2
    warped = _bilinear(image, rows, columns)
    if maybe("vignette", 0.2):
        radius = xx * xx + yy * yy
        warped = warped * jnp.exp(-radius / 2)[..., None]
    return warped


@sketch(
    takes={"points": "points f[n, 2]", "homography": "f[3, 3]"},
    gives="points f[n, 2]: projected",
    sizes={"n": (4, 1024)},
    dtypes="f32 f64",
    also=("Map points of one image plane to another one.",),
)
def project_homography(points, homography, strength=number(0.01, 0.08)):
    """Carry points through a planar homography that keeps them in front of the camera."""
    n, dims = points.shape
    if dims != 2:
        raise ValueError(f"expected points of the plane, got {dims} coordinates")
    height = jnp.eye(3, dtype=points.dtype) + strength * jnp.tanh(homography)
    if maybe("scaled", 0.4):
        height = height / height[2, 2]
    if maybe("split"):
        projected = points @ height[:2, :2].T + height[:2, 2]
        depth = points @ height[2, :2] + height[2, 2]
        projected = projected / jnp.maximum(depth, 0.2)[:, None]
    else:
        ones = jnp.ones((n, 1), points.dtype)
        lifted = jnp.concatenate([points, ones], axis=1) @ height.T
        projected = lifted[:, :2] / jnp.maximum(lifted[:, 2:], 0.2)
    if maybe("distortion", 0.4):
        # One coefficient of radial lens distortion.
        squared_radius = jnp.sum(points * points, axis=1, keepdims=True)
        projected = projected * (1 + number(1e-4, 1e-3) * squared_radius)
    return projected
