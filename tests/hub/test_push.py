"""`jax-ir-pairs push`: what it sends, what it leaves, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from jax_ir_pairs.hub.push import FILES_PER_COMMIT
from tests.hub.server import STRANGER, Client
from tests.hub.small_builds import FINGERPRINT, SHARDS, write_build

pytest_plugins = ["tests.hub.server.fixtures"]

TAG = f"hlo-1k-{FINGERPRINT}"
NEWER = "fedcba9876543210"


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
