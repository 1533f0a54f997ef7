"""Losses: of classes, of values, of embeddings, of distributions."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.ops.indexing import part_of

CLASSES = ("cross_entropy", "cross_entropy", "gathered", "logsumexp", "smoothed", "focal", "hinge")
VALUES = ("square", "square", "abs", "huber", "log_cosh", "quantile", "relative")


def _mean(net: Net, x: Var) -> Var:
    if x.aval.rank == 0:
        return x
    total = net.let("mean", x)
    return total if net.dtype == net.scope.float_dtype else _wide(net, total)


def _wide(net: Net, x: Var) -> Var:
    return net.let("astype", x, dtype=net.scope.float_dtype)


def wide(net: Net, x: Var) -> Var:
    """Gives `x` in JAX's default floating dtype, which losses are computed in."""
    return x if x.aval.dtype == net.scope.float_dtype else _wide(net, x)


def classify(net: Net, logits: Var, labels: Var, way: str = "", mask: Var | None = None) -> Var:
    """A loss of logits [..., classes] against integer labels [...]."""
    way = way or net.stream.choice(CLASSES)
    classes = logits.aval.shape[-1]
    arguments = {"logits": wide(net, logits), "labels": labels}
    if mask is not None:
        arguments["mask"] = mask
    smoothing, gamma = net.stream.choice((0.1, 0.05)), net.stream.choice((2.0, 1.0))

    def build(inner: Net, logits: Var, labels: Var, mask: Var | None = None) -> Var:
        each = _each(inner, logits, labels, way, classes, smoothing, gamma)
        if mask is None:
            return inner.let("mean", each)
        weights = inner.let("astype", mask, dtype=each.aval.dtype, role="weights")
        total = inner.let("sum", inner.let("mul", each, weights))
        count = inner.let("maximum", inner.let("sum", weights), Literal(1.0))
        return inner.sure("div", total, count, bounds=(-1e3, 1e3))

    role = {"smoothed": "smoothed_cross_entropy", "focal": "focal_loss", "hinge": "hinge_loss"}
    out: Var = net.inline_or_call(role.get(way, "cross_entropy"), build, **arguments)
    return out


def _each(
    net: Net, logits: Var, labels: Var, way: str, classes: int, smoothing: float, gamma: float
) -> Var:
    """Gives the loss of each example."""
    if way == "gathered":
        log_probs = net.let("log_softmax", logits, axis=-1)
        column = part_of(net.scope, labels, Ellipsis, None)
        picked = net.let("take_along_axis", log_probs, column, axis=-1)
        return net.let("negative", net.let("squeeze", picked, axis=picked.aval.rank - 1))
    target = net.let("one_hot", labels, num_classes=classes, role="targets")
    if way == "logsumexp":
        correct = net.let("sum", net.let("mul", logits, target), axis=-1)
        return net.let("sub", net.let("logsumexp", logits, axis=-1), correct)
    if way == "hinge":
        correct = net.let("sum", net.let("mul", logits, target), axis=-1, keepdims=True)
        margin = net.let("add", net.let("sub", logits, correct), Literal(1.0))
        others = net.let("mul", net.act(margin, "relu"), net.let("sub", Literal(1.0), target))
        return net.let("sum", others, axis=-1)
    if way == "smoothed":
        kept = net.let("mul", target, Literal(1.0 - smoothing))
        target = net.let("add", kept, Literal(round(smoothing / classes, 5)))
    log_probs = net.let("log_softmax", logits, axis=-1, role="log_probs")
    if way == "focal":
        probs = net.sure("exp", log_probs, bounds=(0, 1))
        rest = net.let("sub", Literal(1.0), probs)
        factor = rest if gamma == 1.0 else net.let("square", rest)
        log_probs = net.let("mul", factor, log_probs)
    return net.let("negative", net.let("sum", net.let("mul", target, log_probs), axis=-1))


def regress(net: Net, predicted: Var, target: Var, way: str = "") -> Var:
    """A loss of values against values of the same shape."""
    way = way or net.stream.choice(VALUES)
    error = net.let("sub", wide(net, predicted), wide(net, target), role="error")
    if way == "huber":
        size = net.let("abs", error)
        inside = net.let("mul", net.let("square", error), Literal(0.5))
        outside = net.let("sub", size, Literal(0.5))
        penalty = net.let("where", net.let("less", size, Literal(1.0)), inside, outside)
    elif way == "log_cosh":
        penalty = net.let("logaddexp", error, net.let("negative", error))
    elif way == "quantile":
        tau = net.stream.choice((0.1, 0.5, 0.9))
        high = net.let("mul", Literal(tau), error)
        low = net.let("mul", Literal(round(tau - 1.0, 2)), error)
        penalty = net.let("maximum", high, low)
    elif way == "relative":
        below = net.let("add", net.let("abs", wide(net, target)), Literal(1.0))
        penalty = net.let("abs", net.sure("div", error, below, bounds=error.bounds))
    else:
        penalty = net.let(way, error)
    return net.let("mean", penalty)


