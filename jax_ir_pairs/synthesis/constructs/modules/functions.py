"""Functions of optax and `jax.scipy` on their own: schedules, densities, signals."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.modules.training import opaque, schedule
from jax_ir_pairs.synthesis.graph import Code, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def scheduled(scope: Scope, budget: int, mix: Mix) -> None:
    """A schedule's rate, and an update scaled by it."""
    step = scope.input(Aval("i32"), scope.stream.choice(("step", "count")), (0, 3))
    rate = Var(Aval("f32"), (0.0, 0.2), "lr")
    if scope.x64:
        raise IllTyped("schedules are written for single precision")
    made = opaque(scope, "optimizer", (), "schedule",
                  optimizer=Code(schedule(scope.stream)))  # fmt: skip
    scope.bind("apply", (made, step), {}, rate)
    x = scope.input(Aval("f32", (scope.side(),)), "params")
    g = scope.let("tanh", x) if scope.stream.chance(0.5) else scope.input(x.aval, "grads")
    scope.let("sub", x, scope.let("mul", rate, g))


_DENSITIES = (
    ("norm.logpdf", (-30.0, 0.0)), ("norm.cdf", (0.0, 1.0)), ("logistic.logpdf", (-30.0, 0.0)),
    ("laplace.logpdf", (-30.0, 0.0)), ("cauchy.logpdf", (-30.0, 0.0)), ("norm.sf", (0.0, 1.0)),
    ("norm.logcdf", (-30.0, 0.0)), ("gumbel_r.logpdf", (-80.0, 0.0)), ("t.logpdf", (-30.0, 0.0)),
)  # fmt: skip


def scipy(scope: Scope, budget: int, mix: Mix) -> None:
    """A density, a likelihood and its gradient, a smoothed signal, an interpolated image."""
    stream, dtype = scope.stream, scope.float_dtype
    way = stream.choice(("density", "likelihood", "convolve", "interpolate"))
    if way in ("density", "likelihood"):
        x = scope.input(Aval(dtype, (scope.side(),)), "x")
        name, bounds = stream.choice(_DENSITIES)
        function = {"function": Code(f"jax.scipy.stats.{name}")}
        if way == "density":
            operands: tuple[Any, ...] = (x, Literal(3.0)) if name.startswith("t.") else (x,)
            scope.bind("library_call", operands, function, Var(x.type, bounds))
            return
        mu = Var(Aval(dtype), (-4.0, 4.0), "mu")
        body = scope.nested([mu], [x], reverse=True)
        out = Var(x.type, (-30.0, 0.0))
        body.bind("library_call", (x, mu), {"function": Code("jax.scipy.stats.norm.logpdf")}, out)
        loss = body.close("neg_log_likelihood", body.let("negative", body.let("sum", out)))
        start = scope.input(Aval(dtype), "mu")
        outs = (Var(Aval(dtype), (0, 1e3), "nll"), Var(Aval(dtype), (-1e3, 1e3), "grad_mu"))
        scope.bind("apply", (Transformed("value_and_grad", loss), start), {}, outs)
    elif way == "convolve":
        x = scope.input(Aval(dtype, (max(8, scope.side()),)), "signal")
        window = scope.input(Aval(dtype, (stream.choice((3, 5)),)), "window")
        name = stream.choice(("convolve", "correlate"))
        params = {"function": Code(f"jax.scipy.signal.{name}"), "mode": "same"}
        scope.bind("library_call", (x, window), params, Var(x.type, (-60.0, 60.0)))
    else:
        image = scope.input(Aval(dtype, (8, 8)), "image")
        points = scope.input(Aval(dtype, (2, scope.side())), "coords")
        params = {"function": Code("jax.scipy.ndimage.map_coordinates"), "order": 1}
        params["mode"] = stream.choice(("nearest", "wrap", "reflect"))
        out = Var(Aval(dtype, points.aval.shape[1:]), (-4.0, 4.0))
        scope.bind("library_call", (image, points), params, out)
