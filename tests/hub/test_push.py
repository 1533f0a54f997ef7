"""`jax-ir-pairs push`: what it sends, what it leaves, and what it says where it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.hub.push import FILES_PER_COMMIT
from jax_ir_pairs.hub.sealed import sealed_builds
from tests.hub.server import READER, STRANGER, WRITER, Client, HubServer
from tests.hub.small_builds import FINGERPRINT, SHARDS, write_build

TAG = f"hlo-1k-{FINGERPRINT}"
NEWER = "fedcba9876543210"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with HubServer() as hub, Client(hub, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.fixture
def client(user: Client) -> Client:
    """Gives a client of a server that knows no repository yet."""
    user.hub.forget()
    return user


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Gives a folder with one build of five shards."""
    write_build(tmp_path / "out")
    return tmp_path / "out"


def shards(out: Path) -> int:
    """Gives the bytes of all shards."""
    return sum(path.stat().st_size for path in out.glob("*/*.parquet"))


def on_hub(client: Client, revision: str = "main") -> dict[str, bytes]:
    files = client.hub.repository().at(revision).files
    return {name: blob.content for name, blob in files.items() if name != ".gitattributes"}


def in_folder(out: Path) -> dict[str, bytes]:
    """Gives what a push of a folder publishes."""
    published = [*out.glob("*/*.parquet"), *out.glob("*/*.json"), *out.glob("plots/**/*.png")]
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in [*published, out / "README.md"]
        if not path.name.startswith(".")
    }


def test_a_push_publishes_the_folder_and_a_second_one_sends_nothing(
    client: Client, out: Path
) -> None:
    (out / "plots" / "hlo-1k").mkdir(parents=True)
    (out / "plots" / "hlo-1k" / "lengths.png").write_bytes(b"picture")
    (out / "hlo-1k" / ".train.tmp.json").write_text("left behind")
    (out / "hlo-1k" / ".lock").touch()
    first = client.push(out)
    assert first.code == 0, first.error
    assert on_hub(client) == in_folder(out)
    assert client.hub.repository().tags == {TAG: client.hub.repository().at().oid}
    assert not client.hub.repository().private
    traffic = client.hub.take()
    assert (len(traffic.uploads), len(traffic.commits)) == (SHARDS + 1, 1)
    assert traffic.uploads.received == shards(out) + len(b"picture")
    assert "new" in first.out
    assert 'load_dataset("user/name", "hlo-1k")' in first.out
    assert "sent 8 of 8 files" in first.error

    second = client.push(out)
    assert second.code == 0, second.error
    assert "no commit was made" in second.out
    traffic = client.hub.take()
    assert (len(traffic), len(traffic.writes), traffic.received) == (4, 0, 0)


def test_a_dry_run_shows_what_goes_up_and_sends_nothing(client: Client, out: Path) -> None:
    new = client.push(out, "user/name", "--dry-run", "--private")
    assert new.code == 0, new.error
    assert "a new private dataset" in new.out
    assert [line.split()[:2] for line in new.out.splitlines()[1:3]] == [
        ["hlo-1k", f"{SHARDS + 1}"],
        ["README.md", "1"],
    ]
    assert TAG in new.out
    assert not client.hub.state.repositories
    client.push(out)
    write_build(out, "hlo-10k")
    client.hub.take()
    more = client.push(out, "user/name", "--dry-run")
    assert more.code == 0, more.error
    assert [line.split()[-1] for line in more.out.splitlines()[1:4]] == ["new", "is", "–"]
    assert "Nothing was sent" in more.out
    assert len(client.hub.take().writes) == 0


