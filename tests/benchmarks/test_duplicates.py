from __future__ import annotations

import pytest

from duplicates import extrapolated, forms, shares
from jax_ir_pairs.config import load_config


def test_each_doubling_has_the_share_of_repeats_since_the_last() -> None:
    #       1, 2 | 1, 3 | 3, 3, 4, 5 |  6 is in no whole doubling
    found = [1, 2, 1, 3, 3, 3, 4, 5, 6]
    assert list(shares(found, first=2)) == [(2, 0.0), (4, 0.5), (8, 0.5)]


def test_a_power_law_is_found_again() -> None:
    measured = [(1, 0.9), *((10**n, 0.001 * 10 ** (n / 2)) for n in range(2, 6))]
    assert extrapolated(measured, 10**8) == pytest.approx(10.0)


def test_programs_are_told_apart_by_their_form() -> None:
    recipe = load_config("hlo-1m").recipe
    found = forms(recipe, range(40))
    assert found == forms(recipe, range(40))
    assert len(set(found)) > 30
