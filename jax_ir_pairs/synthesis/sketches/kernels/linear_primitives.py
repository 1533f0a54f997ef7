"""New primitives that are linear, or solve something, with rules for their transposes."""

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

tapped_encoder = nested("(params: P, x: features f[b, d]) -> features f[b, h]")

difference_p = Primitive("difference")


@difference_p.def_impl
def _difference_impl(x, *, spacing):
    return (jnp.roll(x, -1, axis=-1) - x) / spacing


@difference_p.def_abstract_eval
def _difference_abstract(x, *, spacing):
    if not spacing:
        raise ValueError("a spacing of zero")
    return jax.core.ShapedArray(x.shape, x.dtype)


def _difference_transpose(ct, _, *, spacing):
    return ((jnp.roll(ct, 1, axis=-1) - ct) / spacing,)


def _difference_batch(args, dims, *, spacing):
    x = jnp.moveaxis(args[0], dims[0], 0)
    return difference_p.bind(x, spacing=spacing), 0


mlir.register_lowering(difference_p, mlir.lower_fun(_difference_impl, multiple_results=False))
ad.deflinear2(difference_p, _difference_transpose)
batching.primitive_batchers[difference_p] = _difference_batch


def periodic_difference(x, spacing=1.0):
    """Forward difference on a ring."""
    return difference_p.bind(x, spacing=spacing)


@sketch(
    takes={"signal": "f[n]: noisy samples"},
    gives=("signal f[n]", "energy f[]"),
    sizes={"n": (8, 256)},
    also=("Smoothing by the gradient of a roughness energy.",),
)
def roughness_descent(signal, weight=number(0.1, 2.0), num_steps=integer(2, 8), h=one_of(1.0, 0.5)):
    """Smooth a signal by descending an energy of its differences."""

    def energy_of(x):
        slope = periodic_difference(x, h)
        if maybe("edge preserving"):
            roughness = jnp.sum(jnp.sqrt(slope**2 + 1e-2))
        else:
            roughness = 0.5 * jnp.sum(slope**2)
        return 0.5 * jnp.sum((x - signal) ** 2) + weight * roughness

    rate = 1 / (1 + 8 * weight / h**2)
    x = signal
    if maybe("unrolled descent"):
        for _ in range(num_steps):
            x = x - rate * jax.grad(energy_of)(x)
    else:
        x = jax.lax.fori_loop(0, num_steps, lambda _, y: y - rate * jax.grad(energy_of)(y), x)
    return x, energy_of(x)


@sketch(
    takes={"fields": "f[b, n]: fields on a ring"},
    gives="f[b, n]: curvature",
    sizes={"b": (2, 16), "n": (4, 64)},
    also=("Second differences as the transpose of first ones.",),
)
def transposed_difference_laplacian(fields, spacing=number(0.5, 2.0)):
    """Apply a difference and then its transpose to each field of a batch."""

    def laplacian(x):
        slope = periodic_difference(x, spacing)
        if maybe("conductivity"):
            slope = slope / (1 + slope**2)
        if maybe("by vjp"):
            _, pull = jax.vjp(lambda y: periodic_difference(y, spacing), x)
            (back,) = pull(slope)
        else:
            (back,) = jax.linear_transpose(lambda y: periodic_difference(y, spacing), x)(slope)
        return -back

    curvature = jax.vmap(laplacian)(fields)
    if maybe("explicit step", 0.4):
        return fields + 0.1 * curvature
    return curvature


gradient_gate_p = Primitive("gradient_gate")
gradient_gate_p.def_impl(lambda x, *, strength: x)
gradient_gate_p.def_abstract_eval(lambda x, *, strength: jax.core.ShapedArray(x.shape, x.dtype))
mlir.register_lowering(
    gradient_gate_p, mlir.lower_fun(lambda x, *, strength: x, multiple_results=False)
)
ad.deflinear2(gradient_gate_p, lambda ct, _, *, strength: (strength * ct,))
batching.primitive_batchers[gradient_gate_p] = lambda args, dims, *, strength: (
    gradient_gate_p.bind(*args, strength=strength),
    dims[0],
)


