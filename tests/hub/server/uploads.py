"""The parts of the Hub's API that bring files: large objects first, then a commit of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import yaml

from tests.hub.server.access import Reply, Request, as_json
from tests.hub.server.state import LARGE, Blob, Files, Refused


class CutError(Exception):
    """The connection is to be cut."""


def validate(request: Request) -> Reply:
    """Checks the YAML of a card."""
    parts = request.json()["content"].split("---\n", 2)
    try:
        head = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else {}
    except yaml.YAMLError as error:
        head = str(error)
    if isinstance(head, dict):
        warnings = [] if head else [{"message": "empty or missing yaml metadata in repo card"}]
        return as_json({"errors": [], "warnings": warnings})
    return as_json({"errors": [{"message": f"bad YAML: {head}"}], "warnings": []}, 400)


def preupload(request: Request, name: str, revision: str) -> Reply:
    """Says which files are large objects, and what is there under their names."""
    repository = request.repository(name, write="create_pr" not in request.query)
    files = repository.at(revision).files
    described = []
    for asked in request.json()["files"]:
        path = asked["path"]
        mode = "lfs" if path.endswith(LARGE) else "regular"
        known = {"oid": files[path].etag} if path in files else {}
        described.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **known})
    return as_json({"files": described})


def batch(request: Request, name: str) -> Reply:
    """Says where large objects are to be sent; one that is there already goes nowhere."""
    request.repository(name)
    objects = []
    for asked in request.json()["objects"]:
        described = {"oid": asked["oid"], "size": asked["size"]}
        if asked["oid"] not in request.state.objects:
            described["actions"] = {"upload": {"href": f"{request.url}/objects/{asked['oid']}"}}
        objects.append(described)
    return as_json({"transfer": "basic", "objects": objects})


def put_object(request: Request, oid: str) -> Reply:
    """Takes a large object."""
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise Refused(400, "The content does not have its checksum")
    request.state.objects[oid] = request.body
    return Reply()


def commit(request: Request, name: str, revision: str) -> Reply:
    """Makes a commit, or a pull request of one."""
    state, pull = request.state, "create_pr" in request.query
    repository = request.repository(name, write=not pull)
    cut, state.cut_commit = state.cut_commit, None
    if cut == "before":
        raise CutError
    header, *lines = (json.loads(line) for line in request.body.splitlines())
    reference = repository.reference(revision)
    if reference is None or reference.startswith("refs/tags/"):
        raise Refused(404, f"Invalid branch: {revision}", "RevisionNotFound")
    before = repository.at(revision)
    if header["value"].get("parentCommit", before.oid) != before.oid:
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    if pull:
        reference = f"refs/pr/{len(repository.names('refs/pr/')) + 1}"
    files = _applied(before.files, lines, state.objects)
    made = repository.commit(reference, files, header["value"]["summary"])
    if cut == "after":
        raise CutError
    page, number = f"{request.url}/datasets/{name}", reference.rpartition("/")[2]
    answer = {"success": True, "commitOid": made.oid, "commitUrl": f"{page}/commit/{made.oid}"}
    if pull:
        answer["pullRequestUrl"] = f"{page}/discussions/{number}"
    return as_json(answer)


def _applied(
    before: Files, lines: Iterable[dict[str, Any]], objects: dict[str, bytes]
) -> dict[str, Blob]:
    files = dict(before)
    for line in lines:
        value = line["value"]
        path = value["path"]
        if line["key"] == "file":
            files[path] = Blob(base64.b64decode(value["content"]))
        elif line["key"] == "lfsFile":
            if value["oid"] not in objects:
                raise Refused(400, f"{path}: its large object was not uploaded")
            files[path] = Blob(objects[value["oid"]], value["oid"])
        elif path not in files:
            raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
        else:
            del files[path]
    return files
