from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_ir_pairs.build import hashes
from jax_ir_pairs.build.hashes import Hashes, num_distinct, num_parts, repeated

NUMBERS = st.lists(st.one_of(st.integers(0, 9), st.integers(2**64 - 9, 2**64 - 1)), max_size=60)


@given(NUMBERS, st.integers(1, 7))
def test_what_is_there_before_is_repeated(numbers: list[int], part: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Hashes() as found:
        patch.setattr(hashes, "_PART", part)
        for start in range(0, len(numbers), 4):
            found.extend(numbers[start : start + 4])
        places = repeated(found)
        expected = [n for n, number in enumerate(numbers) if number in numbers[:n]]
        assert places.tolist() == expected
        assert found.take(places) == [numbers[place] for place in expected]
        assert num_parts([found]) == 1 + len(numbers) // part


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.integers(1, 7))
def test_numbers_are_counted_in_groups_and_together(groups: list[list[int]], part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "_PART", part)
        found = [Hashes() for _ in groups]
        for of_group, numbers in zip(found, groups, strict=True):
            of_group.extend(numbers)
        each, together = num_distinct(found)
        for of_group in found:
            of_group.__exit__(None, None, None)
    assert each == [len(set(numbers)) for numbers in groups]
    assert together == len(set().union(*groups))
