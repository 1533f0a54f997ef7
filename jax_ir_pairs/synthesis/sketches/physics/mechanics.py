"""Mechanics of rigid bodies, arms and orbits."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def hamilton_product(p, q):
    """Product of quaternions whose scalar part comes first."""
    pw, px, py, pz = jnp.moveaxis(p, -1, 0)
    qw, qx, qy, qz = jnp.moveaxis(q, -1, 0)
    return jnp.stack(
        [
            pw * qw - px * qx - py * qy - pz * qz,
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
        ],
        axis=-1,
    )


@sketch(
    takes={
        "attitude": "quaternions f[4]",
        "omega": "vector f[3]: angular velocity in the body frame",
    },
    gives=("quaternions f[4]: attitude", "vector f[3]: omega"),
    dtypes="f32 f64",
    also=("Tumble a free rigid body by Euler's equations.",),
)
def tumble_rigid_body(attitude, omega, *, dt=number(2e-3, 2e-2), num_steps=integer(5, 40)):
    """Rotate a rigid body without torque, its attitude as a unit quaternion."""
    inertia = jnp.array(one_of([1.0, 2.0, 3.0], [1.0, 1.5, 1.5], [2.0, 1.0, 0.5]), omega.dtype)
    upright = jnp.array([1.0, 0.0, 0.0, 0.0], attitude.dtype)
    attitude = attitude + 0.1 * upright

    def normalized(q):
        return q / jnp.sqrt(jnp.sum(q * q) + 1e-6)

    def spin_rate(omega):
        # Euler: I dw/dt = -w x (I w)
        return -jnp.cross(omega, inertia * omega) / inertia

    def step(_, carry):
        q, omega = carry
        if maybe("midpoint_spin"):
            middle = omega + 0.5 * dt * spin_rate(omega)
            omega_next = omega + dt * spin_rate(middle)
        else:
            middle = omega
            omega_next = omega + dt * spin_rate(omega)
        pure = jnp.concatenate([jnp.zeros(1, q.dtype), middle])
        q = q + 0.5 * dt * hamilton_product(q, pure)
        # Damping keeps fast spins from growing through the error of the scheme.
        return normalized(q), omega_next / (1.0 + dt * number(0.01, 0.2))

    omega = one_of(jnp.clip(omega, -5.0, 5.0), 5.0 * jnp.tanh(omega / 5.0))
    return jax.lax.fori_loop(0, num_steps, step, (normalized(attitude), omega))


@sketch(
    takes={"angles": "angles f[n]: joint angles"},
    gives="points f[n, 2]: joints",
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Place the joints of a planar arm from its joint angles.",),
)
def planar_arm_joints(angles, link_length=one_of(1.0, 0.5, 0.3)):
    """Run the forward kinematics of a planar arm."""
    if maybe("homogeneous"):
        # Chain the transforms of the links.
        pose = jnp.eye(3, dtype=angles.dtype)

        def attach(pose, angle):
            c, s = jnp.cos(angle), jnp.sin(angle)
            zero, one = jnp.zeros_like(angle), jnp.ones_like(angle)
            local = jnp.stack(
                [
                    jnp.stack([c, -s, link_length * c]),
                    jnp.stack([s, c, link_length * s]),
                    jnp.stack([zero, zero, one]),
                ]
            )
            pose = pose @ local
            return pose, pose[:2, 2]

        return jax.lax.scan(attach, pose, angles)[1]
    heading = jnp.cumsum(angles)
    steps = link_length * one_of(
        jnp.stack([jnp.cos(heading), jnp.sin(heading)], axis=-1),
        jnp.column_stack([jnp.cos(heading), jnp.sin(heading)]),
    )
    return jnp.cumsum(steps, axis=0)


@sketch(
    takes={"angles": "angles f[n]", "goal": "vector f[2]"},
    gives=("angles f[n]: angles", "f[]: miss"),
    sizes={"n": (2, 12)},
    dtypes="f32 f64",
)
def reach_with_arm(angles, goal, damping=number(0.1, 1.0), num_iters=integer(2, 6)):
    """Bend a planar arm towards a goal by damped least squares."""
    n = angles.shape[0]

    def hand(angles):
        heading = jnp.cumsum(angles)
        return jnp.stack([jnp.sum(jnp.cos(heading)), jnp.sum(jnp.sin(heading))]) / n

    reachable = one_of(0.9, 0.8) * goal / (1.0 + jnp.sqrt(jnp.sum(goal * goal) + 1e-6))
    for _ in range(num_iters):
        error = reachable - hand(angles)
        jacobian = one_of(jax.jacfwd, jax.jacrev)(hand)(angles)
        if maybe("transpose_method", 0.3):
            # The transposed Jacobian is enough for a small step.
            angles = angles + number(0.2, 1.0) * jacobian.T @ error
        else:
            gram = jacobian @ jacobian.T + damping * jnp.eye(2, dtype=angles.dtype)
            angles = angles + jacobian.T @ jnp.linalg.solve(gram, error)
    miss = reachable - hand(angles)
    return angles, jnp.sqrt(jnp.sum(miss * miss) + 1e-9)


@sketch(
    takes={"q": "angles f[2]: joint angles", "q_dot": "f[2]: joint velocities"},
    gives="f[2]: acceleration",
    dtypes="f32 f64",
    also=("Derive the accelerations of a double pendulum from its Lagrangian.",),
)
def double_pendulum_acceleration(q, q_dot, m1=1.0, m2=number(0.3, 2.0), gravity=9.81):
    """Solve the Euler-Lagrange equations of a double pendulum."""
    if maybe("automatic", 0.35):

        def lagrangian(q, q_dot):
            v1 = q_dot[0] ** 2
            cross = q_dot[0] * q_dot[1] * jnp.cos(q[0] - q[1])
            kinetic = 0.5 * m1 * v1 + 0.5 * m2 * (v1 + q_dot[1] ** 2 + 2 * cross)
            potential = -gravity * ((m1 + m2) * jnp.cos(q[0]) + m2 * jnp.cos(q[1]))
            return kinetic - potential

        # M q'' = dL/dq - (d/dq dL/dq') q'
        mass_matrix = jax.hessian(lagrangian, argnums=1)(q, q_dot)
        coriolis = jax.jacfwd(jax.grad(lagrangian, argnums=1), argnums=0)(q, q_dot)
        force = jax.grad(lagrangian, argnums=0)(q, q_dot) - coriolis @ q_dot
    else:
        delta = q[0] - q[1]
        mass_matrix = jnp.array([[m1 + m2, 0.0], [0.0, m2]], q.dtype)
        mass_matrix = mass_matrix + m2 * jnp.cos(delta) * jnp.array(
            [[0.0, 1.0], [1.0, 0.0]], q.dtype
        )
        swing = m2 * jnp.sin(delta)
        force = jnp.stack([-swing * q_dot[1] * q_dot[1], swing * q_dot[0] * q_dot[0]])
        force = force - gravity * jnp.stack([(m1 + m2) * jnp.sin(q[0]), m2 * jnp.sin(q[1])])
    if maybe("joint_friction"):
        force = force - number(0.05, 0.5) * q_dot
    if maybe("closed_inverse"):
        a, b, c = mass_matrix[0, 0], mass_matrix[0, 1], mass_matrix[1, 1]
        determinant = a * c - b * b
        return jnp.stack([c * force[0] - b * force[1], a * force[1] - b * force[0]]) / determinant
    return jnp.linalg.solve(mass_matrix, force)


@sketch(
    takes={"mean_anomaly": "angles f[b]", "eccentricity": "f[b]: squashed below 1"},
    gives="angles f[b]: anomaly",
    sizes={"b": (1, 2048)},
    dtypes="f32 f64",
    also=("Find the eccentric anomalies of Kepler's equation by Newton's method.",),
)
def solve_kepler(mean_anomaly, eccentricity, num_newton=integer(3, 7)):
    """Solve Kepler's equation for bodies on elliptic orbits."""
    e = one_of(0.7 * jax.nn.sigmoid(eccentricity), 0.6 * jnp.abs(jnp.tanh(eccentricity)))
    anomaly = one_of(mean_anomaly + e * jnp.sin(mean_anomaly), mean_anomaly)

    def newton(_, anomaly):
        sine, cosine = jnp.sin(anomaly), jnp.cos(anomaly)
        defect = anomaly - e * sine - mean_anomaly
        slope = 1.0 - e * cosine
        if maybe("halley"):
            # Halley's correction of the slope.
            slope = slope - 0.5 * defect * e * sine / slope
            slope = jnp.maximum(slope, 0.1)
        return anomaly - jnp.clip(defect / slope, -1.0, 1.0)

    if maybe("unrolled_kepler", 0.3):
        for i in range(num_newton):
            anomaly = newton(i, anomaly)
    else:
        anomaly = jax.lax.fori_loop(0, num_newton, newton, anomaly)
    if maybe("true_anomaly"):
        # Half-angle formula, without a jump at aphelion.
        beta = e / (1.0 + jnp.sqrt(1.0 - e * e))
        sine, cosine = jnp.sin(anomaly), jnp.cos(anomaly)
        return anomaly + 2 * jnp.arctan(beta * sine / (1.0 - beta * cosine))
    return anomaly


