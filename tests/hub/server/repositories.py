"""The parts of the Hub's API that are about users, repositories, references and files."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode

from tests.hub.server.access import Reply, Request, as_json
from tests.hub.server.state import Refused, Repository, entries


def whoami(request: Request) -> Reply:
    """Says whose token it is."""
    user = request.user()
    role = "write" if user.writes else "read"
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}
    return as_json({"type": "user", "id": "0", "name": user.name, "orgs": [], "auth": token})


def create(request: Request) -> Reply:
    """Makes a repository."""
    asked, user = request.json(), request.user()
    owner = asked.get("organization") or user.name
    request.writer(owner)
    name = f"{owner}/{asked['name']}"
    url = f"{request.url}/datasets/{name}"
    if name in request.state.repositories:
        raise Refused(409, "You already created this dataset repo", url=url)
    private = asked.get("private") or asked.get("visibility") == "private"
    request.state.repositories[name] = Repository(name, private=bool(private))
    return as_json({"url": url, "name": name, "id": name})


def info(request: Request, name: str, revision: str) -> Reply:
    """Describes a repository at a revision."""
    repository = request.repository(name)
    return as_json(repository.describe(repository.at(revision or "main")))


def references(request: Request, name: str) -> Reply:
    """Lists branches, tags and, where asked for, pull requests."""
    repository = request.repository(name)

    def listed(prefix: str) -> list[dict[str, str]]:
        found = repository.names(prefix).items()
        return [{"name": n, "ref": prefix + n, "targetCommit": oid} for n, oid in found]

    kinds = {"branches": listed("refs/heads/"), "tags": listed("refs/tags/"), "converts": []}
    if "include_prs" in request.query:
        kinds["pullRequests"] = [pull | {"name": pull["ref"]} for pull in listed("refs/pr/")]
    return as_json(kinds)


def branch(request: Request, name: str, new: str) -> Reply:
    """Makes a branch."""
    repository = request.repository(name, write=True)
    return _refer(repository, f"refs/heads/{new}", request.json().get("startingPoint", "main"))


def tag(request: Request, name: str, revision: str) -> Reply:
    """Makes a tag."""
    repository = request.repository(name, write=True)
    return _refer(repository, f"refs/tags/{request.json()['tag']}", revision)


def _refer(repository: Repository, reference: str, revision: str) -> Reply:
    if reference in repository.references:
        raise Refused(409, f"Reference already exists: {reference}")
    repository.references[reference] = repository.at(revision).oid
    return as_json({"success": True})


def tree(request: Request, name: str, revision: str, folder: str) -> Reply:
    """Lists a folder, page by page."""
    files = request.repository(name).at(revision).files
    recursive = request.query.get("recursive", "").lower() == "true"
    found = entries(files, folder, recursive=recursive)
    if folder and not found:
        raise Refused(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    start = int(request.query.get("cursor", 0))
    end = start + request.state.page
    if len(found) <= end:
        return as_json(found[start:])
    query = urlencode({**request.query, "cursor": end})
    return as_json(found[start:end], Link=f'<{request.url}{request.path}?{query}>; rel="next"')


def paths(request: Request, name: str, revision: str) -> Reply:
    """Describes the files that are asked for, as far as they are there."""
    files = request.repository(name).at(revision).files
    asked = parse_qs(request.body.decode()).get("paths", [])
    return as_json([entry for entry in entries(files) if entry["path"] in asked])


def resolve(request: Request, name: str, revision: str, path: str) -> Reply:
    """Gives a file, or a range of its bytes.

    The Hub sends the client on to another host for a large one; here all is one host.
    """
    commit = request.repository(name).at(revision)
    if path not in commit.files:
        raise Refused(404, "Entry not found", "EntryNotFound")
    blob = commit.files[path]
    headers = {
        "X-Repo-Commit": commit.oid,
        "ETag": f'"{blob.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
    }
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    if match is None:
        return Reply(blob.content, 200, headers)
    size, (first, last) = len(blob.content), match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        return Reply(b"", 416, {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Reply(blob.content[start:end], 206, headers)
