"""Training against perturbed inputs."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

attacked_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
attack_loss = nested("(logits: logits f[b, c], labels: labels i[b]) -> loss f[]")


def _row_unit(g):
    return g / (jnp.sqrt(jnp.sum(g**2, axis=-1, keepdims=True)) + 1e-6)


def _within_ball(delta, radius, euclidean):
    """Bring a perturbation back into its ball."""
    if not euclidean:
        return jnp.clip(delta, -radius, radius)
    norm = jnp.sqrt(jnp.sum(delta**2, axis=-1, keepdims=True) + 1e-12)
    return delta * jnp.minimum(1.0, radius / norm)


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives="features f[b, d]: adversarial",
    sizes={"c": (4, 32), "b": (4, 32)},
    dtypes="f32 bf16",
    also=("Fast gradient attack on a classifier.",),
)
def fast_gradient_attack(
    params, x, labels, epsilon=number(0.01, 0.3), targeted=one_of(False, True)
):
    """Perturb inputs once along the gradient that hurts a classifier most."""

    def loss_of(inputs):
        return attack_loss(attacked_model(params, inputs), labels)

    gradient = jax.grad(loss_of)(x)
    if maybe("euclidean step", 0.4):
        direction = _row_unit(gradient)
    else:
        direction = jnp.sign(gradient)
    if targeted:
        # Towards the given labels rather than away from them.
        direction = -direction
    adversarial = x + epsilon * direction
    if maybe("data range", 0.4):
        low, high = jnp.min(x), jnp.max(x)
        adversarial = jnp.clip(adversarial, low, high)
    return jax.lax.stop_gradient(adversarial) if maybe("stop") else adversarial


@sketch(
    takes={"key": "key", "params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives="features f[b, d]: adversarial",
    sizes={"c": (4, 32), "b": (4, 16), "d": (4, 64)},
    weight=0.8,
    also=("Projected gradient attack from a random start.",),
)
def projected_gradient_attack(
    key, params, x, labels, radius=number(0.05, 0.5), num_steps=integer(2, 4), euclidean=False
):
    """Climb the loss in a ball around the inputs, projecting back after each step."""
    if num_steps < 1 or radius <= 0:
        raise ValueError(f"need steps and a radius, got {num_steps} and {radius}")
    step_size = one_of(2.5 * radius / num_steps, radius / num_steps, 0.25 * radius)
    ascent = jax.grad(lambda d: attack_loss(attacked_model(params, x + d), labels))
    if maybe("random start", 0.7):
        delta = jax.random.uniform(key, x.shape, x.dtype, -radius, radius)
    else:
        delta = 0.01 * radius * jax.random.normal(key, x.shape, x.dtype)
    for _ in range(num_steps):
        g = ascent(delta)
        # Smooth sign: entries with hardly any gradient stay where they are.
        move = _row_unit(g) if euclidean else jnp.tanh(g / (jnp.mean(jnp.abs(g)) + 1e-6))
        delta = _within_ball(delta + step_size * move, radius, euclidean)
    return x + delta


@sketch(
    takes={"params": "P", "batch": ("features f[b, d]", "labels i[b]")},
    gives="loss f[]",
    sizes={"c": (4, 32), "b": (4, 24), "d": (4, 64)},
    dtypes="f32 bf16",
    also=("Trade accuracy against robustness.",),
)
def trades_objective(params, batch, beta=one_of(1.0, 6.0, 3.0), epsilon=number(0.02, 0.3)):
    """Fit clean inputs while predictions stay the same in their neighbourhood."""
    x, labels = batch
    clean = attacked_model(params, x)
    log_clean = jax.nn.log_softmax(clean, axis=-1)
    reference = jax.lax.stop_gradient(jnp.exp(log_clean))

    def divergence(inputs):
        log_q = jax.nn.log_softmax(attacked_model(params, inputs), axis=-1)
        return jnp.mean(jnp.sum(reference * (jax.lax.stop_gradient(log_clean) - log_q), axis=-1))

    # The divergence is flat at x itself, so start beside it.
    offset = epsilon * jnp.sin(one_of(12.9, 7.3) * x)
    if maybe("fixed offset", 0.35):
        nearby = x + offset
    else:
        nearby = x + offset / 2
        nearby = nearby + epsilon * jnp.tanh(
            100 * jax.lax.stop_gradient(jax.grad(divergence)(nearby))
        )
    return attack_loss(clean, labels) + beta * divergence(nearby)


@sketch(
    takes={"key": "key", "params": "P", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"c": (4, 32), "b": (4, 16), "d": (4, 64)},
    dtypes="f32 bf16",
    also=("Virtual adversarial loss of unlabeled inputs.",),
)
def virtual_adversarial_loss(key, params, x, xi=number(0.05, 0.5), epsilon=number(0.1, 1.0)):
    """Smooth predictions along the direction in which they change fastest.

    No labels are needed: the model is compared with itself.
    """
    log_p = jax.lax.stop_gradient(jax.nn.log_softmax(attacked_model(params, x), axis=-1))

    def gap(direction, length):
        log_q = jax.nn.log_softmax(attacked_model(params, x + length * direction), axis=-1)
        return jnp.mean(jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1))

    direction = _row_unit(jax.random.normal(key, x.shape, x.dtype))
    for _ in range(one_of(1, 2)):
        # One power iteration with the Hessian of the divergence.
        gradient = jax.lax.stop_gradient(jax.grad(gap)(direction, xi))
        direction = _row_unit(gradient + one_of(1e-2, 1e-3) * direction)
    return gap(direction, epsilon)


@sketch(
    takes={"key": "key", "params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"c": (4, 32), "b": (4, 32), "d": (4, 128)},
    also=("Mixup objective.",),
)
def mixup_objective(key, params, x, labels, alpha=one_of(0.2, 0.4, 1.0)):
    """Train on convex combinations of examples and of their losses."""
    batch_size = x.shape[0]
    mix_key, order_key = jax.random.split(key)
    if maybe("ratio per example"):
        ratio = jax.random.beta(mix_key, alpha, alpha, (batch_size, 1)).astype(x.dtype)
    else:
        ratio = jax.random.beta(mix_key, alpha, alpha).astype(x.dtype)
    if maybe("larger part", 0.4):
        ratio = jnp.maximum(ratio, 1 - ratio)
    partner = one_of(
        jax.random.permutation(order_key, batch_size),
        (jnp.arange(batch_size) + jax.random.randint(order_key, (), 1, batch_size)) % batch_size,
    )
    mixed = ratio * x + (1 - ratio) * x[partner]
    log_probs = jax.nn.log_softmax(attacked_model(params, mixed), axis=-1)
    own, other = (
        jnp.take_along_axis(log_probs, which[:, None], axis=-1)
        for which in (labels, labels[partner])
    )
    return -jnp.mean(ratio * own + (1 - ratio) * other)


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    sizes={"c": (4, 32), "b": (4, 24), "d": (4, 64)},
    also=("Accuracy under attacks of growing strength.",),
)
def robust_accuracy_curve(params, x, labels, radii=one_of((0.0, 0.1, 0.3), (0.05, 0.2), (0.1,))):
    """Report accuracy as an attack on the inputs grows stronger."""
    gradient = jax.grad(lambda z: attack_loss(attacked_model(params, z), labels))(x)
    direction = jnp.sign(gradient) if maybe("sign curve") else _row_unit(gradient)
    report = {}
    for radius in radii:
        logits = attacked_model(params, x + radius * direction)
        margin = (
            jnp.max(logits, axis=-1) - jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
        )
        report[f"accuracy_{radius}"] = jnp.mean((margin <= 1e-6).astype(x.dtype))
        if maybe("margins", 0.5):
            report[f"margin_{radius}"] = jnp.mean(margin)
    return report
