"""Right-hand sides of differential equations, dy/dt = f(t, y)."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"t": "f[]: time", "y": "state f[2]: angle and angular velocity"},
    gives="slope f[2]: derivative",
    dtypes="f32 f64",
    also=("Swing a pendulum with friction.",),
)
def pendulum_field(t, y, gravity=9.81, length=number(0.5, 3.0), damping=number(0.05, 0.5)):
    """Differentiate the state of a damped pendulum."""
    if maybe("check_pendulum", 0.3):
        if y.shape != (2,):
            raise ValueError(f"state is (angle, velocity), got shape {y.shape}")
    theta, omega = one_of(y, (y[0], y[1]))
    acceleration = -gravity / length * jnp.sin(theta) - damping * omega
    if maybe("driven_pendulum", 0.75):
        # Sinusoidal torque at the pivot.
        acceleration = acceleration + number(0.1, 1.5) * one_of(jnp.cos, jnp.sin)(
            number(0.3, 3.0) * t
        )
    return one_of(jnp.stack([omega, acceleration]), jnp.array([omega, acceleration]))


@sketch(
    takes={"t": "f[]", "y": "state f[2]: prey and predators"},
    gives="slope f[2]: derivative",
    dtypes="f32 f64",
)
def lotka_volterra_field(
    t, y, *, birth=number(0.3, 1.2), predation=number(0.1, 0.6), death=number(0.2, 0.9)
):
    """Differentiate the populations of a predator-prey model."""
    # Populations are never negative; the cap stands for a finite habitat.
    prey, predators = jnp.clip(y, 0.0, one_of(5.0, 10.0, 8.0))
    growth = birth * prey
    if maybe("seasons_of_prey", 0.75):
        growth = growth * (1.0 + number(0.1, 0.5) * jnp.sin(t))
    if maybe("logistic_prey"):
        growth = growth * (1.0 - prey / number(4.0, 12.0))
    if maybe("saturating"):
        # Holling type II: a predator needs time to handle its prey.
        eaten = predation * prey * predators / (1.0 + number(0.1, 1.0) * prey)
    else:
        eaten = predation * prey * predators
    return jnp.stack([growth - eaten, number(0.2, 0.9) * eaten - death * predators])


@sketch(
    takes={"t": "f[]", "y": "state f[2]"},
    gives="slope f[2]",
    dtypes="f32 f64",
    also=("Right-hand side of the Van der Pol equation as a first-order system.",),
)
def van_der_pol_field(t, y, mu=number(0.2, 3.0)):
    """Differentiate the state of a Van der Pol oscillator."""
    x, v = y
    if maybe("lienard", 0.3):
        # Lienard coordinates: the first equation has the whole nonlinearity.
        x = jnp.clip(x, -3.0, 3.0)
        dx = mu * (x - x**3 / 3.0 - v)
        return jnp.stack([dx + 0.1 * jnp.cos(t), x / mu])
    # Far from the limit cycle the damping is cut off, so that long steps stay stable.
    x_squared = jnp.minimum(x * x, 9.0)
    dv = mu * (1.0 - x_squared) * v - x
    if maybe("forced_van_der_pol", 0.7):
        dv = dv + number(0.1, 1.2) * jnp.sin(number(0.5, 2.0) * t)
    return jnp.stack([v, dv])


@sketch(
    takes={"t": "f[]", "y": "state f[3]"},
    gives="slope f[3]",
    dtypes="f32 f64",
)
def lorenz_field(t, y, sigma=10.0, rho=one_of(28.0, 14.0, 10.0, 24.5), beta=8.0 / 3.0):
    """Differentiate the state of the Lorenz convection model."""
    if maybe("unpack_lorenz"):
        x, y, z = y
    else:
        x, y, z = y[0], y[1], y[2]
    x = jnp.clip(x, -20.0, 20.0)
    if maybe("slow_forcing", 0.8):
        # The heating drifts slowly.
        rho = rho + number(0.5, 4.0) * jnp.sin(number(0.1, 1.0) * t)
    dx = sigma * (y - x)
    dy = x * (rho - z) - y
    dz = x * y - beta * z
    return jnp.stack([dx, dy, dz])


@sketch(
    takes={"t": "f[]", "y": "state f[c]: shares of the population"},
    gives="slope f[c]: derivative",
    sizes={"c": (3, 4)},
    dtypes="f32 f64",
    also=("Right-hand side of a compartment model of an epidemic.",),
)
def epidemic_field(t, y, contact_rate=number(0.2, 0.9), recovery=number(0.05, 0.3)):
    """Move shares of a population between susceptible, infected and recovered."""
    n_compartments = y.shape[0]
    assert n_compartments in (3, 4), f"SIR or SEIR, got {n_compartments} compartments"
    y = jnp.clip(y, 0.0, 1.0)
    if maybe("seasonal_contacts", 0.75):
        contact_rate = contact_rate * (1.0 + number(0.05, 0.4) * jnp.cos(2 * jnp.pi * t))
    infected = y[-2]
    infections = contact_rate * y[0] * infected
    recoveries = recovery * infected
    # The recovered may lose their immunity.
    waning = one_of(number(0.01, 0.1), 0.0, number(0.001, 0.01)) * y[-1]
    if n_compartments == 3:
        flows = [waning - infections, infections - recoveries, recoveries - waning]
    else:
        onset = number(0.1, 0.6) * y[1]
        flows = [waning - infections, infections - onset, onset - recoveries, recoveries - waning]
    return jnp.stack(flows)


@sketch(
    takes={"t": "f[]", "y": "state f[2*m]: voltages, then recovery variables"},
    gives="slope f[2*m]",
    sizes={"m": (2, 512)},
    dtypes="f32 f64",
)
def fitzhugh_nagumo_field(t, y, a=0.7, b=0.8, tau=number(8.0, 16.0)):
    """Differentiate a chain of FitzHugh-Nagumo neurons with electrical coupling."""
    if y.shape[0] % 2:
        raise ValueError(f"as many voltages as recovery variables, got {y.shape[0]} numbers")
    v, w = jnp.split(y, 2)
    v = jnp.clip(v, -3.0, 3.0)
    if maybe("ring_of_neurons"):
        coupling = jnp.roll(v, 1) + jnp.roll(v, -1) - 2 * v
    else:
        # The ends are sealed, so nothing flows over them.
        padded = jnp.pad(v, 1, mode="edge")
        coupling = padded[2:] - 2 * v + padded[:-2]
    # The current is switched on smoothly.
    current = number(0.2, 0.8) * one_of(jax.nn.sigmoid(4 * t), 0.5 * (1 + jnp.tanh(t)))
    dv = v - v**3 / 3 - w + current + number(0.05, 0.8) * coupling
    dw = (v + a - b * w) / tau
    return jnp.concatenate([dv, dw])


@sketch(
    takes={"t": "f[]", "y": "state f[n]: phases"},
    gives="slope f[n]: phase velocities",
    sizes={"n": (3, 256)},
    dtypes="f32 f64",
    also=("Velocities of the phases of the Kuramoto model.",),
)
def kuramoto_field(t, y, coupling=number(0.3, 3.0), spread=number(0.1, 1.0)):
    """Pull the phases of coupled oscillators towards each other."""
    n = y.shape[0]
    frequencies = jnp.linspace(-spread, spread, n)
    if maybe("mean_field"):
        # The order parameter says all that an oscillator feels of the others.
        re, im = jnp.mean(jnp.cos(y)), jnp.mean(jnp.sin(y))
        pull = coupling * (im * jnp.cos(y) - re * jnp.sin(y))
    else:
        pull = coupling * jnp.mean(jnp.sin(y[None, :] - y[:, None]), axis=1)
    velocity = frequencies + pull
    if maybe("pacemaker", 0.75):
        drive = jnp.sin(number(0.5, 2.0) * t - y)
        velocity = velocity + number(0.05, 0.5) * drive
    return velocity


@sketch(
    takes={"t": "f[]", "y": "state f[2*m]: displacements, then velocities"},
    gives="slope f[2*m]",
    sizes={"m": (2, 1024)},
    dtypes="f32 f64",
)
def spring_chain_field(t, y, stiffness=number(0.5, 8.0), friction=number(0.02, 0.4)):
    """Accelerate a chain of masses that springs connect."""
    x, v = one_of(jnp.split(y, 2), y.reshape(2, -1), y.reshape(2, y.shape[0] // 2))
    # Both walls are at rest.
    stretched = jnp.diff(x, prepend=0.0, append=0.0)
    force = stiffness * jnp.diff(stretched) - friction * v
    if maybe("hardening"):
        force = force - number(0.01, 0.2) * x * jnp.minimum(jnp.square(x), 4.0)
    if maybe("shaken", 0.75):
        shake = number(0.2, 1.5) * jnp.cos(number(0.5, 4.0) * t)
        force = force.at[one_of(0, -1, x.shape[0] // 2)].add(shake)
    return jnp.concatenate([v, force])


@sketch(
    takes={"t": "f[]", "y": "state f[n]: concentrations"},
    gives="slope f[n]",
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
)
def gene_ring_field(t, y, strength=number(1.0, 6.0), degradation=number(0.2, 1.0)):
    """Let each gene of a ring repress the next one."""
    levels = one_of(jnp.clip(y, 0.0, 10.0), jax.nn.softplus(jnp.clip(y, -10.0, 10.0)))
    repressor = jnp.roll(levels, integer(1, 2))
    hill = one_of(2, 3, 4)
    expression = strength / (1.0 + repressor**hill)
    if maybe("leaky"):
        expression = expression + number(0.01, 0.2)
    if maybe("day_and_night", 0.75):
        light = 0.5 * (1.0 + jnp.sin(2 * jnp.pi * t / 24.0))
        expression = expression * (0.5 + light)
    return expression - degradation * y
