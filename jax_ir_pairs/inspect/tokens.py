"""Lengths of texts in the tokens of a named tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKEN_ROWS = 2000
"""Rows whose tokens are counted unless told otherwise: tokenizers takes 0.4 s for each megabyte."""

TokenCounter = Callable[[Iterable[str]], list[int]]
"""Gives the number of tokens of each text, special tokens of the model not among them."""

_BATCH_CHARACTERS = 1 << 20  # a token takes some 100 bytes until it is counted


def token_counter(name: str) -> TokenCounter:
    """Gives what counts tokens with the tokenizer `name`.

    That is the path of a `tokenizer.json`, or of a repository on the Hugging Face Hub.

    **Raises:** [`UsageError`][] where tokenizers is not installed, or where there is no such one.
    """
    tokenizer = _load(name)
    tokenizer.no_truncation()  # a file may ask for either
    tokenizer.no_padding()

    def count(texts: Iterable[str]) -> list[int]:
        return [
            len(encoding)
            for batch in _batches(texts)
            for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        ]

    return count


def _load(name: str) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UsageError(
            "--tokenizer needs tokenizers: pip install 'jax-ir-pairs[tokenizer]'."
        ) from None
    try:
        if name.endswith(".json"):
            return Tokenizer.from_file(str(Path(name)))
        return Tokenizer.from_pretrained(name)
    except Exception as error:  # tokenizers raises nothing narrower
        problem = " ".join(str(error).split())
        raise UsageError(
            f"--tokenizer {name}: cannot be loaded ({problem}); name a repository on the Hub, or "
            "the path of a tokenizer.json."
        ) from None


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
