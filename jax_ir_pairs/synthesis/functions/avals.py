"""Avals as people write them: `f32[8,16]`, alone or as the leaves of a tree."""

from __future__ import annotations

import re
from typing import Any

from jax_ir_pairs.synthesis.types import LONG_NAMES

_AVAL = re.compile(r"(key<fry>|\w+)\[(?:\d+(?:,\d+)*)?\]")
_SHOWN = ("f32", "bf16", "f16", "f64", "i32", "i8", "u32", "bool", "c64", "key<fry>")


def is_aval(text: str) -> bool:
    """Says whether `text` is an aval."""
    match = _AVAL.fullmatch(text)
    return match is not None and (match[1] == "key<fry>" or match[1] in LONG_NAMES)


def check_avals(tree: Any) -> None:
    """Raises ValueError, with a sentence for the user, unless `tree` is a tree of avals.

    It is made of dicts with strings as keys, lists, tuples and None, as JSON has them.
    """
    if isinstance(tree, str):
        if not is_aval(tree):
            raise ValueError(f"{tree!r} is no aval: {_explain(tree)}")
    elif isinstance(tree, dict):
        for key, item in tree.items():
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} of a dict must be a string")
            check_avals(item)
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            check_avals(item)
    elif tree is not None:
        raise ValueError(
            f"{tree!r} is no aval: each leaf of a tree looks like 'f32[8,16]', or 'f32[]' for a "
            "scalar"
        )


def _explain(text: str) -> str:
    if (match := _AVAL.fullmatch(text)) is not None:
        return f"there is no dtype {match[1]!r}; there are {', '.join(_SHOWN)} and others"
    if _AVAL.fullmatch(text.replace(" ", "")):
        return f"it has no spaces, as in {text.replace(' ', '')!r}"
    if text in LONG_NAMES:
        return f"a scalar is {text + '[]'!r}"
    return "one looks like 'f32[8,16]', or 'f32[]' for a scalar"
