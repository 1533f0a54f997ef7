"""Functions that call functions: helpers, used once or again, compiled on their own or inlined."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from jax_ir_pairs.synthesis.graph import Callee, Function, Result, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, grow_ops, leaves, one_of, use_all
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import ALL, Aval

_ROLES = {
    "control_flow": ("unroll", "simulate", "iterate", "update"),
    "autodiff": ("sensitivity", "objective_grad", "step_direction"),
    "batching": ("per_batch", "batched", "rowwise"),
    "indexing": ("select_rows", "lookup", "pack"),
    "random": ("sample", "perturb", "draw_noise"),
}
_OTHER_ROLES = (
    "transform",
    "features",
    "project",
    "mix",
    "combine",
    "normalize",
    "stage",
    "rescale",
)


def _arguments(scope: Scope) -> list[Var]:
    first = scope.pick(ALL)
    if first is None:
        first = scope.input(Aval(scope.float_dtype, (scope.side(), scope.side())), "x")
    count = scope.stream.weighted((1, 2, 3), (5, 4, 1))
    others = (scope.pick(ALL, where=lambda v: v is not first) for _ in range(count - 1))
    return list(dict.fromkeys([first, *(v for v in others if v is not None)]))


def _function(scope: Scope, arguments: list[Var], budget: int, mix: Mix) -> Function:
    """Gives a function of these arguments that is grown by one family, with one or two results."""
    stream = scope.stream
    params = [Var(v.type, v.bounds, v.role or "xyz"[n]) for n, v in enumerate(arguments)]
    body = scope.nested(params, sealed=stream.chance(0.6))
    family = mix.family(stream)
    if scope.depth > 1 or not body.attempt(partial(family.grow, body, budget, mix)):
        grow_ops(body, budget, mix)
    made = leaves(body, 2)
    value = use_all(body, made[-1], params)
    if value in params:
        value = body.let("tanh", value) if value.aval.dtype == scope.float_dtype else value
    if value in params:
        raise IllTyped("a function that gives back its argument")
    result: Result = value
    if len(made) > 1 and made[0] is not value and made[0] not in params and stream.chance(0.4):
        result = (value, made[0])
    return body.close(stream.choice(_ROLES.get(family.name, _OTHER_ROLES)), result)


def _call(scope: Scope, function: Callee, result: Any, arguments: list[Var]) -> Any:
    """Adds a call and gives the variables of its results."""
    outs: Any = (
        tuple(Var(v.type, v.bounds) for v in result)
        if isinstance(result, tuple)
        else Var(result.type, result.bounds)
    )
    scope.bind("apply", (function, *arguments), {}, outs)
    return outs


def _called(scope: Scope, budget: int, mix: Mix) -> None:
    """A helper function, compiled on its own now and then."""
    arguments = _arguments(scope)
    function = _function(scope, arguments, budget, mix)
    callee: Callee = function
    if scope.stream.chance(0.25):
        function = callee = replace(function, decorator="jax.jit")
    elif scope.stream.chance(0.1):
        callee = Transformed("jit", function)
    _call(scope, callee, function.result, arguments)


def _again(scope: Scope, budget: int, mix: Mix) -> None:
    """A helper function that is called several times: on its own result, or on another value."""
    arguments = _arguments(scope)[:1]
    function = _function(scope, arguments, max(2, budget // 2), mix)
    first = function.params[0]
    out = _call(scope, function, function.result, arguments)
    for _ in range(scope.stream.integer(1, 3)):
        fits = [
            v
            for v in ([out] if isinstance(out, Var) else list(out)) + scope.values
            if v.type == first.type and v is not arguments[0]
            and first.bounds[0] <= v.bounds[0] and v.bounds[1] <= first.bounds[1]
        ]  # fmt: skip
        if not fits:
            break
        out = _call(scope, function, function.result, [fits[0]])


FAMILY = Family("calls", one_of(Form(_called, 3.0), Form(_again, 1.5)))
