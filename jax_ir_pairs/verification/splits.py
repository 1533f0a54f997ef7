"""No structure is in two splits, of whatever configs."""

from __future__ import annotations

from jax_ir_pairs.verification.findings import Finding


class Splits:
    """Sees the rows of a dataset one by one."""

    def __init__(self) -> None:
        self._split_of: dict[str, str] = {}

    def add(self, place: str, split: str, structure_hash: str) -> Finding | None:
        """Gives the finding where a row of another split has this structure."""
        first = self._split_of.setdefault(structure_hash, split)
        if first == split:
            return None
        what = f"structure {structure_hash}"
        return Finding("split", place, what, f"in {first}, where it is too", f"in {split}")
