from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.training import Examples
from jax_ir_pairs.training.lengths import length
from tests.training.rows import ROWS

TEXT = "é 4 é"


def of_tokenizers() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"<s>": 0, "é": 1, "4": 2, "?": 3}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $0", special_tokens=[("<s>", 0)])
    return tokenizer


class OfTransformers:
    """Stands for a tokenizer of transformers: called, it gives more than the tokens."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return [0] * add_special_tokens + [1] * len(text.split())

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": self.encode(text), "attention_mask": []}


def test_bytes_are_counted_unless_there_is_a_tokenizer() -> None:
    assert length(None)(TEXT) == 7


@pytest.mark.parametrize(
    "tokenizer", [of_tokenizers(), OfTransformers(), str.split, lambda text: len(text.split())]
)
def test_any_tokenizer_counts_without_special_tokens(tokenizer: Any) -> None:
    assert length(tokenizer)(TEXT) == 3


def test_what_a_tokenizer_cuts_or_fills_up_is_counted_whole() -> None:
    tokenizer = of_tokenizers()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    assert length(tokenizer)(TEXT) == 3
    assert len(tokenizer.encode(TEXT)) == 9  # the caller's own is as it was


def test_what_is_no_tokenizer_is_said() -> None:
    with pytest.raises(UsageError, match="int is neither"):
        length(3)


def test_examples_are_limited_in_tokens() -> None:
    tokens = Examples("cost", max_tokens=70, tokenizer=of_tokenizers()).tally(ROWS)
    assert (
        tokens.examples == Examples("cost", max_tokens=70, tokenizer=str.split).tally(ROWS).examples
    )
    assert 0 < tokens.examples["cost"] < len(ROWS)
