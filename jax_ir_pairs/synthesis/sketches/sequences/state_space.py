"""State-space models and linear recurrences."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def affine_compose(earlier, later):
    """Compose two steps x -> decay * x + drive."""
    decay_1, drive_1 = earlier
    decay_2, drive_2 = later
    return decay_2 * decay_1, decay_2 * drive_1 + drive_2


@sketch(
    takes={
        "params": {
            "log_rate": "f[d, n]",
            "frequency": "f[d, n]",
            "c_re": "f[d, n]",
            "c_im": "f[d, n]",
            "log_step": "f[d]",
            "skip": "f[d]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (8, 128), "d": (2, 16), "n": (2, 8)},
    also=("Diagonal state-space layer, evaluated with the fast Fourier transform.",),
)
def s4d_convolution(params, x):
    """Filter sequences by the kernel of a diagonal state-space model."""
    seq_len = x.shape[1]
    damping = jax.nn.softplus(params["log_rate"]) + 1e-3
    step_size = jax.nn.sigmoid(params["log_step"]) * one_of(0.1, 0.2) + 1e-3
    poles = jax.lax.complex(-damping, params["frequency"])
    discrete = poles * step_size[:, None]
    times = jnp.arange(seq_len, dtype=x.dtype)
    # Vandermonde matrix of the discrete poles: (features, states, time).
    powers = jnp.exp(discrete[:, :, None] * times)
    readout = jax.lax.complex(params["c_re"], params["c_im"])
    if maybe("zero_order_hold"):
        readout = readout * (jnp.exp(discrete) - 1) / poles
    else:
        readout = readout * step_size[:, None]
    kernel = 2 * jnp.einsum("dn,dnt->dt", readout, powers).real
    # Twice the length, so that the convolution does not wrap around.
    size = 2 * seq_len
    spectrum = jnp.fft.rfft(x, n=size, axis=1) * jnp.fft.rfft(kernel, n=size, axis=1).T
    filtered = jnp.fft.irfft(spectrum, n=size, axis=1)[:, :seq_len]
    out = filtered + params["skip"] * x
    if maybe("activate"):
        return one_of(jax.nn.gelu, jax.nn.silu)(out)
    return out


@sketch(
    takes={
        "params": {
            "in_proj": "f[d, 2*m]",
            "to_bc": "f[m, 2*n]",
            "to_dt": {"w": "f[m]", "b": "f[m]"},
            "log_a": "f[m, n]",
            "skip": "f[m]",
            "out_proj": "f[m, d]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 3), "t": (4, 32), "d": (3, 16), "m": (3, 16), "n": (2, 8)},
    weight=1.5,
    also=("Scan a state space whose matrices depend on the input.",),
)
def selective_scan_block(params, x):
    """Mix a sequence by a selective state-space scan with a gate."""
    batch_size, seq_len, num_features = x.shape
    inner, gate = jnp.split(x @ params["in_proj"] / math.sqrt(num_features), 2, axis=-1)
    inner = jax.nn.silu(inner)
    num_inner, num_states = params["log_a"].shape
    b_t, c_t = jnp.split(inner @ params["to_bc"] / math.sqrt(num_inner), 2, axis=-1)
    dt = jax.nn.softplus(inner * params["to_dt"]["w"] + params["to_dt"]["b"])
    a = -jax.nn.softplus(params["log_a"])
    decay = jnp.exp(dt[..., None] * a)
    drive = (dt * inner)[..., None] * b_t[:, :, None, :]
    if maybe("parallel"):
        # Logarithmic depth in the length of the sequence.
        _, states = jax.lax.associative_scan(affine_compose, (decay, drive), axis=1)
        mixed = jnp.einsum("btmn,btn->btm", states, c_t)
    else:

        def advance(state, inputs):
            decay_t, drive_t, read_t = inputs
            state = decay_t * state + drive_t
            return state, jnp.einsum("bmn,bn->bm", state, read_t)

        start = jnp.zeros((batch_size, num_inner, num_states), x.dtype)
        by_time = tuple(jnp.swapaxes(part, 0, 1) for part in (decay, drive, c_t))
        _, mixed = jax.lax.scan(advance, start, by_time)
        mixed = jnp.swapaxes(mixed, 0, 1)
    mixed = mixed + params["skip"] * inner
    out = (mixed * one_of(jax.nn.silu, jax.nn.sigmoid)(gate)) @ params["out_proj"]
    return one_of(x + out / math.sqrt(num_inner), out / math.sqrt(num_inner))


@sketch(
    takes={
        "params": {
            "radius": "f[n]",
            "angle": "f[n]",
            "b_re": "f[d, n]",
            "b_im": "f[d, n]",
            "c_re": "f[n, d]",
            "c_im": "f[n, d]",
            "d": "f[d]",
        },
        "u": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (4, 96), "d": (2, 24), "n": (2, 24)},
    also=("Apply a complex diagonal recurrence within the unit circle.",),
)
def linear_recurrent_unit(params, u):
    """Filter sequences by a stable linear recurrence with complex eigenvalues."""
    if u.shape[-1] != params["b_re"].shape[0]:
        raise ValueError(f"expected {params['b_re'].shape[0]} features, got {u.shape[-1]}")
    if maybe("exponential"):
        # |eigenvalue| = exp(-exp(...)) lies below one for all parameters.
        modulus = jnp.exp(-jnp.exp(jnp.clip(params["radius"], -5.0, 2.0)))
    else:
        modulus = jax.nn.sigmoid(params["radius"])
    eigenvalues = jax.lax.complex(
        modulus * jnp.cos(params["angle"]), modulus * jnp.sin(params["angle"])
    )
    inputs = jax.lax.complex(u @ params["b_re"], u @ params["b_im"])
    if maybe("normalize_input"):
        inputs = inputs * jnp.sqrt(1 - modulus * modulus + 1e-6)
    decay = jnp.broadcast_to(eigenvalues, inputs.shape)
    _, states = jax.lax.associative_scan(affine_compose, (decay, inputs), axis=1)
    if maybe("real_parts"):
        y = states.real @ params["c_re"] - states.imag @ params["c_im"]
    else:
        y = (states @ jax.lax.complex(params["c_re"], params["c_im"])).real
    return y / math.sqrt(u.shape[-1]) + params["d"] * u


@sketch(
    takes={
        "params": {"q": "f[d, h, e]", "k": "f[d, h, e]", "v": "f[d, h, e]", "out": "f[h, e, d]"},
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (4, 48), "d": (4, 24), "h": (1, 4), "e": (2, 8)},
    also=("Attend to the past with weights that decay exponentially, without a softmax.",),
)
def multi_scale_retention(params, x):
    """Retain past values with one rate of decay per head."""
    seq_len, width = x.shape[1:]
    num_heads = params["q"].shape[1]
    q, k, v = (
        jnp.einsum("btd,dhe->bhte", x, params[name]) / math.sqrt(width) for name in ("q", "k", "v")
    )
    k = k / math.sqrt(k.shape[-1])
    gammas = jnp.array([1 - 2.0 ** (-5 - head) for head in range(num_heads)], x.dtype)
    if maybe("recurrent_form", 0.4):

        def advance(memory, inputs):
            q_t, k_t, v_t = inputs
            memory = gammas[:, None, None] * memory + k_t[..., :, None] * v_t[..., None, :]
            return memory, jnp.einsum("bhe,bhef->bhf", q_t, memory)

        start = jnp.zeros((*q.shape[:2], q.shape[-1], v.shape[-1]), x.dtype)
        _, read = jax.lax.scan(advance, start, tuple(jnp.moveaxis(u, 2, 0) for u in (q, k, v)))
        retained = jnp.moveaxis(read, 0, 2)
    else:
        lag = jnp.arange(seq_len)[:, None] - jnp.arange(seq_len)[None, :]
        decay = jnp.where(lag >= 0, gammas[:, None, None] ** jnp.maximum(lag, 0), 0)
        retained = jnp.einsum("bhqe,bhke->bhqk", q, k) * decay @ v
    if maybe("scale_by_age", 0.35):
        # Later positions have gathered more.
        ages = jnp.arange(1, seq_len + 1, dtype=x.dtype)
        retained = retained / jnp.sqrt(ages)[:, None]
    if maybe("head_norm"):
        # Heads differ in size as their memories differ in length.
        spread = jnp.mean(retained * retained, axis=-1, keepdims=True)
        retained = retained * jax.lax.rsqrt(spread + 1e-5)
    if maybe("merge_by_reshape"):
        merged = retained.swapaxes(1, 2).reshape(*x.shape[:2], -1)
        return merged @ params["out"].reshape(merged.shape[-1], width)
    return jnp.einsum("bhte,hed->btd", retained, params["out"])


@sketch(
    takes={
        "params": {"w_gate": "f[d, d]", "w_in": "f[d, d]", "log_decay": "f[d]"},
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 6), "t": (4, 128), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Run the gated recurrence of Griffin over sequences.",),
)
def gated_linear_recurrence(params, x, sharpness=one_of(8.0, 4.0)):
    """Smooth sequences by a linear recurrence with input-dependent decay."""
    if x.ndim != 3 or x.shape[-1] != params["log_decay"].shape[0]:
        raise ValueError(f"expected (batch, time, features), got {x.shape}")
    if maybe("joint_gates"):
        joint = x @ jnp.concatenate([params["w_gate"], params["w_in"]], axis=1)
        recurrence_gate, input_gate = jnp.split(jax.nn.sigmoid(joint), 2, axis=-1)
    else:
        recurrence_gate = jax.nn.sigmoid(x @ params["w_gate"])
        input_gate = jax.nn.sigmoid(x @ params["w_in"])
    log_decay = -sharpness * jax.nn.softplus(params["log_decay"]) * recurrence_gate
    decay = jnp.exp(log_decay)
    # What decays less is fed less, which keeps the variance constant.
    gain = jnp.sqrt(jnp.maximum(1 - decay * decay, number(1e-6, 1e-4)))
    drive = gain * input_gate * x
    if maybe("reset_at_start", 0.4):
        # Nothing has decayed yet at the first step.
        drive = drive.at[:, 0].set(input_gate[:, 0] * x[:, 0])
    if maybe("associative"):
        _, states = jax.lax.associative_scan(affine_compose, (decay, drive), axis=1)
        return states

    def step(state, inputs):
        decay_t, drive_t = inputs
        state = decay_t * state + drive_t
        return state, state

    _, states = jax.lax.scan(
        step, jnp.zeros_like(x[:, 0]), (decay.swapaxes(0, 1), drive.swapaxes(0, 1))
    )
    return states.swapaxes(0, 1)


@sketch(
    takes={
        "a": "matrix f[n, n]",
        "b": "f[n, m]",
        "c": "f[p, n]",
        "u": "control f[t, m]",
    },
    gives="trajectory f[t, p]",
    sizes={"n": (2, 12), "m": (1, 4), "p": (1, 4), "t": (5, 128)},
    also=("Roll out a linear system after discretizing it.",),
)
def simulate_linear_system(a, b, c, u, dt=number(0.02, 0.2)):
    """Simulate a stable linear state-space system driven by controls."""
    num_states = a.shape[0]
    if a.shape != (num_states, num_states):
        raise ValueError(f"the system matrix must be square, got {a.shape}")
    # A skew part turns, a negative definite one damps: no mode can grow.
    identity = jnp.eye(num_states, dtype=a.dtype)
    a = (a - a.T) / 2 - one_of(0.5, 1.0) * identity
    if maybe("bilinear"):
        left = identity - dt / 2 * a
        a_bar = jnp.linalg.solve(left, identity + dt / 2 * a)
        b_bar = jnp.linalg.solve(left, dt * b)
    else:
        # Implicit Euler.
        inverse = jnp.linalg.inv(identity - dt * a)
        a_bar, b_bar = inverse, dt * inverse @ b

    def step(state, u_t):
        state = a_bar @ state + b_bar @ u_t
        if maybe("output_in_loop"):
            return state, c @ state
        return state, state

    _, outputs = jax.lax.scan(step, jnp.zeros(num_states, a.dtype), u)
    if maybe("output_in_loop"):
        return outputs
    return outputs @ c.T
