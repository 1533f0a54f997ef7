"""Solutions that are differentiated by a rule rather than through their solvers."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"demands": "vector f[n]", "budget": "f[]: budget"},
    gives=("vector f[n]: allocation", "vector f[n]: response"),
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Price at which the demand meets the supply.",),
)
def market_clearing_response(demands, budget, iters=integer(12, 24)):
    """Find the price that clears a market, and how the allocation answers to demands."""
    supply = 0.1 + 0.8 * jax.nn.sigmoid(budget)

    def allocate(price, wanted):
        return one_of(jax.nn.sigmoid(wanted - price), 0.5 * (1 + jnp.tanh(wanted - price)))

    def solve(excess, price):
        if maybe("damped newton", 0.4):

            def newton(_, p):
                value, slope = jax.value_and_grad(excess)(p)
                return p - jnp.clip(value / (slope + 1e-3), -1.0, 1.0)

            return jax.lax.fori_loop(0, iters, newton, price)

        def halve(_, ends):
            low, high = ends
            middle = (low + high) / 2
            above = excess(middle) < 0
            return jnp.where(above, middle, low), jnp.where(above, high, middle)

        reach = 5 + jnp.max(jnp.abs(demands))
        low, high = jax.lax.fori_loop(0, iters, halve, (price - reach, price + reach))
        return (low + high) / 2

    def cleared(wanted):
        def excess(price):
            offered = supply
            if maybe("elastic supply"):
                # Higher prices draw more goods to the market.
                offered = offered + 0.1 * one_of(jnp.tanh(price), jnp.arctan(price))
            return offered - jnp.mean(allocate(price, wanted))

        price = jax.lax.custom_root(
            excess, jnp.zeros_like(supply), solve, lambda slope, y: y / (slope(1.0) + 1e-3)
        )
        shares = allocate(price, wanted)
        return shares / (jnp.sum(shares) + 1e-3) if maybe("normalized shares", 0.4) else shares

    if maybe("pulled response", 0.4):
        allocation, pull = jax.vjp(cleared, demands)
        return allocation, pull(one_of(allocation, jnp.ones_like(allocation)))[0]
    return jax.jvp(cleared, (demands,), (one_of(demands, jnp.ones_like(demands)),))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def settled(step, params, start):
    """Fixed point of a step, with a gradient by its parameters alone."""

    def moving(state):
        count, previous, x = state
        return (count < 20) & (jnp.max(jnp.abs(x - previous)) > one_of(1e-3, 1e-4))

    def again(state):
        count, _, x = state
        return count + 1, x, step(params, x)

    return jax.lax.while_loop(moving, again, (0, start, step(params, start)))[2]


def _settled_fwd(step, params, start):
    x = settled(step, params, start)
    return x, (params, x)


def _settled_bwd(step, kept, g):
    params, x = kept
    _, pull_state = jax.vjp(lambda v: step(params, v), x)
    u = jax.lax.fori_loop(0, integer(6, 12), lambda _, u: g + pull_state(u)[0], g)
    _, pull_params = jax.vjp(lambda p: step(p, x), params)
    return pull_params(u)[0], jnp.zeros_like(x)


settled.defvjp(_settled_fwd, _settled_bwd)


@sketch(
    takes={"field": "vector f[n]", "start": "state f[n]"},
    gives=("loss f[]", "vector f[n]: gradient"),
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Response of a mean-field magnet by the implicit function theorem.",),
)
def mean_field_response(field, start, coupling=number(0.1, 0.8)):
    """Differentiate settled magnetizations by the field that they are in."""

    def update(h, m):
        if maybe("chain of spins"):
            pull = coupling * (jnp.roll(m, 1) + jnp.roll(m, -1)) / 2
        else:
            pull = coupling * jnp.mean(m)
        return one_of(jnp.tanh, jnp.sin, jnp.arctan)(pull + jnp.tanh(h))

    def energy(h):
        m = settled(update, h, jnp.tanh(start))
        if maybe("cooled once more", 0.4):
            # A weaker field starts from where the first one ended.
            m = settled(update, one_of(0.5, 0.8) * h, jax.lax.stop_gradient(m))
        return jnp.mean(m * h) if maybe("zeeman energy") else jnp.mean(m**2)

    return jax.value_and_grad(energy)(field)


@sketch(
    takes={"rate": "f[n]: rates", "state": "state f[n]"},
    gives=("state f[n]", "f[n]: gradient"),
    sizes={"n": (2, 64)},
    also=("Gradient by what a right-hand side closes over.",),
)
def closed_over_gradient(rate, state, dt=number(0.02, 0.2), steps=integer(2, 6)):
    """Make what a right-hand side closes over an argument, so that a rule can see it."""

    @functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
    def integrate(slope, y, *constants):
        for _ in range(steps):
            if maybe("midpoint rule"):
                y = y + dt * slope(y + dt / 2 * slope(y, *constants), *constants)
            else:
                y = y + dt * slope(y, *constants)
        return y

    def forward(slope, y, *constants):
        return integrate(slope, y, *constants), (y, constants)

    def backward(slope, kept, g):
        y, constants = kept
        if maybe("only the last step", 0.4):
            # A cheap estimate: the rule looks one step back.
            _, pull = jax.vjp(lambda v, *c: v + dt * slope(v, *c), y, *constants)
        else:
            _, pull = jax.vjp(lambda v, *c: v + steps * dt * slope(v, *c), y, *constants)
        return pull(g)

    integrate.defvjp(forward, backward)

    def size_of(r):
        def slope(y):
            return one_of(-jax.nn.softplus(r) * y, r * jnp.sin(y) - y, jnp.tanh(r) - y)

        converted, constants = jax.closure_convert(slope, state)
        end = integrate(converted, state, *constants)
        if maybe("distance travelled", 0.4):
            return jnp.mean(jnp.sqrt((end - state) ** 2 + 1e-3)), end
        return jnp.mean(end**2), end

    gradient, end = jax.grad(size_of, has_aux=True)(rate)
    return end, gradient
