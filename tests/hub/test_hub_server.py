"""The server of the tests is to answer as the Hub does: huggingface_hub itself tells."""

from __future__ import annotations

import pytest

from tests.hub.server import READER, STRANGER, Client

SHOW = """
import json
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

pytest_plugins = ["tests.hub.server.fixtures"]
api = HfApi()
ID = dict(repo_id="user/name", repo_type="dataset")
def show(value): print(json.dumps(value))
def commit(files, **more):
    adding = [CommitOperationAdd(name, content.encode()) for name, content in files.items()]
    return api.create_commit(operations=adding, commit_message="m", **ID, **more)
"""


def test_commits_branches_tags_and_pull_requests(client: Client) -> None:
    said = client.python(
        SHOW
        + """
api.create_repo(**ID)
api.create_repo(exist_ok=True, **ID)
first = commit({"README.md": "---\\nlicense: mit\\n---\\n", "a/x.parquet": "rows", "b.json": "1"})
api.create_tag(tag="one", **ID)
api.create_branch(branch="dev", **ID)
deleting = [CommitOperationDelete("b.json")]
second = api.create_commit(operations=deleting, commit_message="m", parent_commit=first.oid, **ID)
pull = commit({"c.txt": "new"}, create_pr=True)
try:
    commit({"c.txt": "late"}, parent_commit=first.oid)
except HfHubHTTPError as error:
    late = error.response.status_code
refs = api.list_repo_refs(include_pull_requests=True, **ID)
tree = {f.path: f for f in api.list_repo_tree(recursive=True, **ID)}
paths = api.get_paths_info(paths=["README.md", "b.json"], **ID)
show({
    "who": api.whoami()["name"],
    "branches": {b.name: b.target_commit == first.oid for b in refs.branches},
    "tag": refs.tags[0].target_commit == first.oid,
    "pull": [refs.pull_requests[0].name, pull.pr_revision, pull.pr_url.rpartition("/")[2]],
    "late": late,
    "tree": sorted(tree),
    "large": tree["a/x.parquet"].lfs.size,
    "paths": [p.path for p in paths],
    "old": open(hf_hub_download(filename="b.json", revision="one", **ID)).read(),
    "info": api.dataset_info("user/name", revision="one").sha == first.oid,
})
"""
    )
    assert said == {
        "who": "user",
        "branches": {"main": False, "dev": True},
        "tag": True,
        "pull": ["refs/pr/1", "refs/pr/1", "1"],
        "late": 412,
        "tree": [".gitattributes", "README.md", "a", "a/x.parquet"],
        "large": 4,
        "paths": ["README.md"],
        "old": "1",
        "info": True,
    }
    traffic = client.hub.take()
    assert (len(traffic.uploads), traffic.uploads.received, len(traffic.commits)) == (1, 4, 3)
    repository = client.hub.repository()
    assert set(repository.at("refs/pr/1").files) == set(repository.at().files) | {"c.txt"}
    assert next(iter(repository.commits.values())).message == "initial commit"


def test_trees_come_in_pages_and_files_in_ranges(client: Client) -> None:
    client.hub.state.page = 3
    said = client.python(
        SHOW
        + """
from huggingface_hub import HfFileSystem
api.create_repo(**ID)
commit({f"a/{n}.txt": str(n) for n in range(7)} | {"big.parquet": "0123456789" * 10})
with HfFileSystem().open("datasets/user/name/big.parquet", block_size=10) as file:
    file.seek(30)
    middle = file.read(5).decode()
show({"tree": [f.path for f in api.list_repo_tree(recursive=True, **ID)], "middle": middle})
"""
    )
    assert said["tree"] == [".gitattributes", "a", *(f"a/{n}.txt" for n in range(7)), "big.parquet"]
    assert said["middle"] == "01234"
    traffic = client.hub.take()
    assert len(traffic.of("GET", "recursive=[tT]rue")) == 4
    assert [e.status for e in traffic.of("GET", "big.parquet").exchanges] == [206]
    assert 5 <= traffic.of("GET", "big.parquet").sent < 100


ERRORS = (
    SHOW
    + """
def status(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except Exception as error:
        return [type(error).__name__, error.response.status_code]
show([
    status(api.whoami),
    status(api.repo_info, **ID),
    status(api.repo_info, repo_id="user/none", repo_type="dataset"),
    status(api.repo_info, repo_id="user/open", repo_type="dataset", revision="none"),
    status(hf_hub_download, repo_id="user/open", repo_type="dataset", filename="none"),
    status(api.create_repo, repo_id="user/new", repo_type="dataset"),
    status(api.create_tag, repo_id="user/open", repo_type="dataset", tag="x"),
])
"""
)


@pytest.mark.parametrize(
    ("token", "answers"),
    [
        (None, [0, ["RepositoryNotFoundError", 401], ["RepositoryNotFoundError", 401], 401, 401]),
        ("hf_wrong", [401, ["HfHubHTTPError", 401], ["HfHubHTTPError", 401], 401, 401]),
        (
            STRANGER,
            [0, ["RepositoryNotFoundError", 404], ["RepositoryNotFoundError", 404], 403, 403],
        ),
        (READER, [0, None, ["RepositoryNotFoundError", 404], 403, 403]),
    ],
    ids=["nobody", "wrong", "stranger", "reader"],
)
def test_who_may_see_and_write_what(
    client: Client, token: str | None, answers: list[object]
) -> None:
    made = client.python(
        SHOW
        + """
api.create_repo(private=True, **ID)
api.create_repo(repo_id="user/open", repo_type="dataset")
show(api.repo_info(**ID).private)
"""
    )
    assert made is True
    code = ERRORS.replace("status(api.whoami)", "None") if token is None else ERRORS
    who, private, none, revision, entry, create, tag = client.python(code, token=token)
    assert [who[1] if who else 0, private, none, create[1], tag[1]] == answers
    if token != "hf_wrong":
        assert revision == ["RevisionNotFoundError", 404]
        assert entry[0] in {"EntryNotFoundError", "RemoteEntryNotFoundError"}


def test_connections_are_cut_where_asked(client: Client) -> None:
    client.hub.state.uploads_until_cut = 1
    client.hub.state.cut_commit = "after"
    said = client.python(
        SHOW
        + """
import time
time.sleep = lambda seconds: None
api.create_repo(**ID)
try:
    commit({f"{n}.parquet": f"rows {n}" for n in range(3)})
except Exception as error:
    show([type(error).__name__, type(error.__cause__).__name__])
"""
    )
    assert said[0] == "RuntimeError"
    assert len(client.hub.take().uploads) == len(client.hub.state.objects) == 1
    client.hub.state.uploads_until_cut = None
    said = client.python(
        SHOW
        + """
try:
    commit({f"{n}.parquet": f"rows {n}" for n in range(3)})
except Exception as error:
    show(type(error).__name__)
"""
    )
    assert said in {"RemoteProtocolError", "ConnectionError"}
    traffic = client.hub.take()
    assert (len(traffic.uploads), len(traffic.commits)) == (2, 0)
    assert len(client.hub.repository().at().files) == 4
