"""States that are carried from step to step, as classes that are trees."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Optional, TypeVar

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

T = TypeVar("T")

state_objective = nested("(params: P, batch: B) -> loss f[]")


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True)
class RunningStatistics:
    """Mean and summed squares of what was seen, with its count."""

    count: Any
    mean: Any
    summed: Any

    def tree_flatten(self):
        return (self.count, self.mean, self.summed), None

    @classmethod
    def tree_unflatten(cls, aux_data, children):
        del aux_data
        return cls(*children)

    def deviation(self, min_value: float = 1e-3, max_value: float = 1e3):
        variance = self.summed / jnp.maximum(self.count, 1.0)
        return jnp.clip(jnp.sqrt(jnp.maximum(variance, 1e-8)), min_value, max_value)


def update_statistics(
    state: RunningStatistics, batch: Any, weights: Any = None
) -> RunningStatistics:
    """Merge the statistics of a batch into those so far."""
    step = jnp.sum(weights) if weights is not None else batch.shape[0]
    count = state.count + step
    diff = batch - state.mean
    if weights is not None:
        diff = diff * weights.reshape((-1,) + (1,) * (diff.ndim - 1))
    mean = state.mean + jnp.sum(diff, axis=0) / jnp.maximum(count, 1)
    summed = state.summed + jnp.sum(diff * (batch - mean), axis=0)
    return dataclasses.replace(state, count=count, mean=mean, summed=summed)


@sketch(
    takes={"x": "observations f[n, d]", "mean": "mean f[d]", "weights?": "weights f[n]"},
    gives="features f[n, d]: normalized",
    sizes={"n": (2, 128), "d": (1, 32)},
    also=("Normalize observations by statistics so far.",),
)
def normalize_running(
    x,
    mean,
    weights=None,
    max_abs: Optional[float] = one_of(None, 5.0, 10.0),
    init_count: float = one_of(1.0, 1e-2),
):
    """Update running statistics by a batch and normalize it with them."""
    state = RunningStatistics(jnp.full((), init_count), mean, jnp.ones_like(mean))
    state = update_statistics(state, x, weights)
    scale = state.deviation() if maybe("default") else state.deviation(min_value=one_of(1e-2, 0.1))
    out = (x - state.mean) / scale
    if max_abs is not None:
        out = jnp.clip(out, -max_abs, +max_abs)
    return one_of(out, jnp.clip(out, -30.0, 30.0), out.astype(x.dtype))


@dataclasses.dataclass(frozen=True)
class TrainState(Generic[T]):
    """What a training step hands on."""

    step: Any
    params: T
    momentum: T

    def replace(self, **changes):
        return dataclasses.replace(self, **changes)

    @classmethod
    def create(cls, params, *, step=0):
        momentum = jax.tree.map(jnp.zeros_like, params)
        return cls(step=jnp.asarray(step, jnp.int32), params=params, momentum=momentum)


@sketch(
    takes={"params": "P", "batch": "B"},
    also=("Training steps over a state of one class.",),
)
def train_step_on_state(
    params,
    batch,
    learning_rate: float = number(1e-3, 1e-1),
    beta: float = 0.9,
    num_steps: int = integer(1, 2),
):
    """Take steps of momentum descent over a state that is replaced."""
    state = TrainState.create(params) if maybe("zero") else TrainState.create(params, step=1)

    def step_fn(state):
        loss, grads = jax.value_and_grad(state_objective)(state.params, batch)
        momentum = jax.tree.map(lambda m, g: beta * m + g, state.momentum, grads)
        params = jax.tree.map(lambda p, m: p - learning_rate * m, state.params, momentum)
        return state.replace(step=state.step + 1, params=params, momentum=momentum), loss

    losses = []
    for _ in range(num_steps):
        state, loss = step_fn(state)
        losses.append(loss)
    return one_of(
        (state.params, state.step, losses),
        (state.params, jnp.stack(losses)),
        {"params": state.params, "loss": losses[-1], "step": state.step},
    )


def checkpoint_policy(name: str | None) -> Optional[Callable[..., Any]]:
    """Give the policy of a name, which says what the backward pass keeps."""
    policies = jax.checkpoint_policies
    if name is None or name == "everything":
        return policies.everything_saveable
    if name == "nothing":
        return policies.nothing_saveable
    if name == "dots":
        return policies.dots_with_no_batch_dims_saveable
    raise ValueError(f"unknown checkpoint policy {name!r}")


@sketch(
    takes={"params": "P", "batch": "B"},
    gives=("loss f[]", "P"),
    also=("Gradient with a named policy of checkpoints.",),
)
def checkpointed_gradient(
    params,
    batch,
    policy: str | None = one_of(None, "dots", "nothing"),
    prevent_cse: bool = one_of(True, False),
):
    """Differentiate an objective whose intermediates are computed again."""
    fn = jax.checkpoint(state_objective, policy=checkpoint_policy(policy), prevent_cse=prevent_cse)
    if maybe("vjp", 0.4):
        value, pullback = jax.vjp(lambda p: fn(p, batch), params)
        (gradient,) = pullback(jnp.ones_like(value))
        return value, gradient
    value, gradient = jax.value_and_grad(fn)(params, batch)
    if maybe("zero nans", 0.4):
        gradient = jax.tree.map(lambda g: jnp.where(jnp.isnan(g), 0.0, g), gradient)
    return value, gradient


class Counter(NamedTuple):
    """A count that stays below a largest one."""

    value: Any
    limit: int = 100

    def increment(self, by: int = 1) -> "Counter":
        return self._replace(value=jnp.minimum(self.value + by, self.limit))

    @property
    def fraction(self):
        return self.value / self.limit


@sketch(
    takes={"params": "P", "target": "P", "count": "counts i[]"},
    gives="P",
    dtypes="f32",
    also=("Follow parameters by a target network.",),
)
def update_target(
    params, target, count, tau: float | None = one_of(None, 5e-3, 0.1), period: int = one_of(2, 3)
):
    """Update a target by a soft step, or by a copy in every few steps."""
    counter = (
        Counter(count).increment() if maybe("default") else Counter(count, limit=period).increment()
    )
    if tau is None:
        is_due = one_of(jnp.equal(counter.value % period, 0), counter.fraction >= 1.0)
        return jax.tree.map(lambda new, old: jax.lax.select(is_due, new, old), params, target)
    if maybe("warm"):
        # Early targets know little.
        tau = jnp.maximum(tau, 1.0 - counter.fraction)
    return jax.tree.map(lambda new, old: tau * new + (1.0 - tau) * old, params, target)


class ReplayState(NamedTuple):
    """A ring of rows, and where the next one goes."""

    data: Any
    position: Any
    size: Any


@sketch(
    takes={
        "key": "key",
        "data": "samples f[m, d]",
        "rows": "samples f[n, d]",
        "position": "counts i[]",
    },
    sizes={"m": (8, 64), "n": (1, 4), "d": (1, 16)},
    also=("Insert rows into a ring and sample from it.",),
)
def insert_and_sample(
    key, data, rows, position, sample_size: int = one_of(4, 8), mode: str = one_of("wrap", "clip")
):
    """Write rows into a ring of fixed size and draw a batch from what is there."""
    capacity = data.shape[0]
    state = ReplayState(data=data, position=position, size=position)
    if rows.shape[0] > capacity:
        raise ValueError(
            "Trying to insert a batch of samples larger than the maximum replay size: "
            f"{rows.shape[0]} > {capacity}"
        )
    if maybe("roll"):
        overflow = jnp.minimum(0, capacity - state.position - rows.shape[0])
        rolled = jax.lax.cond(
            overflow, lambda: jnp.roll(state.data, overflow, axis=0), lambda: state.data
        )
        start = state.position + overflow
        new_data = jax.lax.dynamic_update_slice_in_dim(rolled, rows, start, axis=0)
    else:
        index = (state.position + jnp.arange(rows.shape[0])) % capacity
        new_data = state.data.at[index].set(rows)
        start = state.position
    size = jnp.minimum(state.size + rows.shape[0], capacity)
    state = state._replace(data=new_data, position=(start + rows.shape[0]) % capacity, size=size)
    index = jax.random.randint(key, (sample_size,), 0, state.size)
    batch = one_of(state.data[index], jnp.take(state.data, index, axis=0, mode=mode))
    return batch, state.position


@sketch(
    takes={"carry": "state f[d]", "xs": "sequence f[t, d]"},
    sizes={"t": (4, 16), "d": (1, 32)},
    also=("Scan in chunks of which only the ends are kept.",),
)
def chunked_scan(
    carry,
    xs,
    fn: Optional[Callable[..., Any]] = None,
    chunk: int = one_of(1, 2, 4),
    remat: bool = one_of(True, False),
):
    """Scan over chunks of a sequence, each of which is recomputed when it is differentiated."""
    if fn is None:
        fn = one_of(
            lambda c, x: jnp.tanh(c + x), lambda c, x: 0.9 * c + x, lambda c, x: jnp.maximum(c, x)
        )
    length = xs.shape[0] // chunk * chunk
    chunks = xs[:length].reshape((-1, chunk) + xs.shape[1:])

    def run(c, block):
        c, ys = jax.lax.scan(lambda c, x: (fn(c, x),) * 2, c, block)
        return c, one_of(ys[-1], jnp.mean(ys, axis=0))

    if remat:
        run = functools.partial(jax.checkpoint, prevent_cse=False)(run)
    final, ends = jax.lax.scan(run, carry, chunks)
    return one_of((final, ends), ends)
