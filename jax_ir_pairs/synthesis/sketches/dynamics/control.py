"""Optimal and classical control."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

plant_field = nested("(y: state f[n]) -> slope f[n]")


@sketch(
    takes={"a": "matrix f[n, n]: dynamics", "b": "f[n, m]: input matrix"},
    gives=("f[m, n]: gain", "positive_definite f[n, n]: cost"),
    sizes={"n": (2, 24), "m": (1, 8)},
    dtypes="f32 f64",
    also=("Solve the discrete Riccati equation by iteration, and read off the gain.",),
)
def lqr_gain(a, b, num_iters=integer(10, 60), effort=number(0.1, 2.0)):
    """Design the feedback gain of a linear-quadratic regulator."""
    n, m = b.shape
    if a.shape != (n, n):
        raise ValueError(f"A has shape {a.shape}, but B has {n} rows")
    if maybe("scale_by_norm"):
        # The plant is scaled to be open-loop stable, so that the iteration settles.
        a = a / (1.0 + jnp.max(jnp.sum(jnp.abs(a), axis=1)))
    else:
        a = number(0.5, 0.95) * a / (1.0 + jnp.sqrt(jnp.sum(a * a)))
    q = jnp.eye(n, dtype=a.dtype)
    r = effort * jnp.eye(m, dtype=b.dtype)

    def gain_of(p):
        return jnp.linalg.solve(r + b.T @ p @ b, b.T @ p @ a)

    def riccati(_, p):
        k = gain_of(p)
        if maybe("riccati_joseph"):
            closed = a - b @ k
            p = q + closed.T @ p @ closed + k.T @ r @ k
        else:
            p = q + a.T @ p @ (a - b @ k)
        return 0.5 * (p + p.T)

    p = jax.lax.fori_loop(0, num_iters, riccati, q)
    return gain_of(p), p


@sketch(
    takes={"a": "matrix f[n, n]", "b": "f[n, m]", "x0": "state f[n]"},
    gives=("trajectory f[t, n]: states", "f[t, m]: controls"),
    sizes={"n": (2, 16), "m": (1, 6), "t": (4, 32)},
    dtypes="f32 f64",
)
def finite_horizon_lqr(a, b, x0, horizon=size("t"), effort=number(0.1, 3.0)):
    """Steer a linear system to rest with gains that depend on the time left."""
    n, m = b.shape
    a = a / (1.0 + jnp.max(jnp.sum(jnp.abs(a), axis=1)))
    eye = jnp.eye(n, dtype=a.dtype)

    def backward(p, _):
        s = effort * jnp.eye(m, dtype=a.dtype) + b.T @ p @ b
        if maybe("cholesky_backward"):
            k = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(s), b.T @ p @ a)
        else:
            k = jnp.linalg.solve(s, b.T @ p @ a)
        closed = a - b @ k
        return eye + closed.T @ p @ closed + effort * k.T @ k, k

    # Backwards from the terminal cost; the last gain comes first.
    terminal = one_of(eye, 10.0 * eye, number(2.0, 20.0) * eye)
    _, gains = jax.lax.scan(backward, terminal, None, length=horizon)

    def forward(x, k):
        u = -k @ x
        x = a @ x + b @ u
        return x, (x, u)

    if maybe("reverse_scan_forward"):
        _, (states, controls) = jax.lax.scan(forward, x0, gains, reverse=True)
        return states[::-1], controls[::-1]
    _, (states, controls) = jax.lax.scan(forward, x0, jnp.flip(gains, axis=0))
    return states, controls


class PidGains(NamedTuple):
    proportional: float = 1.0
    integral: float = 0.1
    derivative: float = 0.05


@sketch(
    takes={"setpoints": "signal f[t]: what the process should follow"},
    gives=("signal f[t]: outputs", "control f[t]: commands"),
    sizes={"t": (16, 512)},
    dtypes="f32 f64",
    also=("Close the loop between a PID controller and a first-order process.",),
)
def pid_tracking(setpoints, *, dt=number(0.02, 0.2), limit=number(2.0, 10.0)):
    """Follow a reference signal with a PID controller of a lagging process."""
    gains = PidGains(number(0.5, 4.0), number(0.05, 0.8), number(0.0, 0.1))
    if maybe("check_gains", 0.4):
        if gains.integral < 0 or gains.proportional <= 0:
            raise ValueError(f"the loop would run away with {gains}")

    def step(carry, reference):
        output, integral, last_error = carry
        error = reference - output
        command = gains.proportional * error + gains.integral * integral
        if maybe("derivative", 0.7):
            slope = (error - last_error) / dt
            command = command + gains.derivative * slope
        if maybe("soft_saturation", 0.3):
            command = limit * jnp.tanh(command / limit)
        else:
            command = jnp.clip(command, -limit, limit)
        if maybe("anti_windup"):
            # The integral stands still while the actuator saturates.
            integral = integral + dt * error * (jnp.abs(command) < 0.99 * limit)
        else:
            integral = jnp.clip(integral + dt * error, -limit, limit)
        output = output + dt * (command - output) / number(0.3, 2.0)
        return (output, integral, error), (output, command)

    zero = jnp.zeros((), setpoints.dtype)
    _, (outputs, commands) = jax.lax.scan(step, (zero, zero, zero), setpoints)
    return outputs, commands


@sketch(
    takes={"x0": "state f[n]", "goal": "state f[n]"},
    gives=("control f[t, n]: plan", "loss f[]"),
    sizes={"n": (2, 32), "t": (3, 12)},
    also=("Plan controls by descending the gradient of a simulated cost.",),
)
def shooting_mpc(x0, goal, horizon=size("t"), num_updates=integer(1, 4), dt=number(0.02, 0.1)):
    """Plan a sequence of controls by single shooting through a nonlinear plant."""
    if x0.shape != goal.shape:
        raise ValueError(f"goal of shape {goal.shape} for states of shape {x0.shape}")

    def distance(x):
        offset = x - goal
        return one_of(jnp.mean(offset * offset), jnp.mean(jnp.sqrt(1.0 + offset**2) - 1.0))

    def advance(x, u):
        x = x + dt * (jnp.tanh(plant_field(x)) + one_of(u, jnp.clip(u, -2.0, 2.0), jnp.tanh(u)))
        return x, distance(x)

    def cost(plan):
        x, costs = jax.lax.scan(advance, x0, plan)
        total = jnp.mean(costs) + number(1e-3, 0.1) * jnp.mean(plan * plan)
        if maybe("terminal_cost"):
            total = total + number(1.0, 10.0) * distance(x)
        return total

    plan = jnp.zeros((horizon, x0.shape[0]), x0.dtype)
    rate = number(0.1, 1.0)
    for _ in range(num_updates):
        plan = plan - rate * jax.grad(cost)(plan)
    if maybe("clip_plan", 0.3):
        plan = jnp.clip(plan, -1.0, 1.0)
    return plan, cost(plan)


@sketch(
    takes={"states": "trajectory f[t, n]", "controls": "control f[t, n]"},
    gives=("control f[t, n]: controls", "f[t]: decrease"),
    sizes={"n": (2, 8), "t": (3, 16)},
)
def ilqr_backward_sweep(states, controls, dt=number(0.02, 0.1), effort=number(0.1, 1.0)):
    """Improve the controls along a trajectory by one backward pass of iterative LQR."""
    num_steps, n = states.shape
    assert controls.shape == states.shape, f"controls {controls.shape}, states {states.shape}"

    def dynamics(x, u):
        return x + dt * (jnp.tanh(plant_field(x)) + u)

    if maybe("quadratic_by_hand", 0.85):

        def stage_gradient(x, u):
            return x, effort * u
    else:

        def stage_cost(x, u):
            return 0.5 * jnp.sum(x * x) + 0.5 * effort * jnp.sum(u * u)

        stage_gradient = jax.grad(stage_cost, argnums=(0, 1))

    def backward(carry, point):
        v_x, v_xx = carry
        x, u = point
        if maybe("identity_inputs"):
            # Controls enter linearly, so their Jacobian is known.
            f_x, f_u = jax.jacfwd(dynamics)(x, u), dt * jnp.eye(n)
        else:
            f_x, f_u = one_of(jax.jacfwd, jax.jacrev)(dynamics, argnums=(0, 1))(x, u)
        l_x, l_u = stage_gradient(x, u)
        q_x = l_x + f_x.T @ v_x
        q_u = l_u + f_u.T @ v_x
        q_xx = jnp.eye(n) + f_x.T @ v_xx @ f_x
        q_uu = effort * jnp.eye(n) + f_u.T @ v_xx @ f_u
        q_ux = f_u.T @ v_xx @ f_x
        if maybe("one_factorization"):
            factor = jax.scipy.linalg.cho_factor(0.5 * (q_uu + q_uu.T))
            step = -jax.scipy.linalg.cho_solve(factor, q_u)
            gain = -jax.scipy.linalg.cho_solve(factor, q_ux)
        else:
            both = -jnp.linalg.solve(q_uu, jnp.column_stack([q_u, q_ux]))
            step, gain = both[:, 0], both[:, 1:]
        v_x = q_x + gain.T @ q_u
        v_xx = q_xx + q_ux.T @ gain
        return (v_x, 0.5 * (v_xx + v_xx.T)), (step, -0.5 * (q_u @ step))

    terminal = (states[-1], one_of(jnp.eye(n), 5.0 * jnp.eye(n)))
    _, (updates, decrease) = jax.lax.scan(backward, terminal, (states, controls), reverse=True)
    return controls + one_of(1.0, 0.5, 0.3) * updates, decrease


@sketch(
    takes={"a": "matrix f[n, n]", "b": "f[n, m]"},
    gives=("positive_definite f[n, n]: gramian", "metric f[]"),
    sizes={"n": (2, 24), "m": (1, 6)},
    dtypes="f32 f64",
    also=("Measure how well the inputs of a stable system reach its states.",),
)
def controllability_gramian(a, b, num_doublings=integer(3, 8)):
    """Sum the controllability Gramian of a stable linear system by doubling."""
    (n, _), dtype = a.shape, a.dtype
    a = number(0.6, 0.95) * a / (1.0 + jnp.max(jnp.sum(jnp.abs(a), axis=1)))
    gramian = b @ b.T
    power = a
    if maybe("doubling_for", 0.5):
        for _ in range(num_doublings):
            # G <- G + A^k G A'^k, with k twice as large each time.
            gramian = gramian + power @ gramian @ power.T
            power = power @ power
    else:

        def double(_, carry):
            gramian, power = carry
            return gramian + power @ gramian @ power.T, power @ power

        gramian, _ = jax.lax.fori_loop(0, num_doublings, double, (gramian, power))
    gramian = 0.5 * (gramian + gramian.T) + 1e-3 * jnp.eye(n, dtype=dtype)
    if maybe("log_volume"):
        _, measure = jnp.linalg.slogdet(gramian)
    else:
        # The mean energy that reaches a state.
        measure = jnp.trace(gramian) / n
    return gramian, measure


@sketch(
    takes={"position": "f[b]", "velocity": "f[b]"},
    gives="control f[b]: torque",
    sizes={"b": (4, 2048)},
    dtypes="f32 bf16 f64",
)
def swing_up_torque(position, velocity, limit=number(1.0, 5.0), energy_gain=number(0.2, 2.0)):
    """Command a torque that swings pendulums up and holds them upright."""
    energy = 0.5 * velocity * velocity + 9.81 * (jnp.cos(position) - 1.0)
    pump = one_of(-energy_gain * energy * velocity, -energy_gain * energy * jnp.tanh(4 * velocity))
    # Angle from upright, without a jump.
    lean = one_of(jnp.sin(position), jnp.arctan2(jnp.sin(position), jnp.cos(position)))
    hold = -number(10.0, 30.0) * lean - number(1.0, 6.0) * velocity
    if maybe("smooth_switch"):
        near_top = jax.nn.sigmoid(10.0 * (jnp.cos(position) - 0.9))
        torque = near_top * hold + (1.0 - near_top) * pump
    else:
        near_top = jnp.cos(position) > 0.9
        torque = jnp.where(near_top, hold, pump)
    return jnp.clip(torque, -limit, limit)
