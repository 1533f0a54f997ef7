"""Boxes of object detectors, as (top, left, bottom, right)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def corners_of(boxes):
    """Makes any four numbers a box: the smaller corner first, at least a bit apart."""
    low = jnp.minimum(boxes[..., :2], boxes[..., 2:])
    high = jnp.maximum(boxes[..., :2], boxes[..., 2:])
    return low, jnp.maximum(high, low + 0.1)


def _pairwise_iou(boxes, others, eps=1e-6):
    boxes_low, boxes_high = corners_of(boxes)
    others_low, others_high = corners_of(others)
    low = jnp.maximum(boxes_low[:, None], others_low[None])
    high = jnp.minimum(boxes_high[:, None], others_high[None])
    overlap = jnp.prod(jnp.clip(high - low, 0), axis=-1)
    area_a = jnp.prod(boxes_high - boxes_low, axis=-1)
    area_b = jnp.prod(others_high - others_low, axis=-1)
    union = area_a[:, None] + area_b[None] - overlap
    return overlap / (union + eps)


@sketch(
    takes={"boxes": "boxes f[n, 4]", "others": "boxes f[m, 4]"},
    gives="overlaps f[n, m]",
    sizes={"n": (2, 256), "m": (2, 64)},
    also=("Measure how much each box of one set overlaps each of another.",),
)
def box_iou(boxes, others, eps=number(1e-9, 1e-6)):
    """Tabulate the intersection over union of all pairs of boxes."""
    if boxes.shape[-1] != 4 or others.shape[-1] != 4:
        raise ValueError(f"expected four numbers a box, got {boxes.shape}, {others.shape}")
    boxes_low, boxes_high = corners_of(boxes)
    others_low, others_high = corners_of(others)
    low = jnp.maximum(boxes_low[:, None], others_low[None])
    high = jnp.minimum(boxes_high[:, None], others_high[None])
    if maybe("loop", 0.35):
        overlap = 1.0
        for axis in range(2):
            overlap = overlap * jnp.maximum(high[..., axis] - low[..., axis], 0)
    else:
        extent = jnp.clip(high - low, 0)
        overlap = extent[..., 0] * extent[..., 1]
    box_area = jnp.prod(boxes_high - boxes_low, axis=-1)
    other_area = jnp.prod(others_high - others_low, axis=-1)
    union = box_area[:, None] + other_area[None] - overlap
    iou = overlap / one_of(union + eps, jnp.maximum(union, eps))
    if maybe("generalized", 0.35):
        # GIoU: the part of the hull that neither covers counts against it.
        hull_low = jnp.minimum(boxes_low[:, None], others_low[None])
        hull = jnp.maximum(boxes_high[:, None], others_high[None]) - hull_low
        hull_area = hull[..., 0] * hull[..., 1]
        iou = iou - (hull_area - union) / (hull_area + eps)
    return iou


@sketch(
    takes={"feature_map": "image f[b, height, width, channels]"},
    sizes={"b": (1, 2), "height": (2, 16), "width": (2, 32), "channels": (1, 8)},
    also=("Place boxes of several shapes at each cell of a feature map.",),
)
def anchor_grid(
    feature_map,
    stride=one_of(4, 8, 16),
    scales=one_of((1.0,), (1.0, 2.0), (1.0, 1.26, 1.59)),
    ratios=one_of((0.5, 1.0, 2.0), (1.0,), (0.5, 1.0)),
):
    """Tile anchors of all scales and ratios over a feature map and average what they see."""
    _, height, width, _ = feature_map.shape
    rows = (jnp.arange(height, dtype=feature_map.dtype) + 0.5) * stride
    columns = (jnp.arange(width, dtype=feature_map.dtype) + 0.5) * stride
    shapes = []
    for scale in scales:
        for ratio in ratios:
            side = stride * scale
            shapes.append((side * ratio**0.5, side / ratio**0.5))
    shapes = jnp.array(shapes, feature_map.dtype)
    center_rows, center_columns = jnp.meshgrid(rows, columns, indexing="ij")
    centers = jnp.stack([center_rows, center_columns], axis=-1).reshape(-1, 1, 2)
    corners = jnp.concatenate([centers - shapes / 2, centers + shapes / 2], axis=-1)
    anchors = corners.reshape(-1, 4)
    if maybe("clipped"):
        limit = jnp.array([height, width, height, width], anchors.dtype) * stride
        anchors = jnp.clip(anchors, 0, limit)
    objectness = jnp.mean(feature_map, axis=(0, 3)).reshape(-1, 1)
    scores = jnp.broadcast_to(objectness, (height * width, len(shapes))).reshape(-1)
    if maybe("probability"):
        scores = jax.nn.sigmoid(scores)
    if maybe("dictionary"):
        return {"anchors": anchors, "scores": scores}
    return anchors, scores


@dataclass(frozen=True)
class BoxCoderWeights:
    """How much offsets of centers and of sizes are stretched."""

    center: float = 10.0
    extent: float = 5.0


@sketch(
    takes={"deltas": "features f[n, 4]", "anchors": "boxes f[n, 4]"},
    gives="boxes f[n, 4]",
    sizes={"n": (2, 1024)},
    dtypes="f32 f64",
    also=("Move and stretch anchors by what a detector predicts for them.",),
)
def decode_boxes(deltas, anchors, max_log_scale=number(1.0, 2.5)):
    """Decode regression offsets into boxes relative to their anchors."""
    weights = BoxCoderWeights() if maybe("weights") else BoxCoderWeights(1.0, 1.0)
    low, high = corners_of(anchors)
    extent = high - low
    center = low + extent / 2
    if deltas.shape != anchors.shape:
        raise ValueError(f"{deltas.shape} offsets for {anchors.shape} anchors")
    shift, log_scale = jnp.split(deltas, 2, axis=-1)
    center = center + shift / weights.center * extent
    # Keeps exp from running away early in training.
    if maybe("soft_limit", 0.3):
        log_scale = max_log_scale * jnp.tanh(log_scale / weights.extent / max_log_scale)
    else:
        log_scale = jnp.clip(log_scale / weights.extent, -max_log_scale, max_log_scale)
    extent = extent * jnp.exp(log_scale)
    boxes = one_of(
        jnp.concatenate([center - extent / 2, center + extent / 2], axis=-1),
        jnp.hstack((center - 0.5 * extent, center + 0.5 * extent)),
    )
    if maybe("window", 0.3):
        return jnp.clip(boxes, -20.0, 20.0)
    return boxes


@sketch(
    takes={"boxes": "boxes f[n, 4]", "targets": "boxes f[n, 4]"},
    gives="loss f[]",
    sizes={"n": (2, 512)},
    also=("Score predicted boxes by their overlap with the true ones.",),
)
def iou_regression_loss(boxes, targets, reduction=one_of("mean", "sum"), eps=1e-6):
    """Penalize what boxes do not share with their targets."""
    low, high = corners_of(boxes)
    true_low, true_high = corners_of(targets)
    extent = jnp.clip(jnp.minimum(high, true_high) - jnp.maximum(low, true_low), 0)
    overlap = jnp.prod(extent, axis=-1)
    union = jnp.prod(high - low, -1) + jnp.prod(true_high - true_low, -1) - overlap
    iou = overlap / (union + eps)
    if maybe("log", 0.3):
        losses = -jnp.log(jnp.clip(iou, 1e-3, 1.0))
    else:
        losses = 1 - iou
    if maybe("distance"):
        # DIoU: also draw the centers together, as far as the hull is wide.
        hull = jnp.maximum(high, true_high) - jnp.minimum(low, true_low)
        diagonal = jnp.sum(hull**2, axis=-1)
        offset = (low + high - true_low - true_high) / 2
        losses = losses + jnp.sum(offset**2, axis=-1) / (diagonal + eps)
    elif maybe("shape", 0.4):
        ratio = (high - low) / (true_high - true_low)
        losses = losses + number(0.05, 0.5) * jnp.mean(jnp.abs(jnp.log(ratio)), axis=-1)
    if reduction not in ("mean", "sum"):
        raise ValueError(f"unknown reduction {reduction!r}")
    return jnp.mean(losses) if reduction == "mean" else jnp.sum(losses)


@sketch(
    takes={"boxes": "boxes f[n, 4]", "scores": "scores f[n]"},
    sizes={"n": (6, 128)},
    also=("Keep the best boxes that do not overlap a better one.",),
)
def greedy_nms(boxes, scores, max_boxes=integer(2, 6), threshold=number(0.3, 0.7)):
    """Suppress boxes that overlap one with a higher score, in a fixed number of steps."""
    n = boxes.shape[0]
    if max_boxes > n:
        raise ValueError(f"cannot keep {max_boxes} of {n} boxes")
    overlaps = _pairwise_iou(boxes, boxes)

    confidence = jax.nn.sigmoid(scores)

    def select(alive, _):
        weighted = alive * confidence
        best = jnp.argmax(weighted)
        if maybe("soft", 0.4):
            # Soft-NMS lowers what overlaps instead of dropping it.
            decay = jnp.exp(-jnp.square(overlaps[best]) / threshold)
            remaining = alive * decay
        else:
            remaining = jnp.where(overlaps[best] > threshold, 0.0, alive)
        return remaining.at[best].set(0.0), (best, weighted[best])

    alive = jnp.ones(n, scores.dtype)
    if maybe("score_floor", 0.4):
        alive = jnp.where(confidence > number(0.05, 0.3), alive, 0.0)
    if maybe("unrolled", 0.3):
        picks = []
        for _ in range(max_boxes):
            alive, pick = select(alive, None)
            picks.append(pick)
        kept = jnp.stack([index for index, _ in picks])
        kept_scores = jnp.stack([score for _, score in picks])
    else:
        alive, (kept, kept_scores) = jax.lax.scan(select, alive, None, length=max_boxes)
    if maybe("gather", 0.6):
        return boxes[kept], kept_scores
    return kept, kept_scores


@sketch(
    takes={"overlaps": "overlaps f[n, m]"},
    gives=("labels i[n]: matched", "weights f[n]: positive"),
    sizes={"n": (4, 256), "m": (2, 32)},
    also=("Give each anchor the truth that it overlaps most, if it does enough.",),
)
def match_anchors(overlaps, high=number(0.4, 0.7), low=number(0.1, 0.3)):
    """Assign ground-truth boxes to anchors by their overlap."""
    n, m = overlaps.shape
    if low > high:
        raise ValueError(f"the thresholds are {low} and {high}, in the wrong order")
    matched = jnp.argmax(overlaps, axis=1).astype(jnp.int32)
    best = jnp.max(overlaps, axis=1)
    positive = best >= high
    if maybe("force", 0.6):
        # Each truth keeps its best anchor, however little they overlap.
        best_anchor = jnp.argmax(overlaps, axis=0)
        positive = positive.at[best_anchor].set(True)
        truths = jnp.arange(m, dtype=jnp.int32)
        forced = jax.ops.segment_max(truths, best_anchor, num_segments=n)
        matched = jnp.where(forced >= 0, forced, matched)
    weights = positive.astype(overlaps.dtype)
    if maybe("ignore_band"):
        undecided = (best >= low) & ~positive
        weights = jnp.where(undecided, one_of(0.5, 0.25), weights)
    if maybe("normalized"):
        weights = weights / jnp.maximum(jnp.sum(weights), 1.0)
    return matched, weights


@sketch(
    takes={"features": "image f[height, width, channels]", "boxes": "boxes f[n, 4]"},
    gives="feature_map f[n, k, k, channels]: crops",
    sizes={"height": (6, 24), "width": (6, 64), "channels": (1, 8), "n": (1, 16), "k": (2, 5)},
    also=("Crop boxes from a feature map at fractional positions.",),
)
def roi_align(features, boxes, scale=one_of(1.0, 2.0, 0.5), output_size=size("k")):
    """Sample each region of interest on a regular grid with bilinear weights."""
    height, width, channels = features.shape
    low, high = corners_of(boxes * scale)
    steps = (jnp.arange(output_size) + 0.5) / output_size
    grid = low[:, None] + steps[None, :, None] * (high - low)[:, None]

    def corner_weights(positions, limit):
        positions = jnp.clip(positions, 0, limit - 1)
        first = jnp.clip(jnp.floor(positions), 0, limit - 2)
        return first.astype(jnp.int32), positions - first

    top_rows, row_fraction = corner_weights(grid[..., 0], height)
    left_columns, column_fraction = corner_weights(grid[..., 1], width)
    crops = 0.0
    for row, row_weight in ((top_rows, 1 - row_fraction), (top_rows + 1, row_fraction)):
        for column, column_weight in (
            (left_columns, 1 - column_fraction),
            (left_columns + 1, column_fraction),
        ):
            corner = features[row[:, :, None], column[:, None, :]]
            weight = row_weight[:, :, None] * column_weight[:, None, :]
            crops = crops + weight[..., None] * corner
    if maybe("centered", 0.3):
        crops = crops - jnp.mean(crops, axis=(1, 2), keepdims=True)
    return crops
