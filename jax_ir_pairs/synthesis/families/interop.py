"""What crosses the compiler's boundary: callbacks, exports, foreign calls, placement, checks."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Defined, Function, Literal, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    cast,
    draw_aval,
    grow_ops,
    leaves,
    one_of,
    use_all,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import LONG_NAMES, NUMBERS, Aval, Pullback, Record

_HOST = (
    ("host_sort", "return np.sort(x, axis=-1)"),
    ("host_flip", "return np.flip(x, axis=0).copy()"),
    ("host_round", "return np.round(x)"),
    ("host_clip", "return np.clip(x, -1, 1)"),
    ("host_roll", "return np.roll(x, 1, axis=-1)"),
)


def _outermost(scope: Scope) -> None:
    if scope.depth or scope.reverse:
        raise IllTyped("only the entry point talks to the host")


def _array(scope: Scope, rank: int | None = None) -> Var:
    def fits(var: Var) -> bool:
        return var.aval.rank > 0 if rank is None else var.aval.rank == rank

    x = scope.pick((scope.float_dtype,), where=fits)
    if x is None or scope.stream.chance(0.3):
        sides = tuple(scope.side() for _ in range(rank or scope.stream.integer(1, 3)))
        x = scope.input(Aval(scope.float_dtype, sides), "x")
    return x


def _shaped(aval: Aval) -> dict[str, Any]:
    return {"shape": aval.shape, "dtype": aval.dtype}


def _pure_callback(scope: Scope, budget: int, mix: Mix) -> None:
    _outermost(scope)
    x, stream = _array(scope), scope.stream
    name, body = stream.choice(_HOST)
    host = Defined(name, f"def {{name}}(x):\n    {body}")
    out = Var(x.type, x.bounds)
    if stream.chance(0.25):
        scope.bind("io_callback", (host, x), _shaped(x.aval), out)
        return
    params = _shaped(x.aval)
    if stream.chance(0.3):
        params["vmap_method"] = "sequential"
    scope.bind("pure_callback", (host, x), params, out)


def _print(scope: Scope, budget: int, mix: Mix) -> None:
    _outermost(scope)
    x, stream = _array(scope), scope.stream
    name = stream.choice(("mean", "max", "min"))
    figure = scope.let(name, x)
    if stream.chance(0.6):
        message = stream.choice((f"{name} = {{}}", f"{name}: {{}}", f"step done, {name} {{}}"))
        scope.bind("debug_print", (figure,), {"message": message}, ())
    elif stream.chance(0.5):
        log = Defined("log_value", "def {name}(value):\n    print(value)")
        scope.bind("debug_callback", (log, figure), {}, ())
    else:
        scope.bind("inspect_sharding", (x,), {}, ())
    grow_ops(scope, budget // 2, mix)
    scope.let("sub", x, figure)


def _smooth_function(scope: Scope, avals: list[Aval], budget: int, mix: Mix, name: str) -> Function:
    params = [Var(aval, (-4.0, 4.0), "xyz"[n]) for n, aval in enumerate(avals)]
    body = scope.nested(params, sealed=True)
    grow_ops(body, max(2, budget // 2), mix)
    found = [v for v in leaves(body, 3) if v.aval.dtype in NUMBERS]
    value = use_all(body, found[-1] if found else body.params[0], body.params)
    if value in body.params:
        value = body.let("tanh", value)
    return body.close(name, value)


def _export(scope: Scope, budget: int, mix: Mix) -> None:
    """A function that is exported with its shapes, and called by the entry point."""
    _outermost(scope)
    x = _array(scope)
    function = _smooth_function(scope, [x.aval], budget, mix, scope.stream.choice(("model", "f")))
    value = function.result
    assert isinstance(value, Var)
    spec = f"jax.ShapeDtypeStruct({x.aval.shape}, jnp.{LONG_NAMES[x.aval.dtype]})"
    template = "{def0}\n\n\n{name} = export.export(jax.jit({f0}))({spec})"
    block = Defined("exported", template, (function,), {"spec": spec})
    scope.bind("call_exported", (block, x), {}, Var(value.type, value.bounds))


_ELEMENTWISE = ("tanh", "sin", "cos", "square", "negative", "abs")
"""Their modules hold no constant, which a shape that is not known yet would have to broadcast."""


def _symbolic(scope: Scope, budget: int, mix: Mix) -> None:
    """A function that is exported for batches of any size."""
    _outermost(scope)
    stream, x = scope.stream, _array(scope, 2)
    param = Var(x.type, (-4.0, 4.0), "x")
    body = scope.nested([param], sealed=True)
    value = param
    for _ in range(stream.integer(1, max(1, min(4, budget // 3)))):
        value = body.let(stream.choice(_ELEMENTWISE), value)
    value = body.let(stream.choice(("sub", "mul", "add")), value, param)
    function = body.close(stream.choice(("model", "predict", "apply")), value)
    columns, dtype = x.aval.shape[1], LONG_NAMES[x.aval.dtype]
    spec = f'jax.ShapeDtypeStruct(export.symbolic_shape("b, {columns}"), jnp.{dtype})'
    template = "{def0}\n\n\n{name} = export.export(jax.jit({f0}))(\n    {spec}\n)"
    block = Defined("exported", template, (function,), {"spec": spec})
    out = Var(value.type, value.bounds)
    scope.bind("call_exported", (block, x), {}, out)
    scope.values.remove(out)  # the module before optimization has it without its size


def _foreign(scope: Scope, budget: int, mix: Mix) -> None:
    """LAPACK's Cholesky factorization through the foreign function interface."""
    _outermost(scope)
    n = scope.side()
    x = scope.input(Aval("f32", (n, n)), scope.stream.choice(("x", "a")))
    gram = scope.let("matmul", x, scope.let("matrix_transpose", x))
    matrix = Var(gram.type, gram.bounds)
    scope.bind("add", (gram, cast(scope, scope.let("eye", n=n), "f32")), {}, matrix)
    template = (
        "{name} = jax.ffi.ffi_call(\n"
        '    "lapack_spotrf_ffi",\n'
        "    (\n"
        "        jax.ShapeDtypeStruct(({n}, {n}), jnp.float32),\n"
        "        jax.ShapeDtypeStruct((), jnp.int32),\n"
        "    ),\n"
        "    input_layouts=((0, 1),),\n"
        "    output_layouts=((0, 1), ()),\n"
        ")"
    )
    call = Defined("potrf", template, params={"n": n})
    lower = Code('uplo=np.uint8(ord("L"))')
    factor = Var(matrix.type, (-20.0, 20.0), "factor")
    scope.bind("ffi_potrf", (call, matrix), {"uplo": lower}, (factor, Var(Aval("i32"), (0, 0))))
    scope.let("tril", factor)


