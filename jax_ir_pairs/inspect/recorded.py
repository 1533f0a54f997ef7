"""What a build's own files already say of it: its manifest, and near_duplicates.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.inspect.near_duplicates import NearDuplicates
from jax_ir_pairs.inspect.parquet_files import ConfigFiles
from jax_ir_pairs.location import Location

NEAR_DUPLICATES = "near_duplicates.json"
"""Where `jax-ir-pairs near-duplicates DIR --json` is looked for, in the folder of the config."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a manifest says of a whole build."""

    rejections: Mapping[str, int]
    complete: bool
    """Whether all its shards are there, of the size that it names; then its counts are theirs."""
    unique: Mapping[str, int]
    """Distinct texts by level."""
    structures: Mapping[str, int]
    """Distinct ones by split."""
    shared_structures: int


def recorded(files: ConfigFiles) -> Recorded | None:
    """Gives what the manifest says, or None where there is none, since nothing is sealed.

    **Raises:** [`BuildError`][] where it cannot be read.
    """
    path = files.folder / "manifest.json"
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_bytes())
        listed = {
            shard["file"]: shard["bytes"]
            for split in manifest["splits"].values()
            for shard in split["shards"]
        }
        structures = dict(manifest["structures"])
        return Recorded(
            rejections=dict(manifest["rejections"]),
            complete=listed == {path.name: path.stat().st_size for path in _paths(files)},
            unique={level: found["unique"] for level, found in manifest["levels"].items()},
            shared_structures=structures.pop("in_more_than_one_split"),
            structures=structures,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BuildError(f"{path}: is not a manifest; delete it and build again.") from None


def recorded_near_duplicates(files: ConfigFiles, rows: int) -> dict[str, NearDuplicates]:
    """Gives the near-duplicates by level that were counted before; empty where none were.

    **Raises:** [`BuildError`][] where the file cannot be read, or where it is not of `rows` rows.
    """
    path = files.folder / NEAR_DUPLICATES
    if not path.is_file():
        return {}
    mend = f"delete it, or write it again with near-duplicates --json {path}"
    try:
        levels = json.loads(path.read_bytes())["levels"]
        found = {
            level: NearDuplicates(of["rows"], of["with_near_duplicate"], of["remaining"])
            for level, of in levels.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BuildError(f"{path}: has no counts of near-duplicates; {mend}.") from None
    for of_level in found.values():
        if of_level.rows != rows:
            raise BuildError(
                f"{path}: is of {of_level.rows:,} rows, and there are {rows:,}; {mend}."
            )
    return found


def _paths(files: ConfigFiles) -> list[Location]:
    return [path for paths in files.shards.values() for path in paths]
