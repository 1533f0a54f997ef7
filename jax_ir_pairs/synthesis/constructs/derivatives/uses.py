"""Uses of a function that the module defines: plain, under transformations, in losses and loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.constructs.derivatives.smooth import DOMAIN
from jax_ir_pairs.synthesis.graph import Callee, Defined, Literal, Operand, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix, cast, conform, float_value, scalar, use_all, within
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds, Pullback

_GRADIENT: Bounds = (-50.0, 50.0)


@dataclass(frozen=True, slots=True)
class Known:
    """A function that the module defines, as its callers see it.

    An elementwise one takes arrays of any one shape; another takes what `params` say.
    """

    block: Defined
    params: tuple[Var, ...]
    result: Var
    elementwise: bool = False
    before: tuple[Operand, ...] = ()
    """Static arguments that stand first; `after` those that stand last."""
    after: tuple[Operand, ...] = ()
    reverse: bool = True
    forward: bool = True
    flat: bool = False
    """Whether its derivative does not depend on its arguments."""

    @property
    def static(self) -> bool:
        """Whether it takes static arguments, which no transformation may trace."""
        return bool(self.before or self.after)


def call(
    scope: Scope, known: Known, *operands: Var, callee: Callee | None = None, role: str = ""
) -> Var:
    """Gives the result of a call."""
    type = operands[0].type if known.elementwise else known.result.type
    out = Var(type, known.result.bounds, role)
    arguments = (*known.before, *operands, *known.after)
    scope.bind("apply", (callee or known.block, *arguments), {}, out)
    return out


def arguments(scope: Scope, known: Known, rank: int | None = None) -> list[Var]:
    """Gives values of the scope to call it on, or new inputs."""
    if not known.elementwise:
        return [_of_type(scope, param) for param in known.params]
    first = within(scope, _like(scope, known, rank), DOMAIN)
    return [first, *(_partner(scope, first) for _ in known.params[1:])]


def _like(scope: Scope, known: Known, rank: int | None = None) -> Var:
    return cast(scope, float_value(scope, rank), known.params[0].aval.dtype)


def _partner(scope: Scope, first: Var) -> Var:
    found = scope.pick((first.aval.dtype,), where=lambda v: v.type == first.type and v is not first)
    if found is None:
        found = scope.input(first.aval, scope.stream.choice(("y", "z", "w")))
    return within(scope, found, DOMAIN)


def _of_type(scope: Scope, param: Var) -> Var:
    found = scope.pick((param.aval.dtype,), where=lambda v: v.type == param.type)
    if found is None or (found not in scope.unused and scope.stream.chance(0.5)):
        found = scope.input(param.aval, param.role)
    return within(scope, found, DOMAIN)


def _plain(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    call(scope, known, *arguments(scope, known))


def _jitted(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    wrap = "jit" if scope.stream.chance(0.7) else "checkpoint"
    call(scope, known, *arguments(scope, known), callee=Transformed(wrap, known.block))


def _vmapped(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    """Over the leading axis, of all arguments or with the last one shared."""
    if known.elementwise:
        x = _like(scope, known)
        if not x.aval.rank:
            raise IllTyped("no axis to map over")
        values = [within(scope, x, DOMAIN)]
        values += [_partner(scope, values[0]) for _ in known.params[1:]]
        size = x.aval.shape[0]
    else:
        size = scope.side()
        values = []
        for param in known.params:
            aval = param.aval.with_shape(size, *param.aval.shape)
            if aval.size > MAX_ELEMENTS:
                raise IllTyped("batch is too large")
            found = scope.pick((aval.dtype,), where=lambda v, aval=aval: v.type == aval)  # type: ignore[misc]
            values.append(within(scope, found or scope.input(aval, "xs"), DOMAIN))
    params: dict[str, Any] = {}
    if len(values) > 1 and scope.stream.chance(0.4):
        shared = values[-1].aval.with_shape(*values[-1].aval.shape[1:])
        values[-1] = _of_type(scope, Var(shared, DOMAIN, "shared"))
        params["in_axes"] = (*(0 for _ in values[1:]), None)
    type = known.result.type if not known.elementwise else values[0].aval
    assert isinstance(type, Aval)
    if not known.elementwise:
        type = type.with_shape(size, *type.shape)
    if type.size > MAX_ELEMENTS:
        raise IllTyped("batched result is too large")
    out = Var(type, known.result.bounds)
    scope.bind("apply", (Transformed("vmap", known.block, params), *values), {}, out)


def _slopes(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    """`vmap(grad(f))`, the derivative at every element."""
    if not known.elementwise or known.flat or len(known.params) > 1:
        raise IllTyped("not a function of one number")
    x = arguments(scope, known, scope.stream.choice((1, 1, 2)))[0]
    if x.aval.rank not in (1, 2):
        raise IllTyped("too many axes")
    name = scope.stream.choice(("grad", "grad", "value_and_grad"))
    callee: Callee = Transformed(name, known.block)
    for _ in x.aval.shape:
        callee = Transformed("vmap", callee)
    slope = Var(x.type, _GRADIENT, scope.stream.choice(("slopes", "dy", "")))
    outs = (Var(x.type, known.result.bounds), slope) if name == "value_and_grad" else slope
    scope.bind("apply", (callee, x), {}, outs)


def _in_loss(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    """A loss that calls it, under `grad` or `value_and_grad`."""
    stream = scope.stream
    values = arguments(scope, known)
    params = [Var(v.type, v.bounds, v.role or "xyz"[n]) for n, v in enumerate(values)]
    body = scope.nested(params, reverse=True)
    h = call(body, known, *params)
    mix.fill(body, budget)
    total = use_all(body, scalar(body), [h, *params])
    loss: Callee = body.close(stream.choice(("loss", "loss_fn", "energy", "objective")), total)
    if stream.chance(0.15):
        loss = Transformed("checkpoint", loss)
    name = stream.choice(("grad", "value_and_grad"))
    everything = len(values) > 1 and stream.chance(0.4)
    keywords = {"argnums": tuple(range(len(values)))} if everything else {}
    wanted = values if everything else values[:1]
    grads = tuple(Var(v.type, _GRADIENT) for v in wanted)
    outs: Any = grads if everything else grads[0]
    if name == "value_and_grad":
        outs = (Var(Aval(scope.float_dtype), role="value"), outs)
    scope.bind("apply", (Transformed(name, loss, keywords), *values), {}, outs)


def _jvp(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    values = arguments(scope, known)
    tangents = tuple(
        scope.pick((v.aval.dtype,), where=lambda t, v=v: t.type == v.type and t is not v)  # type: ignore[misc]
        or scope.input(v.aval, scope.stream.choice(("dx", "v", "tangent")))
        for v in values
    )
    type = values[0].type if known.elementwise else known.result.type
    outs = (Var(type, known.result.bounds), Var(type, _GRADIENT))
    scope.bind("jvp", (known.block, tuple(values), tangents), {}, outs)


def _vjp(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    values = arguments(scope, known)
    type = values[0].type if known.elementwise else known.result.type
    y = Var(type, known.result.bounds)
    types = tuple(v.type for v in values)
    pullback = Var(Pullback(types, type), role=scope.stream.choice(("vjp_fn", "pullback")))
    scope.bind("vjp", (known.block, *values), {}, (y, pullback))
    scope.bind("apply", (pullback, y), {}, tuple(Var(v.type, _GRADIENT) for v in values))


def _in_loop(scope: Scope, known: Known, budget: int, mix: Mix) -> None:
    """A `scan` or `fori_loop` whose body calls it on the carry."""
    if not known.elementwise and known.result.type != known.params[0].type:
        raise IllTyped("its result is no next carry")
    stream = scope.stream
    init, *others = arguments(scope, known)
    carry = Var(init.type, DOMAIN, stream.choice(("carry", "h", "state")))
    xs = scope.pick(FLOATS, where=lambda v: v.aval.rank > 0 and 1 < v.aval.shape[0] <= 32)
    looped = xs is None or stream.chance(0.3)
    if looped:
        other = Var(Aval(scope.int_dtype), (0, 64), "i")
        body = scope.nested([other, carry], others)
    else:
        assert xs is not None
        other = Var(xs.aval.with_shape(*xs.aval.shape[1:]), xs.bounds, "x")
        body = scope.nested([carry, other], others)
    h = call(body, known, carry, *others)
    mix.fill(body, budget)
    used = [h] if looped else [h, other]
    value = body.let("mul", within(body, h, DOMAIN), Literal(stream.choice((0.5, 0.9))))
    value = use_all(body, conform(body, value, carry.aval), used)
    value = within(body, value, DOMAIN)
    if looped:
        step = body.close(stream.choice(("body", "body_fn")), value)
        count = stream.choice((2, 3, 5, 8))
        scope.bind("fori_loop", (step, init), {"lower": 0, "upper": count}, Var(init.type, DOMAIN))
        return
    assert xs is not None
    step = body.close(stream.choice(("step", "body", "scan_fn")), (value, h))
    type = h.aval.with_shape(xs.aval.shape[0], *h.aval.shape)
    if type.size > MAX_ELEMENTS:
        raise IllTyped("stacked results are too large")
    scope.bind("scan", (step, init, xs), {}, (Var(init.type, DOMAIN), Var(type, h.bounds)))


_Use: TypeAlias = Callable[[Scope, Known, int, Mix], None]

_USES: tuple[tuple[_Use, float], ...] = (
    (_plain, 2.0), (_jitted, 0.6), (_vmapped, 1.5), (_slopes, 1.5), (_in_loss, 3.0), (_jvp, 1.0),
    (_vjp, 1.0), (_in_loop, 1.5),
)  # fmt: skip
_TRANSFORMING = frozenset({_jitted, _vmapped, _slopes, _jvp, _vjp})


def use(scope: Scope, known: Known, budget: int, mix: Mix, *, most: int = 2) -> None:
    """Calls it in one or more ways, at least once."""
    ways = [
        (way, weight)
        for way, weight in _USES
        if not (known.static and way in _TRANSFORMING)
        and (known.reverse or way not in (_slopes, _in_loss, _vjp))
        and (known.forward or way is not _jvp)
    ]
    done = 0
    for _ in range(scope.stream.integer(1, most)):
        way = scope.stream.weighted([w for w, _ in ways], [weight for _, weight in ways])
        done += scope.attempt(lambda: way(scope, known, budget, mix))  # noqa: B023
    if not done:
        _plain(scope, known, budget, mix)
