"""The files of a config against its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jax_ir_pairs.build.shard import sha256_of
from jax_ir_pairs.verification.finding import Finding


def listed_shards(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Gives what a manifest says of each shard."""
    return [shard for split in manifest["splits"].values() for shard in split["shards"]]


def check_files(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Gives what is wrong with the shards that a manifest lists, and those that it does not."""
    listed = listed_shards(manifest)
    for shard in listed:
        path = folder / shard["file"]
        if not path.is_file():
            yield Finding("file", shard["file"], "is missing")
        elif (size := path.stat().st_size) != shard["bytes"]:
            yield Finding("file", shard["file"], f"has {size:,} bytes, not {shard['bytes']:,}")
        elif (checksum := sha256_of(path)) != shard["sha256"]:
            what = f"has SHA-256 {checksum[:16]}…, not {shard['sha256'][:16]}…"
            yield Finding("file", shard["file"], what)
    for path in sorted(
        {path.name for path in folder.glob("*.parquet")} - {s["file"] for s in listed}
    ):
        yield Finding("file", path, "is not in the manifest")
