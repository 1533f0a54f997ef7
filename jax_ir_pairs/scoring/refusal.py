"""What is refused by its text alone, ahead of anything that reads it. Imports no JAX.

A text that passes is still read, and run, in a limited child only: this screen keeps out what has
no place in an answer, says so in a sentence, and saves the child.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final, Literal

Language = Literal["python", "jaxpr", "stablehlo", "hlo", "optimized_hlo", "text"]
"""What an answer is written in; `text` is for figures and maps."""

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 200
"""Brackets in brackets; those of a row are under 40."""

RUNNABLE_TARGETS: Final = re.compile(
    r"lapack_[a-z0-9]+_ffi|(?:Approx)?TopK|mhlo\.topk|LayoutConstraint|Sharding|SPMDFullToShardShape"
    r"|SPMDShardToFullShape|xla\.sdy\.\w+|cu_threefry2x32_ffi|annotate_device_placement"
)
"""The custom calls that are run: LAPACK's and what only says where a value lies."""

_TARGET = re.compile(
    r'(?:call_target_name|custom_call_target|api_name|target_name)\s*=\s*"?([^"\s,\]}]{0,200})"?'
    r'|custom_call\s+@"?([^"\s(]{0,200})"?'
)
_NEVER = re.compile(
    r"\b(?:(?:mhlo|stablehlo)\.(?:infeed|outfeed|send|recv)\b"
    r"|(?:infeed|outfeed|send|recv|send-done|recv-done)\("
    r"|(?:pure|io|debug|python)_callback\b|debug_print\[|(?:infeed|outfeed)\["
    r"|xla_(?:ffi_)?(?:partitioned_)?python\w*callback)"
)
_CONFIG = re.compile(r"(?:backend_config|opaque)\s*=\s*")
_POINTER = re.compile(r"(?<![\d.])\d{12,}|0x[0-9a-fA-F]{8,}")
_OTHERS = bytes(set(range(256)) - set(b"()[]{}<>"))
_STEPS = bytes.maketrans(b"([{<)]}>", b"\2\2\2\2\0\0\0\0")
_TELLING = ("callback", "custom", "infeed", "outfeed", "send", "recv", "debug_print", "api_name")


def refusal(language: Language, text: str, own: str = "") -> str:
    """Gives why `text` is refused, in one sentence, or nothing where it may be read.

    Custom calls that the row's `own` text has are let through: they are read, but not run.
    """
    if len(text) > MAX_CHARACTERS:
        return f"The answer has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read."
    if "\0" in text:
        return "The answer has a nul byte."
    if not text.strip():
        return "The answer is empty."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "The answer is no text: it has half of a surrogate pair."
    if language == "python":  # its syntax tree is looked at in the child
        return ""
    if (depth := _depth(text)) > MAX_DEPTH:
        return f"The answer nests brackets {depth} deep; at most {MAX_DEPTH} are read."
    return "" if language == "text" else _called(text, own)


def called_targets(text: str) -> set[str]:
    """Gives the targets of the custom calls in a text."""
    return {first or second for first, second in _TARGET.findall(text)}


def unrunnable(text: str) -> str:
    """Gives what a text has that is never run, or nothing."""
    if not any(word in text for word in _TELLING):
        return ""
    if match := _NEVER.search(text):
        return match.group().rstrip("[(")
    others = (t for t in sorted(called_targets(text)) if not RUNNABLE_TARGETS.fullmatch(t))
    return next(others, "")


def _called(text: str, own: str) -> str:
    if not any(word in text for word in (*_TELLING, "backend_config", "opaque")):
        return ""
    allowed = {*called_targets(own), *_NEVER.findall(own)}
    for name in [*_NEVER.findall(text), *sorted(called_targets(text))]:
        if name not in allowed and not RUNNABLE_TARGETS.fullmatch(name):
            return f"The answer calls {name[:80]!r}, which is not among what may be called."
    known = set(_POINTER.findall(own))
    for line in text.splitlines():
        if config := _CONFIG.search(line):
            for pointer in _POINTER.findall(line, config.end()):
                if pointer not in known:
                    what = f"{pointer[:40]} in an attribute, which may be a pointer"
                    return f"The answer has {what}."
    return ""


def _depth(text: str) -> int:
    plain = text.replace("->", "").replace("=>", "").encode(errors="replace")
    steps = plain.translate(None, _OTHERS).translate(_STEPS)
    return max(accumulate(step - 1 for step in steps), default=0)
