"""Functions with derivatives of their own."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

reversed_encoder = nested("(params: P, x: features f[b, d]) -> features f[b, h]")


def _reversal_fwd(x, strength):
    return x, strength


def _reversal_bwd(strength, g):
    return -strength * g, jnp.zeros_like(strength)


@jax.custom_vjp
def reverse_gradient(x, strength):
    """Pass a value on and turn its gradient around."""
    return x


reverse_gradient.defvjp(_reversal_fwd, _reversal_bwd)


@sketch(
    takes={
        "params": "P",
        "head": {"w": "f[h, k]", "b": "f[k]"},
        "x": "features f[b, d]",
        "domains": "labels i[b]",
        "step": "counts i[]",
    },
    gives=("P", "loss f[]"),
    sizes={"b": (4, 32), "k": (4, 4), "h": (2, 64)},
    dtypes="f32 bf16",
    also=("Domain-adversarial gradient of an encoder.",),
)
def domain_adversarial_gradient(params, head, x, domains, step, rate=number(0.1, 2.0)):
    """Train an encoder so that a domain classifier cannot use its features."""
    # The reversal grows while the classifier is learning.
    progress = step / one_of(10.0, 4.0)
    strength = rate * (2 / (1 + jnp.exp(-progress)) - 1) if maybe("grow reversal") else rate

    def domain_loss(p):
        z = reversed_encoder(p, x)
        z = reverse_gradient(z, jnp.asarray(strength, z.dtype))
        log_probs = jax.nn.log_softmax(z @ head["w"] + head["b"], axis=-1)
        picked = jnp.take_along_axis(log_probs, domains[:, None], axis=-1)
        return -jnp.mean(picked)

    loss, grads = jax.value_and_grad(domain_loss)(params)
    return grads, loss


@sketch(
    takes={"x": "features f[b, d]", "w": "matrix f[d, h]"},
    sizes={"b": (4, 64), "d": (4, 128), "h": (4, 64)},
    dtypes="f32 bf16",
    also=("Sign activations trained by a straight-through estimator.",),
)
def binarized_layer_gradient(x, w, window=one_of(1.0, 2.0)):
    """Differentiate a layer of signs by a surrogate for their derivative."""

    @jax.custom_vjp
    def binarize(z):
        return jnp.where(z >= 0, 1.0, -1.0).astype(z.dtype)

    def binarize_fwd(z):
        return binarize(z), z

    def binarize_bwd(z, g):
        if maybe("triangle surrogate"):
            slope = jnp.maximum(0.0, 1 - jnp.abs(z) / window)
        elif maybe("sigmoid surrogate"):
            s = jax.nn.sigmoid(z / window)
            slope = 4 * s * (1 - s) / window
        else:
            slope = (jnp.abs(z) <= window).astype(z.dtype)
        return (slope * g,)

    binarize.defvjp(binarize_fwd, binarize_bwd)

    def activity(weights):
        pre = x @ weights / x.shape[1] ** 0.5
        hidden = binarize(pre)
        if maybe("balance units", 0.4):
            return jnp.mean(jnp.mean(hidden, axis=0) ** 2)
        return jnp.mean(hidden * jax.lax.stop_gradient(pre))

    if maybe("value too"):
        return jax.value_and_grad(activity)(w)
    return jax.grad(activity)(w)


def _safe_row_norm_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    norm = safe_row_norm(x)
    scale = jnp.where(norm > 0, 1 / jnp.maximum(norm, 1e-6), 0.0)
    return norm, jnp.sum(x * dx, axis=-1) * scale


@jax.custom_jvp
def safe_row_norm(x):
    """Length of each row, with derivative 0 where a row is 0."""
    return jnp.sqrt(jnp.sum(x**2, axis=-1))


safe_row_norm.defjvp(_safe_row_norm_jvp)


@sketch(
    takes={"points": "points f[n, d]", "mask?": "mask bool[n]"},
    gives=("energy f[]", "f[n, d]: forces"),
    sizes={"n": (3, 40), "d": (2, 4)},
    dtypes="f32 f64",
    also=("Spring energy of a cloud of points and its forces.",),
)
def pairwise_spring_forces(points, mask=None, rest=number(0.5, 3.0), stiffness=number(0.1, 2.0)):
    """Relax distances towards a rest length, with forces that stay finite at zero distance."""
    n, _ = points.shape

    def energy_of(x):
        dist = safe_row_norm(x[:, None, :] - x[None, :, :])
        stretch = dist - rest
        if maybe("soft springs"):
            pair_energy = jnp.log1p(stretch**2)
        else:
            pair_energy = 0.5 * stretch**2
        pair_energy = jnp.where(jnp.eye(n, dtype=bool), 0.0, pair_energy)
        if mask is not None:
            pair_energy = jnp.where(mask[:, None] & mask[None, :], pair_energy, 0.0)
        return stiffness * jnp.sum(pair_energy) / (2 * n)

    energy, slope = jax.value_and_grad(energy_of)(points)
    forces = -slope
    if maybe("no drift", 0.4):
        forces = forces - jnp.mean(forces, axis=0)
    return energy, forces


def _softplus_stable_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return softplus_stable(x), jax.nn.sigmoid(x) * dx


@jax.custom_jvp
def softplus_stable(x):
    """log(1 + exp(x)) for any x."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


