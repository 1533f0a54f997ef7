"""What a push changes: found out before anything is sent, and shown by `--dry-run`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import TemplateError

from jax_ir_pairs.build.layout import Shard
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.hub.card import write_card
from jax_ir_pairs.hub.remote import Hub, HubError, Remote, RemoteFile
from jax_ir_pairs.hub.sealed import (
    Content,
    Manifest,
    SealedBuild,
    parse_manifest,
    release_tag,
    sealed_builds,
)

CARD = "README.md"
OTHER_FILES = "other files"

_OF_NO_DATASET = re.compile(r"\.git\w+|readme\.md|license(\.\w+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes of one config, or of what is of none; sizes are in bytes."""

    name: str
    files: int
    size: int
    upload: tuple[Content, ...] = ()
    delete: tuple[str, ...] = ()
    is_new: bool = False
    """Whether the repository's card does not describe it yet, so that nobody reads it."""
    replaces: str | None = None
    """The fingerprint of the build whose place it takes."""
    is_kept: bool = False
    """Whether it is of the repository only, and stays as it is."""

    @property
    def is_config(self) -> bool:
        """Whether it is a config: what a build made, here or in the repository."""
        return self.name not in {CARD, OTHER_FILES}

    @property
    def upload_size(self) -> int:
        """Bytes to send."""
        return sum(content.size for content in self.upload)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a push does, in its order."""

    remote: Remote | None
    private: bool
    create_pr: bool
    tags_of_replaced: tuple[str, ...]
    """Tags that builds to be replaced lack, and get before."""
    parts: tuple[Part, ...]
    tags: tuple[str, ...]
    """Tags that the result gets."""

    @property
    def upload(self) -> tuple[Content, ...]:
        """All files to send, the card last."""
        return tuple(content for part in self.parts for content in part.upload)

    @property
    def delete(self) -> tuple[str, ...]:
        """All files to delete."""
        return tuple(name for part in self.parts for name in part.delete)


def make_plan(out: Path, hub: Hub, *, private: bool = False, create_pr: bool = False) -> Plan:
    """Checks the builds in `out`, looks at the repository, and says what a push changes there.

    **Raises:** [`UsageError`][] and [`BuildError`][] of what is wrong with `out` or cannot be
    asked for; [`HubError`][] where the repository is of something else or cannot be read.
    """
    builds = sealed_builds(out)
    remote = hub.look()
    _check_request(hub, remote, private=private, create_pr=create_pr)
    files = remote.files if remote else {}
    manifests = _manifests(hub, remote, builds)
    _refuse_foreign(hub, files, builds, manifests)
    parts = [_part(build, files, manifests.get(build.config)) for build in builds]
    others = {config: m for config, m in manifests.items() if config not in _names(builds)}
    parts += [_kept(config, files) for config in others]
    configs = {*_names(builds), *others}
    rest = [
        name for name in files if not (_belongs(name, configs) or _OF_NO_DATASET.fullmatch(name))
    ]
    if rest:
        parts.append(Part(OTHER_FILES, len(rest), _size(files, rest), is_kept=True))
    card = _card(out, hub, remote, builds, others)
    about = [Content.of(CARD, card)]
    parts.append(Part(CARD, 1, about[0].size, _missing(about, files)))
    tagged = not (create_pr or hub.is_pull_request)
    return Plan(
        remote=remote,
        private=private,
        create_pr=create_pr,
        tags_of_replaced=_tags_of_replaced(remote, parts) if tagged else (),
        parts=tuple(parts),
        tags=_new_tags(hub, remote, builds) if tagged else (),
    )


def _check_request(hub: Hub, remote: Remote | None, *, private: bool, create_pr: bool) -> None:
    if remote is None and hub.revision != "main":
        raise UsageError(f"{hub.repo_id}: there is no such dataset yet; leave --revision out.")
    if remote is None and create_pr:
        raise UsageError(f"{hub.repo_id}: there is no such dataset yet; leave --create-pr out.")
    if remote and private and not remote.private:
        raise UsageError(
            f"{hub.repo_id}: is public, and --private is for new repositories; make it private "
            "in its settings, or leave --private out."
        )


def _names(builds: Iterable[SealedBuild]) -> list[str]:
    return [build.config for build in builds]


def _manifests(
    hub: Hub, remote: Remote | None, builds: Sequence[SealedBuild]
) -> dict[str, Manifest]:
    """Gives the manifests of our builds in the repository, by config."""
    if remote is None:
        return {}
    local = {content.name: content for build in builds for content in build.documents}
    found = {}
    for name, file in sorted(remote.files.items()):
        config, _, rest = name.partition("/")
        if rest != "manifest.json":
            continue
        known = name in local and file.is_same(local[name])
        content = local[name].read() if known else hub.read(remote.head, name)
        if manifest := parse_manifest(content, config):
            found[config] = manifest
    return found


def _refuse_foreign(
    hub: Hub,
    files: Iterable[str],
    builds: Sequence[SealedBuild],
    manifests: Mapping[str, Manifest],
) -> None:
    if manifests:
        return
    for name in files:
        config, _, rest = name.partition("/")
        interrupted = config in _names(builds) and Shard.of_file(rest)
        if not interrupted and not _OF_NO_DATASET.fullmatch(name):
            raise HubError(
                f"{hub.repo_id}: is another dataset, with {name} and no manifest of this project; "
                "push to a repository of another name."
            )


def _part(build: SealedBuild, files: Mapping[str, RemoteFile], before: Manifest | None) -> Part:
    contents = [*build.shards, *build.documents]
    names = {content.name for content in contents}
    there = [name for name in files if _belongs(name, {build.config})]
    replaced = before is not None and before["fingerprint"] != build.fingerprint
    return Part(
        name=build.config,
        files=len(contents),
        size=_total(contents),
        upload=_missing(contents, files),
        delete=tuple(name for name in there if name not in names),
        is_new=before is None,
        replaces=before["fingerprint"] if before and replaced else None,
    )


def _kept(config: str, files: Mapping[str, RemoteFile]) -> Part:
    names = [name for name in files if _belongs(name, {config})]
    return Part(config, len(names), _size(files, names), is_kept=True)


def _belongs(name: str, configs: Iterable[str]) -> bool:
    """Says whether a file is one that a push of these configs writes."""
    folder, _, rest = name.partition("/")
    if folder == "plots":
        return rest.partition("/")[0] in configs and "/" in rest
    return folder in configs and "/" not in rest and rest.endswith((".parquet", ".json"))


def _missing(contents: Iterable[Content], files: Mapping[str, RemoteFile]) -> tuple[Content, ...]:
    return tuple(c for c in contents if c.name not in files or not files[c.name].is_same(c))


def _total(contents: Iterable[Content]) -> int:
    return sum(content.size for content in contents)


def _size(files: Mapping[str, RemoteFile], names: Iterable[str]) -> int:
    return sum(files[name].size for name in names)


def _card(
    out: Path,
    hub: Hub,
    remote: Remote | None,
    builds: Iterable[SealedBuild],
    others: Mapping[str, Manifest],
) -> Path | bytes:
    """Gives the card; where the repository has other configs it is written anew, with them."""
    if remote is None or not others:
        return out / CARD
    with TemporaryDirectory() as folder:
        documents = (content for build in builds for content in build.documents)
        contents = {c.name: c.read() for c in documents if c.name.endswith(".json")}
        for name in remote.files:
            if name.endswith(".json") and _belongs(name, others):
                contents[name] = hub.read(remote.head, name)
        for name, content in contents.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        try:
            return write_card(Path(folder)).read_bytes()
        except (KeyError, TypeError, ValueError, TemplateError) as error:
            raise HubError(
                f"{hub.repo_id}: the card cannot describe {', '.join(others)} of the repository, "
                f"which another version of jax-ir-pairs built ({type(error).__name__}: {error}); "
                "build and push it again."
            ) from error


def _tags_of_replaced(remote: Remote | None, parts: Iterable[Part]) -> tuple[str, ...]:
    replaced = [(part.name, part.replaces) for part in parts if part.replaces]
    tags = [release_tag(config, fingerprint) for config, fingerprint in replaced]
    return tuple(tag for tag in tags if remote and tag not in remote.tags)


def _new_tags(hub: Hub, remote: Remote | None, builds: Iterable[SealedBuild]) -> tuple[str, ...]:
    new = []
    for build in builds:
        commit = remote.tags.get(build.tag) if remote else None
        if remote is None or commit is None:
            new.append(build.tag)
            continue
        files = remote.files if commit == remote.head else hub.files(commit)
        if _missing(build.shards, files):
            raise HubError(
                f"{hub.repo_id}: the tag {build.tag} has other data than this build; delete the "
                "tag on the Hub, or push to a repository of another name."
            )
    return tuple(new)