def _placement(scope: Scope, budget: int, mix: Mix) -> None:
    _outermost(scope)
    x = _array(scope)
    host = Var(x.type, x.bounds, "on_host")
    scope.bind("to_host", (x,), {}, host)
    scope.values.remove(host)
    back = Var(x.type, x.bounds)
    scope.bind("to_device", (host,), {}, back)
    grow_ops(scope, budget // 2, mix)


def _buffer(scope: Scope, budget: int, mix: Mix) -> None:
    """A buffer without initial values that is written whole."""
    _outermost(scope)
    x = _array(scope)
    params = _shaped(x.aval)
    buffer = Var(x.type, (-1e4, 1e4), "buffer")
    scope.bind("empty", (), params, buffer)
    out = Var(x.type, x.bounds)
    parts = {"parts": (slice(None),), "subscript": ":", "method": "set"}
    scope.bind("at", (buffer, x), parts, out)
    scope.values.remove(buffer)


def _sink(scope: Scope, budget: int, mix: Mix) -> None:
    """A value that is computed and thrown away, which the compiler may not drop before."""
    _outermost(scope)
    x = _array(scope)
    scope.bind("dce_sink", (scope.let("mul", x, Literal(2.0)),), {}, ())
    scope.let("tanh", x)


def _partitioned(scope: Scope, budget: int, mix: Mix) -> None:
    """A function with its own rule of how the partitioner splits it."""
    _outermost(scope)
    x = _array(scope, 2)
    name = scope.stream.choice(("sin", "tanh", "cos"))
    template = (
        "@custom_partitioning\n"
        "def {name}(x):\n"
        "    return jnp.{op}(x)\n\n\n"
        "{name}.def_partition(\n"
        "    infer_sharding_from_operands=lambda mesh, args, out: args[0].sharding,\n"
        "    partition=lambda mesh, args, out: (\n"
        "        mesh,\n"
        "        jnp.{op},\n"
        "        out.sharding,\n"
        "        tuple(arg.sharding for arg in args),\n"
        "    ),\n"
        '    sharding_rule="i j -> i j",\n'
        ")"
    )
    block = Defined(f"partitioned_{name}", template, params={"op": name})
    scope.bind("apply", (block, x), {}, Var(x.type, (-1.0, 1.0)))


def _checked(scope: Scope, budget: int, mix: Mix) -> None:
    """A function whose checks become a value beside its result."""
    _outermost(scope)
    x = _array(scope)
    param = Var(x.type, x.bounds, "x")
    body = scope.nested([param], sealed=True)
    low = body.let("min", param)
    fine = body.let("greater", low, Literal(-100.0))
    body.bind("check", (fine,), {"message": "values are too small"}, ())
    grow_ops(body, budget // 2, mix)
    value = use_all(body, leaves(body, 1)[0], [param])
    function = body.close("checked", value)
    error = Var(Pullback((), Record(())), role="error")
    out = Var(value.type, value.bounds)
    scope.bind("checkify", (function, x), {}, (error, out))
    scope.unused.pop(error, None)


def _tagged(scope: Scope, budget: int, mix: Mix) -> None:
    _outermost(scope)
    scope.input(draw_aval(scope, 2), "x")
    grow_ops(scope, budget // 2, mix)
    scope.draw(scope.ops[scope.stream.choice(("set_xla_metadata", "layout_constraint"))])


FAMILY = Family(
    "interop",
    one_of(
        Form(_pure_callback, 2.0, reverse=False),
        Form(_print, 2.0, reverse=False),
        Form(_export, 1.5, reverse=False),
        Form(_symbolic, 0.9, reverse=False),
        Form(_foreign, 0.7, reverse=False),
        Form(_placement, 0.7, reverse=False),
        Form(_buffer, 0.7, reverse=False),
        Form(_sink, 0.8, reverse=False),
        Form(_partitioned, 0.6, reverse=False),
        Form(_checked, 0.8, reverse=False),
        Form(_tagged, 1.5, reverse=False),
    ),
)