def test_a_cut_push_leaves_nothing_half_done_and_the_next_sends_the_rest(
    client: Client, out: Path
) -> None:
    client.hub.state.uploads_until_cut = 3
    cut = client.push(out)
    assert cut.code == 1
    assert cut.error.startswith(f"error: {client.hub.url}: the connection failed (")
    assert "run the same command again" in cut.error
    assert len(cut.error.splitlines()) == 1
    assert len(client.hub.take().uploads) == 3
    assert on_hub(client) == {}
    client.hub.state.uploads_until_cut = None
    assert client.push(out).code == 0
    traffic = client.hub.take()
    assert (len(traffic.uploads), len(traffic.commits)) == (SHARDS - 3, 1)
    assert 0 < traffic.uploads.received < shards(out)
    assert on_hub(client) == in_folder(out)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_cut_commit_took_effect_or_not_and_the_next_push_repairs_it(
    client: Client, out: Path, cut: str
) -> None:
    client.hub.state.cut_commit = "before" if cut == "before" else "after"
    done = client.push(out)
    assert done.code == 1
    assert "the connection failed (" in done.error
    assert bool(on_hub(client)) == (cut == "after")
    assert not client.hub.repository().tags
    client.hub.take()
    assert client.push(out).code == 0
    traffic = client.hub.take()
    assert (len(traffic.uploads), len(traffic.commits)) == (0, int(cut == "before"))
    assert on_hub(client) == in_folder(out)
    assert client.hub.repository().tags == {TAG: client.hub.repository().at().oid}


