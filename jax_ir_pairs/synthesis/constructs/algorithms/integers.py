"""Algorithms of integers and of order: divisors, orbits, primes, hashes, sorting networks."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    WIDE,
    call,
    calls,
    carried,
    carry,
    fori,
    scan,
    until,
)
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Mix, leaves
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import reading
from jax_ir_pairs.synthesis.ops.matrices import vector
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

_COUNT: Bounds = (0, 100)


def _number(scope: Scope, *names: str, dtype: str = "i32") -> Var:
    """Gives an integer scalar."""
    n = scope.pick((dtype,), where=lambda v: v.aval.rank == 0)
    return n or scope.input(Aval(dtype), scope.stream.choice(names), (0, 3))


def collatz(scope: Scope, budget: int, mix: Mix) -> None:
    """The number of steps of the 3n + 1 sequence, at most so many."""
    n = _number(scope, "n", "start")
    n0 = call(scope, "maximum", call(scope, "abs", n), 1, bounds=_COUNT)

    def test(body: Scope, v: list[Var]) -> Var:
        k = calls(body)
        return k("logical_and", k("greater", v[0], 1), k("less", v[1], 50))

    def step(body: Scope, v: list[Var]) -> list[Var]:
        k = calls(body)
        odd = k("equal", k("remainder", v[0], 2), 1)
        up = k("add", k("mul", 3, v[0]), 1)
        return [k("where", odd, up, k("floor_divide", v[0], 2)), body.let("add", v[1], Literal(1))]

    steps = carry(Literal(0), Aval(scope.int_dtype), "steps", _COUNT)
    until(scope, [carried(n0, "n", _COUNT), steps], test, step)


def euclid(scope: Scope, budget: int, mix: Mix) -> None:
    """The greatest common divisor by remainders, or with Bezout's first coefficient."""
    a = call(scope, "abs", _number(scope, "a", "n"), bounds=_COUNT)
    b = scope.pick(("i32",), where=lambda v: v.aval.rank == 0 and v is not a)
    b = b or scope.input(Aval("i32"), scope.stream.choice(("b", "m")), (0, 3))
    b = call(scope, "abs", b, bounds=_COUNT)
    extended = scope.stream.chance(0.4)

    def step(body: Scope, v: list[Var]) -> list[Var]:
        k = calls(body)
        rest = [v[1], k("remainder", v[0], v[1], bounds=_COUNT)]
        if not extended:
            return rest
        quotient = k("floor_divide", v[0], v[1], role="q")
        return [*rest, v[3], k("sub", v[2], k("mul", quotient, v[3]))]

    carries = [carried(a, "a", _COUNT), carried(b, "b", _COUNT)]
    if extended:
        one, zero = (scope.let("full", shape=(), value=v, dtype="i32") for v in (1, 0))
        carries += [carried(one, "s", WIDE), carried(zero, "t", WIDE)]
    until(scope, carries, lambda body, v: call(body, "not_equal", v[1], 0), step)


def sieve(scope: Scope, budget: int, mix: Mix) -> None:
    """Eratosthenes' sieve over a mask."""
    n = scope.stream.choice((16, 24, 32, 48))
    ones = scope.let("ones", shape=(n,), dtype="bool")
    start = call(scope, "at", ones, False, **reading((slice(None, 2),)), method="set",
                 role="is_prime", bounds=(0, 1))  # fmt: skip
    numbers = scope.let("arange", n=n, role="numbers")

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        multiple = k("equal", k("remainder", numbers, i), 0)
        larger = k("greater", numbers, i)
        hit = k("logical_and", multiple, larger, role="composite")
        return [k("logical_and", v[0], k("logical_not", hit), bounds=(0, 1))]

    root = int(n**0.5) + 1
    (mask,) = fori(scope, root, [carried(start, "is_prime", (0, 1))], step, lower=2)
    if scope.stream.chance(0.5):
        scope.let("count_nonzero", mask, role="num_primes")


