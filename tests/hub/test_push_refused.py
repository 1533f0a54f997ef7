"""`jax-ir-pairs push` where it cannot be: one sentence, and nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.server import READER, STRANGER, WRITER, Client
from tests.hub.small_builds import FINGERPRINT, write_build

pytest_plugins = ["tests.hub.server.fixtures"]

TAG = f"hlo-1k-{FINGERPRINT}"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Gives a folder with one build of five shards."""
    write_build(tmp_path / "out")
    return tmp_path / "out"


def test_a_repository_of_another_dataset_is_refused(client: Client, out: Path) -> None:
    client.python(
        "from huggingface_hub import HfApi\n"
        "api = HfApi()\n"
        "for name, file in (('other', 'data/train-00000-of-00001.parquet'), ('bare', 'README.md'),"
        " ('odd', 'hlo-1k/manifest.json')):\n"
        "    api.create_repo(f'user/{name}', repo_type='dataset')\n"
        "    api.upload_file(path_or_fileobj=b'{}', path_in_repo=file, repo_id=f'user/{name}',"
        " repo_type='dataset')\n"
        "print(0)"
    )
    client.hub.take()
    for name, file in (
        ("other", "data/train-00000-of-00001.parquet"),
        ("odd", "hlo-1k/manifest.json"),
    ):
        refused = client.push(out, f"user/{name}")
        assert refused.code == 1
        assert refused.error.startswith(f"error: user/{name}: is another dataset, with {file} and")
        assert len(refused.error.splitlines()) == 1
    assert len(client.hub.take().writes) == 0
    assert client.push(out, "user/bare").code == 0


def test_a_tag_that_marks_other_data_is_refused_before_anything_is_sent(
    client: Client, out: Path
) -> None:
    assert client.push(out).code == 0
    repository = client.hub.repository()
    repository.references[f"refs/tags/{TAG}"] = next(iter(repository.commits))
    client.hub.take()
    refused = client.push(out)
    assert refused.code == 1
    assert f"the tag {TAG} has other data than this build" in refused.error
    assert len(client.hub.take().writes) == 0


def test_a_broken_shard_is_refused_before_anything_is_sent(client: Client, out: Path) -> None:
    path = out / "hlo-1k" / "train-00001-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = client.push(out)
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith(f"error: {path}: does not have the checksum")
    assert len(client.hub.take().writes) == 0


def test_what_the_hub_refuses_is_one_sentence_without_the_token(client: Client, out: Path) -> None:
    assert client.push(out, "user/name", "--private").code == 0
    assert client.hub.repository().private
    assert client.push(out, "user/open").code == 0
    write_build(out, "hlo-10k")
    cases = [
        (["user/name"], None, 1, "There is no token for the Hub: run `hf auth login`"),
        (["user/name"], "hf_wrong_01234", 1, "The Hub does not accept the token:"),
        (["user/name"], "hf_od\u00e9_0123456789", 1, "The token for the Hub has characters that"),
        (["user/new"], READER, 1, "user/new: the token may not write there;"),
        (["user/name"], READER, 1, "user/name: the token may not write there;"),
        (["user/open"], STRANGER, 1, "user/open: the token may not write there;"),
        (["user/name"], STRANGER, 1, "user/name: the token may not write there;"),
        (["name"], WRITER, 2, "'name' is not the name of a repository, such as user/jax-ir-pairs."),
        (["user/na--me"], WRITER, 2, "'user/na--me' is not the name of a repository,"),
        (["user/a/b"], WRITER, 2, "'user/a/b' is not the name of a repository,"),
        (
            ["user/name", "--revision", "dev"],
            WRITER,
            2,
            "no branch 'dev' to push to; there is main.",
        ),
        (["user/name", "--revision", TAG], WRITER, 2, f"there is no branch '{TAG}' to push to;"),
        (["user/new", "--revision", "dev"], WRITER, 2, "user/new: there is no such dataset yet;"),
        (["user/new", "--create-pr"], WRITER, 2, "there is no such dataset yet; leave --create-pr"),
        (["user/open", "--private"], WRITER, 2, "user/open: is public, and --private is for new"),
    ]
    client.hub.take()
    for given, token, code, part in cases:
        done = client.command("--debug", "push", str(out), *given, token=token)
        assert done.code == code, (given, done)
        *_, sentence = done.error.splitlines()
        assert sentence.startswith("error: ")
        assert part in sentence
        for secret in {WRITER, READER, STRANGER, token} - {None}:
            assert str(secret) not in done.out + done.error + client.logged(), given
    traffic = client.hub.take()
    assert len(traffic.uploads) == len(traffic.commits) == 0
    assert client.hub.state.repositories.keys() == {"user/name", "user/open"}


def test_no_network_is_one_sentence(client: Client, out: Path) -> None:
    command = ("-m", "jax_ir_pairs", "push", str(out), "user/name")
    gone = client.run(*command, HF_ENDPOINT="http://127.0.0.1:9")
    assert gone.code == 1
    assert gone.error.startswith("error: http://127.0.0.1:9: the connection failed (")
    assert len(gone.error.splitlines()) == 1
    offline = client.run(*command, HF_HUB_OFFLINE="1")
    assert (offline.code, offline.out) == (1, "")
    assert offline.error == "error: The Hub is switched off by HF_HUB_OFFLINE: unset it.\n"


def test_somebody_elses_commit_in_between_is_not_overwritten(client: Client, out: Path) -> None:
    assert client.push(out).code == 0
    write_build(out, "hlo-10k")
    code = """
import json, sys
from huggingface_hub import HfApi
from jax_ir_pairs.errors import JaxIrPairsError
from jax_ir_pairs.hub.push import push
from jax_ir_pairs.hub.push_plan import make_plan
from jax_ir_pairs.hub.remote import open_hub
from pathlib import Path
hub = open_hub("user/name")
plan = make_plan(Path(sys.argv[1]), hub)
note = dict(path_or_fileobj=b"x", path_in_repo="note.txt")
HfApi().upload_file(repo_id="user/name", repo_type="dataset", **note)
try:
    push(hub, plan)
except JaxIrPairsError as error:
    print(json.dumps(str(error)))
"""
    said = client.python(code, str(out))
    assert said == "user/name: was changed by somebody else meanwhile; run the same command again."
    again = client.push(out)
    assert "stays, not in card" in again.out
    assert {"note.txt", "hlo-10k/manifest.json"} < client.hub.repository().at().files.keys()


def test_a_file_that_changes_while_it_is_sent_is_not_published(client: Client, out: Path) -> None:
    code = """
import json, sys
from pathlib import Path
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.hub.push import push
from jax_ir_pairs.hub.push_plan import make_plan
from jax_ir_pairs.hub.remote import open_hub
hub = open_hub("user/name")
plan = make_plan(Path(sys.argv[1]), hub)
next(Path(sys.argv[1]).glob("*/test-*.parquet")).write_bytes(b"another build")
try:
    push(hub, plan)
except BuildError as error:
    print(json.dumps(str(error)))
"""
    said = client.python(code, str(out))
    assert said.startswith("hlo-1k/test-00000-of-00001.parquet: changed while it was sent;")
    assert client.hub.repository().at().files.keys() == {".gitattributes"}
