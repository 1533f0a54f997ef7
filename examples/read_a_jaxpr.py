"""How a jaxpr is built: variables, equations, jaxprs inside equations; then one is run by hand.

Run it with `python examples/read_a_jaxpr.py`. JAX's own pages on this, at docs.jax.dev:
"JAX internals: The jaxpr language" and "Writing custom Jaxpr interpreters in JAX".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn, Literal, jaxprs_in_params


@jax.jit
def square(x: jax.Array) -> jax.Array:
    return x * x


def program(xs: jax.Array) -> jax.Array:
    """Sum squares in a scan, then branch on the total: jaxprs three levels deep."""

    def add_square(total: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
        return total + square(x), None

    total, _ = jax.lax.scan(add_square, jnp.float32(0), xs)
    result: jax.Array = jax.lax.cond(total > 1, jnp.sqrt, jnp.exp, total)
    return result


def types(atoms: Iterable[Any]) -> str:
    """Give the types of variables and literals, as a jaxpr prints them."""
    return " ".join(atom.aval.str_short(short_dtypes=True) for atom in atoms)


def signature(equation: JaxprEqn) -> str:
    """Give an equation as `primitive: operand types -> result types`."""
    return f"{equation.primitive.name}: {types(equation.invars)} -> {types(equation.outvars)}"


def walk(jaxpr: Jaxpr, depth: int = 0) -> Iterator[tuple[int, JaxprEqn]]:
    """Visit every equation, those of the jaxprs in its parameters after the equation itself."""
    for equation in jaxpr.eqns:
        yield depth, equation
        for inner in jaxprs_in_params(equation.params):
            yield from walk(inner, depth + 1)


def primitives(jaxpr: Jaxpr) -> Counter[str]:
    """Count the primitives of a jaxpr, at every depth."""
    return Counter(equation.primitive.name for _, equation in walk(jaxpr))


def evaluate(jaxpr: Jaxpr, consts: Sequence[Any], *arguments: Any) -> list[Any]:
    """Run a jaxpr one equation at a time: all that an interpreter needs is an environment."""
    environment: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    environment.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else environment[atom]

    for equation in jaxpr.eqns:
        results = equation.primitive.bind(*map(read, equation.invars), **equation.params)
        # Some primitives give one value, others (scan, cond, jit) a list of them.
        values = results if equation.primitive.multiple_results else [results]
        environment.update(zip(equation.outvars, values, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def main() -> None:
    """Print one small jaxpr part by part, then a nested one as a tree, then run that one."""
    table = jnp.array([1.0, 2.0, 3.0])
    small = jax.make_jaxpr(lambda x: 2.0 * x + table)(jnp.ones(3))
    print("A function that captures an array, lambda x: 2.0 * x + table, and its parts:\n")
    print(f"{small}\n")
    print(f"  captured  {types(small.jaxpr.constvars)} = {small.consts[0]}")
    print(f"  inputs    {types(small.jaxpr.invars)}")
    for equation in small.jaxpr.eqns:
        print(f"  equation  {signature(equation)}")
    print(f"  outputs   {types(small.jaxpr.outvars)}\n")
    print("Every variable is bound once and has a type. There is no syntax for loops or branches:")
    print("those are primitives (scan, while, cond) with jaxprs among their parameters.\n")

    nested = jax.make_jaxpr(program)(jnp.ones(3))
    print("A scan whose body calls a jitted function, then a cond, as a tree:\n")
    for depth, equation in walk(nested.jaxpr):
        print(f"  {'  ' * depth}{signature(equation)}")
    counts = ", ".join(
        f"{count} {name}" for name, count in sorted(primitives(nested.jaxpr).items())
    )
    print(f"\nIts primitives: {counts}\n")

    xs = jnp.array([0.5, 1.5, 2.5])
    (by_hand,) = evaluate(nested.jaxpr, nested.consts, xs)
    print(f"program([0.5, 1.5, 2.5]) is {by_hand:.6f} by our interpreter, {program(xs):.6f} by JAX")


if __name__ == "__main__":
    main()
