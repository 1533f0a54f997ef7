from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from jax_ir_pairs.synthesis.stream import Stream


def test_the_draws_of_a_seed_never_change() -> None:
    stream = Stream("program", 7)
    assert [stream.integer(0, 99) for _ in range(8)] == [78, 10, 40, 39, 73, 40, 41, 38]
    assert stream.shuffled(range(6)) == [1, 0, 4, 2, 5, 3]
    assert stream.weighted("abc", [1, 2, 3]) == "a"


def test_a_child_does_not_depend_on_what_was_drawn() -> None:
    one, other = Stream(3), Stream(3)
    other.uniform()
    assert one.child("style").uniform() == other.child("style").uniform()
    assert one.child("style").uniform() != one.child("other").uniform()


@given(st.integers(), st.integers(-50, 50), st.integers(0, 50))
def test_integers_lie_within_their_ends(seed: int, low: int, width: int) -> None:
    assert low <= Stream(seed).integer(low, low + width) <= low + width


def test_weights_are_kept() -> None:
    stream = Stream("weights")
    counts = Counter(stream.weighted("abc", [1, 0, 3]) for _ in range(4000))
    assert counts["b"] == 0
    assert 0.22 < counts["a"] / 4000 < 0.28


def test_normal_draws_have_mean_zero_and_deviation_one() -> None:
    stream = Stream("normal")
    draws = [stream.normal() for _ in range(4000)]
    assert abs(sum(draws) / 4000) < 0.06
    assert 0.94 < sum(d * d for d in draws) / 4000 < 1.06
