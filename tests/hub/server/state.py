"""What the Hub of the tests keeps: users, dataset repositories, their commits, large objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

GITATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
LARGE = (".parquet", ".png", ".arrow")


class Refused(Exception):
    """An answer other than success, with the headers in which the Hub says why."""

    def __init__(self, status: int, message: str, code: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.content = {"error": message} | more


@dataclass(frozen=True, slots=True)
class User:
    """Who a token belongs to, and whether the token may write to their repositories."""

    name: str
    writes: bool = True


@dataclass(frozen=True, slots=True)
class Blob:
    """One file: its content and, where it is a large object, the content's SHA-256."""

    content: bytes
    sha256: str | None = None

    @property
    def oid(self) -> str:
        """What git calls the file; a large one is in git as a pointer."""
        stored = self.content
        if self.sha256 is not None:
            pointer = f"oid sha256:{self.sha256}\nsize {len(self.content)}\n"
            stored = f"version https://git-lfs.github.com/spec/v1\n{pointer}".encode()
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    @property
    def etag(self) -> str:
        """What downloads of it are known by."""
        return self.sha256 or self.oid


Files = Mapping[str, Blob]


@dataclass(frozen=True, slots=True)
class Commit:
    """One state of a repository."""

    oid: str
    message: str
    files: Files


@dataclass
class Repository:
    """A dataset repository: commits, and the references to them by full name."""

    id: str
    private: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.commit("refs/heads/main", {".gitattributes": Blob(GITATTRIBUTES)}, "initial commit")

    @property
    def owner(self) -> str:
        """The namespace that it lies in."""
        return self.id.split("/")[0]

    @property
    def tags(self) -> dict[str, str]:
        """The commits of the tags."""
        return self.names("refs/tags/")

    def names(self, prefix: str) -> dict[str, str]:
        """Gives the commits of the references under `prefix`, by short name."""
        found = self.references.items()
        return {name.removeprefix(prefix): oid for name, oid in found if name.startswith(prefix)}

    def reference(self, revision: str) -> str | None:
        """Gives the full name of a branch, tag or pull request, or nothing for a commit."""
        for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if name in self.references:
                return name
        return None

    def at(self, revision: str = "main") -> Commit:
        """Gives the commit of a revision."""
        name = self.reference(revision)
        oid = self.references[name] if name else revision
        if oid not in self.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def commit(self, reference: str, files: Files, message: str) -> Commit:
        """Makes `reference` point at a new commit of these files."""
        content = [
            self.id,
            len(self.commits),
            message,
            sorted((k, v.oid) for k, v in files.items()),
        ]
        oid = hashlib.sha1(json.dumps(content).encode()).hexdigest()
        self.commits[oid] = Commit(oid, message, dict(sorted(files.items())))
        self.references[reference] = oid
        return self.commits[oid]

    def describe(self, commit: Commit) -> dict[str, Any]:
        """Gives what `/api/datasets/ID` says."""
        return {
            "_id": hashlib.sha1(self.id.encode()).hexdigest()[:24],
            "id": self.id,
            "author": self.owner,
            "sha": commit.oid,
            "private": self.private,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": name} for name in commit.files],
        }


def entries(files: Files, folder: str = "", *, recursive: bool = True) -> list[dict[str, Any]]:
    """Gives the tree below `folder` as the Hub lists it, folders included."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for name, blob in files.items():
        if not name.startswith(prefix):
            continue
        parts = name.removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            parent = prefix + "/".join(parts[:depth])
            oid = hashlib.sha1(parent.encode()).hexdigest()
            found[parent] = {"type": "directory", "path": parent, "oid": oid, "size": 0}
        found[name] = entry(name, blob)
    depth = prefix.count("/")
    return [e for e in found.values() if recursive or e["path"].count("/") == depth]


def entry(name: str, blob: Blob) -> dict[str, Any]:
    """Gives one file as the Hub lists it."""
    described = {"type": "file", "path": name, "oid": blob.oid, "size": len(blob.content)}
    if blob.sha256 is not None:
        large = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}
        described["lfs"] = large
    return described


@dataclass
class State:
    """Everything that the server knows."""

    users: dict[str, User]
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    page: int = 1000
    """Files of a tree that are listed at once."""
    uploads_until_cut: int | None = None
    """Large objects that still arrive; from then on connections are cut in the middle of one."""
    cut_commit: Literal["before", "after"] | None = None
    """When the connection of the next commit is cut: before it takes effect, or after."""

    def is_cut(self) -> bool:
        """Says whether a large object is to be cut, and counts it where it is not."""
        if not self.uploads_until_cut:
            return self.uploads_until_cut == 0
        self.uploads_until_cut -= 1
        return False
