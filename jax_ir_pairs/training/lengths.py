"""The length of a text in tokens, by whatever tokenizer is at hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from jax_ir_pairs.errors import UsageError

Length = Callable[[str], int]


def length(tokenizer: Any) -> Length:
    """Gives what counts the tokens of a text, special tokens not among them.

    Without a tokenizer those are the bytes of its UTF-8. Else it is a `tokenizers.Tokenizer` or a
    tokenizer of transformers, or anything that is called with a text and gives a number or tokens.

    **Raises:** [`UsageError`][] where it is nothing of that kind.
    """
    if tokenizer is None:
        return lambda text: len(text.encode())
    if hasattr(tokenizer, "encode"):
        encode = tokenizer.encode
        if hasattr(tokenizer, "no_truncation"):  # one of tokenizers, whose file may ask for it
            whole = copy.deepcopy(tokenizer)
            whole.no_truncation()
            whole.no_padding()
            encode = whole.encode
        return lambda text: len(encode(text, add_special_tokens=False))
    if callable(tokenizer):
        return lambda text: _counted(tokenizer(text))
    raise UsageError(
        f"A tokenizer has `encode` or is called with a text; {type(tokenizer).__name__} is neither."
    )


def _counted(tokens: Any) -> int:
    return tokens if isinstance(tokens, int) else len(tokens)
