"""Dynamic programs, filters and recurrences along a sequence."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    STATE,
    WIDE,
    applied,
    call,
    calls,
    carried,
    drawn_function,
    fori,
    scan,
)
from jax_ir_pairs.synthesis.constructs.algorithms.roots import CONTRACTIONS
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.matrices import calm, plus_ridge, vector
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def _sequence(scope: Scope, width: int = 0) -> Var:
    """Gives a sequence of vectors, of this length if given."""

    def fits(var: Var) -> bool:
        shape = var.aval.shape
        right = not width or shape[-1] == width
        return len(shape) == 2 and right and 1 < shape[0] <= 64 and shape[1] <= 64

    xs = scope.pick((scope.float_dtype,), where=fits)
    if xs is None:
        aval = Aval(scope.float_dtype, (max(3, scope.side()), width or scope.side()))
        xs = scope.input(aval, scope.stream.choice(("xs", "observations", "seq")))
    return calm(scope, xs, 4.0)


def _labels(scope: Scope, most: int, *names: str) -> Var:
    def fits(var: Var) -> bool:
        return var.aval.rank == 1 and 1 < var.aval.size <= 32

    labels = scope.pick(("i32",), needs=(0, most), where=fits)
    if labels is None:
        aval = Aval("i32", (scope.stream.choice((4, 6, 8)),))
        labels = scope.input(aval, scope.stream.choice(names), (0, 3))
    return labels


def linear_recurrence(scope: Scope, budget: int, mix: Mix) -> None:
    """`h[t] = a[t] * h[t-1] + b[t]` for all times at once, by an associative scan of pairs."""
    b = _sequence(scope)
    if scope.stream.chance(0.5):
        a = scope.let("sigmoid", b, role="a")
    else:
        base = scope.pick(where=lambda v: v.aval == b.aval and v is not b)
        a = scope.let("sigmoid", base or b, role="decay")
    pair = (b.type, b.type)
    left, right = Var(pair, role="left"), Var(pair, role="right")
    body = scope.nested([left, right])
    names = [Var(b.type, STATE, name) for name in ("a1", "b1", "a2", "b2")]
    body.bind("unpack", (left,), {}, tuple(names[:2]))
    body.bind("unpack", (right,), {}, tuple(names[2:]))
    k, (a1, b1, a2, b2) = calls(body), names
    combine = body.close("combine", (k("mul", a1, a2), k("add", k("mul", a2, b1), b2)))
    params = {"reverse": True} if scope.stream.chance(0.2) else {}
    decay, states = Var(a.type, (0.0, 1.0)), Var(b.type, WIDE, "h")
    scope.bind("associative_scan", (combine, (a, b)), params, (decay, states))
    scope.unused.pop(decay)


_MONOIDS: tuple[tuple[str, str], ...] = (
    ("mul", "prod"), ("maximum", "running_max"), ("minimum", "running_min"), ("add", "prefix"),
    ("logaddexp", "log_prefix"),
)  # fmt: skip


def prefix(scope: Scope, budget: int, mix: Mix) -> None:
    """All prefixes of a sequence under an associative function."""
    xs = _sequence(scope) if scope.stream.chance(0.5) else vector(scope)
    op, role = scope.stream.choice(_MONOIDS)
    if op == "mul":
        xs = scope.let("sigmoid", xs)
    x, y = Var(xs.type, xs.bounds, "a"), Var(xs.type, xs.bounds, "b")
    body = scope.nested([x, y])
    result = call(body, op, x, y)
    if op in ("maximum", "minimum") and scope.stream.chance(0.3):
        result = call(body, op, result, -1.0 if op == "maximum" else 1.0)
    function = body.close(scope.stream.choice(("combine", "op", "merge")), result)
    params: dict[str, Any] = {"reverse": True} if scope.stream.chance(0.2) else {}
    if xs.aval.rank > 1 and scope.stream.chance(0.4):
        params["axis"] = 1
    edge = 50.0 if op == "add" else 8.0
    scope.bind("associative_scan", (function, xs), params, Var(xs.type, (-edge, edge), role))


def moving_average(scope: Scope, budget: int, mix: Mix) -> None:
    """An exponential filter whose input goes through a function first."""
    xs = _sequence(scope)
    beta = scope.stream.choice((0.5, 0.9, 0.95, 0.99))
    x = Var(xs.aval.with_shape(*xs.aval.shape[1:]), STATE, "x")
    f = drawn_function(scope, [x], budget, mix, scope.stream.choice(("encode", "features", "f")),
                       table=CONTRACTIONS)  # fmt: skip

    def step(body: Scope, v: list[Var], item: list[Var]) -> tuple[list[Var], list[Var]]:
        k = calls(body)
        new = k("mul", round(1 - beta, 3), applied(body, f, item[0]))
        mean = k("add", k("mul", beta, v[0]), new, bounds=STATE)
        return [mean], [mean]

    start = scope.let("zeros", shape=xs.aval.shape[1:])
    scan(scope, [carried(start, "ema")], [(xs, "x")], step)


def kalman(scope: Scope, budget: int, mix: Mix) -> None:
    """Predicts and corrects a mean and a covariance along observations of the first coordinate."""
    n = scope.stream.choice((2, 2, 3, 4))
    zs = scope.pick(
        (scope.float_dtype,), where=lambda v: v.aval.rank == 1 and 1 < v.aval.size <= 32
    )
    zs = calm(scope, zs or scope.input(Aval(scope.float_dtype, (8,)), "zs"), 4.0)
    shift = scope.let("eye_part", n=n, m=n, k=1)
    move = plus_ridge(scope, scope.let("mul", Literal(0.1), shift), 1.0)
    h = part_of(scope, scope.let("eye", n=n), 0, role="H")
    noise, measured = scope.stream.choice((0.01, 0.1)), scope.stream.choice((0.1, 0.5, 1.0))

    def step(body: Scope, v: list[Var], z: list[Var]) -> tuple[list[Var], list[Var]]:
        k, (mean, cov) = calls(body), v
        mean = k("matmul", move, mean, role="mean_pred")
        spread = k("matmul", k("matmul", move, cov), k("matrix_transpose", move))
        cov = k("add", spread, k("mul", noise, body.let("eye", n=n)), role="cov_pred")
        seen = k("matmul", cov, h)
        total = k("add", k("vdot", h, seen), measured, bounds=(0.1, 50.0), role="S")
        gain = k("div", seen, total, role="gain")
        error = k("sub", z[0], k("vdot", h, mean), role="innovation")
        mean = k("add", mean, k("mul", gain, error), bounds=STATE)
        cov = k("sub", cov, k("outer", gain, seen))
        return [mean, cov], [mean if scope.stream.chance(0.7) else error]

    start = scope.let("zeros", shape=(n,))
    carries = [carried(start, "mean"), carried(scope.let("eye", n=n), "cov", WIDE)]
    scan(scope, carries, [(zs, "z")], step)


def _log_tables(scope: Scope, states: int) -> Var:
    raw = scope.pick((scope.float_dtype,), where=lambda v: v.aval.shape == (states, states))
    aval = Aval(scope.float_dtype, (states, states))
    raw = raw or scope.input(aval, scope.stream.choice(("transition_logits", "trans")))
    return scope.let("log_softmax", calm(scope, raw, 4.0), axis=-1, role="log_trans")


def hidden_markov(scope: Scope, budget: int, mix: Mix) -> None:
    """The forward algorithm, or Viterbi's with its back pointers, in logarithms."""
    emissions = _sequence(scope)
    states = emissions.aval.shape[1]
    if states > 16:
        emissions = scope.input(Aval(scope.float_dtype, (6, 4)), "emissions")
        states = 4
    trans = _log_tables(scope, states)
    viterbi = scope.stream.chance(0.5)

    def step(body: Scope, v: list[Var], e: list[Var]) -> tuple[list[Var], list[Var]]:
        k = calls(body)
        column = k("getitem", v[0], parts=(slice(None), None), subscript=":, None")
        scores = k("add", column, trans, role="scores")
        if viterbi:
            best = k("max", scores, axis=0, role="best")
            return [k("add", best, e[0])], [body.let("argmax", scores, axis=0)]
        alpha = k("add", k("logsumexp", scores, axis=0), e[0])
        return [alpha], [alpha]

    start = scope.let("log_softmax", part_of(scope, emissions, 0), axis=-1, role="log_prior")
    name = "delta" if viterbi else "alpha"
    (last,), (_,) = scan(scope, [carried(start, name, WIDE)], [(emissions, "log_prob")], step)
    call(scope, "max" if viterbi else "logsumexp", last, role="log_likelihood")


