"""Methods for data: clusters, components, regression, Gaussian processes, transport, quadrature."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    STATE,
    WIDE,
    applied,
    calls,
    carried,
    drawn_function,
    fori,
)
from jax_ir_pairs.synthesis.constructs.algorithms.roots import CONTRACTIONS, ROOTS
from jax_ir_pairs.synthesis.graph import Code, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.indexing import part_of, reading
from jax_ir_pairs.synthesis.ops.matrices import calm, plus_ridge, vector
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def _points(scope: Scope, *names: str) -> Var:
    def fits(var: Var) -> bool:
        shape = var.aval.shape
        return len(shape) == 2 and 2 < shape[0] <= 32 and 1 < shape[1] <= 8

    x = scope.pick((scope.float_dtype,), where=fits)
    if x is None:
        sides = (max(4, min(scope.side(), 32)), scope.stream.choice((2, 3, 4)))
        x = scope.input(Aval(scope.float_dtype, sides), scope.stream.choice(names))
    return calm(scope, x, 4.0)


def _squared_distances(scope: Scope, x: Var, y: Var) -> Var:
    """Gives the squared distance of each row of one array to each row of the other."""
    k = calls(scope)
    rows = k("getitem", x, **reading((slice(None), None)))
    columns = k("getitem", y, **reading((None, slice(None))))
    bounds = (0.0, 50.0)
    return k("sum", k("square", k("sub", rows, columns)), axis=-1, bounds=bounds, role="d2")


def clusters(scope: Scope, budget: int, mix: Mix) -> None:
    """Lloyd's algorithm for k-means, hard or soft, a step or some."""
    x = _points(scope, "points", "data", "x")
    count = scope.stream.choice((2, 3, 4))
    centers = part_of(scope, x, slice(None, min(count, x.aval.shape[0] - 1)), role="centers")
    n, soft = centers.aval.shape[0], scope.stream.chance(0.3)

    def step(body: Scope, c: Var) -> Var:
        k = calls(body)
        d2 = _squared_distances(body, x, c)
        if soft:
            member = k("softmax", k("negative", d2), axis=-1, bounds=(0.0, 1.0), role="member")
        else:
            nearest = body.let("argmin", d2, axis=1, role="nearest")
            places = body.let("arange", n=n)
            column = k("getitem", nearest, **reading((slice(None), None)))
            hit = k("equal", column, places)
            member = k("astype", hit, dtype=scope.float_dtype, bounds=(0.0, 1.0), role="member")
        flipped = k("matrix_transpose", member)
        size = k("add", k("sum", member, axis=0), 1e-6, bounds=(1e-6, 32.0), role="size")
        column = k("getitem", size, **reading((slice(None), None)))
        return k("div", k("matmul", flipped, x), column, bounds=STATE)

    if scope.stream.chance(0.3):
        step(scope, centers)
        return
    fori(scope, scope.stream.choice((3, 5, 10)), [carried(centers)],
         lambda body, i, v: [step(body, v[0])])  # fmt: skip


def components(scope: Scope, budget: int, mix: Mix) -> None:
    """Principal components, from the covariance or from a singular value decomposition."""
    x = _points(scope, "data", "x")
    k = calls(scope)
    centered = k("sub", x, scope.let("mean", x, axis=0, role="mean"), role="centered")
    if scope.stream.chance(0.5):
        _, s, vt = scope.let_all("svd", centered, roles=("u", "s", "vt"), full_matrices=False)
        k("div", k("square", s), float(x.aval.shape[0] - 1), role="variance")
        top = part_of(scope, vt, slice(None, 2), role="components")
        k("matmul", centered, k("matrix_transpose", top), role="scores")
        return
    product = k("matmul", k("matrix_transpose", centered), centered)
    cov = k("div", product, float(x.aval.shape[0] - 1), role="cov")
    _, vectors = scope.let_all("eigh", cov, roles=("eigvals", "eigvecs"))
    top = part_of(scope, vectors, slice(None), slice(-2, None))
    k("matmul", centered, top, role="scores")


def _design(scope: Scope, budget: int, mix: Mix) -> Var:
    """Gives a design matrix: points, powers of one variable, or features by a function."""
    way = scope.stream.choice(("points", "powers", "features"))
    if way == "powers":
        t = vector(scope, max(5, min(scope.side(), 32)))
        return scope.let("vander", scope.let("tanh", t), n=scope.stream.choice((2, 3, 4)))
    x = _points(scope, "x", "features")
    if way == "points":
        return x
    row = Var(x.aval.with_shape(*x.aval.shape[1:]), STATE, "x")
    f = drawn_function(scope, [row], budget, mix, "features", table=CONTRACTIONS)
    return applied(scope, Transformed("vmap", f), x, role="phi")


