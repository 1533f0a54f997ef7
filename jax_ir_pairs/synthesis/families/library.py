"""Programs of users of flax, equinox and optax: modules, optimizers, losses; and `jax.scipy`.

It only writes source and imports none of them. What traces its programs has to have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax_ir_pairs.config import FAMILY_NEEDS
from jax_ir_pairs.synthesis.constructs.layers import tasks
from jax_ir_pairs.synthesis.constructs.layers.training import gradients, params_name
from jax_ir_pairs.synthesis.constructs.modules import (
    OPAQUE,
    TREE,
    Module,
    functions,
    linen,
    objects,
    training,
)
from jax_ir_pairs.synthesis.constructs.modules.training import opaque
from jax_ir_pairs.synthesis.graph import Callee, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, grow_ops, results
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import KEY, Aval

REQUIRES = FAMILY_NEEDS["library"]
"""The distributions that its programs need: `jax-ir-pairs[library]`."""

_OUT = (-20.0, 20.0)
_LOSS = (0.0, 1e3)


def _narrow(scope: Scope) -> None:
    if scope.x64:
        raise IllTyped("modules are written for single precision")


def _data(scope: Scope, module: Module, *, batch: int = 0) -> Var:
    shape = (batch, *module.takes) if batch else module.takes
    if module.dtype == "i32":
        return scope.input(Aval("i32", shape), "tokens", (0, 3))
    return scope.input(Aval("f32", shape), scope.stream.choice(("x", "x", "inputs")))


def _key(scope: Scope) -> Var:
    if scope.stream.chance(0.4):
        return scope.input(Aval(KEY[0]), scope.stream.choice(("key", "rng")))
    return scope.let("random_key", seed=scope.stream.choice((0, 0, 1, 42)), role="key")


def _target(scope: Scope, shape: tuple[int, ...]) -> Var:
    if scope.stream.chance(0.5):
        return scope.input(Aval("i32", shape[:-1]), "labels", (0, 3))
    return scope.input(Aval("f32", shape), "y")


def _made(scope: Scope, module: Module) -> Var:
    role = scope.stream.choice(("model", "model", "net"))
    return opaque(scope, "new_module", (module.block,), role)


def _linen(scope: Scope, budget: int) -> tuple[Module, Var, Var, Var]:
    """Gives a module of linen, an object of it, its variables and data."""
    _narrow(scope)
    draw = linen.with_setup if scope.stream.chance(0.2) else linen.draw
    module = draw(scope.stream, budget)
    x, model = _data(scope, module), _made(scope, module)
    role = scope.stream.choice(("params", "variables"))
    variables = opaque(scope, "module_init", (model, _key(scope), x), role, TREE)
    return module, model, variables, x


def _applied(
    scope: Scope, module: Module, model: Var, variables: Var, x: Var, key: Var | None = None
) -> Var:
    out = Var(Aval("f32", module.gives), _OUT, scope.stream.choice(("logits", "out", "")))
    if module.stats:
        stats = Var(TREE, role="new_stats")
        scope.bind("module_mutated", (model, variables, x), {}, (out, stats))
        scope.unused.pop(stats, None)
    elif key is not None:
        scope.bind("module_dropout", (model, variables, x, key), {}, out)
    else:
        scope.bind("module_apply", (model, variables, x), {}, out)
    return out


def _linen_forward(scope: Scope, budget: int, mix: Mix) -> None:
    """A module that is initialized and applied."""
    module, model, variables, x = _linen(scope, budget)
    key = None
    if module.dropout and scope.stream.chance(0.6):
        key = scope.let("random_key", seed=1, role="dropout_key")
    out = _applied(scope, module, model, variables, x, key)
    if scope.stream.chance(0.3):
        scope.let("softmax", out, axis=-1)


def _closed(scope: Scope, param: Var, build: Callable[[Scope, Var], Var], seen: list[Var]) -> Any:
    """Gives a loss of parameters that closes over what it sees."""
    own = Var(param.type, role=param.role if param.role != "variables" else "params")
    body = scope.nested([own], seen, reverse=True)
    return body.close(scope.stream.choice(("loss_fn", "loss", "compute_loss")), build(body, own))


def _gradients(scope: Scope, loss: Any, transform: str, param: Var, grads: Any = TREE) -> Var:
    found = Var(grads, role="grads")
    value = Var(Aval("f32"), _LOSS, scope.stream.choice(("loss_value", "value")))
    if "value" in transform:
        scope.bind("apply", (Transformed(transform, loss), param), {}, (value, found))
    else:
        scope.bind("apply", (Transformed(transform, loss), param), {}, found)
    scope.unused.pop(found, None)
    return found


def _linen_train(scope: Scope, budget: int, mix: Mix) -> None:
    """A step of an optimizer on a module's variables."""
    module, model, variables, x = _linen(scope, budget)
    if module.stats:
        raise IllTyped("statistics take no gradient")
    y = _target(scope, module.gives)
    key = None
    if module.dropout and scope.stream.chance(0.6):
        key = scope.let("random_key", seed=1, role="dropout_key")

    def build(body: Scope, own: Var) -> Var:
        return training.loss(body, _applied(body, module, model, own, x, key), y)

    loss = _closed(scope, variables, build, [x, y])
    grads = _gradients(scope, loss, scope.stream.choice(("value_and_grad", "grad")), variables)
    if scope.stream.chance(0.3):
        norm = Var(Aval("f32"), _LOSS, "grad_norm")
        scope.bind("optax_global_norm", (grads,), {}, norm)
    if scope.stream.chance(0.85):
        new = training.update(scope, variables, grads)
        _applied(scope, module, model, new, x)
    else:
        norm = Var(Aval("f32"), _LOSS, "norm")
        scope.bind("optax_global_norm", (grads,), {}, norm)


