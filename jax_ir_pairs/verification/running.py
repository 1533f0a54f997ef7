"""Rows of other versions: their bytes are no longer to be had, what they compute is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from jax_ir_pairs.build import build_fingerprint
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.targets import TARGETS
from jax_ir_pairs.verification.dataset import BuiltConfig
from jax_ir_pairs.verification.findings import Finding, shortened
from jax_ir_pairs.verification.process import Verifier

_VERSIONS = ("jax", "jaxlib")
_NO_PART_OF_A_ROW = {"pyarrow"}


def why_not_remade(built: BuiltConfig) -> str:
    """Says why this installation cannot make the rows again; empty where it can."""
    if built.config is None or built.manifest is None:
        return "without a config to make them from"
    if lacking := [name for name in built.config.targets if TARGETS[name].missing()]:
        return f"for {', '.join(lacking)}, whose compiler is not installed"
    theirs, ours = built.manifest["build"], asdict(build_fingerprint(built.config))
    parts = [p for p in ours if p not in _NO_PART_OF_A_ROW and ours[p] != theirs.get(p)]
    named = ", ".join(
        f"{part} {theirs.get(part)}" if part in _VERSIONS else part.replace("_", " ")
        for part in parts
    )
    return named and f"of other versions: {named}"


def disagreement(
    place: str, row: Mapping[str, Any], verifier: Verifier, *, is_of_this_jaxlib: bool
) -> tuple[Finding | None, str]:
    """Gives the finding where `hlo` does not compute what `stablehlo` does.

    Or, beside it, why that could not be found out: that this jaxlib does not run what another one
    made is no fault of the row.
    """
    what = "hlo, run against stablehlo"
    try:
        problem, not_run = verifier.run(row)
    except Rejected as rejected:
        if not is_of_this_jaxlib:
            return None, f"this jaxlib does not run them ({rejected.reason})"
        return Finding("result", place, what, "results", shortened(str(rejected))), ""
    if problem:
        return Finding("result", place, what, "the same results", shortened(problem)), ""
    return None, not_run