def regression(scope: Scope, budget: int, mix: Mix) -> None:
    """Least squares with a ridge by the normal equations, or weighted again and again."""
    x = _design(scope, budget, mix)
    y = vector(scope, x.aval.shape[0])
    n = x.aval.shape[1]
    ridge = scope.stream.choice((0.1, 1.0, 0.01))
    k = calls(scope)
    robust = scope.stream.chance(0.35)
    if not robust:
        flipped = k("matrix_transpose", x)
        normal = k("add", k("matmul", flipped, x), k("mul", ridge, scope.let("eye", n=n)))
        way = scope.stream.choice(("solve", "solve", "solve_positive", "cholesky"))
        right = k("matmul", flipped, y)
        if way == "cholesky":
            w = k("cho_solve", k("cholesky", normal, role="chol"), right, role="w")
        else:
            w = k(way, normal, right, role="w")
        k("sub", y, k("matmul", x, w), role="residual")
        return

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        b = calls(body)
        residual = b("sub", y, b("matmul", x, v[0]))
        weight = b("reciprocal", b("add", b("abs", residual), 0.1), bounds=(0.01, 10.0), role="w")
        weighted = b("mul", x, b("getitem", weight, **reading((slice(None), None))))
        flipped = b("matrix_transpose", weighted)
        normal = b("add", b("matmul", flipped, x), b("mul", ridge, body.let("eye", n=n)))
        return [b("solve", normal, b("matmul", flipped, y))]

    fori(scope, scope.stream.choice((3, 5)),
         [carried(scope.let("zeros", shape=(n,)), "beta", WIDE)], step)  # fmt: skip


def gaussian_process(scope: Scope, budget: int, mix: Mix) -> None:
    """The posterior of a Gaussian process by a Cholesky factor."""
    x = _points(scope, "x_train", "x")
    y = vector(scope, x.aval.shape[0])
    test = scope.input(Aval(scope.float_dtype, (scope.stream.choice((3, 5)), x.aval.shape[1])),
                       "x_test")  # fmt: skip
    length, rational = scope.stream.choice((0.5, 1.0, 2.0)), scope.stream.chance(0.3)
    k = calls(scope)

    def covariance(a: Var, b: Var, role: str) -> Var:
        d2 = _squared_distances(scope, a, b)
        if rational:
            return k("reciprocal", k("add", k("div", d2, length), 1.0), role=role)
        return k("exp", k("mul", -round(0.5 / length**2, 4), d2), bounds=(0.0, 1.0), role=role)

    kernel = plus_ridge(scope, covariance(x, x, "K"), scope.stream.choice((0.1, 0.01, 1.0)))
    chol = k("cholesky", kernel, role="L")
    alpha = k("cho_solve", chol, y, role="alpha")
    cross = covariance(test, x, "K_star")
    k("matmul", cross, alpha, role="mean")
    if scope.stream.chance(0.7):
        v = k("solve_triangular", chol, k("matrix_transpose", cross), lower=True, role="v")
        k("sub", 1.0, k("sum", k("square", v), axis=0), role="variance")
    else:
        log_det = k("sum", k("log", scope.let("diagonal", chol)))
        fit = k("mul", 0.5, k("vdot", y, alpha))
        k("negative", k("add", fit, log_det), role="log_likelihood")


def transport(scope: Scope, budget: int, mix: Mix) -> None:
    """Sinkhorn's iteration for entropic optimal transport, plain or in logarithms."""
    x = _points(scope, "x", "source")
    shift = scope.let("sin", x)
    cost = _squared_distances(scope, x, shift)
    n = x.aval.shape[0]
    epsilon, logs = scope.stream.choice((0.5, 1.0, 2.0)), scope.stream.chance(0.6)
    k = calls(scope)
    scaled = k("div", k("negative", k("clip", cost, low=0.0, high=20.0)), epsilon, role="log_K")

    if logs:

        def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
            b = calls(body)
            column = b("getitem", v[1], **reading((None, slice(None))))
            f = b("negative", b("logsumexp", b("add", scaled, column), axis=1), role="new_f")
            row = b("getitem", f, **reading((slice(None), None)))
            return [f, b("negative", b("logsumexp", b("add", scaled, row), axis=0))]

        zeros = scope.let("zeros", shape=(n,))
        carries = [carried(zeros, "f", WIDE), carried(zeros, "g", WIDE)]
    else:
        kernel = k("exp", scaled, bounds=(0.0, 1.0), role="K")

        def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
            b, positive = calls(body), (1e-6, 50.0)
            floor = 1e-6
            seen = b("add", b("matmul", kernel, v[1]), floor, bounds=positive)
            u = b("div", round(1 / n, 4), seen, role="new_u")
            seen = b("add", b("matmul", b("matrix_transpose", kernel), u), floor, bounds=positive)
            return [u, b("div", round(1 / n, 4), seen)]

        ones = scope.let("ones", shape=(n,))
        carries = [carried(ones, "u", WIDE), carried(ones, "v", WIDE)]
    fori(scope, scope.stream.choice((5, 10, 20)), carries, step)


