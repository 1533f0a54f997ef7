"""A file against the manifest, before it is opened."""

from __future__ import annotations

from jax_ir_pairs.build.shard import file_problem
from jax_ir_pairs.verification.dataset import BuiltConfig
from jax_ir_pairs.verification.findings import Finding


def wrong_file(built: BuiltConfig, file: str) -> Finding | None:
    """Gives whether a file is missing, not to be there, or of other bytes."""
    place, path, listed = built.place(file), built.folder / file, built.listed.get(file)
    if listed is None:
        if built.manifest is None:
            return None
        return Finding("file", place, "is not in the manifest", "no such file")
    problem = file_problem(path, listed.bytes, listed.sha256)
    return Finding("file", place, problem) if problem else None
