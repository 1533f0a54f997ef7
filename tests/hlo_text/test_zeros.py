from __future__ import annotations

from jax_ir_pairs.hlo_text.zeros import with_negative_zeros


def test_only_whole_negative_zeros() -> None:
    text = "constant({-0, 1, -0.5, (-0, -0)}) constant(-0) a-0 -01"
    expected = "constant({-0.0, 1, -0.5, (-0.0, -0.0)}) constant(-0.0) a-0 -01"
    assert with_negative_zeros(text) == expected
