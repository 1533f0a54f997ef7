"""kill -9 of the driver and of what it started; `make kills` is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kills import VICTIMS, Undisturbed, trial


@pytest.mark.parametrize(
    ("victim", "share"),
    [(VICTIMS[0], 0.3), (VICTIMS[0], 0.7), (VICTIMS[1], 0.6), (VICTIMS[4], 0.6)],
)
def test_a_build_that_was_killed_has_the_same_bytes(
    tmp_path: Path, whole: Undisturbed, victim: str, share: float
) -> None:
    after = whole.seconds * share
    while not trial(whole, tmp_path / f"after-{after}", victim, after):
        after /= 2  # there was none any more
