"""What tracing is: jit runs Python once, on abstract values, and keeps what it recorded.

Run it with `python examples/trace_a_function.py`. JAX's own pages on this, at docs.jax.dev:
"How transformations work: tracing" and "Just-in-time compilation".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def traces_of(arguments: Iterable[Any]) -> list[str]:
    """Call one jitted function on each argument; give the abstract value of every trace made."""
    traces: list[str] = []

    @jax.jit
    def double(x: jax.Array) -> jax.Array:
        traces.append(str(jax.typeof(x)))  # runs while Python runs: when tracing, and only then
        return 2 * x

    for argument in arguments:
        double(argument)
    return traces


def what_a_tracer_knows() -> dict[str, Any]:
    """Give what the traced function can see of an argument whose value is not known yet."""
    seen: dict[str, Any] = {}

    def look(x: jax.Array) -> jax.Array:
        seen.update(tracer=isinstance(x, jax.core.Tracer), shape=x.shape, dtype=str(x.dtype))
        return x

    jax.jit(look)(jnp.ones((2, 3)))
    return seen


NEEDS_THE_VALUE: dict[str, Callable[[Any], Any]] = {
    "if x > 0": lambda x: x if x > 0 else -x,
    "float(x)": lambda x: float(x),
    "numpy.sin(x)": lambda x: np.sin(x),
}


def refusals() -> dict[str, str]:
    """Trace code that asks for a value; give the name of the error that each attempt raises."""
    errors: dict[str, str] = {}
    for code, function in NEEDS_THE_VALUE.items():
        try:
            jax.jit(function)(1.0)
        except jax.errors.JAXTypeError as error:
            errors[code] = type(error).__name__
    return errors


@partial(jax.jit, static_argnames="exponent")
def power(x: jax.Array, exponent: int) -> jax.Array:
    """Multiply `exponent` times: a Python loop, so tracing unrolls it."""
    result = jnp.ones_like(x)
    for _ in range(exponent):
        result = result * x
    return result


def multiplications(exponent: int) -> int:
    """Count the multiplications that the trace of `power` holds for this static exponent."""
    jaxpr = power.trace(jnp.ones(3), exponent).jaxpr
    return sum(equation.primitive.name == "mul" for equation in jaxpr.eqns)


def captured_state() -> tuple[float, float]:
    """Change what a jitted function reads from outside; give its result before and after."""
    rate = {"value": 10.0}
    scale = jax.jit(lambda x: x * rate["value"])
    before = float(scale(1.0))
    rate["value"] = 99.0
    return before, float(scale(1.0))  # the trace holds 10.0 as a constant


def main() -> None:
    """Print each fact together with the run that shows it."""
    same_type = [jnp.ones(3), jnp.zeros(3), np.full(3, 7, np.float32)]
    print("1. Python runs once for each abstract value (shape and dtype), not once for each call.")
    print(f"   3 calls with float32[3]  -> traces {traces_of(same_type)}")
    other_types = [jnp.ones(3), jnp.ones(4), jnp.ones(3, jnp.int32), 2.0, 3.0]
    print(f"   5 calls, 4 kinds of type -> traces {traces_of(other_types)}")
    print("   (~ is a weak type: a Python scalar takes the dtype of what it meets)\n")

    print("2. Inside, an argument is a tracer: it has a shape and a dtype, and no value.")
    print(f"   {what_a_tracer_knows()}\n")

    print("3. Code that needs the value cannot be traced; jax.numpy.where and jax.lax.cond can.")
    for code, error in refusals().items():
        print(f"   {code:<13} -> {error}")

    print("\n4. A static argument is an ordinary Python value: loops over it unroll,")
    print("   and every new value of it is a new trace.")
    for exponent in (2, 5):
        print(f"   power(x, {exponent}) traces to {multiplications(exponent)} multiplications")

    before, after = captured_state()
    print("\n5. What a function reads from outside is frozen at its first trace: keep it pure.")
    print(f"   result with 10.0: {before}, after changing it to 99.0: {after}")


if __name__ == "__main__":
    main()
