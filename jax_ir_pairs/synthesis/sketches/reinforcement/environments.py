"""Small environments as pure functions, and rollouts in them."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

cart_policy = nested("(params: P, observations: observations f[b, 4]) -> logits f[b, 2]")


class CartState(NamedTuple):
    """Positions and velocities of carts and their poles."""

    position: jax.Array
    velocity: jax.Array
    angle: jax.Array
    rate: jax.Array


def _cart_dynamics(state, force, dt, gravity=9.8, pole_mass=0.1, cart_mass=1.0, half_length=0.5):
    total_mass = pole_mass + cart_mass
    sin, cos = jnp.sin(state.angle), jnp.cos(state.angle)
    push = (force + pole_mass * half_length * state.rate**2 * sin) / total_mass
    swing = (gravity * sin - cos * push) / (
        half_length * (4.0 / 3.0 - pole_mass * cos**2 / total_mass)
    )
    shove = push - pole_mass * half_length * swing * cos / total_mass
    return CartState(
        jnp.clip(state.position + dt * state.velocity, -3.0, 3.0),
        jnp.clip(state.velocity + dt * shove, -5.0, 5.0),
        jnp.clip(state.angle + dt * state.rate, -1.5, 1.5),
        jnp.clip(state.rate + dt * swing, -5.0, 5.0),
    )


@sketch(
    takes={"params": "P", "key": "key"},
    gives={"rewards": "rewards f[t, b]", "observations": "f[t, b, 4]"},
    sizes={"t": (4, 40), "b": (1, 32)},
    also=("Collect cart-pole episodes of several environments side by side.",),
)
def cartpole_rollout(params, key, num_steps=size("t"), num_envs=size("b"), dt=0.02):
    """Roll out a policy in a batch of cart-poles."""
    start_key, policy_key = jax.random.split(key)
    start = jax.random.uniform(start_key, (4, num_envs), minval=-0.05, maxval=0.05)
    state = CartState(*start)

    def step(state, step_key):
        observations = jnp.stack(state, axis=-1)
        logits = cart_policy(params, observations)
        if maybe("greedy_cart", 0.3):
            probs = jax.nn.softmax(logits)
            force = one_of(5.0, 10.0) * (probs[:, 1] - probs[:, 0])
        else:
            actions = jax.random.categorical(step_key, logits)
            force = jnp.where(actions == 1, 10.0, -10.0)
        state = _cart_dynamics(state, force, dt)
        if maybe("shaped_cart"):
            reward = jnp.cos(state.angle) - 0.1 * jnp.abs(state.position)
        else:
            upright = (jnp.abs(state.angle) < 0.21) & (jnp.abs(state.position) < 2.4)
            reward = upright.astype(logits.dtype)
        return state, (observations, reward)

    keys = jax.random.split(policy_key, num_steps)
    _, (observations, rewards) = jax.lax.scan(step, state, keys)
    return {"rewards": rewards, "observations": observations}


@dataclasses.dataclass(frozen=True)
class Pendulum:
    """Constants of a torque-limited pendulum."""

    gravity: float = 10.0
    mass: float = 1.0
    length: float = 1.0
    dt: float = 0.05
    max_speed: float = 8.0
    max_torque: float = 2.0

    def advance(self, angle, speed, torque):
        torque = jnp.clip(torque, -self.max_torque, self.max_torque)
        pull = 1.5 * self.gravity / self.length * jnp.sin(angle)
        speed = speed + (pull + 3.0 / (self.mass * self.length**2) * torque) * self.dt
        speed = jnp.clip(speed, -self.max_speed, self.max_speed)
        return angle + speed * self.dt, speed


@sketch(
    takes={
        "params": {"w1": "f[3, h]", "b1": "f[h]", "w2": "f[h]"},
        "angles": "angles f[b]: initial",
        "speeds": "f[b]: initial",
    },
    gives="returns f[b]",
    sizes={"h": (4, 64), "b": (1, 128)},
    also=("Score a neural controller by swinging up pendulums.",),
)
def pendulum_returns(
    params, angles, speeds, num_steps=integer(5, 24), gamma=one_of(0.99, 0.95, 1.0)
):
    """Sum the costs of pendulums that a small network controls."""
    env = one_of(Pendulum(), Pendulum(dt=0.02), Pendulum(gravity=9.81, max_torque=1.0))

    def controller(angle, speed):
        features = jnp.stack([jnp.cos(angle), jnp.sin(angle), speed / env.max_speed], axis=-1)
        hidden = one_of(jnp.tanh, jax.nn.softplus)(features @ params["w1"] + params["b1"])
        return env.max_torque * jnp.tanh(hidden @ params["w2"])

    def cost(angle, speed, torque):
        if maybe("wrap_angle", 0.4):
            angle = jnp.arctan2(jnp.sin(angle), jnp.cos(angle))
            return angle**2 + 0.1 * speed**2 + 1e-3 * torque**2
        return 1.0 - jnp.cos(angle) + 0.1 * speed**2 + 1e-3 * torque**2

    if maybe("unrolled_pendulum", 0.3):
        total = jnp.zeros_like(angles)
        for i in range(num_steps):
            torques = controller(angles, speeds)
            total = total - gamma**i * cost(angles, speeds, torques)
            angles, speeds = env.advance(angles, speeds, torques)
        return total

    def step(carry, _):
        angles, speeds, discount = carry
        torques = controller(angles, speeds)
        reward = -discount * cost(angles, speeds, torques)
        angles, speeds = env.advance(angles, speeds, torques)
        return (angles, speeds, discount * gamma), reward

    init = (angles, jnp.clip(speeds, -env.max_speed, env.max_speed), jnp.ones((), angles.dtype))
    _, rewards = jax.lax.scan(step, init, length=num_steps)
    return jnp.sum(rewards, axis=0)


@sketch(
    takes={
        "rewards": "rewards f[y, x]: of entering each cell",
        "walls": "mask bool[y, x]",
        "moves": "actions i[b, t]: 0 to 3 for up, down, left and right",
        "starts": "ids i[b, 2]",
    },
    gives=("i[b, 2]: positions", "returns f[b]"),
    sizes={"y": (4, 32), "x": (4, 32), "b": (1, 32), "t": (3, 64)},
    also=("Walk a batch of agents through a grid world.",),
)
def grid_world_walks(rewards, walls, moves, starts, gamma=number(0.9, 0.99)):
    """Follow sequences of moves through a grid and collect rewards."""
    height, width = walls.shape
    if rewards.shape != walls.shape:
        raise ValueError(f"rewards cover {rewards.shape}, walls {walls.shape}")
    directions = jnp.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
    limits = jnp.array([height - 1, width - 1])

    def step(carry, move):
        position, discount = carry
        if maybe("periodic_grid", 0.3):
            target = (position + directions[move]) % jnp.array([height, width])
        else:
            target = jnp.clip(position + directions[move], 0, limits)
        blocked = walls[target[:, 0], target[:, 1]]
        position = jnp.where(blocked[:, None], position, target)
        reward = discount * rewards[position[:, 0], position[:, 1]]
        if maybe("bump_penalty"):
            reward = reward - jnp.where(blocked, one_of(0.1, 0.05), 0.0)
        return (position, discount * gamma), reward

    init = (starts, jnp.ones((), rewards.dtype))
    (positions, _), earned = jax.lax.scan(step, init, moves.T)
    return positions, jnp.sum(earned, axis=0)


@sketch(
    takes={
        "gains": "f[2]: feedback gains",
        "positions": "state f[b]",
        "velocities": "f[b]",
    },
    gives=("f[2]: gains", "f[]: cost"),
    sizes={"b": (1, 256)},
    also=("Tune feedback gains by differentiating through a simulation.",),
)
def analytic_policy_gradient(
    gains, positions, velocities, num_steps=integer(4, 16), learning_rate=number(1e-3, 1e-1)
):
    """Improve a linear controller with gradients through its own rollout."""
    dt = one_of(0.1, 0.05)

    def simulate(gains):
        position, velocity = positions, velocities
        total = 0.0
        for _ in range(num_steps):
            force = -gains[0] * position - gains[1] * velocity
            # Actuators saturate.
            force = one_of(jnp.tanh(force), 3.0 * jnp.tanh(force / 3.0))
            velocity = velocity + dt * force
            position = position + dt * velocity
            total = total + jnp.mean(position**2) + 0.1 * jnp.mean(force**2)
        if maybe("terminal_cost"):
            total = total + jnp.mean(velocity**2)
        return total / num_steps

    cost, grads = jax.value_and_grad(simulate)(gains)
    if maybe("normalized_descent", 0.4):
        grads = grads / (jnp.sqrt(jnp.sum(grads**2)) + 1e-3)
    else:
        grads = jnp.clip(grads, -5.0, 5.0)
    return gains - learning_rate * grads, cost


@sketch(
    takes={
        "logits": "logits f[n, k]: policy for each stock level",
        "demand": "counts i[t, b]",
        "key": "key",
    },
    gives="rewards f[t, b]",
    sizes={"n": (8, 24), "k": (4, 8), "t": (4, 128), "b": (1, 32)},
    also=("Run an ordering policy against recorded demand.",),
)
def inventory_rollout(
    logits, demand, key, price=number(1.0, 4.0), holding=number(0.05, 0.5), capacity=None
):
    """Simulate how a stock is ordered and sold."""
    num_levels = logits.shape[0]
    capacity = num_levels - 1 if capacity is None else capacity
    unit_cost = one_of(0.5, 1.0)

    def day(stock, inputs):
        day_key, wanted = inputs
        orders = jax.random.categorical(day_key, logits[stock])
        stock = jnp.minimum(stock + orders, capacity)
        sold = jnp.minimum(stock, wanted)
        profit = price * sold - unit_cost * orders - holding * (stock - sold)
        if maybe("fixed_order_cost"):
            profit = profit - one_of(0.1, 0.25) * (orders > 0)
        if maybe("lost_sales", 0.4):
            profit = profit - one_of(0.5, 0.2) * jnp.maximum(wanted - stock, 0)
        return stock - sold, profit

    num_days, num_stores = demand.shape
    keys = jax.random.split(key, num_days)
    _, profits = jax.lax.scan(day, jnp.zeros(num_stores, demand.dtype), (keys, demand))
    return profits