def binary(net: Net, logits: Var, target: float | Var) -> Var:
    """Binary cross-entropy of logits against 0 or 1, or against probabilities."""
    logits = wide(net, logits)
    if not isinstance(target, Var):
        sign = net.let("negative", logits) if target == 1.0 else logits
        return net.let("mean", net.sure("softplus", sign, bounds=(0.0, 500.0)))
    positive = net.let("mul", target, net.sure("log_sigmoid", logits, bounds=(-500, 0)))
    turned = net.sure("log_sigmoid", net.let("negative", logits), bounds=(-500, 0))
    negative = net.let("mul", net.let("sub", Literal(1.0), target), turned)
    return net.let("negative", net.let("mean", net.let("add", positive, negative)))


def unit(net: Net, x: Var) -> Var:
    """Gives rows of length one."""

    def build(inner: Net, x: Var) -> Var:
        total = inner.let("sum", inner.let("square", x), axis=-1, keepdims=True)
        root = inner.sure("rsqrt", inner.let("add", total, Literal(1e-6)), bounds=(0, 4))
        return inner.sure("mul", x, root, bounds=(-1, 1))

    out: Var = net.call(net.stream.choice(("normalize", "l2_normalize")), build, x=x)
    return out


def contrast(net: Net, left: Var, right: Var) -> Var:
    """InfoNCE of two views [batch, features], with or without both directions."""
    batch, sigmoid, both = left.aval.shape[0], net.chance(0.2), net.chance(0.5)
    temperature = Literal(net.stream.choice((0.07, 0.1, 0.5)))

    def build(inner: Net, left: Var, right: Var) -> Var:
        turned = inner.let("matrix_transpose", unit(inner, right))
        similarity = inner.let("matmul", unit(inner, left), turned)
        logits = inner.let("div", similarity, temperature, role="logits")
        if sigmoid:
            eye = inner.let("eye", n=batch)
            signs = inner.let("sub", inner.let("mul", Literal(2.0), eye), Literal(1.0))
            score = inner.sure("log_sigmoid", inner.let("mul", signs, logits), bounds=(-60, 0))
            return inner.let("negative", inner.let("mean", score))
        labels = inner.let("arange", n=batch, role="labels")
        loss = classify(inner, logits, labels, "gathered")
        if not both:
            return loss
        other = classify(inner, inner.let("matrix_transpose", logits), labels, "gathered")
        return inner.let("mul", inner.let("add", loss, other), Literal(0.5))

    role = net.stream.choice(("info_nce", "contrastive_loss", "clip_loss"))
    out: Var = net.call(role, build, left=wide(net, left), right=wide(net, right))
    return out


def triplet(net: Net, anchor: Var, positive: Var, negative: Var) -> Var:
    """A margin between the distances to a positive and to a negative example."""
    far = []
    for other in (positive, negative):
        gap = net.let("square", net.let("sub", wide(net, anchor), wide(net, other)))
        far.append(net.let("sum", gap, axis=-1))
    margin = Literal(net.stream.choice((0.2, 0.5, 1.0)))
    score = net.let("add", net.let("sub", far[0], far[1]), margin)
    return net.let("mean", net.act(score, "relu"))


def divergence(net: Net, mean: Var, log_var: Var) -> Var:
    """KL divergence of a diagonal normal distribution from the standard one."""
    inside = net.let("sub", net.let("add", Literal(1.0), log_var), net.let("square", mean))
    inside = net.let("sub", inside, net.sure("exp", log_var, bounds=(0.0, 60.0)))
    total = net.let("sum", inside, axis=-1)
    return net.let("mul", net.let("mean", total), Literal(-0.5), role="kl")


def distill(net: Net, student: Var, teacher: Var) -> Var:
    """Softened cross-entropy of a student's logits against a teacher's."""
    temperature = net.stream.choice((2.0, 4.0))
    frozen = net.let("stop_gradient", wide(net, teacher))
    soft = net.sure("softmax", net.let("div", frozen, Literal(temperature)), axis=-1, bounds=(0, 1))
    scaled = net.let("div", wide(net, student), Literal(temperature))
    log_probs = net.let("log_softmax", scaled, axis=-1)
    total = net.let("mean", net.let("sum", net.let("mul", soft, log_probs), axis=-1))
    return net.let("mul", total, Literal(-(temperature**2)))
