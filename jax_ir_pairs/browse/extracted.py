"""One's own function as a row of the page."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import asdict
from typing import TYPE_CHECKING

from jax_ir_pairs.browse.rows import GivenRows
from jax_ir_pairs.targets import TARGETS

if TYPE_CHECKING:
    from jax_ir_pairs.extraction import Extraction


def extracted_rows(extraction: Extraction, python: str, name: str, call: str) -> GivenRows:
    """Gives what was extracted of the function `name` of `python`, called as `call` says."""
    known = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
    further = {
        TARGETS[each.target].column(level): getattr(each, level)
        for each in extraction.further
        for level in ("stablehlo", "optimized_hlo")
    }
    row = {
        **asdict(extraction),
        **further,
        "id": hashlib.sha256(f"{python}{call}".encode()).hexdigest()[:16],
        "python": python,
        "entry_point": name,
        "inputs": "[]",
        "call": call,
        "family": "user",
        "transforms": [],
        "split": "function",
        "jax_version": known["jax"],
        "jaxlib_version": known["jaxlib"],
        "refusals": {
            each.target: f"{each.refusal[0]}: {each.refusal[1]}"
            for each in extraction.further
            if each.refusal
        },
    }
    return GivenRows(name, [row])
