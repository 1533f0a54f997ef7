"""Builds into file systems that are no folder: S3 on a local server, memory and others."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from jax_ir_pairs.build import Folder
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.location import Location, location
from jax_ir_pairs.verification import verify
from tests.build.fake_builds import (
    StopHereError,
    fake_build,
    fake_seal,
    stopping_after,
    varied,
)
from tests.build.fakes import CONFIG, files_of
from tests.build.s3_server import BUCKET, s3_server

# botocore and aiohttp leave connections to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:UPath 'elsewhere' filesystem"),
    pytest.mark.xdist_group("s3"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def s3(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Gives a URL below which nothing is."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}/out"


@pytest.fixture(params=["s3", "memory", "elsewhere"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    if request.param == "elsewhere":
        return f"elsewhere://{tmp_path}/far/out"
    return f"memory://{uuid4().hex}/out"


class Elsewhere(LocalFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """A file system whose files grow as they are written, as those behind SSH do."""

    protocol = "elsewhere"
    root_marker = "/"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return LocalFileSystem._strip_protocol(str(path).removeprefix("elsewhere://"))


fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)


def digests(url: str) -> dict[str, str]:
    """Gives the SHA-256 of every file below a URL."""
    place = location(url)
    assert not isinstance(place, Path)
    system = fsspec.filesystem(place.protocol, use_listings_cache=False, skip_instance_cache=True)
    root = system._strip_protocol(url)
    return {
        path.removeprefix(root).lstrip("/"): hashlib.sha256(system.cat_file(path)).hexdigest()
        for path in system.find(root)
    }


def test_a_whole_build_has_the_bytes_of_a_folder(url: str, reference: dict[str, str]) -> None:
    report = fake_build(url, varied(), workers=2)

    assert report.sealed
    assert digests(f"{url}/tiny") == reference
    again = fake_build(url, varied())
    assert (again.shards_kept, again.shards_built) == (5, 0)


def test_parts_in_any_order_and_twice_are_sealed_by_the_command_for_it(
    url: str, reference: dict[str, str]
) -> None:
    for shards in (range(3, 5), range(1), range(3, 5), range(1, 3)):
        # Nothing locks a URL, so no part knows that it is the last.
        assert not fake_build(url, varied(), shards=shards).sealed
    assert "manifest.json" not in digests(f"{url}/tiny")

    assert fake_seal(f"{url}/tiny", varied(), workers=2).sealed
    assert digests(f"{url}/tiny") == reference


@pytest.mark.parametrize("extractions", [1, 60])
def test_what_was_interrupted_goes_on(
    url: str, extractions: int, reference: dict[str, str]
) -> None:
    with pytest.raises(StopHereError):
        fake_build(url, stopping_after(extractions))
    assert {name.rpartition(".")[2] for name in digests(url)} <= {"json", "parquet"}
    fake_build(url, varied())

    assert digests(f"{url}/tiny") == reference


def test_an_upload_that_breaks_off_leaves_no_half_file(
    url: str, monkeypatch: pytest.MonkeyPatch, reference: dict[str, str]
) -> None:
    place = location(f"{url}/tiny")
    assert not isinstance(place, Path)
    put, puts = place.fs.put_file, 0

    def breaking(file: str, to: str, **options: Any) -> None:
        nonlocal puts
        puts += 1
        if puts == 4:
            if place.protocol == "elsewhere":
                Path(to).write_bytes(Path(file).read_bytes()[:100])
            raise ConnectionResetError("the network is gone")
        put(file, to, **options)

    monkeypatch.setattr(place.fs, "put_file", breaking)
    with pytest.raises(BuildError, match=r"the network is gone.* run the same command again"):
        fake_build(url, varied())
    assert puts == 4
    assert {name: reference[name] for name in digests(f"{url}/tiny")} == digests(f"{url}/tiny")
    monkeypatch.setattr(place.fs, "put_file", put)

    fake_build(url, varied())
    assert digests(f"{url}/tiny") == reference


def test_damage_is_named_and_repaired(url: str, reference: dict[str, str]) -> None:
    fake_build(url, varied())
    shard = location(f"{url}/tiny") / "train-00001-of-00003.parquet"
    shard.write_bytes(shard.read_bytes()[:1000])

    found = r"train-00001-of-00003: its Parquet file has 1,000 bytes .*--repair makes these again"
    with pytest.raises(BuildError, match=found):
        fake_seal(f"{url}/tiny", varied())
    assert verify(location(url)).counts["file"] == 1
    fake_build(url, varied(), repair=True)
    assert digests(f"{url}/tiny") == reference


def test_a_foreign_build_is_refused(url: str) -> None:
    fake_build(url)
    before = digests(url)
    with pytest.raises(BuildError, match=r"a build that differs in config; --force deletes it"):
        fake_build(url, config=CONFIG.model_copy(update={"seed": 1}))
    assert digests(url) == before
    assert fake_build(url, config=CONFIG.model_copy(update={"seed": 1}), force=True).sealed


def test_a_folder_at_a_url_goes_to_another_process(url: str) -> None:
    folder = Folder(location(url))
    assert pickle.loads(pickle.dumps(folder)) == folder


def test_a_file_url_is_a_folder(tmp_path: Path, reference: dict[str, str]) -> None:
    fake_build(f"file://{tmp_path}/out", varied())
    assert files_of(tmp_path / "out" / "tiny") == reference


def test_a_bucket_that_is_not_there_is_not_made(s3: str) -> None:
    with pytest.raises(
        BuildError, match=r"s3://sehlf/out/tiny: The specified bucket does not exist; "
    ):
        fake_build("s3://sehlf/out")
    buckets = fsspec.filesystem("s3", use_listings_cache=False).ls("", refresh=True)
    assert buckets == [BUCKET]


def test_a_server_that_does_not_answer_is_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec.filesystem("s3").clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(
        BuildError, match=r"/out/tiny: Could not connect to the endpoint URL.*; mend that, or"
    ):
        fake_build(s3)
    with pytest.raises(OSError, match="Could not connect") as raised:
        find_config(location(s3))
    assert raised.value.filename == s3
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nowhere://x", "nowhere:// is no file system that fsspec knows"),
        ("gs://bucket/out", "gs:// needs a package more: Please install gcsfs"),
        ("s3:/bucket/out", "is neither a folder nor a URL; write it as text, with ://"),
        (Path("s3://bucket/out"), "is neither a folder nor a URL; write it as text, with ://"),
    ],
)
def test_what_is_no_place_is_refused(
    text: Location | str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape(problem)):
        fake_build(text)
    assert not list(tmp_path.iterdir())
