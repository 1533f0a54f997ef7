"""One's own function as a row of the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from jax_ir_pairs.browse.rows import GivenRows
from jax_ir_pairs.build.records import text_hash
from jax_ir_pairs.extraction import versions
from jax_ir_pairs.targets import TARGETS

if TYPE_CHECKING:
    from jax_ir_pairs.extraction import Extraction


def extracted_rows(extraction: Extraction, python: str, name: str, call: str) -> GivenRows:
    """Gives what was extracted of the function `name` of `python`, called as `call` says."""
    jax_version, jaxlib_version = versions()
    further = {
        TARGETS[each.target].column(level): getattr(each, level)
        for each in extraction.further
        for level in ("stablehlo", "optimized_hlo")
    }
    row = {
        **asdict(extraction),
        **further,
        "id": text_hash(python + call),
        "python": python,
        "entry_point": name,
        "inputs": "[]",
        "call": call,
        "family": "user",
        "transforms": [],
        "split": "function",
        "jax_version": jax_version,
        "jaxlib_version": jaxlib_version,
        "refusals": {
            each.target: f"{each.refusal[0]}: {each.refusal[1]}"
            for each in extraction.further
            if each.refusal
        },
    }
    return GivenRows(name, [row])
