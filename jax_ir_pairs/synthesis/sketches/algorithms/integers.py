"""Integer arithmetic and bit tricks."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, size, sketch


@sketch(
    takes={"a": "i[n]", "b": "i[n]"},
    gives=("i[n]: gcd", "i[n]: lcm"),
    sizes={"n": (1, 2048)},
    dtypes="f32 f64",
    also=("Run Euclid's algorithm on pairs of integers.",),
)
def gcd_and_lcm(a, b, num_steps=integer(4, 12)):
    """Find the greatest common divisor and the least common multiple of pairs."""
    if a.shape != b.shape:
        raise ValueError(f"{a.shape[0]} and {b.shape[0]} numbers do not pair up")
    a, b = one_of((12 * a + 6, 4 * b + 2), (6 * a + 12, 9 * b + 3))

    def reduce_pair(pair):
        x, y = pair
        return jnp.where(y == 0, x, y), jnp.where(y == 0, 0, x % jnp.maximum(y, 1))

    if maybe("while"):
        gcd, _ = jax.lax.while_loop(lambda pair: jnp.any(pair[1] != 0), reduce_pair, (a, b))
    elif maybe("library", 0.2):
        gcd = jnp.gcd(a, b)
    else:
        # The numbers are small, so a fixed number of steps is enough.
        gcd, _ = jax.lax.fori_loop(0, num_steps, lambda _, pair: reduce_pair(pair), (a, b))
    return gcd, a // gcd * b


@sketch(
    takes={"base": "i[n]", "exponent": "i[n]"},
    gives="i[n]: power",
    sizes={"n": (1, 4096)},
    dtypes="f32 f64",
    also=("Raise integers to powers in modular arithmetic.",),
)
def modular_power(base, exponent, modulus=one_of(97, 251, 1009, 7919), num_bits=integer(3, 8)):
    """Raise integers to integer powers modulo a prime by repeated squaring."""
    base = (base + one_of(2, 3, 5)) % modulus
    exponent = one_of(exponent * 5 + 1, exponent + 7)
    result = jnp.ones_like(base)
    if maybe("unrolled"):
        for bit in range(num_bits):
            is_set = (exponent >> bit) & 1
            result = jnp.where(is_set == 1, result * base % modulus, result)
            base = base * base % modulus
        return result

    def square_and_multiply(_, state):
        result, base, rest = state
        result = one_of(
            jnp.where(rest & 1, result * base % modulus, result),
            jnp.where(rest % 2 == 1, result * base % modulus, result),
        )
        return result, base * base % modulus, rest >> 1

    state = (result, base, exponent)
    return jax.lax.fori_loop(0, num_bits, square_and_multiply, state)[0]


@sketch(
    takes={"queries": "i[n]"},
    gives=("mask bool[n]: prime", "tally i[n]: primes_below"),
    sizes={"n": (1, 1024)},
    dtypes="f32 f64",
    also=("Look up which numbers are prime in a sieve.",),
)
def prime_lookup(queries, limit=one_of(64, 128, 200), stride=one_of(1, 7, 13)):
    """Sieve the primes below a limit and answer queries from the table."""
    numbers = jnp.arange(limit)
    if maybe("sieve"):
        is_prime = numbers >= 2
        for p in range(2, int(limit**0.5) + 1):
            # Composite p strike out nothing new.
            is_prime = is_prime & ((numbers % p != 0) | (numbers <= p))
    elif maybe("divisors"):
        divisible = numbers[:, None] % jnp.arange(1, limit)[None, :] == 0
        is_prime = jnp.sum(divisible & (numbers[:, None] > 0), axis=1) == 2
        is_prime = is_prime & (numbers >= 2)
    else:

        def strike_out(p, table):
            multiple = (numbers % p == 0) & (numbers > p)
            return table & ~multiple

        is_prime = jax.lax.fori_loop(2, int(limit**0.5) + 1, strike_out, numbers >= 2)
    counts = jnp.cumsum(is_prime) - is_prime
    index = (queries * stride + jnp.arange(queries.shape[0])) % limit
    return one_of(is_prime[index], jnp.take(is_prime, index)), counts[index]


def _spread_bits(x):
    """Insert a zero before each of the lower 16 bits."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        x = (x | (x << shift)) & jnp.uint32(mask)
    return x


@sketch(
    takes={"cells": "u32[n, 2]: row and column of each cell"},
    gives=("u32[n]: codes", "permutation i[n]: order"),
    sizes={"n": (2, 1024)},
    also=("Order cells of a grid along the Z curve.",),
)
def morton_order(cells):
    """Interleave the bits of grid coordinates and sort cells by the result."""
    if cells.shape[-1] != 2:
        raise ValueError(f"expected pairs of coordinates, got shape {cells.shape}")
    rows, cols = cells[:, 0], cells[:, 1]
    if maybe("loop", 0.4):
        codes = jnp.zeros_like(rows)
        for bit in range(one_of(8, 10, 16)):
            codes = codes | ((cols >> bit & 1) << (2 * bit))
            codes = codes | ((rows >> bit & 1) << (2 * bit + 1))
    else:
        codes = _spread_bits(cols) | (_spread_bits(rows) << 1)
    if maybe("gray", 0.3):
        # Neighbors in the order differ in one bit.
        codes = codes ^ (codes >> 1)
    return codes, jnp.argsort(codes, stable=True)