def test_many_new_shards_go_before_the_commit_that_readers_see(
    client: Client, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    many = FILES_PER_COMMIT + 10
    write_build(out, rows={"train": many, "validation": 1, "test": 1}, rows_per_shard=1, text=20)
    client.hub.state.uploads_until_cut = FILES_PER_COMMIT + 4
    cut = client.push(out)
    assert cut.code == 1
    assert len(on_hub(client)) == FILES_PER_COMMIT
    assert all(name.endswith(".parquet") for name in on_hub(client))
    assert not client.hub.repository().tags
    client.hub.take()
    client.hub.state.uploads_until_cut = None
    assert client.push(out).code == 0
    traffic = client.hub.take()
    assert (len(traffic.uploads), len(traffic.commits)) == (many + 2 - FILES_PER_COMMIT - 4, 1)
    assert on_hub(client) == in_folder(out)


def test_a_second_config_joins_the_first_and_the_card_describes_both(
    client: Client, out: Path, tmp_path: Path
) -> None:
    analysis = {"fingerprint": FINGERPRINT, "page": "# Title\n\nCounted here.", "plots": []}
    (out / "hlo-1k" / "analysis.json").write_text(json.dumps(analysis))
    assert client.push(out).code == 0
    before = on_hub(client)
    other = tmp_path / "other"
    write_build(other, "hlo-10k", rows={"train": 3, "validation": 1, "test": 1})
    client.hub.take()
    joined = client.push(other)
    assert joined.code == 0, joined.error
    assert "stays" in joined.out
    traffic = client.hub.take()
    assert traffic.uploads.received == shards(other)
    after = on_hub(client)
    card = after.pop("README.md").decode()
    mine = in_folder(other)
    assert after == {
        name: content for name, content in (before | mine).items() if name != "README.md"
    }
    assert "Counted here." in card
    head = yaml.safe_load(card.split("---\n")[1])
    assert [config["config_name"] for config in head["configs"]] == ["hlo-10k", "hlo-1k"]
    assert [info["splits"][0]["num_examples"] for info in head["dataset_info"]] == [3, 5]
    assert client.hub.repository().tags.keys() == {TAG, f"hlo-10k-{FINGERPRINT}"}
    # Either folder alone, pushed again, gives that very card.
    assert "no commit was made" in client.push(other).out
    assert "no commit was made" in client.push(out).out
    assert len(client.hub.take().writes) == 0


def test_a_build_takes_the_place_of_another_which_stays_at_its_tag(
    client: Client, out: Path, tmp_path: Path
) -> None:
    (out / "plots" / "hlo-1k").mkdir(parents=True)
    (out / "plots" / "hlo-1k" / "old.png").write_bytes(b"old")
    assert client.push(out).code == 0
    del client.hub.repository().references[f"refs/tags/{TAG}"]  # as if its push was cut there
    old = on_hub(client)
    newer = tmp_path / "newer"
    write_build(newer, fingerprint=NEWER, rows={"train": 9, "validation": 2, "test": 1})
    dry = client.push(newer, "user/name", "--dry-run")
    assert f"replaces {FINGERPRINT[:8]}" in dry.out
    assert f"stays as revision {TAG}" in dry.out
    client.hub.take()
    assert client.push(newer).code == 0
    assert len(client.hub.take().commits) == 1
    assert on_hub(client) == in_folder(newer)
    assert on_hub(client, TAG) == old
    assert on_hub(client, f"hlo-1k-{NEWER}") == in_folder(newer)
    # And back again: the files of the tag are known to the Hub.
    assert client.push(out).code == 0
    assert len(client.hub.take().uploads) == 0
    assert on_hub(client) == old


def test_branches_and_pull_requests(client: Client, out: Path) -> None:
    hub = client.hub
    assert client.push(out).code == 0
    repository = hub.repository()
    repository.references["refs/heads/dev"] = repository.at().oid
    write_build(out, "hlo-10k")
    before = on_hub(client)
    assert client.push(out, "user/name", "--revision", "dev").code == 0
    assert on_hub(client) == before
    assert on_hub(client, "dev") == in_folder(out)
    del repository.references[f"refs/tags/hlo-10k-{FINGERPRINT}"]

    asked = client.push(out, "user/name", "--create-pr", token=STRANGER)
    assert asked.code == 0, asked.error
    assert asked.out.splitlines()[-1].endswith("/datasets/user/name/discussions/1")
    assert on_hub(client) == before
    assert on_hub(client, "refs/pr/1") == in_folder(out)
    assert set(repository.tags) == {TAG}
    onto = client.push(out, "user/name", "--revision", "refs/pr/1")
    assert "no commit was made" in onto.out
    assert set(repository.tags) == {TAG}


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


def test_only_whole_builds_with_their_card_are_pushed(out: Path, tmp_path: Path) -> None:
    def refused(place: Path, part: str) -> None:
        with pytest.raises(UsageError if place != out else BuildError) as error:
            sealed_builds(place)
        assert part in str(error.value)
        assert str(error.value).endswith(".")

    card = (out / "README.md").read_text()
    path = out / "hlo-1k" / "train-00001-of-00003.parquet"
    content, manifest = path.read_bytes(), (out / "hlo-1k" / "manifest.json").read_text()
    refused(tmp_path / "none", "There is no folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "there is no build in it")
    refused(out / "hlo-1k", f"give the one above, {out}.")
    (out / "README.md").write_text(card.replace("download_size", "size"))
    refused(out, f"README.md: describes no config; run `jax-ir-pairs card {out}`.")
    (out / "README.md").write_text("---\n{\n---\n")
    refused(out, "README.md: describes no config;")
    (out / "README.md").write_text(card.replace("download_size: ", "download_size: 1"))
    refused(out, "README.md: does not describe hlo-1k as it is built;")
    (out / "README.md").unlink()
    refused(out, "README.md: the dataset card is missing;")
    (out / "README.md").write_text(card)
    path.write_bytes(content[:-1] + b"?")
    refused(out, f"{path}: does not have the checksum that is in the manifest; build hlo-1k again.")
    path.write_bytes(content[:-1])
    refused(out, f"{path}: has {len(content) - 1:,} bytes, {len(content):,} are in the manifest;")
    path.unlink()
    refused(out, f"{path}: is missing, ")
    path.write_bytes(content)
    for wrong in (manifest.replace("hlo-1k", "hlo-2k"), "{", "[]", '{"config": 1}'):
        (out / "hlo-1k" / "manifest.json").write_text(wrong)
        refused(out, "manifest.json: is not the manifest of hlo-1k;")
    (out / "hlo-1k" / "manifest.json").unlink()
    refused(out, "hlo-1k: the build is not finished; run `jax-ir-pairs build hlo-1k ")


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
    assert on_hub(client) == in_folder(out) | {"note.txt": b"x"}


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
    assert on_hub(client) == {}
