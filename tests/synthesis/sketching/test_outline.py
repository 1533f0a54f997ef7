"""Tests of what two programs share."""

from __future__ import annotations

import pytest

from jax_ir_pairs.plan import _Earlier
from jax_ir_pairs.synthesis.sketching.draft import SketchDraft
from jax_ir_pairs.synthesis.sketching.outline import NEARLY
from tests.synthesis.sketching.library import draft_of, library_of, plainly

LIBRARY = library_of(
    '''
    @sketch(takes={"signal": "f[n]"})
    def peak_level(signal, offset=number(0.1, 0.9)):
        """Measure the level of the peaks."""
        if maybe("window"):
            tapered = signal * jnp.hanning(signal.shape[0])
            spectrum = jnp.abs(jnp.fft.rfft(tapered - jnp.mean(tapered)))
            return jnp.max(spectrum, axis=-1) / signal.shape[0] + offset
        return jnp.max(jnp.abs(signal)) + offset
    '''
)


def _drafts(*, windowed: bool) -> list[SketchDraft]:
    drafts = [draft_of(LIBRARY, "peak_level", seed) for seed in range(60)]
    drafts = [draft for draft in drafts if not draft.drawing.flags]
    return [draft for draft in drafts if ("hanning" in plainly(draft)) == windowed]


def test_numbers_and_sizes_make_no_other_outline() -> None:
    first, second, *_ = _drafts(windowed=True)
    assert first.canonical_hash != second.canonical_hash
    assert first.outline.similarity(second.outline) == pytest.approx(1)


def test_another_way_shares_less() -> None:
    one, other = _drafts(windowed=True)[0].outline, _drafts(windowed=False)[0].outline
    assert 0 < one.similarity(other) < NEARLY
    assert one.similarity(other) == pytest.approx(other.similarity(one))


def test_a_plan_takes_no_program_that_is_nearly_an_earlier_one() -> None:
    earlier = _Earlier()
    windowed, plain = _drafts(windowed=True), _drafts(windowed=False)
    assert [earlier.add(draft) for draft in windowed[:3]] == [True, False, False]
    assert earlier.add(plain[0])
    assert not earlier.add(plain[0])
