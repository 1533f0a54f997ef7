"""Sparse matrices of a scope: made, multiplied, rearranged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Literal, Var
from jax_ir_pairs.synthesis.ops.keys import fresh
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds, Pullback

_EDGE = 100.0


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse matrix of the scope. Ordinary ops cannot take it, so it is no array to them."""

    var: Var
    shape: tuple[int, ...]
    nse: int


def make(
    scope: Scope, op: str, operands: tuple[Any, ...], params: Mapping[str, Any],
    shape: tuple[int, ...], nse: int, role: str = "",
) -> Sparse:  # fmt: skip
    """Applies an op of the group "sparse" that gives a sparse matrix."""
    role = role or scope.stream.choice(("mat", "sp", "m", ""))
    var = Var(Pullback((), Aval(scope.float_dtype, shape)), (-_EDGE, _EDGE), role)
    scope.bind(f"sparse_{op}", operands, params, var)
    return Sparse(var, shape, nse)


def dense_out(
    scope: Scope, op: str, operands: tuple[Any, ...], params: Mapping[str, Any],
    shape: tuple[int, ...], bounds: Bounds = (-2 * _EDGE, 2 * _EDGE), role: str = "",
) -> Var:  # fmt: skip
    """Applies an op of the group "sparse" that gives a dense array."""
    out = Var(Aval(scope.float_dtype, shape), bounds, role)
    scope.bind(f"sparse_{op}", operands, params, out)
    return out


def matrix_side(scope: Scope) -> int:
    """Gives a side that coordinates of ordinary inputs fall into."""
    return min(max(4, scope.side()), 16)


def dense(scope: Scope, *shape: int, role: str = "x") -> Var:
    """Gives a dense value of this shape, within ordinary bounds."""
    aval = Aval(scope.float_dtype, shape)
    found = scope.pick((aval.dtype,), needs=(-10, 10), where=lambda v: v.aval == aval)
    return found or scope.input(aval, role)