def _per_example(scope: Scope, model: Var, module: Module, x: Var) -> Var:
    """Applies a module of equinox to each example."""
    out = Var(Aval("f32", (x.aval.shape[0], *module.gives)), _OUT)
    scope.bind("vmapped", (model, x), {}, out)
    return out


def _equinox(scope: Scope, budget: int) -> tuple[Module, Var, Var]:
    _narrow(scope)
    module = objects.equinox(scope.stream, budget)
    model = opaque(scope, "apply", (module.block, _key(scope)), "model")
    return module, model, _data(scope, module, batch=scope.stream.choice((2, 4, 8)))


def _equinox_forward(scope: Scope, budget: int, mix: Mix) -> None:
    """A module of equinox, made with a key and mapped over a batch."""
    module, model, x = _equinox(scope, budget)
    way = scope.stream.choice(("plain", "jit", "partition"))
    if way == "partition":
        arrays, rest = Var(OPAQUE, role="arrays"), Var(OPAQUE, role="static")
        scope.bind("eqx_partition", (model,), {}, (arrays, rest))
        model = opaque(scope, "eqx_combine", (arrays, rest), "model")
    if way == "jit":
        own, rows = Var(OPAQUE, role="model"), Var(x.type, x.bounds, "x")
        body = scope.nested([own, rows])
        function = body.close("forward", _per_example(body, own, module, rows))
        out = Var(Aval("f32", (x.aval.shape[0], *module.gives)), _OUT)
        scope.bind("apply", (Transformed("filter_jit", function), model, x), {}, out)
        return
    _per_example(scope, model, module, x)


def _equinox_train(scope: Scope, budget: int, mix: Mix) -> None:
    """A step of an optimizer on a module of equinox."""
    module, model, x = _equinox(scope, budget)
    y = scope.input(Aval("f32", (x.aval.shape[0], *module.gives)), "y")

    def build(body: Scope, own: Var) -> Var:
        return training.loss(body, _per_example(body, own, module, x), y)

    loss = _closed(scope, model, build, [x, y])
    transform = scope.stream.choice(("filter_value_and_grad", "filter_grad"))
    grads = _gradients(scope, loss, transform, model, OPAQUE)
    new = training.update(scope, model, grads, filtered=True)
    _per_example(scope, new, module, x)