def bit_count(scope: Scope, budget: int, mix: Mix) -> None:
    """Kernighan's loop, or the parallel sums of neighbouring bits."""
    x = scope.pick(("u32", "i32"), where=lambda v: v.aval.rank <= 1)
    x = x or scope.input(Aval("u32", (scope.side(),)), "x")
    if x.aval.dtype == "i32":
        x = call(scope, "astype", x, dtype="u32")
    zero = scope.let("array_zeros_like", x)

    def body_of(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        bit = k("bitwise_and", v[0], 1, bounds=(0, 1))
        return [k("right_shift", v[0], 1), k("add", v[1], bit)]

    carries = [carried(x, "x", WIDE), carried(zero, "count", _COUNT)]
    if x.aval.rank or scope.stream.chance(0.4):
        fori(scope, scope.stream.choice((8, 16, 32)), carries, body_of)
        return

    def kernighan(body: Scope, v: list[Var]) -> list[Var]:
        k = calls(body)
        less = k("sub", v[0], 1)
        return [k("bitwise_and", v[0], less), k("add", v[1], 1)]

    until(scope, carries, lambda body, v: call(body, "not_equal", v[0], 0), kernighan)


def _mixed(body: Scope, h: Var, way: str) -> Var:
    k = calls(body)
    if way == "rotate":
        left = k("left_shift", h, 13)
        return k("add", k("bitwise_or", left, k("right_shift", h, 19)), 5)
    if way == "multiply":
        return k("mul", k("bitwise_xor", h, k("right_shift", h, 15)), 40503)
    h = k("bitwise_xor", h, k("left_shift", h, 13))
    h = k("bitwise_xor", h, k("right_shift", h, 17))
    return k("bitwise_xor", h, k("left_shift", h, 5))


def hashing(scope: Scope, budget: int, mix: Mix) -> None:
    """A hash of a sequence of words: FNV, xorshift, a rotation, or a CRC bit by bit."""
    xs = scope.pick(("u32", "i32", "u8"), where=lambda v: v.aval.rank == 1 and v.aval.size <= 64)
    xs = xs or scope.input(Aval("u32", (scope.side(),)), scope.stream.choice(("words", "data")))
    if xs.aval.dtype != "u32":
        xs = call(scope, "astype", xs, dtype="u32")
    seed = scope.let("full", shape=(), value=scope.stream.choice((17, 5381, 40503)), dtype="u32")
    way = scope.stream.choice(("rotate", "xorshift", "crc", "multiply"))

    def bits(body: Scope, h: Var) -> Var:
        def one(inner: Scope, i: Var, v: list[Var]) -> list[Var]:
            k = calls(inner)
            low = k("equal", k("bitwise_and", v[0], 1), 1, role="low_bit")
            shifted = k("right_shift", v[0], 1)
            return [k("where", low, k("bitwise_xor", shifted, 0xA001), shifted)]

        (out,) = fori(body, 8, [carried(h, "crc", WIDE)], one, role="per_bit")
        return out

    def step(body: Scope, v: list[Var], x: list[Var]) -> tuple[list[Var], list[Var]]:
        h = call(body, "bitwise_xor", v[0], x[0])
        h = bits(body, h) if way == "crc" else _mixed(body, h, way)
        return [h], [h]

    scan(scope, [carried(seed, "h", WIDE)], [(xs, "word")], step)


def exchange_sort(scope: Scope, budget: int, mix: Mix) -> None:
    """A sorting network: odd and even exchanges, or one bitonic merge."""
    xs = vector(scope, most=32)
    n = xs.aval.size
    if n < 2 or n % 2:
        raise IllTyped("an even number of values")
    pairs = (n // 2, 2)

    def exchanged(body: Scope, x: Var) -> Var:
        c = calls(body)
        grouped = c("reshape", x, shape=pairs)
        low, high = c("min", grouped, axis=1), c("max", grouped, axis=1)
        return c("reshape", c("stack", (low, high), axis=1), shape=(n,))

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        even = exchanged(body, v[0])
        if n < 4:
            return [even]
        inner = k("getitem", even, **reading((slice(1, -1),)))
        rows = k("reshape", inner, shape=(n // 2 - 1, 2))
        swapped = k("stack", (k("min", rows, axis=1), k("max", rows, axis=1)), axis=1)
        flat = k("reshape", swapped, shape=(n - 2,))
        return [k("at", even, flat, **reading((slice(1, -1),)), method="set", bounds=xs.bounds)]

    fori(scope, n // 2, [carried(xs, "x", xs.bounds)], step)


def bitonic(scope: Scope, budget: int, mix: Mix) -> None:
    """A bitonic merge: compare at halving distances."""
    xs = vector(scope, scope.stream.choice((4, 8, 16)))
    n, k = xs.aval.size, calls(scope)
    half = k("getitem", xs, **reading((slice(None, n // 2),)))
    rest = k("getitem", xs, **reading((slice(n // 2, None),)))
    falling = k("flip", k("sort", rest, axis=-1), axis=-1)
    x = k("concatenate", (k("sort", half, axis=-1), falling), axis=0)
    distance = n // 2
    while distance:
        grid = k("reshape", x, shape=(n // (2 * distance), 2, distance))
        low, high = k("min", grid, axis=1), k("max", grid, axis=1)
        x = k("reshape", k("stack", (low, high), axis=1), shape=(n,))
        distance //= 2


def random_walk(scope: Scope, budget: int, mix: Mix) -> None:
    """A linear congruential generator, whose numbers drive what a family makes."""
    n = _number(scope, "seed")
    state = call(scope, "astype", n, dtype="u32")
    count = scope.stream.choice((4, 8, 16))
    ticks = scope.let("arange", n=count)

    def step(body: Scope, v: list[Var], i: list[Var]) -> tuple[list[Var], list[Var]]:
        k = calls(body)
        new = k("add", k("mul", v[0], 1664525), 1013904223)
        top = k("right_shift", new, 16, bounds=(0, 65535))
        unit = k("div", k("astype", top, dtype=scope.float_dtype), 65536.0, bounds=(0.0, 1.0))
        tick = k("mul", unit, k("astype", i[0], dtype=scope.float_dtype))
        body.values.append(tick)
        mix.fill(body, max(2, min(budget, 6)))
        made = [v for v in leaves(body, 2) if v.aval.size <= 256]
        return [new], [made[-1] if made else tick]

    scan(scope, [carried(state, "lcg", WIDE)], [(ticks, "i")], step)
