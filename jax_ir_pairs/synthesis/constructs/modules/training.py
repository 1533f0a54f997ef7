"""Optimizers, schedules and losses of optax, as calls in the source."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.modules import OPAQUE, TREE
from jax_ir_pairs.synthesis.graph import Code, Var
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, Tree

_RATES = ("1e-3", "1e-3", "3e-4", "1e-2", "0.1")

_OPTIMIZERS = (
    "adam({rate})", "adam({rate})", "adamw({rate})", "adamw({rate}, weight_decay=1e-4)",
    "sgd({rate})", "sgd({rate}, momentum=0.9)", "sgd({rate}, momentum=0.9, nesterov=True)",
    "rmsprop({rate})", "adagrad({rate})", "lion({rate})", "lamb({rate})", "nadam({rate})",
    "adamax({rate})", "radam({rate})", "novograd({rate})", "yogi({rate})", "adabelief({rate})",
    "amsgrad({rate})", "adan({rate})", "lars({rate})", "sm3({rate})",
    "sign_sgd({rate})",
)  # fmt: skip

SCHEDULES = (
    "cosine_decay_schedule({rate}, decay_steps={steps})",
    "warmup_cosine_decay_schedule(0.0, {rate}, warmup_steps=10, decay_steps={steps})",
    "exponential_decay({rate}, transition_steps=10, decay_rate=0.9)",
    "exponential_decay({rate}, transition_steps=10, decay_rate=0.9, staircase=True)",
    "linear_schedule({rate}, 0.0, transition_steps={steps})",
    "polynomial_schedule({rate}, 1e-5, power=2, transition_steps={steps})",
    "piecewise_constant_schedule({rate}, {{10: 0.1, {steps}: 0.1}})",
    "linear_onecycle_schedule({steps}, {rate})",
    "cosine_onecycle_schedule({steps}, {rate})",
    "constant_schedule({rate})",
    "sgdr_schedule([dict(init_value=0.0, peak_value={rate}, decay_steps=20, warmup_steps=5)])",
    "join_schedules([optax.linear_schedule(0.0, {rate}, 10), optax.constant_schedule({rate})], "
    "[10])",
)

_PARTS = (
    "clip_by_global_norm(1.0)", "clip_by_global_norm(0.5)", "clip(1.0)",
    "add_decayed_weights(1e-4)",
    "adaptive_grad_clip(0.1)", "zero_nans()", "centralize()", "normalize_by_update_norm()",
)  # fmt: skip

_TAILS = (
    "scale_by_adam(), optax.scale({minus})", "scale_by_rms(), optax.scale({minus})",
    "trace(decay=0.9), optax.scale({minus})",
    "scale_by_adam(), optax.scale_by_learning_rate({rate})",
    "scale_by_lion(), optax.scale({minus})", "scale_by_trust_ratio(), optax.scale({minus})",
    "scale_by_belief(), optax.scale({minus})",
)  # fmt: skip


def schedule(stream: Stream, *, steps: int = 0) -> str:
    """Gives the source of a schedule."""
    text = stream.choice(SCHEDULES)
    return "optax." + text.format(
        rate=stream.choice(_RATES), steps=steps or stream.choice((50, 100, 1000))
    )


def optimizer(stream: Stream) -> str:
    """Gives the source of an optimizer, alone or in a chain."""
    rate = stream.choice(_RATES)
    text = "optax." + stream.choice(_OPTIMIZERS).format(rate=rate)
    if stream.chance(0.2):
        name = stream.choice(("adam", "adamw", "sgd", "lion", "rmsprop"))
        text = f"optax.{name}({schedule(stream)})"
    if stream.chance(0.4):
        part = "optax." + stream.choice(_PARTS)
        if stream.chance(0.4):
            text = "optax." + stream.choice(_TAILS).format(rate=rate, minus=f"-{rate}")
        text = f"optax.chain({part}, {text})"
    if stream.chance(0.08):
        return f"optax.MultiSteps({text}, every_k_schedule=2)"
    if stream.chance(0.06):
        return f"optax.apply_if_finite({text}, max_consecutive_errors=3)"
    return text


LABELLED = (
    "optax.softmax_cross_entropy_with_integer_labels",
    "optax.losses.softmax_cross_entropy_with_integer_labels",
    "optax.losses.multiclass_hinge_loss",
)
VALUED = (
    "optax.l2_loss", "optax.huber_loss", "optax.log_cosh", "optax.squared_error",
    "optax.losses.squared_error", "optax.sigmoid_binary_cross_entropy", "optax.cosine_distance",
    "optax.losses.huber_loss",
)  # fmt: skip


def loss(scope: Scope, predicted: Var, target: Var) -> Var:
    """Gives the mean of a loss of optax over a batch; integers are labels."""
    labelled = target.aval.dtype == "i32"
    dtype = predicted.aval.dtype
    if labelled:
        function, shape = scope.stream.choice(LABELLED), target.aval.shape
    else:
        function, shape = scope.stream.choice(VALUED), predicted.aval.shape
        if function.endswith("cosine_distance"):
            shape = shape[:-1]
    params: dict[str, Any] = {"function": Code(function)}
    if function.endswith("cosine_distance"):
        params["epsilon"] = 1e-6
    each = Var(Aval(dtype, shape), (0.0, 1e3))
    scope.bind("library_call", (predicted, target), params, each)
    return scope.let("mean", each)


def opaque(scope: Scope, name: str, operands: tuple[Any, ...], role: str, type: Tree = OPAQUE,
           **params: Any) -> Var:  # fmt: skip
    """Applies an op whose result only its library understands."""
    out = Var(type, role=role)
    scope.bind(name, operands, params, out)
    scope.unused.pop(out, None)
    return out


def update(scope: Scope, params: Var, grads: Var, *, filtered: bool = False, make: str = "") -> Var:
    """Gives the parameters after a step of an optimizer that is made here."""
    role = scope.stream.choice(("optimizer", "tx", "opt"))
    tx = opaque(scope, "optimizer", (), role, optimizer=Code(make or optimizer(scope.stream)))
    init = "optimizer_init_filtered" if filtered else "optimizer_init"
    state = opaque(scope, init, (tx, params), "opt_state", TREE)
    updates = Var(params.type if params.type != OPAQUE else TREE, role="updates")
    new_state = Var(TREE, role="opt_state")
    last: Any = params
    if filtered:
        last = opaque(scope, "eqx_filter", (params,), "arrays")
    scope.bind("optimizer_update", (tx, grads, state, last), {}, (updates, new_state))
    for var in (updates, new_state):
        scope.unused.pop(var, None)
    new = Var(params.type, role="new_params" if params.type != OPAQUE else "model")
    name = "eqx_apply_updates" if filtered else "optax_apply_updates"
    scope.bind(name, (params, updates), {}, new)
    if params.type in (OPAQUE, TREE):
        scope.unused.pop(new, None)
    return new
