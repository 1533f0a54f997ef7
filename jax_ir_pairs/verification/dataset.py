"""The configs of a folder, as far as their files can be understood at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from jax_ir_pairs.build import Shard
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.location import Location, with_folders_in
from jax_ir_pairs.schema import SPLITS
from jax_ir_pairs.verification.findings import Finding, shortened


@dataclass(frozen=True, slots=True)
class Listed:
    """What the manifest says of a file."""

    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BuiltConfig:
    """One config of a dataset: its manifest, where there is one, and its files."""

    folder: Location
    manifest: Mapping[str, Any] | None
    config: Config | None
    """Nothing where there is no manifest, or where this version cannot read its config."""
    listed: Mapping[str, Listed]
    problems: tuple[Finding, ...]
    """What is wrong with the manifest."""

    @property
    def name(self) -> str:
        """Name of the config."""
        return self.config.name if self.config else self.folder.resolve().name

    def place(self, file: str) -> str:
        """Names a file of the config."""
        return f"{self.name}/{file}"

    def files(self) -> list[str]:
        """Gives the names of the shards, those that are listed and those that are there."""
        there = {path.name for path in self.folder.glob("*.parquet")}
        order = {split: place for place, split in enumerate(SPLITS)}

        def key(name: str) -> tuple[int, str]:
            return order.get(name.partition("-")[0], len(order)), name

        return sorted(there | set(self.listed), key=key)


def configs_in(folder: Location, name: str | None = None) -> list[BuiltConfig]:
    """Gives the configs in `folder`, or the one of this name.

    `folder` is what was built or downloaded, or the folder of one config in it.

    **Raises:** [`UsageError`][] where there is none.
    """
    found = [_built_config(place) for place in with_folders_in(folder) if _holds_shards(place)]
    if not found:
        raise UsageError(
            f"{folder}: there is no dataset in it, such as hlo-100/manifest.json and shards."
        )
    chosen = [built for built in found if name in (None, built.name)]
    if not chosen:
        known = ", ".join(built.name for built in found)
        raise UsageError(f"{folder}: there is no config {name!r}; there is {known}.")
    return chosen


def _holds_shards(folder: Location) -> bool:
    return (folder / "manifest.json").is_file() or any(
        Shard.of_file(path.name) for path in folder.glob("*.parquet")
    )


def _built_config(folder: Location) -> BuiltConfig:
    place = f"{folder.resolve().name}/manifest.json"
    path = folder / "manifest.json"
    if not path.is_file():
        problem = Finding("manifest", place, "is missing: the build is not finished, or in parts")
        return BuiltConfig(folder, None, None, {}, (problem,))
    try:
        manifest = json.loads(path.read_bytes())
        listed = {
            str(shard["file"]): Listed(shard["rows"], shard["bytes"], shard["sha256"])
            for split in manifest["splits"].values()
            for shard in split["shards"]
        }
        described, made_by = manifest["config"], dict(manifest["build"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = Finding("manifest", place, "cannot be read", found=shortened(repr(error)))
        return BuiltConfig(folder, None, None, {}, (problem,))
    try:
        config = Config.model_validate_json(json.dumps(described))
    except ValidationError as error:
        problem = Finding(
            "manifest", place, "has a config that is none here", found=shortened(str(error))
        )
        return BuiltConfig(folder, manifest | {"build": made_by}, None, listed, (problem,))
    return BuiltConfig(folder, manifest | {"build": made_by}, config, listed, ())
