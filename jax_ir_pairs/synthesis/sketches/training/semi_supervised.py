"""Training with few labels or with a teacher."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

student_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
view_encoder = nested("(params: P, x: features f[b, d]) -> features f[b, h]")
view_loss = nested("(a: features f[b, d], b: features f[b, d]) -> loss f[]")
student_optimizer = nested("(params: P, grads: P, state: S) -> P & S")


def _label_nll(logits, labels):
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.take_along_axis(log_probs, labels[:, None], axis=-1)[:, 0]


def _augmented(key, x, strength):
    """Jitter features and drop some of them."""
    noise_key, drop_key = jax.random.split(key)
    noisy = x + strength * jax.random.normal(noise_key, x.shape, x.dtype)
    if maybe("drop features"):
        kept = jax.random.bernoulli(drop_key, 1 - strength / 2, x.shape)
        return jnp.where(kept, noisy, 0)
    gain = jax.random.uniform(
        drop_key, (x.shape[0], 1), x.dtype, 1 - strength / 2, 1 + strength / 2
    )
    return gain * noisy


@sketch(
    takes={
        "key": "key",
        "params": "P",
        "x": "features f[b, d]: labeled",
        "labels": "labels i[b]",
        "unlabeled": "features f[b, d]",
    },
    gives="loss f[]",
    sizes={"c": (4, 32), "b": (4, 32), "d": (4, 96)},
    also=("FixMatch objective.",),
)
def confident_pseudo_label_loss(
    key, params, x, labels, unlabeled, threshold=one_of(0.6, 0.8, 0.95), weight=number(0.3, 2.0)
):
    """Train strong augmentations on the confident predictions for weak ones."""
    weak_key, strong_key = jax.random.split(key)
    supervised = jnp.mean(_label_nll(student_model(params, x), labels))
    weak_logits = student_model(params, _augmented(weak_key, unlabeled, 0.1))
    if maybe("sharpen"):
        temperature = one_of(0.5, 0.4)
        target = jax.nn.softmax(weak_logits / temperature, axis=-1)
    else:
        target = jax.nn.softmax(weak_logits, axis=-1)
    target = jax.lax.stop_gradient(target)
    confidence = jnp.max(target, axis=-1)
    log_strong = jax.nn.log_softmax(
        student_model(params, _augmented(strong_key, unlabeled, one_of(0.3, 0.5))), axis=-1
    )
    if maybe("hard pseudo labels"):
        guessed = jnp.argmax(target, axis=-1)
        consistency = -jnp.take_along_axis(log_strong, guessed[:, None], axis=-1)[:, 0]
    else:
        consistency = -jnp.sum(target * log_strong, axis=-1)
    gate = (confidence > threshold).astype(x.dtype)
    return supervised + weight * jnp.mean(gate * consistency)


@sketch(
    takes={
        "key": "key",
        "params": "P",
        "teacher": "P",
        "batch": ("features f[b, d]", "labels i[b]"),
        "step": "counts i[]",
    },
    gives=("loss f[]", "P"),
    sizes={"c": (4, 32), "b": (4, 32), "d": (4, 64)},
    also=("Mean-teacher loss and the new teacher.",),
)
def mean_teacher_loss(key, params, teacher, batch, step, decay=one_of(0.99, 0.999, 0.9), ramp=5):
    """Keep a student consistent with a slow average of itself."""
    x, labels = batch
    student_key, teacher_key = jax.random.split(key)
    student_logits = student_model(params, _augmented(student_key, x, one_of(0.1, 0.2)))
    teacher_logits = student_model(teacher, _augmented(teacher_key, x, 0.1))
    p, q = (jax.nn.softmax(z, axis=-1) for z in (student_logits, teacher_logits))
    if maybe("divergence consistency", 0.4):
        log_ratio = jnp.log(q + 1e-6) - jnp.log(p + 1e-6)
        consistency = jnp.mean(jnp.sum(jax.lax.stop_gradient(q) * log_ratio, axis=-1))
    else:
        consistency = jnp.mean((p - jax.lax.stop_gradient(q)) ** 2)
    # The teacher is not worth following at first.
    progress = jnp.minimum(step / ramp, 1.0)
    weight = one_of(jnp.exp(-5.0 * (1 - progress) ** 2), progress)
    loss = jnp.mean(_label_nll(student_logits, labels)) + weight * consistency
    teacher = jax.tree.map(lambda t, p: decay * t + (1 - decay) * p, teacher, params)
    return loss, teacher


@sketch(
    takes={
        "params": "P",
        "state": "S",
        "x": "features f[b, d]",
        "labels": "labels i[b]",
        "teacher_logits": "logits f[b, c]",
    },
    gives=("P", "S", "loss f[]"),
    sizes={"c": (4, 32), "b": (4, 32), "d": (4, 96)},
    dtypes="f32 bf16",
    also=("Distillation step with hard and soft targets.",),
)
def distillation_step(
    params,
    state,
    x,
    labels,
    teacher_logits,
    temperature=one_of(2.0, 4.0, 1.0),
    mix=number(0.1, 0.9),
):
    """Teach a student from labels and from the logits of a teacher."""
    if teacher_logits.shape[0] != x.shape[0]:
        raise ValueError(
            f"{teacher_logits.shape[0]} teacher outputs do not match {x.shape[0]} examples"
        )
    soft_targets = jax.nn.softmax(teacher_logits / temperature, axis=-1)

    def objective(p):
        logits = student_model(p, x)
        hard = jnp.mean(_label_nll(logits, labels))
        if maybe("match logits", 0.3):
            centered = logits - jnp.mean(logits, axis=-1, keepdims=True)
            wanted = teacher_logits - jnp.mean(teacher_logits, axis=-1, keepdims=True)
            soft = jnp.mean((centered - wanted) ** 2)
        else:
            log_q = jax.nn.log_softmax(logits / temperature, axis=-1)
            soft = -(temperature**2) * jnp.mean(jnp.sum(soft_targets * log_q, axis=-1))
        return (1 - mix) * hard + mix * soft

    loss, grads = jax.value_and_grad(objective)(params)
    params, state = student_optimizer(params, grads, state)
    return params, state, loss


@sketch(
    takes={"key": "key", "params": "P", "state": "S", "x": "features f[b, d]"},
    gives=("P", "S", "loss f[]"),
    sizes={"c": (4, 32), "b": (4, 32), "d": (4, 96)},
    dtypes="f32 bf16",
    also=("Self-supervised step on two augmented views.",),
)
def contrastive_pretraining_step(key, params, state, x):
    """Pretrain an encoder on two random views of each example."""
    keys = jax.random.split(key)
    strength = one_of(0.2, 0.4)
    views = [_augmented(k, x, strength) for k in keys]
    if maybe("joint encoding"):

        def objective(p):
            # One pass for both views.
            z = view_encoder(p, jnp.concatenate(views))
            return view_loss(*jnp.split(z, 2))

    else:

        def objective(p):
            first, second = (view_encoder(p, view) for view in views)
            return view_loss(first, second)

    loss, grads = jax.value_and_grad(objective)(params)
    if maybe("scale gradients", 0.4):
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(g)) for g in jax.tree.leaves(grads)]))
        grads = jax.tree.map(lambda g: g / jnp.maximum(largest, 1.0), grads)
    params, state = student_optimizer(params, grads, state)
    return params, state, loss


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "unlabeled": "features f[m, d]"},
    gives=("probabilities f[m, c]: guesses", "weights f[m]: confidence"),
    sizes={"c": (4, 32), "b": (4, 32), "m": (4, 48), "d": (4, 64)},
    also=("Soft labels for unlabeled examples.",),
)
def aligned_pseudo_labels(params, x, unlabeled, temperature=one_of(0.5, 0.7, 1.0)):
    """Guess labels for unlabeled examples, matched to the class balance of the labeled ones."""
    prior = jnp.mean(jax.nn.softmax(student_model(params, x), axis=-1), axis=0)
    probs = jax.nn.softmax(student_model(params, unlabeled), axis=-1)
    if maybe("align", 0.7):
        # Classes that are guessed too often lose weight.
        probs = probs * (prior + 1e-3) / (jnp.mean(probs, axis=0) + 1e-3)
        probs = probs / jnp.sum(probs, axis=-1, keepdims=True)
    sharpened = (probs + 1e-6) ** (1 / temperature)
    guesses = sharpened / jnp.sum(sharpened, axis=-1, keepdims=True)
    if maybe("entropy confidence"):
        entropy = -jnp.sum(guesses * jnp.log(guesses + 1e-6), axis=-1)
        confidence = jnp.clip(1 - entropy / jnp.log(guesses.shape[-1]), 0, 1)
    else:
        confidence = jnp.max(guesses, axis=-1)
    return guesses, confidence