_GAUSS = (
    ("[-0.5774, 0.5774]", "[1.0, 1.0]", 2),
    ("[-0.7746, 0.0, 0.7746]", "[0.5556, 0.8889, 0.5556]", 3),
    ("[-0.8611, -0.34, 0.34, 0.8611]", "[0.3479, 0.6521, 0.6521, 0.3479]", 4),
)


def quadrature(scope: Scope, budget: int, mix: Mix) -> None:
    """The integral of a function by trapezoids, Simpson's rule, or Gauss and Legendre's."""
    way = scope.stream.choice(("trapezoid", "simpson", "gauss", "gauss"))
    n = scope.stream.choice((9, 17, 33))
    if way == "gauss":
        nodes, weights, n = scope.stream.choice(_GAUSS)
        x = scope.let("array", values=Code(nodes), role="nodes")
        w = scope.let("array", values=Code(weights), role="weights")
    else:
        x = scope.let("linspace", start=-1.0, stop=1.0, n=n, role="x")
    f = drawn_function(scope, [Var(x.type, STATE, "x")], budget, mix,
                       scope.stream.choice(("f", "integrand")), table=ROOTS)  # fmt: skip
    k = calls(scope)
    y = applied(scope, f, x, role="y")
    if way == "gauss":
        k("vdot", w, y, role="integral")
    elif way == "trapezoid":
        k("trapezoid", y, x, role="integral")
    else:
        odd = k("sum", part_of(scope, y, slice(1, -1, 2)))
        even = k("sum", part_of(scope, y, slice(2, -1, 2)))
        ends = k("add", part_of(scope, y, 0), part_of(scope, y, -1))
        inner = k("add", k("mul", 4.0, odd), k("mul", 2.0, even))
        k("mul", round(2 / (n - 1) / 3, 6), k("add", ends, inner), role="integral")


def filtered(scope: Scope, budget: int, mix: Mix) -> None:
    """A circular convolution by the Fourier transform, with a padded kernel."""
    x = vector(scope)
    n = x.aval.size
    taps = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 1 and v.aval.size < n)
    taps = calm(scope, taps or scope.input(Aval(scope.float_dtype, (2,)), "taps"))
    if n < 3:
        taps = x
    k = calls(scope)
    if taps.aval.size < n:
        taps = scope.let("pad", taps, pad_width=((0, n - taps.aval.size),))
    product = k("mul", scope.let("rfft", x), scope.let("rfft", taps))
    k("irfft", product, n=n, role="filtered")


def cubic_interpolation(scope: Scope, budget: int, mix: Mix) -> None:
    """Catmull and Rom's cubic through equidistant values, or a line between neighbours."""
    values = vector(scope, max(4, min(scope.side(), 32)))
    n = values.aval.size
    t = scope.pick((scope.float_dtype,), where=lambda v: v is not values and v.aval.rank == 1)
    t = scope.let("sigmoid", t or scope.input(Aval(scope.float_dtype, (scope.side(),)), "t"))
    k = calls(scope)
    place = k("add", k("mul", float(n - 3), t), 1.0, bounds=(1.0, float(n - 2)), role="pos")
    low = k("floor", place, bounds=(1.0, float(n - 2)))
    i = k("astype", low, dtype="i32", bounds=(1, n - 2), role="i")
    u = k("sub", place, low, bounds=(0.0, 1.0), role="u")
    p1, p2 = k("gather", values, i), k("gather", values, k("add", i, 1, bounds=(2, n - 1)))
    if scope.stream.chance(0.4):
        k("add", p1, k("mul", u, k("sub", p2, p1)), role="interpolated")
        return
    p0 = k("gather", values, k("sub", i, 1, bounds=(0, n - 3)))
    last = k("minimum", k("add", i, 2), n - 1, bounds=(3, n - 1))
    p3 = k("gather", values, last)
    slope = k("mul", 0.5, k("sub", p2, p0), role="m1")
    other = k("mul", 0.5, k("sub", p3, p1), role="m2")
    rise = k("sub", p2, p1)
    a = k("sub", k("add", slope, other), k("mul", 2.0, rise), role="a")
    b = k("sub", k("sub", rise, slope), a, role="b")
    curve = k("add", k("mul", a, u), b)
    curve = k("add", k("mul", curve, u), slope)
    k("add", k("mul", curve, u), p1, role="interpolated")