def edit_distance(scope: Scope, budget: int, mix: Mix) -> None:
    """Levenshtein's distance or the longest common subsequence, a row of the table at a time."""
    a = _labels(scope, 100, "source", "a")
    b = scope.pick(("i32",), needs=(0, 100), where=lambda v: v.aval.rank == 1 and v is not a
                   and 1 < v.aval.size <= 32)  # fmt: skip
    b = b or scope.input(Aval("i32", (scope.stream.choice((5, 7)),)), "target", (0, 3))
    n = b.aval.size
    row = scope.let("arange_float", n=n + 1, dtype="i32", role="row")

    def outer(body: Scope, v: list[Var], item: list[Var]) -> tuple[list[Var], list[Var]]:
        k = calls(body)
        cost = k("astype", k("not_equal", b, item[0]), dtype="i32", bounds=(0, 1), role="cost")
        above = k("getitem", v[0], parts=(slice(1, None),), subscript="1:")
        diagonal = k("getitem", v[0], parts=(slice(None, -1),), subscript=":-1")
        best = k("minimum", k("add", above, 1), k("add", diagonal, cost), role="best")
        first = k("add", k("getitem", v[0], parts=(0,), subscript="0"), 1, role="first")

        def inner(cell: Scope, w: list[Var], x: list[Var]) -> tuple[list[Var], list[Var]]:
            c = calls(cell)
            new = c("minimum", c("add", w[0], 1), x[0], bounds=(0, 64))
            return [new], [new]

        _, (rest,) = scan(body, [carried(first, "left", (0, 64))], [(best, "up")], inner,
                          role="fill_cell")  # fmt: skip
        head = k("expand_dims", first, axis=0)
        new = k("concatenate", (head, rest), axis=0, bounds=(0, 64))
        return [new], [part_of(body, new, -1)]

    (last,), _ = scan(scope, [carried(row, "row", (0, 64))], [(a, "token")], outer, role="fill_row")
    part_of(scope, last, -1, role="distance")


