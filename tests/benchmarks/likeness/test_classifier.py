from __future__ import annotations

import random

import numpy as np
import pytest

from likeness.classifier import (
    area,
    code_tokens,
    control_areas,
    features,
    folded_area,
    held_out_area,
)


def _documents(words: str, count: int, seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [rng.choices(words, k=30) for _ in range(count)]


def test_documents_of_other_words_are_told_apart() -> None:
    ours = _documents("abcx", 40, 0)
    assert held_out_area(ours, _documents("abcd", 40, 1), _documents("abcd", 40, 2)) > 0.99
    real = {name: _documents("abcd", 20, seed) for seed, name in enumerate("klmnop")}
    assert folded_area(ours, real) > 0.99


def test_documents_of_the_same_words_are_not() -> None:
    words = "abcdefgh"
    ours = _documents(words, 60, 0)
    found = held_out_area(ours, _documents(words, 60, 1), _documents(words, 60, 2))
    assert 0.3 < found < 0.7
    real = {name: _documents(words, 20, seed) for seed, name in enumerate("klmnop")}
    assert all(0.3 < of_halves < 0.7 for of_halves in control_areas(real))


def test_the_area_is_the_chance_of_the_higher_score() -> None:
    second = np.array([False, False, True, True])
    assert area(np.array([0.0, 1.0, 2.0, 3.0]), second) == 1
    assert area(np.array([0.0, 2.0, 1.0, 3.0]), second) == 0.75
    assert area(np.zeros(4), second) == 0.5


def test_features_have_one_length_and_no_document_is_too_short() -> None:
    rows = features([[], ["a"], ["a", "b"], list("abcabcabc")])
    assert np.asarray(rows.multiply(rows).sum(axis=1)).ravel() == pytest.approx(1)


def test_strings_are_one_token_and_comments_none() -> None:
    found = code_tokens("x = f'{y} and {z!r}' + 'b'  # note\nif x:\n    pass\n")
    assert found == ["x", "=", '""', "+", '""', "if", "x", ":", "pass"]
