from __future__ import annotations

import random

import pytest

from likeness.ngrams import Help, bits_a_byte, cut, measure_help

WORDS = ("alpha", "beta", "gamma", "delta")


def _text(words: tuple[str, ...], seed: int) -> str:
    return " ".join(random.Random(seed).choices(words, k=2_000))


def test_what_was_read_costs_little() -> None:
    known, other = _text(WORDS, 0), _text(("epsilon", "zeta", "eta", "theta"), 0)
    # two bits for which word it is, in about six bytes
    assert bits_a_byte([known], [_text(WORDS, 1)]) < 0.45
    assert bits_a_byte([other], [_text(WORDS, 1)]) > 2


def test_probabilities_of_all_bytes_are_one() -> None:
    trained = ["abcabcabdabcabc" * 20]
    found = (2 ** -_last_byte(trained, "abcabcab", byte) for byte in range(128))
    assert sum(found) == pytest.approx(1, abs=0.51)  # the other 128 bytes are not valid text
    assert 2 ** -_last_byte(trained, "abcabcab", ord("c")) > 0.5


def _last_byte(trained: list[str], context: str, byte: int) -> float:
    """Gives the bits of one byte after a context as long as the model's."""
    return bits_a_byte(trained, [context[-7:] + chr(byte)])


def test_bytes_are_cut_between_texts() -> None:
    assert cut(["abc", "de", "f"], 4) == (["abc", "de"], ["f"])
    assert cut(["ä", "b"], 2) == (["ä"], ["b"])


def test_help_is_of_the_gain_of_real_text() -> None:
    assert Help(2.0, 1.75, 1.5, 1).share == 0.5
    assert Help(2.0, 2.25, 1.5, 1).share == -0.5


def test_ours_and_real_text_get_as_much() -> None:
    real = [_text(WORDS, seed) for seed in range(40)]
    ours = [_text(("epsilon", "zeta"), seed) for seed in range(400)]
    found = measure_help(real, ours, [_text(WORDS, 50)])
    assert 0 < found.more < 200_000
    assert found.with_real <= found.alone <= found.with_ours
    more_than_enough = measure_help(real, ours[:40], [_text(WORDS, 50)])
    assert more_than_enough.with_ours == found.with_ours


def test_where_nothing_was_read_all_bytes_are_alike() -> None:
    assert bits_a_byte([], ["some text of real code"]) == 8