@sketch(
    takes={"params": "P", "head": {"w": "f[h, k]", "b": "f[k]"}, "x": "features f[b, d]"},
    gives=("P", "loss f[]"),
    sizes={"b": (2, 16), "d": (2, 32), "h": (2, 32), "k": (1, 4)},
    also=("Gradient of an encoder behind a gate for cotangents.",),
    weight=1.5,
)
def gated_encoder_gradient(params, head, x, strength=one_of(-1.0, 0.1, 0.5, -0.3)):
    """Scale what flows back into an encoder by a primitive that does nothing forward."""

    def loss_of(p):
        z = gradient_gate_p.bind(tapped_encoder(p, x), strength=strength)
        outputs = z @ head["w"] + head["b"]
        if maybe("contrast with mean"):
            outputs = outputs - jnp.mean(outputs, axis=0)
        return jnp.mean(one_of(jnp.tanh(outputs) ** 2, jax.nn.softplus(outputs)))

    loss, grads = jax.value_and_grad(loss_of)(params)
    if maybe("mean magnitude", 0.3):
        sizes = [jnp.mean(jnp.abs(g)) for g in jax.tree.leaves(grads)]
        loss = loss + 0.01 * sum(sizes)
    return grads, loss


spd_solve_p = Primitive("spd_solve")


def _spd_solve_impl(a, b):
    factor = jnp.linalg.cholesky(a)
    half = jax.scipy.linalg.solve_triangular(factor, b, lower=True)
    return jax.scipy.linalg.solve_triangular(factor.T, half, lower=False)


def _spd_solve_jvp(primals, tangents):
    a, b = primals
    da, db = (ad.instantiate_zeros(t) for t in tangents)
    x = spd_solve_p.bind(a, b)
    # A dx = db - dA x, with the same matrix.
    return x, spd_solve_p.bind(a, db - da @ x)


def _spd_solve_transpose(ct, a, b):
    return None, spd_solve_p.bind(a, ct)


def _spd_solve_batch(args, dims):
    return jax.vmap(_spd_solve_impl, in_axes=tuple(dims))(*args), 0


spd_solve_p.def_impl(_spd_solve_impl)
spd_solve_p.def_abstract_eval(lambda a, b: jax.core.ShapedArray(b.shape, b.dtype))
mlir.register_lowering(spd_solve_p, mlir.lower_fun(_spd_solve_impl, multiple_results=False))
ad.primitive_jvps[spd_solve_p] = _spd_solve_jvp
ad.primitive_transposes[spd_solve_p] = _spd_solve_transpose
batching.primitive_batchers[spd_solve_p] = _spd_solve_batch


@sketch(
    takes={"x": "f[n, d]: rows", "y": "f[n]: targets", "log_ridge": "f[]: logarithm of the ridge"},
    gives=("loss f[]", "f[]: slope"),
    sizes={"n": (4, 24), "d": (2, 6)},
    also=("Derivative of a held-out error with respect to the ridge.",),
)
def ridge_penalty_gradient(x, y, log_ridge, floor=number(0.1, 1.0)):
    """Differentiate through a linear solve whose primitive knows its own derivative."""
    n, d = x.shape
    split = n // 2
    if split == 0:
        raise ValueError(f"{n} rows are too few to hold some out")

    def held_out_error(s):
        ridge = jax.nn.softplus(s) + floor
        gram = x[:split].T @ x[:split] / split + ridge * jnp.eye(d)
        w = spd_solve_p.bind(gram, x[:split].T @ y[:split] / split)
        error = x[split:] @ w - y[split:]
        if maybe("robust error"):
            return jnp.mean(jnp.log1p(error**2))
        return jnp.mean(error**2)

    if maybe("forward mode"):
        return jax.jvp(held_out_error, (log_ridge,), (jnp.ones_like(log_ridge),))
    return jax.value_and_grad(held_out_error)(log_ridge)


@sketch(
    takes={"factors": "f[b, n, n]: factors", "b": "f[b, n]: right sides"},
    gives="f[b, n]: solutions",
    sizes={"b": (2, 8), "n": (2, 12)},
    also=("Batch of solves by the batching rule of a primitive.",),
)
def batched_primitive_solve(factors, b, ridge=number(0.3, 2.0)):
    """Solve a batch of positive definite systems by mapping a primitive."""

    def solve_one(factor, right):
        n = factor.shape[0]
        a = factor @ factor.T / n + ridge * jnp.eye(n)
        x = spd_solve_p.bind(a, right)
        if maybe("refine"):
            x = x + spd_solve_p.bind(a, right - a @ x)
        return x

    if maybe("shared matrix", 0.35):
        return jax.vmap(lambda right: solve_one(factors[0], right))(b)
    return jax.vmap(solve_one)(factors, b)
