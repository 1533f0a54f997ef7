"""The finished builds of a folder, held against their manifests before they go to the Hub."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import metadata_load

from jax_ir_pairs.build.layout import Folder
from jax_ir_pairs.build.shard import sha256_of
from jax_ir_pairs.errors import BuildError, UsageError

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """A file to be: its path in the repository, and its content or the file that has it."""

    name: str
    source: Path | bytes
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, source: Path | bytes) -> Content:
        """Reads what is to be known of it."""
        if isinstance(source, bytes):
            return cls(name, source, len(source), hashlib.sha256(source).hexdigest())
        return cls(name, source, source.stat().st_size, sha256_of(source))

    def read(self) -> bytes:
        """Gives the whole content."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    def git_oid(self) -> str:
        """Gives what git calls the content."""
        content = self.read()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True, slots=True)
class SealedBuild:
    """A finished build: its shards, all whole, and what describes them, JSON files and plots."""

    config: str
    manifest: Manifest
    shards: tuple[Content, ...]
    documents: tuple[Content, ...]

    @property
    def fingerprint(self) -> str:
        """The build's fingerprint: 16 hex digits."""
        return str(self.manifest["fingerprint"])

    @property
    def tag(self) -> str:
        """The tag of the release, which stays with its data for good."""
        return release_tag(self.config, self.fingerprint)


def release_tag(config: str, fingerprint: str) -> str:
    """Gives the tag by which a build stays reachable when another takes its place."""
    return f"{config}-{fingerprint}"


def sealed_builds(out: Path) -> tuple[SealedBuild, ...]:
    """Gives the builds in `out`; every Parquet file is read and held against its checksum.

    **Raises:** [`UsageError`][] where there is no build; [`BuildError`][] where one is not
    finished, where a shard is missing or broken, or where the card does not describe a build.
    """
    if not out.is_dir():
        raise UsageError(f"There is no folder {str(out)!r}.")
    if (out / "manifest.json").exists():
        raise UsageError(f"{out}: is the folder of one config; give the one above, {out.parent}.")
    folders = [Folder(path) for path in sorted(out.iterdir()) if path.is_dir()]
    builds = [folder for folder in folders if folder.written()]
    if not builds:
        raise UsageError(f"{out}: there is no build in it; `jax-ir-pairs build` makes one.")
    for folder in builds:
        if not folder.manifest.exists():
            raise BuildError(
                f"{folder.path}: the build is not finished; run `jax-ir-pairs build "
                f"{folder.path.name} --out {out}` again, or move the folder away."
            )
    found = [(folder, _manifest_of(folder)) for folder in builds]
    _check_card(out, [manifest for _, manifest in found])
    return tuple(_sealed(out, folder, manifest) for folder, manifest in found)


def parse_manifest(content: bytes, config: str) -> Manifest | None:
    """Gives the manifest of `config`, or nothing where it is none of this project's."""
    try:
        manifest: Manifest = json.loads(content)
        ours = manifest["config"]["name"] == config and isinstance(manifest["fingerprint"], str)
        for split in manifest["splits"].values():
            for shard in split["shards"]:
                ours = ours and {"file", "bytes", "sha256"} <= set(shard)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if ours else None


def _manifest_of(folder: Folder) -> Manifest:
    manifest = parse_manifest(folder.manifest.read_bytes(), folder.path.name)
    if manifest is None:
        raise BuildError(
            f"{folder.manifest}: is not the manifest of {folder.path.name}; delete it, and build "
            "the config again."
        )
    return manifest


def _check_card(out: Path, manifests: list[Manifest]) -> None:
    path, mend = out / "README.md", f"run `jax-ir-pairs card {out}`."
    if not path.exists():
        raise BuildError(f"{path}: the dataset card is missing; {mend}")
    try:
        infos = (metadata_load(path) or {})["dataset_info"]
        sizes = {info["config_name"]: info["download_size"] for info in infos}
    except (ValueError, KeyError, TypeError, yaml.YAMLError):
        raise BuildError(f"{path}: describes no config; {mend}") from None
    for manifest in manifests:
        name = manifest["config"]["name"]
        if sizes.get(name) != manifest["bytes"]:
            raise BuildError(f"{path}: does not describe {name} as it is built; {mend}")


def _sealed(out: Path, folder: Folder, manifest: Manifest) -> SealedBuild:
    config = folder.path.name
    listed = [shard for split in manifest["splits"].values() for shard in split["shards"]]
    for shard in listed:  # quick to see, and so seen before anything long is read
        path = folder.path / shard["file"]
        size = path.stat().st_size if path.is_file() else None
        if size != shard["bytes"]:
            found = "is missing" if size is None else f"has {size:,} bytes"
            raise BuildError(
                f"{path}: {found}, {shard['bytes']:,} are in the manifest; build {config} again."
            )
    shards = []
    for shard in listed:
        path = out / config / shard["file"]
        content = Content.of(f"{config}/{path.name}", path)
        if content.sha256 != shard["sha256"]:
            raise BuildError(
                f"{path}: does not have the checksum that is in the manifest; build {config} again."
            )
        shards.append(content)
    described = [
        *(path for path in (out / config).glob("*.json") if path != folder.order),
        *(out / "plots" / config).rglob("*"),
    ]
    return SealedBuild(
        config=config,
        manifest=manifest,
        shards=tuple(shards),
        documents=tuple(
            Content.of(path.relative_to(out).as_posix(), path)
            for path in sorted(described)
            if path.is_file() and not path.name.startswith(".")
        ),
    )
