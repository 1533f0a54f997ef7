from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_ir_pairs.inspect.distribution import SKETCH, DistinctCount, Distribution, Histogram


def spread(*batches: list[float]) -> Distribution:
    histogram = Histogram()
    for batch in batches:
        histogram.add(np.array(batch, dtype=np.float64))
    return histogram.distribution()


def nearest_rank(numbers: list[float], percent: float) -> float:
    return sorted(numbers)[max(math.ceil(len(numbers) * percent / 100) - 1, 0)]


@given(
    st.lists(st.integers(0, 255), min_size=1),
    st.lists(st.integers(0, 255)),
    st.sampled_from([0, 10, 50, 90, 99, 100]),
)
def test_small_integers_are_exact(first: list[float], second: list[float], percent: int) -> None:
    found = spread(first, second)
    assert found.percentile(percent) == nearest_rank([*first, *second], percent)
    assert found.mean == pytest.approx(np.mean([*first, *second]))


@given(
    st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1),
    st.sampled_from([10, 50, 90]),
)
def test_others_are_near(numbers: list[float], percent: int) -> None:
    found = spread(numbers)
    assert found.percentile(percent) == pytest.approx(nearest_rank(numbers, percent), rel=0.008)
    assert (found.least, found.greatest) == (min(numbers), max(numbers))


def test_what_is_not_finite_is_left_out() -> None:
    assert spread([1, math.nan, math.inf, -math.inf]) == spread([1]) != spread([1, 1])
    empty = spread([math.nan])
    assert (empty.count, empty.mean, empty.percentile(50)) == (0, 0, 0)


def test_bins_grow_with_the_doublings_and_not_with_the_numbers() -> None:
    numbers = np.random.default_rng(0).integers(1, 2**20, 200_000).astype(np.float64)
    assert len(spread(numbers.tolist()).values) <= 128 * 20


def test_few_hashes_are_counted_exactly() -> None:
    counter = DistinctCount()
    for _ in range(3):
        counter.add(range(40_000))
        counter.add(np.arange(30_000, 50_000, dtype=np.uint64))
    assert (counter.count(), counter.exact) == (50_000, True)
    counter.add([2**64 - 1])
    assert counter.count() == 50_001


@pytest.mark.parametrize("distinct", [SKETCH, SKETCH + 1, 4 * SKETCH])
def test_many_hashes_are_estimated(distinct: int) -> None:
    random = np.random.default_rng(1)
    hashes = random.permutation(random.integers(0, 2**64, distinct, dtype=np.uint64).repeat(2))
    counter = DistinctCount()
    for part in np.array_split(hashes, 50):
        counter.add(part)
    assert counter.exact == (distinct <= SKETCH)
    assert counter.count() == pytest.approx(distinct, rel=0 if counter.exact else 0.012)
    other = DistinctCount()
    other.add(np.flip(hashes))
    assert other.count() == counter.count(), "the order does not matter"
