"""vmap, pmap, shard_map, scan, while_loop and a custom primitive: each with its jaxpr and a check.

Run it with `python examples/advanced_patterns.py`. It makes 8 devices out of the CPU. JAX's own
pages on this, at docs.jax.dev: "Automatic vectorization", "Manual parallelism with shard_map",
"Control flow and logical operators with jit" and "JAX Internals: primitives".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.extend.mlir.dialects import stablehlo
from jax.interpreters import ad, batching, mlir
from jax.sharding import Mesh, PartitionSpec

NUM_DEVICES = 8


@dataclass(frozen=True)
class Pattern:
    """A pattern at work: its jaxpr, its result, and the same computed by plain NumPy."""

    title: str
    jaxpr: str
    value: jax.Array
    reference: np.ndarray[Any, Any]


def shown(title: str, function: Callable[..., Any], *arguments: Any, reference: Any) -> Pattern:
    jaxpr = str(jax.make_jaxpr(function)(*arguments))
    return Pattern(title, jaxpr, function(*arguments), np.asarray(reference))


def vmap_all_pairs() -> Pattern:
    """Nest two vmaps around a dot of two vectors to get the dots of all pairs."""
    left, right = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    all_pairs = jax.vmap(jax.vmap(jnp.dot, in_axes=(None, 0)), in_axes=(0, None))
    return shown(
        "vmap: no loop; the dots of all pairs of vectors are one matrix product",
        all_pairs,
        left,
        right,
        reference=left @ right.T,
    )


def subtract_mean_of_all(x: jax.Array) -> jax.Array:
    """Run on each device: subtract the mean that all devices agree on."""
    mean: jax.Array = jax.lax.pmean(jnp.mean(x), axis_name="devices")
    return x - mean


def one_row_each(devices: Sequence[jax.Device]) -> np.ndarray[Any, Any]:
    return np.arange(4.0 * len(devices), dtype=np.float32).reshape(len(devices), 4)


def pmap_centering(devices: Sequence[jax.Device]) -> Pattern:
    """Run the same program on each device, one row for each; pmean is the exchange."""
    rows = one_row_each(devices)
    return shown(
        "pmap: one program for each device, collectives by axis name",
        jax.pmap(subtract_mean_of_all, axis_name="devices", devices=devices),
        rows,
        reference=rows - rows.mean(),
    )


def shard_map_centering(devices: Sequence[jax.Device]) -> Pattern:
    """Do what pmap does on a mesh, inside jit: pmap itself is built on it today."""
    rows, split = one_row_each(devices), PartitionSpec("devices")
    mesh = Mesh(np.array(devices), ("devices",))
    return shown(
        "shard_map: the same on a mesh; each device sees its block",
        jax.jit(jax.shard_map(subtract_mean_of_all, mesh=mesh, in_specs=split, out_specs=split)),
        rows,
        reference=rows - rows.mean(),
    )


def scan_moving_average(steps: int = 6) -> Pattern:
    """Smooth a series: the body is traced once, whatever the number of steps."""

    def body(average: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        average = 0.9 * average + 0.1 * x
        return average, average

    series = np.sin(np.arange(steps, dtype=np.float32))
    expected, average = np.empty_like(series), 0.0
    for i, x in enumerate(series):
        average = 0.9 * average + 0.1 * float(x)
        expected[i] = average
    return shown(
        "scan: a loop of known length; (carry, x) -> (carry, y)",
        lambda xs: jax.lax.scan(body, jnp.float32(0), xs)[1],
        series,
        reference=expected,
    )


def while_loop_gcd() -> Pattern:
    """Euclid's algorithm: the data decide the number of steps, so there is no reverse mode."""

    def gcd(a: jax.Array, b: jax.Array) -> jax.Array:
        def unfinished(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
            return pair[1] != 0

        def step(pair: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            return pair[1], jax.lax.rem(*pair)

        return jax.lax.while_loop(unfinished, step, (a, b))[0]

    a, b = np.array([12, 35, 1071], np.int32), np.array([18, 64, 462], np.int32)
    return shown(
        "while_loop under vmap: steps until every row has finished",
        jax.vmap(gcd),
        a,
        b,
        reference=np.gcd(a, b),
    )


# A custom primitive: a polynomial with fixed coefficients, highest power first. JAX knows of a
# primitive only what its rules say, one rule for each thing that can happen to it.
polynomial_p = Primitive("polynomial")


def polynomial(x: Any, coefficients: Sequence[float]) -> jax.Array:
    """Evaluate a polynomial at each element of `x`; bind is what a tracer sees of it."""
    result: jax.Array = polynomial_p.bind(jnp.asarray(x), coefficients=tuple(coefficients))
    return result


def polynomial_abstract_evaluation(
    x: Any, *, coefficients: tuple[float, ...]
) -> jax.core.ShapedArray:
    """Tracing: which type the result has."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"polynomial takes floating-point numbers, not {x.dtype}")
    return jax.core.ShapedArray(x.shape, x.dtype)


def polynomial_lowering(ctx: Any, x: Any, *, coefficients: tuple[float, ...]) -> list[Any]:
    """Lowering: which StableHLO it becomes. Horner's rule, unrolled."""
    (aval,) = ctx.avals_in
    first, *others = (
        mlir.ir_constant(np.full(aval.shape, coefficient, aval.dtype))
        for coefficient in coefficients
    )
    result = first
    for coefficient in others:
        result = stablehlo.add(stablehlo.multiply(result, x), coefficient)
    return [result]


def polynomial_jvp(dx: Any, x: Any, *, coefficients: tuple[float, ...]) -> Any:
    """Forward mode: the derivative is a polynomial again, so derivatives of any order work.

    Reverse mode needs no rule: it transposes the product, which is linear in `dx`.
    """
    return dx * polynomial(x, np.polyder(coefficients).tolist() or [0.0])


def polynomial_batching(
    args: Any, axes: Any, *, coefficients: tuple[float, ...]
) -> tuple[Any, Any]:
    """Batching with vmap: elementwise, so the new axis stays where it is."""
    return polynomial(args[0], coefficients), axes[0]


polynomial_p.def_impl(jax.jit(polynomial_p.bind, static_argnames="coefficients"))  # without jit
polynomial_p.def_abstract_eval(polynomial_abstract_evaluation)
mlir.register_lowering(polynomial_p, polynomial_lowering)
ad.defjvp(polynomial_p, polynomial_jvp)
batching.primitive_batchers[polynomial_p] = polynomial_batching

COEFFICIENTS = (2.0, -3.0, 0.0, 1.0)  # 2x³ - 3x² + 1


def cubic(x: Any) -> jax.Array:
    return polynomial(x, COEFFICIENTS)


def primitive_evaluated() -> Pattern:
    """Evaluate: abstract evaluation types the equation, the lowering runs it."""
    x = np.linspace(-1, 2, 4, dtype=np.float32)
    reference = np.polyval(COEFFICIENTS, x)
    return shown(
        "custom primitive: one equation, with the coefficients as its parameter",
        cubic,
        x,
        reference=reference,
    )


def primitive_differentiated() -> Pattern:
    """Differentiate in forward mode: the JVP rule."""
    x = np.linspace(-1, 2, 4, dtype=np.float32)
    return shown(
        "custom primitive under jvp: the slope is the same primitive",
        lambda x: jax.jvp(cubic, (x,), (jnp.ones_like(x),))[1],
        x,
        reference=np.polyval(np.polyder(COEFFICIENTS), x),
    )


def primitive_batched() -> Pattern:
    """Batch a gradient: the batching, JVP and lowering rules together."""
    x = np.linspace(-1, 2, 4, dtype=np.float32)
    return shown(
        "custom primitive under jit(vmap(grad)): all rules together",
        jax.jit(jax.vmap(jax.grad(cubic))),
        x,
        reference=np.polyval(np.polyder(COEFFICIENTS), x),
    )


def patterns(devices: Sequence[jax.Device]) -> list[Pattern]:
    """Run every pattern; `devices` serve those that use several."""
    return [
        vmap_all_pairs(),
        pmap_centering(devices),
        shard_map_centering(devices),
        scan_moving_average(),
        while_loop_gcd(),
        primitive_evaluated(),
        primitive_differentiated(),
        primitive_batched(),
    ]


def main() -> None:
    """Print each pattern's jaxpr; stop with an error where a result is not NumPy's."""
    for pattern in patterns(jax.devices("cpu")):
        np.testing.assert_allclose(pattern.value, pattern.reference, rtol=1e-5, atol=1e-5)
        print(f"## {pattern.title}\n\n{pattern.jaxpr}\n")
        print(f"On {len(pattern.value.devices())} device(s); equal to NumPy's result.\n")
    print("## custom primitive as StableHLO\n")
    print(jax.jit(cubic).lower(jnp.ones(3)).as_text())


if __name__ == "__main__":
    # Has to come before JAX first touches a device. From a shell it is said with
    # XLA_FLAGS=--xla_force_host_platform_device_count=8, here it cannot be forgotten.
    jax.config.update("jax_num_cpu_devices", NUM_DEVICES)
    main()
