"""Order: top-k, sorts of several arrays, partitions, ranks, sets with a fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import Drawn, array_op
from jax_ir_pairs.synthesis.ops.matrices import require
from jax_ir_pairs.synthesis.ops.reductions import draw_axis
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import COMPLEX, FLOATS, INTEGERS, NUMBERS, Aval

_ALL = (*FLOATS, *INTEGERS)


def _long(scope: Scope, dtypes: Sequence[str] = _ALL, rank: int = 0) -> Var:
    """Gives an array whose last axis has an order to speak of."""

    def fits(var: Var) -> bool:
        shape = var.aval.shape
        return bool(shape) and 1 < shape[-1] <= 64 and (not rank or len(shape) == rank)

    x = scope.pick(dtypes, where=fits)
    if x is None:
        aval = Aval(scope.float_dtype, (max(4, min(scope.side(), 64)),))
        x = scope.input(aval, scope.stream.choice(("scores", "values", "x")))
    return x


def _top(x: Var, k: int, **params: Any) -> list[Typed]:
    require(0 < k <= x.aval.shape[-1], "top_k")
    shape = (*x.aval.shape[:-1], k)
    indices = (Aval("i32", shape), (0, x.aval.shape[-1] - 1))
    return [(Aval(x.aval.dtype, shape), x.bounds), indices]


def _draw_top(scope: Scope, *dtypes: str) -> Drawn:
    x = _long(scope, dtypes or _ALL)
    return (x,), {"k": min(x.aval.shape[-1], scope.stream.choice((1, 2, 3, 4, 5)))}


def _draw_approximate(scope: Scope) -> Drawn:
    drawn = _draw_top(scope, "f32", "bf16", "f64")
    if drawn is not None and scope.stream.chance(0.3):
        drawn[1]["recall_target"] = scope.stream.choice((0.9, 0.95, 0.99))
    return drawn


def _sorted(*arrays: Var, num_keys: int = 1, dimension: int = -1, **params: Any) -> list[Typed]:
    require(len({v.aval.shape for v in arrays}) == 1 and arrays[0].aval.rank > 0, "sort")
    return [(v.aval, v.bounds) for v in arrays]


def _draw_keys(scope: Scope) -> tuple[tuple[tuple[Var, Var]], dict[str, Any]]:
    x = _long(scope)
    others = [v for v in scope.values if v.aval.shape == x.aval.shape and v is not x
              and v.aval.dtype in _ALL]  # fmt: skip
    y = scope.stream.choice(others) if others else None
    if y is None:
        y = scope.let("cumsum", x, axis=-1) if x.aval.dtype in FLOATS else scope.let("abs", x)
    params: dict[str, Any] = {"dimension": x.aval.rank - 1}
    return ((x, y),), params | {"num_keys": scope.stream.choice((1, 1, 2))}


def _draw_key_and_value(scope: Scope) -> Drawn:
    (pair,), params = _draw_keys(scope)
    return pair, {"dimension": params["dimension"]}


def _draw_with_index(scope: Scope) -> Drawn:
    x = _long(scope, rank=1)
    require(x.aval.rank == 1, "sort with an index")
    return (x,), {"n": x.aval.shape[0]}


def _with_index(x: Var, n: int) -> list[Typed]:
    return [(x.aval, x.bounds), (Aval("i32", (n,)), (0, n - 1))]


def _lexsort(keys: tuple[Var, ...]) -> Typed:
    require(len({v.aval.shape for v in keys}) == 1 and keys[0].aval.rank == 1, "lexsort")
    return Aval("i32", keys[0].aval.shape), (0, keys[0].aval.size - 1)


def _draw_lexsort(scope: Scope) -> Drawn:
    x = _long(scope, rank=1)

    def fits(var: Var) -> bool:
        return var.aval.shape == x.aval.shape and var is not x

    y = scope.pick(_ALL, where=fits)
    if y is None:
        y = scope.let("round", x) if x.aval.dtype in FLOATS else scope.let("invert", x)
    return ((x, y),), {}


def _partitioned(x: Var, kth: int, **params: Any) -> Typed:
    require(kth < x.aval.shape[params.get("axis", -1)], "partition")
    return x.aval, x.bounds


def _arg_partitioned(x: Var, kth: int, **params: Any) -> Typed:
    require(kth < x.aval.shape[-1], "argpartition")
    return Aval("i32", x.aval.shape), (0, x.aval.shape[-1] - 1)


def _draw_partition(scope: Scope) -> Drawn:
    x = _long(scope, NUMBERS)
    return (x,), {"kth": scope.stream.integer(0, x.aval.shape[-1] - 1)}


def _indices_along(x: Var, axis: int) -> Typed:
    return Aval("i32", x.aval.shape), (0, x.aval.shape[axis] - 1)


def _draw_ranks(scope: Scope) -> Drawn:
    x = _long(scope)
    return (x,), {"axis": draw_axis(scope, x.aval.rank)}


def _unique(x: Var, size: int, **params: Any) -> Typed:
    require(x.aval.rank > 0, "unique of a scalar")
    fill = params.get("fill_value", x.bounds[0])
    return x.aval.with_shape(size), (min(x.bounds[0], fill), max(x.bounds[1], fill))


def _unique_counts(x: Var, size: int) -> Typed:
    return Aval("i32", (size,)), (0, x.aval.size)


def _unique_inverse(x: Var, size: int) -> Typed:
    return Aval("i32", x.aval.shape), (0, size - 1)


def _draw_unique(scope: Scope) -> Drawn:
    x = scope.pick(INTEGERS, where=lambda v: 0 < v.aval.rank < 3 and v.aval.size <= 256)
    if x is None:
        x = scope.input(Aval("i32", (max(4, min(scope.side(), 32)),)), "labels")
    return (x,), {"size": scope.stream.choice((3, 4, 5, 8))}


def _draw_filled(scope: Scope) -> Drawn:
    drawn = _draw_unique(scope)
    if drawn is not None and scope.stream.chance(0.4):
        drawn[1]["fill_value"] = 0
    return drawn


def _set(x: Var, y: Var, size: int) -> Typed:
    low, high = min(x.bounds[0], y.bounds[0], 0), max(x.bounds[1], y.bounds[1], 0)
    return x.aval.with_shape(size), (low, high)


def _draw_sets(scope: Scope) -> Drawn:
    drawn = _draw_unique(scope)
    assert drawn is not None
    (x, *_), params = drawn
    assert isinstance(x, Var)
    y = scope.pick((x.aval.dtype,), where=lambda v: v is not x and 0 < v.aval.rank < 3)
    if y is None:
        y = scope.input(Aval(x.aval.dtype, (scope.stream.choice((3, 4, 6)),)), "allowed")
    return (x, y), params


def _member(x: Var, y: Var) -> Typed:
    require(x.aval.dtype == y.aval.dtype, "isin")
    return Aval("bool", x.aval.shape), (0, 1)


def _draw_member(scope: Scope) -> Drawn:
    drawn = _draw_sets(scope)
    return drawn and (drawn[0], {})


def _sorted_complex(x: Var) -> Typed:
    dtype = {"f32": "c64", "f64": "c128"}.get(x.aval.dtype, x.aval.dtype)
    return Aval(dtype, x.aval.shape), (min(x.bounds[0], 0.0), max(x.bounds[1], 0.0))


def _draw_complex(scope: Scope) -> Drawn:
    x = scope.pick(("f32", "f64", *COMPLEX), where=lambda v: v.aval.rank > 0)
    return None if x is None else ((x,), {})


def _last_of(x: Var, axis: int, **params: Any) -> Typed:
    return Aval("i32", x.aval.shape), (0, x.aval.shape[axis] - 1)


def _draw_descending(scope: Scope) -> Drawn:
    x = _long(scope)
    return (x,), {"axis": -1, "descending": True}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "ordering", templates, draw, typed, weight, **more)


_INDEX: dict[str, Any] = {"reverse": False, "widens": "all"}

OPS = (
    _row("top_k", "lax.top_k({0}, {k})", _draw_top, _top, 2.5),
    _row("approx_max_k", "lax.approx_max_k({0}, {k}{kw})", _draw_approximate, _top, 1.2,
         reverse=False),
    _row("approx_min_k", "lax.approx_min_k({0}, {k}{kw})", _draw_approximate, _top, 0.8,
         reverse=False),
    _row("top_values", "lax.top_k({0}, {k})[0]", _draw_top, lambda x, k: _top(x, k)[0], 0.8),
    _row("top_indices", "lax.top_k({0}, {k})[1]", _draw_top, lambda x, k: _top(x, k)[1], 0.8,
         reverse=False),
    _row("sort_pair", "lax.sort({0}{kw})", _draw_keys, lambda pair, **p: _sorted(*pair, **p), 1.2,
         reverse=False),
    _row("sort_key_val", "lax.sort_key_val({0}, {1}{kw})",
         _draw_key_and_value, _sorted, 1.0, reverse=False),
    _row("sort_with_index", "lax.sort(({0}, lax.iota(jnp.int32, {n})), num_keys=1)",
         _draw_with_index, _with_index, 1.0, reverse=False),
    _row("lexsort", "jnp.lexsort({0})", _draw_lexsort, _lexsort, 1.0, **_INDEX),
    _row("partition", "jnp.partition({0}, {kth})", _draw_partition, _partitioned, 1.0,
         reverse=False),
    _row("argpartition", "jnp.argpartition({0}, {kth})", _draw_partition, _arg_partitioned, 0.8,
         reverse=False),
    _row("ranks", "jnp.argsort(jnp.argsort({0}{kw}){kw})", _draw_ranks, _indices_along, 1.2,
         **_INDEX),
    _row("argsort_descending", "jnp.argsort({0}{kw})", _draw_descending, _last_of, 0.8, **_INDEX),
    _row("sort_descending", "jnp.sort({0}{kw})", _draw_descending,
         lambda x, **p: (x.aval, x.bounds), 0.8),
    _row("unique", "jnp.unique({0}{kw})", _draw_filled, _unique, 1.0, reverse=False),
    _row("unique_counts", "jnp.unique({0}{kw}, return_counts=True)[1]", _draw_unique,
         _unique_counts, 0.7, reverse=False, widens="all"),
    _row("unique_inverse", "jnp.unique({0}{kw}, return_inverse=True)[1]", _draw_unique,
         _unique_inverse, 0.7, reverse=False, widens="all"),
    _row("intersect1d", "jnp.intersect1d({0}, {1}{kw})", _draw_sets,
         _set, 0.5, reverse=False),
    _row("union1d", "jnp.union1d({0}, {1}{kw})", _draw_sets, _set,
         0.5, reverse=False),
    _row("setdiff1d", "jnp.setdiff1d({0}, {1}{kw})", _draw_sets, _set,
         0.5, reverse=False),
    _row("isin", "jnp.isin({0}, {1})", _draw_member, _member, 0.8, reverse=False),
    _row("sort_complex", "jnp.sort_complex({0})", _draw_complex, _sorted_complex, 0.6,
         reverse=False),
)  # fmt: skip