@sketch(
    takes={"words": "u32[n]"},
    gives={"ones": "i[n]", "parity": "i[n]", "reversed": "u32[n]"},
    sizes={"n": (1, 4096)},
    also=("Inspect the bits of words with masks and shifts.",),
)
def bit_statistics(words, mix=one_of(True, False)):
    """Count, fold and reverse the bits of 32-bit words in parallel."""
    if words.dtype != jnp.uint32:
        raise TypeError(f"expected uint32 words, got {words.dtype}")
    if mix:
        # An avalanche first: small inputs have their bits all over the word.
        words = words * jnp.uint32(0x9E3779B9)
        words = words ^ (words >> 15)
    if maybe("byte table", 0.3):
        byte = jnp.arange(256)
        table = sum((byte >> i) & 1 for i in range(8))
        ones = sum(table[(words >> shift) & 0xFF] for shift in (0, 8, 16, 24))
    else:
        # Sums of bits in fields that double in width.
        pairs = words - ((words >> 1) & jnp.uint32(0x55555555))
        nibbles = (pairs & jnp.uint32(0x33333333)) + ((pairs >> 2) & jnp.uint32(0x33333333))
        sums = (nibbles + (nibbles >> 4)) & jnp.uint32(0x0F0F0F0F)
        ones = ((sums * jnp.uint32(0x01010101)) >> 24).astype(jnp.int32)
    reversed_bits = words
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        low, high = reversed_bits & jnp.uint32(mask), (reversed_bits >> shift) & jnp.uint32(mask)
        reversed_bits = (low << shift) | high
    reversed_bits = (reversed_bits << 16) | (reversed_bits >> 16)
    return {
        "ones": ones,
        "parity": one_of(ones & 1, ones % 2),
        "reversed": reversed_bits,
    }


@sketch(
    takes={"seeds": "u32[n]: one seed per stream"},
    gives="samples f32[n, m]: uniform",
    sizes={"n": (1, 256), "m": (2, 64)},
    also=("Draw uniform numbers from xorshift generators.",),
)
def xorshift_uniforms(seeds, num_draws=size("m")):
    """Generate uniform numbers by linear feedback shifts, one stream per seed."""
    # Zero would stay zero forever.
    state = seeds * jnp.uint32(2654435761) + jnp.uint32(one_of(88675123, 123456789))
    shifts = one_of((13, 17, 5), (7, 1, 9))

    def advance(state, _):
        first, second, third = shifts
        state = state ^ (state << first)
        state = state ^ (state >> second)
        state = state ^ (state << third)
        if maybe("star", 0.4):
            return state, state * jnp.uint32(0x9E3779BB)
        return state, state

    if maybe("warm up", 0.5):
        for _ in range(3):
            state, _ = advance(state, None)
    _, draws = jax.lax.scan(advance, state, length=num_draws)
    # The upper 24 bits fit a float exactly.
    uniform = (draws >> 8).astype(jnp.float32) / 16777216
    if maybe("centered", 0.3):
        uniform = 2 * uniform - 1
    return one_of(uniform.T, jnp.swapaxes(uniform, 0, 1))


@sketch(
    takes={"start": "i[n]"},
    gives=("tally i[n]: steps", "i[n]: peak"),
    sizes={"n": (1, 1024)},
    dtypes="f32 f64",
    also=("Iterate the Collatz map and count the steps to one.",),
)
def collatz_lengths(start, max_steps=one_of(64, 100, 128), offset=one_of(1, 3, 6)):
    """Follow the Collatz sequences of several numbers until they reach one."""
    value = start * 2 + offset

    def advance(value):
        halved = one_of(value // 2, value >> 1)
        return jnp.where(value % 2 == 0, halved, 3 * value + 1)

    if maybe("while"):

        def unfinished(state):
            step, value, _, _ = state
            return (step < max_steps) & jnp.any(value > 1)

        def body(state):
            step, value, lengths, peak = state
            active = value > 1
            value = jnp.where(active, advance(value), value)
            return step + 1, value, lengths + active, jnp.maximum(peak, value)

        state = (0, value, jnp.zeros_like(value), value)
        _, _, lengths, peak = jax.lax.while_loop(unfinished, body, state)
        return lengths, peak

    def record(value, _):
        following = jnp.where(value > 1, advance(value), value)
        return following, (value > 1, following)

    _, (active, trail) = jax.lax.scan(record, value, length=max_steps)
    lengths = jnp.sum(active, axis=0)
    return lengths, jnp.maximum(value, jnp.max(trail, axis=0))