def increasing_subsequence(scope: Scope, budget: int, mix: Mix) -> None:
    """The length of the longest increasing subsequence that ends at each place."""
    xs = vector(scope, most=16)
    n = xs.aval.size
    lengths = scope.let("ones", shape=(n,), dtype="i32", role="lengths")

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        earlier = k("less", body.let("arange", n=n), i)
        smaller = k("less", xs, k("gather", xs, i), role="smaller")
        kept = k("where", k("logical_and", earlier, smaller), v[0], 0)
        best = k("add", k("max", kept), 1)
        return [k("at_rows", v[0], i, best, method="set", bounds=(0, n))]

    (out,) = fori(scope, n, [carried(lengths, "lengths", (0, n))], step, lower=1)
    call(scope, "max", out, bounds=(0, n), role="longest")


def knapsack(scope: Scope, budget: int, mix: Mix) -> None:
    """The best value for every capacity, an item at a time."""
    values = scope.let("abs", vector(scope, most=16), role="values")
    capacity = scope.stream.choice((6, 8, 10))
    n = values.aval.size
    weights = scope.input(Aval("i32", (n,)), "weights", (0, 3))
    start = scope.let("zeros", shape=(capacity + 1,))

    def step(body: Scope, v: list[Var], item: list[Var]) -> tuple[list[Var], list[Var]]:
        k = calls(body)
        places = body.let("arange_float", n=capacity + 1, dtype="i32", role="capacities")
        before = k("sub", places, item[0], bounds=(-8, 16), role="left")
        fits = k("greater_equal", before, 0)
        taken = k("add", k("gather", v[0], k("maximum", before, 0, bounds=(0, 5))), item[1])
        best = k("maximum", v[0], k("where", fits, taken, 0.0))
        return [best], [k("max", best)]

    scan(scope, [carried(start, "best", (0.0, 50.0))],
         [(weights, "weight"), (values, "value")], step)  # fmt: skip


def horner(scope: Scope, budget: int, mix: Mix) -> None:
    """A polynomial by Horner's rule, over its coefficients."""
    coefficients = vector(scope, most=8)
    x = scope.pick((scope.float_dtype,), where=lambda v: v is not coefficients)
    x = calm(scope, x or scope.input(Aval(scope.float_dtype, (scope.side(),)), "x"), 1.0)
    start = scope.let("array_zeros_like", x)
    if scope.stream.chance(0.4):
        n = coefficients.aval.size
        fori(scope, n, [carried(start, "acc", WIDE)],
             lambda body, i, v: [call(body, "add", call(body, "mul", v[0], x),
                                      call(body, "gather", coefficients, i))])  # fmt: skip
        return

    def step(body: Scope, v: list[Var], c: list[Var]) -> tuple[list[Var], list[Var]]:
        new = call(body, "add", call(body, "mul", v[0], x), c[0])
        return [new], [new]

    params: dict[str, Any] = {"reverse": True} if scope.stream.chance(0.3) else {}
    scan(scope, [carried(start, "acc", WIDE)], [(coefficients, "c")], step, **params)