class OrbitInvariants(NamedTuple):
    energy: jax.Array
    spin: jax.Array
    ellipticity: jax.Array


@sketch(
    takes={"r": "points f[b, 3]: positions", "v": "velocities f[b, 3]"},
    gives=("energy f[b]", "f[b, 3]: momentum", "f[b]: eccentricity"),
    sizes={"b": (1, 1024)},
    dtypes="f32 f64",
    also=("Convert positions and velocities to invariants of Kepler orbits.",),
)
def orbit_invariants(r, v, mu=one_of(1.0, 4.0, 10.0)):
    """Find energy, angular momentum and eccentricity of orbits."""
    if r.shape[-1] != 3 or v.shape != r.shape:
        raise ValueError(f"need vectors in space, got {r.shape} and {v.shape}")
    distance = jnp.sqrt(jnp.sum(r * r, axis=-1) + 0.05)
    momentum = jnp.cross(r, v)
    energy = 0.5 * jnp.sum(v * v, axis=-1) - mu / distance
    if maybe("laplace_vector"):
        # The Laplace-Runge-Lenz vector points to the perihelion.
        laplace = jnp.cross(v, momentum) / mu - r / distance[:, None]
        eccentricity = jnp.sqrt(jnp.sum(laplace * laplace, axis=-1) + 1e-6)
    else:
        squared = 1.0 + 2.0 * energy * jnp.sum(momentum * momentum, axis=-1) / (mu * mu)
        eccentricity = jnp.sqrt(jnp.maximum(squared, 0.0) + 1e-3)
    return one_of(OrbitInvariants(energy, momentum, eccentricity), (energy, momentum, eccentricity))