softplus_stable.defjvp(_softplus_stable_jvp)


@sketch(
    takes={"weights": "vector f[d]", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives=("loss f[]", "vector f[d]: gradient"),
    sizes={"b": (4, 256), "d": (2, 128)},
    dtypes="f32 f64",
    also=("Logistic regression with a stable softplus.",),
)
def logistic_value_and_gradient(weights, x, labels, ridge=number(1e-3, 1e-1)):
    """Differentiate the logistic loss through a softplus with a rule of its own."""
    if x.shape[1] != weights.shape[0]:
        raise ValueError(f"{weights.shape[0]} weights do not fit {x.shape[1]} features")
    signs = jnp.where(labels > one_of(0, 1), 1.0, -1.0).astype(x.dtype)

    def objective(w):
        margins = one_of(
            signs * (x @ w), signs * jnp.dot(x, w), jnp.einsum("b,bd,d->b", signs, x, w)
        )
        losses = softplus_stable(-margins)
        if maybe("trim losses", 0.35):
            # Mislabeled examples should not outweigh all others.
            losses = losses / (1 + 0.1 * losses)
        if maybe("balance classes", 0.4):
            positive = jnp.mean((signs > 0).astype(x.dtype))
            losses = losses * jnp.where(signs > 0, 1.5 - positive, 0.5 + positive)
        if maybe("smooth sparsity", 0.3):
            return jnp.mean(losses) + ridge * jnp.sum(jnp.sqrt(w**2 + 1e-4))
        return jnp.mean(losses) + 0.5 * ridge * (w @ w)

    if maybe("newton", 0.35):
        # One damped Newton step instead of the bare gradient.
        loss, slope = jax.value_and_grad(objective)(weights)
        p = jax.nn.sigmoid(x @ weights)
        curvature = x.T @ ((p * (1 - p))[:, None] * x) / x.shape[0]
        damped = curvature + (ridge + 0.1) * jnp.eye(weights.shape[0], dtype=x.dtype)
        return loss, jnp.linalg.solve(damped, slope)
    return jax.value_and_grad(objective)(weights)


def _bounded_cotangent_fwd(x, bound):
    return x, None


def _bounded_cotangent_bwd(bound, _, g):
    if maybe("cotangent norm"):
        norm = jnp.sqrt(jnp.sum(g**2) + 1e-12)
        return (g * jnp.minimum(1.0, bound / norm),)
    return (jnp.clip(g, -bound, bound),)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def bounded_cotangent(x, bound):
    """Pass a value on and bound what comes back through it."""
    return x


bounded_cotangent.defvjp(_bounded_cotangent_fwd, _bounded_cotangent_bwd)


@sketch(
    takes={"w": "matrix f[h, h]", "u": "matrix f[d, h]", "xs": "sequence f[b, t, d]"},
    gives=("loss f[]", "f[h, h]: recurrent_gradient", "f[d, h]: input_gradient"),
    sizes={"h": (2, 32), "d": (2, 32), "b": (1, 8), "t": (3, 16)},
    also=("Backpropagation through time with bounded gradients.",),
)
def recurrent_gradient(w, u, xs, bound=number(0.1, 1.0), steps=integer(3, 8)):
    """Backpropagate through a recurrence and bound the gradient at each step."""
    batch, num_steps, _ = xs.shape
    w = w / (jnp.sqrt(jnp.sum(w**2)) + 1.0)

    def loss_of(w, u):
        h = jnp.zeros((batch, w.shape[0]), xs.dtype)
        outputs = []
        for t in range(min(num_steps, steps)):
            h = one_of(jnp.tanh, jax.nn.soft_sign)(bounded_cotangent(h, bound) @ w + xs[:, t] @ u)
            outputs.append(h)
        if maybe("last output"):
            return jnp.mean(h**2)
        return jnp.mean(jnp.stack(outputs) ** 2)

    loss, (w_grad, u_grad) = jax.value_and_grad(loss_of, argnums=(0, 1))(w, u)
    return loss, w_grad, u_grad
