"""A file against the manifest, before it is opened."""

from __future__ import annotations

from dataclasses import asdict

from jax_ir_pairs.build import Folder, Shard, read_sidecar
from jax_ir_pairs.build.shard import BrokenShardError, file_problem
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


def wrong_sidecar(built: BuiltConfig, file: str) -> Finding | None:
    """Gives whether the sidecar of a shard is broken or another's; a download has none."""
    folder, shard, listed = Folder(built.folder), Shard.of_file(file), built.listed.get(file)
    if shard is None:
        return None
    place = built.place(f"{folder.sidecars.name}/{shard.name}.json")
    try:
        sidecar = read_sidecar(folder, shard)
    except BrokenShardError as error:
        return Finding("file", place, str(error))
    if sidecar is None or built.manifest is None or listed is None:
        return None
    if sidecar.sha256 != listed.sha256:
        return Finding("file", place, "SHA-256 of its shard", listed.sha256, sidecar.sha256)
    # What older versions of the project wrote lacks its version.
    theirs = {part: value for part, value in asdict(sidecar.build).items() if value}
    if theirs != built.manifest["build"]:
        return Finding("file", place, "is of another build")
    return None
