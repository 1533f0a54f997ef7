"""New primitives, with their rules for typing, lowering, derivatives and batching."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.derivatives import rules, surrogates
from jax_ir_pairs.synthesis.constructs.derivatives.smooth import (
    DOMAIN,
    SEVERAL,
    UNARY,
    Smooth,
    parameters,
)
from jax_ir_pairs.synthesis.constructs.derivatives.uses import Known, arguments, use
from jax_ir_pairs.synthesis.graph import Callee, Defined, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, float_value, one_of, scalar, use_all
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import LONG_NAMES, Aval, Bounds

_GRADIENT: Bounds = (-50.0, 50.0)
_GAP = "\n\n\n"

_PRIMITIVE = '{name}_p = Primitive("{name}")'
_LOWERING = "mlir.register_lowering({name}_p, mlir.lower_fun({f0}, multiple_results=%s))"

_LONGEST = 23
"""Of a name, so that the line that registers its rule for batches fits."""


def _wrapper(names: str, static: str = "", default: str = "") -> str:
    """The function that binds the primitive."""
    args = ", ".join(names)
    head, bound = args, args
    if static:
        head, bound = f"{args}, {static}{default}", f"{args}, {static}={static}"
    return f"def {{name}}({head}):\n    return {{name}}_p.bind({bound})"


def _abstract(names: str, result: str, static: str = "") -> str:
    args = ", ".join([*names, *([static] if static else [])])
    return (
        f"@{{name}}_p.def_abstract_eval\ndef {{name}}_abstract_eval({args}):\n    return {result}"
    )


_SAME = "jax.core.ShapedArray(x.shape, x.dtype)"


def _shaped(aval: Aval) -> str:
    return f"jax.core.ShapedArray({aval.shape}, jnp.{LONG_NAMES[aval.dtype]})"


_VIA_IMPL_JVP = (
    "def {name}_jvp(primals, tangents):\n"
    "    tangents = tuple(ad.instantiate_zeros(t) for t in tangents)\n"
    "    return jax.jvp({f0}, tuple(primals), tangents)\n\n\n"
    "ad.primitive_jvps[{name}_p] = {name}_jvp"
)
_VIA_IMPL_BATCH = (
    "def {name}_batch(args, dims):\n"
    "    return jax.vmap({f0}, in_axes=tuple(dims))(*args), %s\n\n\n"
    "batching.primitive_batchers[{name}_p] = {name}_batch"
)
_UNARY_BATCH = (
    "def {name}_batch(args, dims):\n"
    "    (x,), (axis,) = args, dims\n"
    "    return {name}_p.bind(x), axis\n\n\n"
    "batching.primitive_batchers[{name}_p] = {name}_batch"
)


def _tangents(scope: Scope, smooth: Smooth, y: Var) -> list[Function]:
    """The rule of each argument: `t, x, …` to the tangent of the result."""
    functions = []
    for name, slope in zip(smooth.names, smooth.slopes, strict=True):
        tangent, x = Var(y.type, (-4.0, 4.0), "t"), parameters(smooth, y)
        body = scope.nested([tangent, *x], sealed=True)
        result = tangent
        if slope is not None:
            factor = slope(body, x, smooth.value(body, x))
            result = Var(y.type, (-100.0, 100.0))
            body.bind("mul", (tangent, factor), {}, result)
        functions.append(body.close(f"{smooth.name}_d{name}", result))
    return functions


def _rule(scope: Scope, smooth: Smooth, y: Var) -> Function:
    """One rule of primals and tangents for a primitive of one argument."""
    packed = [Var((y.type,), role=role) for role in ("primals", "tangents")]
    rule = scope.nested(packed, sealed=True)
    (x,), t = parameters(smooth, y), Var(y.type, (-4.0, 4.0), "t")
    rule.bind("unpack", (packed[0],), {}, (x,))
    rule.bind("unpack", (packed[1],), {}, (t,))
    ans, out = Var(y.type, y.bounds, "ans"), t
    me = Var(x.type, role="me")
    rule.bind("apply", (me, x), {}, ans)
    if (slope := smooth.slopes[0]) is not None:
        out = Var(y.type, (-100.0, 100.0))
        rule.bind("mul", (slope(rule, [x], ans), t), {}, out)
    return rule.close(f"{smooth.name}_jvp", (ans, out))


def _elementwise(scope: Scope, budget: int, mix: Mix) -> None:
    """An elementwise primitive: vectorized or broadcasting, differentiated argument by argument."""
    stream = scope.stream
    smooth = stream.choice(UNARY if stream.chance(0.6) else SEVERAL)
    like = Var(float_value(scope).type, DOMAIN)
    function, y = rules.primal(scope, smooth, like)
    impl = Function(f"{smooth.name}_impl", function.params, function.body, function.result)
    functions, me = [impl], None
    alone = len(smooth.slopes) == 1
    if alone and stream.chance(0.4):
        rule = _rule(scope, smooth, y)
        (me,) = rule.free_vars
        functions.append(rule)
        derivative = "{def1}\n\n\nad.primitive_jvps[{name}_p] = {f1}"
    else:
        functions += _tangents(scope, smooth, y)
        numbers = range(1, len(functions))
        listed = ", ".join(f"{{f{n}}}" for n in numbers)
        parts = [f"{{def{n}}}" for n in numbers]
        derivative = _GAP.join([*parts, f"ad.defjvp({{name}}_p, {listed})"])
    if not alone:
        batch = "batching.defbroadcasting({name}_p)"
    else:
        batch = stream.choice(("batching.defvectorized({name}_p)", _UNARY_BATCH))
    template = _GAP.join(
        (
            _PRIMITIVE,
            _wrapper(smooth.names),
            "@{name}_p.def_impl\n{def0}",
            _abstract(smooth.names, _SAME),
            _LOWERING % "False",
            derivative,
            batch,
        )
    )
    block = Defined(smooth.name, template, tuple(functions), me=me)
    use(
        scope,
        Known(block, function.params, y, elementwise=True, flat=smooth.flat),
        budget,
        mix,
        most=3,
    )


def _grown(scope: Scope, budget: int, mix: Mix) -> None:
    """A primitive whose implementation holds anything, and whose rules go through it."""
    params = surrogates.grown_params(scope)
    name = scope.stream.choice(("fused_block", "fused_op", "kernel", "transformation", "mixer"))
    inside, value = surrogates.grown(
        scope, params, budget * 2 // 3 + 2, mix, f"{name}_impl", forward=True
    )
    names = ["x", "w"][: len(params)]
    template = _GAP.join(
        (
            _PRIMITIVE,
            _wrapper("".join(names)),
            "@{name}_p.def_impl\n{def0}",
            _abstract("".join(names), _shaped(value.aval)),
            _LOWERING % "False",
            _VIA_IMPL_JVP,
            _VIA_IMPL_BATCH % "0",
        )
    )
    block = Defined(name, template, inside.functions)
    use(scope, Known(block, tuple(params), value), budget // 3 + 1, mix)


def _linear(scope: Scope, budget: int, mix: Mix) -> None:
    """A linear primitive with a static parameter, and its transpose."""
    stream = scope.stream
    like = Var(float_value(scope).type, DOMAIN)
    name = stream.choice(("rescale", "scaled_shift", "damp"))
    static = {"rescale": "factor", "scaled_shift": "scale", "damp": "rate"}[name]
    x, factor = Var(like.type, DOMAIN, "x"), Var(Aval("float"), role=static)
    body = scope.nested([x], sealed=True)
    out = Var(like.type, (-8.0, 8.0))
    if name == "scaled_shift" and like.aval.rank:
        axis = stream.integer(0, like.aval.rank - 1)
        shift = stream.choice((1, -1))
        moved = body.let("roll", x, shift=shift, axis=axis)
        body.bind("mul", (factor, moved), {}, out)
    else:
        shift = axis = 0
        body.bind("mul", (factor, x), {}, out)
    body.params.append(factor)
    impl = body.close(f"{name}_impl", out)
    ct, same, factor = Var(like.type, DOMAIN, "ct"), Var(like.type, DOMAIN, "x"), Var(
        Aval("float"), role=static)  # fmt: skip
    rule = scope.nested([ct, same], sealed=True)
    back = Var(like.type, _GRADIENT)
    if shift:
        moved = rule.let("roll", ct, shift=-shift, axis=axis)
        rule.bind("mul", (factor, moved), {}, back)
    else:
        rule.bind("mul", (factor, ct), {}, back)
    rule.params.append(factor)
    transpose = rule.close(f"{name}_transpose", (back,))
    value = stream.choice((0.5, 0.9, 2.0))
    default = stream.chance(0.6)
    batch = f"jax.vmap({{f0}}, in_axes=(dims[0], None))(args[0], {static}), 0"
    template = _GAP.join(
        (
            _PRIMITIVE,
            _wrapper("x", static, f"={value}" if default else ""),
            "@{name}_p.def_impl\n{def0}",
            _abstract("x", _SAME, static),
            _LOWERING % "False",
            "{def1}",
            "ad.deflinear2({name}_p, {f1})",
            f"def {{name}}_batch(args, dims, {static}):\n    return {batch}",
            "batching.primitive_batchers[{name}_p] = {name}_batch",
        )
    )
    # A primitive that moves elements knows its axes, so it is called on arrays of one type.
    block = Defined(name, template, (impl, transpose))
    after = () if default else (Literal(value),)
    params = (Var(like.type, DOMAIN, "x"),)
    known = Known(block, params, Var(like.type, (-8.0, 8.0)), elementwise=not shift, after=after)
    use(scope, known, budget, mix)


def _several_results(scope: Scope, budget: int, mix: Mix) -> None:
    """A primitive of two results, differentiated and batched through its implementation."""
    stream = scope.stream
    fit = [
        s
        for s in UNARY
        if s.slopes[0] is not None and s.name not in ("spike", "binarize", "safe_sqrt")
    ]
    first, second = stream.sample(fit, 2)
    like = Var(float_value(scope).type, DOMAIN)
    name = f"{first.name}_and_{second.name}"
    if len(name) > _LONGEST:
        name = f"{first.name}_pair"
    params = parameters(first, like)
    inside = scope.nested(params, sealed=True)
    impl = inside.close(f"{name}_impl", tuple(s.value(inside, params) for s in (first, second)))
    template = _GAP.join(
        (
            _PRIMITIVE + "\n{name}_p.multiple_results = True",
            _wrapper("x"),
            "@{name}_p.def_impl\n{def0}",
            _abstract("x", "[" + ", ".join([_SAME] * 2) + "]"),
            _LOWERING % "True",
            _VIA_IMPL_JVP,
            _VIA_IMPL_BATCH % "(0, 0)",
        )
    )
    block = Defined(name, template, (impl,))
    bounds = tuple(v.bounds for v in impl.result)  # type: ignore[union-attr]
    known = Known(block, impl.params, Var(like.type, DOMAIN), elementwise=True)
    (x,) = arguments(scope, known)

    def outs(type: Any) -> tuple[Var, ...]:
        return tuple(Var(type, b) for b in bounds)

    way = stream.choice(("plain", "vmap", "jvp", "grad", "grad"))
    if way == "jvp":
        tangent = scope.pick((x.aval.dtype,), where=lambda v: v.type == x.type and v is not x)
        tangent = tangent if tangent is not None else scope.input(x.aval, "dx")
        moved = tuple(Var(x.type, _GRADIENT) for _ in bounds)
        scope.bind("jvp", (block, (x,), (tangent,)), {}, (outs(x.type), moved))
    elif way == "grad":
        inner = Var(x.type, x.bounds, "x")
        body = scope.nested([inner], reverse=True)
        made = outs(x.type)
        body.bind("apply", (block, inner), {}, made)
        mix.fill(body, budget)
        total = use_all(body, scalar(body), [*made, inner])
        callee: Callee = Transformed("grad", body.close("loss", total))
        scope.bind("apply", (callee, x), {}, Var(x.type, _GRADIENT))
    elif way == "vmap" and x.aval.rank:
        scope.bind("apply", (Transformed("vmap", block), x), {}, outs(x.type))
    else:
        scope.bind("apply", (block, x), {}, outs(x.type))


FAMILY = Family(
    "custom_primitive",
    one_of(
        Form(_elementwise, 4.0),
        Form(_grown, 1.5),
        Form(_linear, 1.5),
        Form(_several_results, 1.2),
    ),
)
