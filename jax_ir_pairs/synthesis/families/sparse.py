"""Sparse matrices: made of dense ones or of coordinates, multiplied, rearranged, differentiated."""

from __future__ import annotations

import math

from jax_ir_pairs.synthesis.constructs.sparse_matrices import (
    Sparse,
    dense,
    dense_out,
    make,
    matrix,
    matrix_side,
    multiply,
    rearrange,
    to_dense,
)
from jax_ir_pairs.synthesis.graph import Code, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, grow_ops, one_of
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.matrices import well_conditioned
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Pullback


def _products(scope: Scope, budget: int, mix: Mix) -> None:
    m = matrix(scope)
    for _ in range(scope.stream.integer(1, 2)):
        multiply(scope, m)
    grow_ops(scope, budget // 2, mix)


def _rearranged(scope: Scope, budget: int, mix: Mix) -> None:
    m = matrix(scope)
    for _ in range(scope.stream.integer(1, 2)):
        if len(m.shape) == 2 and min(m.shape) > 1:
            m = rearrange(scope, m)
    to_dense(scope, m)
    grow_ops(scope, budget // 2, mix)


def _elementwise(scope: Scope, budget: int, mix: Mix) -> None:
    m = matrix(scope)
    way = scope.stream.choice(("times", "times", "extract", "multiply_sparse"))
    if way == "multiply_sparse":
        rows, columns = m.shape
        other = matrix(scope, (rows, columns))
        new = make(scope, way, (m.var, other.var), {}, m.shape, m.nse)
    else:
        new = make(scope, way, (m.var, dense(scope, *m.shape, role="y")), {}, m.shape, m.nse)
    to_dense(scope, new)
    grow_ops(scope, budget // 2, mix)


def _sampled(scope: Scope, budget: int, mix: Mix) -> None:
    """The elements of a dense product at given coordinates."""
    inner, rows, columns = scope.side(), matrix_side(scope), matrix_side(scope)
    nse = scope.stream.choice((4, 8, 16))
    x, y = dense(scope, rows, inner, role="q"), dense(scope, inner, columns, role="k")
    indices = scope.input(Aval("i32", (nse, 2)), "indices", (0, 3))
    params = {"dimension_numbers": (((1,), (0,)), ((), ()))}
    edge = 16.0 * math.sqrt(inner) * 6
    out = dense_out(scope, "sampled", (x, y, indices), params, (nse,), (-edge, edge))
    if scope.stream.chance(0.5):
        shape = (rows, columns)
        m = make(scope, "new", (out, indices), {"shape": shape}, shape, nse)
        multiply(scope, m)


def _square(scope: Scope, budget: int, mix: Mix) -> None:
    """A product of two sparse matrices."""
    m = matrix(scope)
    rows, columns = m.shape
    other = matrix(scope, (columns, matrix_side(scope)))
    shape = (rows, other.shape[1])
    new = make(scope, "matmul", (m.var, other.var), {}, shape, m.nse * other.nse)
    to_dense(scope, new)


_SPARSIFIED = (
    ("lambda m, v: jnp.sin(m @ v)", "vector"),
    ("lambda m, v: jnp.sum(m @ v) + jnp.sum(v**2)", "scalar"),
    ("lambda m, v: jnp.tanh(m @ v) * 0.5", "vector"),
    ("lambda m, v: (2.0 * m) @ v", "vector"),
)
_LOSSES = (
    "lambda m, v: jnp.sum((m @ v) ** 2)",
    "lambda m, v: jnp.mean(jnp.tanh(m @ v))",
    "lambda m, v: 0.5 * jnp.sum(jnp.square(m @ v - 1.0))",
)


def _sparsified(scope: Scope, budget: int, mix: Mix) -> None:
    """A function of dense arrays that is made to take a sparse one."""
    m = matrix(scope)
    v = dense(scope, m.shape[1], role="v")
    text, result = scope.stream.choice(_SPARSIFIED)
    shape = m.shape[:1] if result == "vector" else ()
    dense_out(scope, "sparsify", (m.var, v), {"function": Code(text)}, shape, (-1e3, 1e3))


def _gradient(scope: Scope, budget: int, mix: Mix) -> None:
    """A gradient with respect to a sparse matrix, which is sparse too."""
    m = matrix(scope)
    v = dense(scope, m.shape[1], role="v")
    function = {"function": Code(scope.stream.choice(_LOSSES))}
    if scope.stream.chance(0.5):
        grad = make(scope, "grad", (m.var, v), function, m.shape, m.nse, "grad")
        to_dense(scope, grad)
        return
    value = Var(Aval(scope.float_dtype), (-1e4, 1e4), "loss")
    grads = Var(Pullback((), value.aval), role="grads")
    scope.bind("sparse_value_and_grad", (m.var, v), function, (value, grads))
    if scope.stream.chance(0.6):
        to_dense(scope, Sparse(grads, m.shape, m.nse))


def _trained(scope: Scope, budget: int, mix: Mix) -> None:
    """The gradient of a loss with respect to the stored elements of a matrix."""
    nse, rows, columns = scope.stream.choice((4, 8, 12)), matrix_side(scope), matrix_side(scope)
    data = dense(scope, nse, role="data")
    indices = scope.input(Aval("i32", (nse, 2)), "indices", (0, 3))
    v = dense(scope, columns, role="v")
    body = scope.nested([Var(data.type, data.bounds, "data")], [indices, v], reverse=True)
    shape = (rows, columns)
    m = make(body, "new", (body.params[0], indices), {"shape": shape}, shape, nse)
    y = dense_out(body, "matmul", (m.var, v), {}, (rows,))
    total = body.let("sum", body.let(scope.stream.choice(("square", "tanh", "sin")), y))
    loss = body.close(scope.stream.choice(("loss", "energy")), total)
    grad = Var(data.aval, (-1e3, 1e3), "grad")
    scope.bind("apply", (Transformed("grad", loss), data), {}, grad)
    if scope.stream.chance(0.5):
        scope.let("sub", data, scope.let("mul", grad, Literal(0.01)))


def _compressed(scope: Scope, budget: int, mix: Mix) -> None:
    """Matrices of compressed rows or columns, and of plain coordinates."""
    kind = scope.stream.choice(("BCSR", "BCSR", "CSR", "COO", "CSC"))
    if kind == "BCSR" and scope.stream.chance(0.4):
        flat = matrix(scope)
        m = make(scope, "from_bcoo", (flat.var,), {}, flat.shape, flat.nse)
    else:
        m = matrix(scope, kind=kind)
    way = scope.stream.choice(("product", "dense", "own"))
    if way == "own" and kind == "BCSR":
        if scope.stream.chance(0.7):
            y = dense(scope, *m.shape, role="y")
            dense_out(scope, "bcsr_extract", (m.var, y), {}, (m.nse,))
            return
        m = make(scope, "to_bcoo", (m.var,), {}, m.shape, m.nse)
        way = "product"
    if way == "product":
        v = dense(scope, m.shape[1], *((scope.side(),) * scope.stream.integer(0, 1)), role="v")
        dense_out(scope, "matmul", (m.var, v), {}, (m.shape[0], *v.aval.shape[1:]))
        return
    to_dense(scope, m)


def _solved(scope: Scope, budget: int, mix: Mix) -> None:
    """A system with a matrix of compressed rows."""
    a = well_conditioned(scope)
    if a.aval.rank != 2:
        raise IllTyped("a batch of matrices")
    n = a.aval.shape[0]
    params = {"kind": Code("BCSR"), "nse": n * n}
    m = make(scope, "fromdense", (a,), params, a.aval.shape, n * n)
    dense_out(scope, "spsolve", (m.var, dense(scope, n, role="b")), {}, (n,), role="x")


def _batched(scope: Scope, budget: int, mix: Mix) -> None:
    """A matrix with the same number of elements in each row, or with dense columns."""
    rows, columns = matrix_side(scope), matrix_side(scope)
    x = dense(scope, rows, columns)
    nse = scope.stream.integer(1, min(rows, columns) - 1)
    layout = scope.stream.choice(("n_batch", "n_dense"))
    params = {"kind": Code("BCOO"), layout: 1, "nse": nse}
    m = make(scope, "fromdense", (x,), params, (rows, columns), nse)
    if layout == "n_batch" and scope.stream.chance(0.6):
        if scope.stream.chance(0.5):
            m = make(scope, "update_layout", (m.var,), {"n_batch": 0}, m.shape, m.nse)
        v = dense(scope, columns, role="v")
        dense_out(scope, "matmul", (m.var, v), {}, (rows,))
        return
    to_dense(scope, m)


def _power(scope: Scope, budget: int, mix: Mix) -> None:
    """Power iteration: a product and a division by the norm, again and again."""
    side = matrix_side(scope)
    m = matrix(scope, (side, side))
    start = dense(scope, side, role="v0")
    i, v = Var(Aval(scope.int_dtype), (0, 20), "i"), Var(start.aval, (-1.0, 1.0), "v")
    body = scope.nested([i, v])
    y = dense_out(body, "matmul", (m.var, v), {}, (side,))
    size = body.let("add", body.let("norm", y, axis=-1), Literal(1e-3))
    new = Var(start.aval, (-1.0, 1.0))
    body.bind("div", (y, size), {}, new)
    step = body.close(scope.stream.choice(("body", "step")), new)
    upper = scope.stream.choice((5, 10, 20))
    out = Var(start.aval, (-1.0, 1.0), "v")
    scope.bind("fori_loop", (step, start), {"lower": 0, "upper": upper}, out)


_FORMS = one_of(
    Form(_products, 3.0),
    Form(_rearranged, 4.0),
    Form(_elementwise, 1.5),
    Form(_sampled, 1.0),
    Form(_square, 1.2, reverse=False),
    Form(_sparsified, 1.0),
    Form(_gradient, 1.5, reverse=False),
    Form(_trained, 1.2),
    Form(_compressed, 6.0, reverse=False),
    Form(_batched, 1.2),
    Form(_solved, 0.8, reverse=False),
    Form(_power, 0.8),
)


def _grow(scope: Scope, budget: int, mix: Mix) -> None:
    if scope.outer is not None:
        # Most sparse primitives have no rule for vmap, which may stand around a nested function.
        raise IllTyped("sparse matrices at the top level only")
    _FORMS(scope, budget, mix)


FAMILY = Family("sparse", _grow)