def matrix(scope: Scope, shape: tuple[int, int] | None = None, kind: str = "BCOO") -> Sparse:
    """Gives a sparse matrix, as people come by one."""
    stream = scope.stream
    way = stream.weighted(("dense", "coordinates", "random"), (5, 3, 1))
    if kind == "BCOO" and way != "dense":
        shape = shape or (matrix_side(scope), matrix_side(scope))
        nse = stream.choice((4, 6, 8, 12, 16))
        if way == "random":
            nse = min(nse, shape[0] * shape[1] // 2)
            params = {"shape": shape, "nse": nse, "dtype": scope.float_dtype}
            return make(scope, "random", (fresh(scope, threefry=True),), params, shape, nse)
        data = dense(scope, nse, role="data")
        indices = scope.input(Aval("i32", (nse, 2)), "indices", (0, 3))
        return make(scope, "new", (data, indices), {"shape": shape}, shape, nse)
    if shape is None:
        found = scope.pick((scope.float_dtype,), needs=(-10, 10), where=lambda v: (
            v.aval.rank == 2 and min(v.aval.shape) > 1 and v.aval.size <= 512))  # fmt: skip
        x = found or scope.input(
            Aval(scope.float_dtype, (matrix_side(scope), matrix_side(scope))), "x"
        )
    else:
        x = dense(scope, *shape)
    rows, columns = x.aval.shape
    if stream.chance(0.4):
        active = scope.let("greater", scope.let("abs", x), Literal(stream.choice((0.5, 1.0))))
        x = scope.let("where", active, x, Literal(0.0))
    nse = max(2, rows * columns // stream.choice((1, 2, 2)))
    params = {"kind": Code(kind), "nse": nse}
    return make(scope, "fromdense", (x,), params, (rows, columns), nse)


def multiply(scope: Scope, m: Sparse, *, methods: bool = True) -> Var:
    """Gives a product of a sparse matrix with a dense value."""
    stream, (rows, columns) = scope.stream, m.shape
    way = stream.choice(("vector", "vector", "matrix", "left", "T", "general"))
    if not methods and way in ("left", "general"):
        way = "matrix"
    if way == "vector":
        v = dense(scope, columns, role="v")
        return dense_out(scope, "matmul", (m.var, v), {}, (rows,))
    if way == "matrix":
        w = dense(scope, columns, scope.side(), role="w")
        return dense_out(scope, "matmul", (m.var, w), {}, (rows, w.aval.shape[1]))
    if way == "left":
        w = dense(scope, scope.side(), rows, role="w")
        return dense_out(scope, "matmul", (w, m.var), {}, (w.aval.shape[0], columns))
    if way == "T":
        turned = make(scope, "T", (m.var,), {}, (columns, rows), m.nse)
        v = dense(scope, rows, role="u")
        return dense_out(scope, "matmul", (turned.var, v), {}, (columns,))
    axes = (((1,), (0,)), ((), ()))
    v = dense(scope, columns, role="v")
    return dense_out(scope, "dot_general", (m.var, v), {"dimension_numbers": axes}, (rows,))


def to_dense(scope: Scope, m: Sparse) -> Var:
    """Gives the matrix as a dense array."""
    way = scope.stream.weighted(("todense", "todense_function"), (3, 1))
    return dense_out(scope, way, (m.var,), {}, m.shape)


def rearrange(scope: Scope, m: Sparse) -> Sparse:
    """Gives a sparse matrix whose elements have moved, or been summed or scaled."""
    stream, (rows, columns) = scope.stream, m.shape
    way = stream.choice(_WAYS)
    x, same = (m.var,), (m.shape, m.nse)
    if way in ("T", "transpose"):
        return make(scope, way, x, {}, (columns, rows), m.nse)
    if way == "sum":
        axis = stream.choice((0, 1))
        return make(scope, way, x, {"axis": axis}, (m.shape[1 - axis],), m.nse)
    if way == "reduce_sum":
        return make(scope, way, x, {"axes": (0,)}, (columns,), m.nse)
    if way == "scaled":
        return make(scope, way, x, {"factor": stream.choice((0.5, 2.0, 0.1))}, *same)
    if way == "getitem":
        count = stream.integer(1, rows - 1)
        subscript = stream.choice((f":{count}", f":{count}, :"))
        return make(scope, way, x, {"subscript": subscript}, (count, columns), m.nse)
    if way == "slice":
        stop = (stream.integer(1, rows), stream.integer(1, columns))
        params = {"start_indices": (0, 0), "limit_indices": stop}
        return make(scope, way, x, params, stop, m.nse)
    if way == "dynamic_slice":
        offset = (Literal(stream.choice((0, 1))), Literal(0))
        sizes = (stream.integer(1, rows), stream.integer(1, columns))
        return make(scope, way, (*x, offset), {"slice_sizes": sizes}, sizes, m.nse)
    if way == "reshape":
        return make(scope, way, x, {"shape": (columns, rows)}, (columns, rows), m.nse)
    if way == "concatenate":
        return make(scope, way, ((m.var, m.var),), {"dimension": 0}, (2 * rows, columns), m.nse)
    if way == "rev":
        return make(scope, way, x, {"dimensions": (stream.choice((0, 1)),)}, *same)
    if way == "broadcast_in_dim":
        deep = (stream.choice((2, 3)), rows, columns)
        wider: dict[str, Any] = {"shape": deep, "broadcast_dimensions": (1, 2)}
        return make(scope, way, x, wider, deep, m.nse)
    if way == "sum_duplicates":
        return make(scope, way, x, {"nse": m.nse}, *same)
    if way == "add":
        return make(scope, way, (m.var, m.var), {}, *same)
    return make(scope, way, x, {}, *same)


_WAYS = (
    "T", "transpose", "sum", "reduce_sum", "scaled", "getitem", "slice", "dynamic_slice",
    "reshape", "concatenate", "rev", "broadcast_in_dim", "sort_indices", "sum_duplicates", "add",
    "negative", "sort_indices", "sort_indices", "sort_indices", "sum_duplicates", "transpose",
)  # fmt: skip