def _nnx(scope: Scope, budget: int, mix: Mix) -> None:
    """A module of nnx: called, differentiated, or split into its graph and its state."""
    _narrow(scope)
    stream, module = scope.stream, objects.nnx(scope.stream, budget)
    x = _data(scope, module)
    model = opaque(scope, "new_nnx", (module.block,), "model", seed=stream.choice((0, 1, 42)))
    out = Var(Aval("f32", module.gives), _OUT)
    way = stream.choice(("call", "grad", "split", "split", "jit"))
    if way == "call":
        scope.bind("apply", (model, x), {}, out)
        return
    if way == "jit":
        own, rows = Var(OPAQUE, role="model"), Var(x.type, x.bounds, "x")
        body = scope.nested([own, rows])
        inner = Var(out.type, _OUT)
        body.bind("apply", (own, rows), {}, inner)
        callee: Callee = Transformed("nnx_jit", body.close("forward", inner))
        scope.bind("apply", (callee, model, x), {}, out)
        return
    y = _target(scope, module.gives)
    param = model
    graphdef = Var(OPAQUE, role="graphdef")
    if way == "split":
        param = Var(TREE, role=stream.choice(("state", "params")))
        scope.bind("nnx_split", (model,), {}, (graphdef, param))
        scope.unused.pop(param, None)

    def build(body: Scope, own: Var) -> Var:
        called, inner = own, Var(out.type, _OUT)
        if way == "split":
            called = opaque(body, "nnx_merge", (graphdef, own), "net")
        body.bind("apply", (called, x), {}, inner)
        return training.loss(body, inner, y)

    loss = _closed(scope, param, build, [x, y])
    transform = "value_and_grad" if way == "split" else "nnx_value_and_grad"
    grads = _gradients(scope, loss, transform, param)
    if way == "split" and stream.chance(0.7):
        new = training.update(scope, param, grads)
        merged = opaque(scope, "nnx_merge", (graphdef, new), "trained")
        scope.bind("apply", (merged, x), {}, out)
    else:
        scope.bind("optax_global_norm", (grads,), {}, Var(Aval("f32"), _LOSS, "grad_norm"))


def _optimizer(scope: Scope, budget: int, mix: Mix) -> None:
    """A model of plain functions, trained by an optimizer of optax."""
    stream = scope.stream
    task = stream.choice((tasks.supervised, tasks.supervised, tasks.language, tasks.contrastive))
    loss = tasks.loss(scope, task(scope, budget, mix))
    arguments = loss.arguments(scope, params_name(scope))
    _, grads = gradients(scope, loss.function, *arguments)
    new = training.update(scope, arguments[0], grads)
    if stream.chance(0.2):
        averaged = Var(new.type, role="ema_params")
        step = {"step_size": stream.choice((0.01, 0.1))}
        scope.bind("optax_incremental_update", (new, arguments[0]), step, averaged)


FORMS = (
    Form(_linen_forward, 2.5),
    Form(_linen_train, 3.0),
    Form(_equinox_forward, 1.2),
    Form(_equinox_train, 1.8),
    Form(_nnx, 1.8),
    Form(_optimizer, 2.0),
    Form(functions.scheduled, 0.8),
    Form(functions.scipy, 1.0),
)


def _grow(scope: Scope, budget: int, mix: Mix) -> None:
    if scope.sealed:
        raise IllTyped("modules are made in the entry point")
    form = scope.stream.weighted(FORMS, [form.weight for form in FORMS])
    form.grow(scope, max(3, budget * 2 // 3), mix)
    if scope.values and scope.stream.chance(0.25):
        made = results(scope)
        grow_ops(scope, budget // 6, mix)
        for var in made:
            # What the library gave comes last, so that the program returns it.
            if var in scope.unused:
                scope.unused[var] = scope.unused.pop(var)


FAMILY = Family("library", _grow)
