from __future__ import annotations

import errno
import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import (
    BuildReport,
    Event,
    Folder,
    RowDone,
    RowRejected,
    Sealing,
    ShardBroken,
    ShardDone,
    ShardKept,
    all_shards,
    build,
    run,
)
from jax_ir_pairs.build.shard import write_shard
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError, Rejected, UsageError
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.schema import COLUMNS, arrow_schema
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import (
    CONFIG,
    FakeProcess,
    colliding,
    digest_of,
    draw,
    files_of,
    reject_tenth,
    use_fake_programs,
)


def fake_build(out: Path, process: FakeProcess | None = None, **options: Any) -> BuildReport:
    process = process or FakeProcess()
    config = options.pop("config", CONFIG)
    return build(config, out, open_process=lambda: process, **options)


def varied() -> FakeProcess:
    """Has both rejections and duplicates across shards."""
    return FakeProcess(jaxpr=colliding, check=reject_tenth)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of an undisturbed build with one worker."""
    out = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        use_fake_programs(patch, out / "plans")
        fake_build(out, varied())
    return files_of(out / "tiny")


class StopHereError(Exception):
    """What a test throws into a build."""


def stopping_after(extractions: int) -> FakeProcess:
    process = varied()

    def check(program: Program) -> None:
        if process.extracted.total() > extractions:
            raise StopHereError
        reject_tenth(program)

    process.check = check
    return process


def test_a_build_gives_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    report = fake_build(tmp_path)

    assert report.rows == {"train": 60, "validation": 6, "test": 6}
    assert report.sealed
    assert report.manifest == tmp_path / "tiny" / "manifest.json"
    assert (report.shards_built, report.shards_kept, report.rejections) == (5, 0, {})
    folder = Folder(tmp_path / "tiny")
    for shard in all_shards(CONFIG):
        table = pq.read_table(folder.parquet(shard))
        assert table.schema.equals(arrow_schema())
        assert set(table["split"].to_pylist()) == {shard.split}
        assert table["index"].to_pylist() == list(range(table.num_rows))
        assert table.column_names == [column.name for column in COLUMNS]


def test_a_sealed_folder_holds_shards_sidecars_and_the_manifest_only(tmp_path: Path) -> None:
    fake_build(tmp_path)

    names = [shard.name for shard in all_shards(CONFIG)]
    assert set(files_of(tmp_path)) == {
        "tiny/manifest.json",
        *(f"tiny/{name}.parquet" for name in names),
        *(f"tiny/shards/{name}.json" for name in names),
    }


def test_row_groups_and_page_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax_ir_pairs.build.shard.ROWS_PER_GROUP", 8)
    fake_build(tmp_path)

    metadata = pq.read_metadata(tmp_path / "tiny" / "train-00000-of-00003.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [8, 8, 4]
    column = metadata.row_group(0).column(1)
    assert (column.compression, column.has_offset_index, column.has_column_index) == (
        "ZSTD",
        True,
        True,
    )


@pytest.mark.parametrize("workers", [2, 3])
def test_the_bytes_do_not_depend_on_the_workers(
    tmp_path: Path, reference: dict[str, str], workers: int
) -> None:
    fake_build(tmp_path, varied(), workers=workers)

    assert files_of(tmp_path / "tiny") == reference


@pytest.mark.parametrize("extractions", [0, 1, 25, 61, 80, 95])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_build_resumes_to_the_same_bytes(
    tmp_path: Path, reference: dict[str, str], extractions: int, workers: int
) -> None:
    process = stopping_after(extractions)
    with pytest.raises(StopHereError):
        fake_build(tmp_path, process, workers=workers)

    assert process.closed
    assert not Folder(tmp_path / "tiny").leftovers()
    report = fake_build(tmp_path, varied(), workers=workers)
    assert files_of(tmp_path / "tiny") == reference
    assert report.shards_kept + report.shards_built == 5


def test_a_second_run_makes_nothing(tmp_path: Path, reference: dict[str, str]) -> None:
    fake_build(tmp_path, varied())
    process, events = varied(), list[Event]()
    report = fake_build(tmp_path, process, on_event=events.append)

    assert not process.extracted
    assert (report.shards_kept, report.shards_built) == (5, 0)
    assert sum(event.rows for event in events if isinstance(event, ShardKept)) == 72
    assert files_of(tmp_path / "tiny") == reference


def test_duplicates_of_other_shards_are_replaced_by_spares(tmp_path: Path) -> None:
    process, events = FakeProcess(jaxpr=colliding), list[Event]()
    report = fake_build(tmp_path, process, on_event=events.append)

    folder = Folder(tmp_path / "tiny")
    tables = [pq.read_table(folder.parquet(shard)) for shard in all_shards(CONFIG)]
    jaxprs = [jaxpr for table in tables for jaxpr in table["jaxpr"].to_pylist()]
    assert len(jaxprs) == len(set(jaxprs)) == 72
    # Every candidate before the last row of its shard is a row or a duplicate.
    last = [table["index"].to_pylist()[-1] for table in tables]
    assert report.rejections == {"duplicate": sum(last) + 5 - 72}
    assert 0 < report.duplicates_replaced < report.rejections["duplicate"]
    assert report.duplicates_replaced == sum(e.duplicates for e in events if isinstance(e, Sealing))
    # Replacing one row extracts spares only.
    assert set(process.extracted.values()) == {1}
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["levels"]["jaxpr"] == {"unique": 72, "total": 72}
    assert manifest["rejections"] == report.rejections


@pytest.mark.parametrize("jaxprs", [130, 200, 1000])
def test_of_duplicates_the_first_in_order_stays(tmp_path: Path, jaxprs: int) -> None:
    """The rows are those of a walk over all candidates in order that takes what is new."""

    def jaxpr(program: Program) -> int:
        return digest_of(program) % jaxprs

    fake_build(tmp_path, FakeProcess(jaxpr=jaxpr, check=reject_tenth), workers=2)
    seen = set[int]()
    for shard in all_shards(CONFIG):
        expected = list[int]()
        for seed in make_plan(CONFIG).candidates(shard.split, shard.number):
            program = draw(CONFIG.recipe, seed).program()
            new = jaxpr(program) not in seen and digest_of(program) % 10 != 3
            if new and len(expected) < CONFIG.shard_rows(shard.split, shard.number):
                expected.append(seed)
                seen.add(jaxpr(program))
        table = pq.read_table(Folder(tmp_path / "tiny").parquet(shard))
        assert table["seed"].to_pylist() == expected


@pytest.mark.parametrize("writes", range(0, 12, 2))
def test_a_build_killed_while_sealing_resumes_to_the_same_bytes(
    tmp_path: Path, reference: dict[str, str], writes: int
) -> None:
    """Stops after the given number of steps: each is a Parquet file or a sidecar put in place."""
    steps, real = Counter[str](), Path.replace
    sealing = threading.Event()

    def replace(self: Path, target: Path) -> Path:
        if sealing.is_set() and target.name != "manifest.json":
            if steps.total() == writes:
                raise StopHereError
            steps[target.name] += 1
        return real(self, target)

    def on_event(event: Event) -> None:
        if isinstance(event, Sealing):
            sealing.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(StopHereError):
            fake_build(tmp_path, varied(), on_event=on_event)
    assert not (tmp_path / "tiny" / "manifest.json").exists()

    fake_build(tmp_path, varied(), workers=2)
    assert files_of(tmp_path / "tiny") == reference


def test_rejections_use_spares_and_are_counted(tmp_path: Path) -> None:
    events = list[Event]()
    report = fake_build(tmp_path, FakeProcess(check=reject_tenth), on_event=events.append)

    rejected = [event for event in events if isinstance(event, RowRejected)]
    assert report.rejections == {"compiler-error": len(rejected)}
    assert len(rejected) > 0
    assert {event.rejection.detail for event in rejected} == {"no lowering"}
    assert sum(isinstance(event, RowDone) for event in events) == 72
    assert sum(isinstance(event, ShardDone) for event in events) == 5
    assert report.rows == {"train": 60, "validation": 6, "test": 6}
    assert report.incidents == ()


def test_long_texts_are_rejected(tmp_path: Path) -> None:
    def sometimes_long(program: Program) -> int:
        digest = digest_of(program)
        return digest << 2000 if digest % 10 == 3 else digest

    limits = CONFIG.text_limits.model_copy(update={"jaxpr": 300})
    config = CONFIG.model_copy(update={"text_limits": limits})
    events = list[Event]()
    report = fake_build(
        tmp_path, FakeProcess(jaxpr=sometimes_long), config=config, on_event=events.append
    )

    assert set(report.rejections) == {"too-long"}
    details = [e.rejection.detail for e in events if isinstance(e, RowRejected)]
    assert re.fullmatch(r"jaxpr has 5\d\d characters, over 300", details[0])
    for path in (tmp_path / "tiny").glob("*.parquet"):
        assert all(len(text) <= 300 for text in pq.read_table(path)["jaxpr"].to_pylist())


def test_a_long_source_is_not_extracted(tmp_path: Path) -> None:
    limits = CONFIG.text_limits.model_copy(update={"python": 10})
    config = CONFIG.model_copy(update={"text_limits": limits})
    process = FakeProcess()
    with pytest.raises(BuildError, match="too-long"):
        fake_build(tmp_path, process, config=config)
    assert not process.extracted


def test_incidents_are_named_in_the_manifest(tmp_path: Path) -> None:
    process = FakeProcess()

    def check(program: Program) -> None:
        if process.extracted.total() == 3:
            raise Rejected("crash", "signal 11")

    process.check = check
    report = fake_build(tmp_path, process)

    assert [(i.reason, i.detail) for i in report.incidents] == [("crash", "signal 11")]
    manifest = json.loads((tmp_path / "tiny" / "manifest.json").read_text())
    (incident,) = manifest["incidents"]
    assert incident == {
        "split": "train",
        "shard": 0,
        "seed": report.incidents[0].seed,
        "reason": "crash",
        "detail": "signal 11",
    }


def test_a_shard_without_candidates_left_fails(tmp_path: Path) -> None:
    def check(program: Program) -> None:
        raise Rejected("trace-error", "never")

    with pytest.raises(
        BuildError, match=r"tiny: shard 0 of train has 0 of 20 rows .*: \d+ trace-error\. Raise"
    ):
        fake_build(tmp_path, FakeProcess(check=check))


def test_too_many_rejections_keep_the_shards_and_do_not_seal(tmp_path: Path) -> None:
    strict = CONFIG.model_copy(update={"max_rejected_share": 0.01})
    with pytest.raises(BuildError, match=r"% of the candidates were rejected \(\d+ compiler-error"):
        fake_build(tmp_path, FakeProcess(check=reject_tenth), config=strict)
    assert not (tmp_path / "tiny" / "manifest.json").exists()

    process = FakeProcess(check=reject_tenth)
    assert fake_build(tmp_path, process).sealed
    assert not process.extracted


def test_another_config_of_that_name_is_refused(tmp_path: Path) -> None:
    fake_build(tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(BuildError, match=r"a build that differs in config; --force deletes it"):
        fake_build(tmp_path, config=CONFIG.model_copy(update={"seed": 1}))
    assert files_of(tmp_path) == before


def test_another_jax_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_build(tmp_path)
    monkeypatch.setattr("jax_ir_pairs.build.fingerprint.versions", lambda: ("9.9", "9.9"))
    with pytest.raises(BuildError, match=r"jax \(\S+ there, 9\.9 here\), jaxlib \(\S+ there"):
        fake_build(tmp_path)


def test_a_stray_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "train-00000-of-00007.parquet").write_bytes(b"PAR1")
    with pytest.raises(BuildError, match=r"of-00007.parquet: this is no file of tiny"):
        fake_build(tmp_path)


def test_force_starts_anew_and_touches_no_file_of_others(tmp_path: Path) -> None:
    fake_build(tmp_path)
    (tmp_path / "README.md").write_text("card")
    (tmp_path / "tiny" / "notes.txt").write_text("mine")
    config = CONFIG.model_copy(update={"seed": 1, "rows_per_shard": 30})
    report = fake_build(tmp_path, config=config, force=True)

    assert report.sealed
    assert (tmp_path / "README.md").read_text() == "card"
    assert (tmp_path / "tiny" / "notes.txt").read_text() == "mine"
    names = {path.name for path in (tmp_path / "tiny").glob("train-*.parquet")}
    assert names == {"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "damage", "problem"),
    [
        ("train-00001-of-00003.parquet", _truncate, "bytes instead of"),
        ("train-00001-of-00003.parquet", _flip, "checksum"),
        ("train-00001-of-00003.parquet", Path.unlink, "missing"),
        ("shards/train-00001-of-00003.json", _truncate, "sidecar cannot be read"),
    ],
)
def test_a_broken_shard_is_built_again(
    tmp_path: Path, reference: dict[str, str], file: str, damage: Any, problem: str
) -> None:
    fake_build(tmp_path, varied())
    damage(tmp_path / "tiny" / file)
    events = list[Event]()
    report = fake_build(tmp_path, varied(), on_event=events.append)

    assert report.shards_kept == 4
    assert list(report.shards_broken) == ["train-00001-of-00003"]
    assert problem in report.shards_broken["train-00001-of-00003"]
    assert sum(isinstance(event, ShardBroken) for event in events) == 1
    assert files_of(tmp_path / "tiny") == reference


def test_parts_of_a_build_meet_in_one_folder(tmp_path: Path, reference: dict[str, str]) -> None:
    first = fake_build(tmp_path, varied(), shards=range(3, 5))
    assert not first.sealed
    assert first.rows == {"train": 0, "validation": 6, "test": 6}
    assert not list((tmp_path / "tiny").glob("train*"))
    second = fake_build(tmp_path, varied(), shards=range(3))
    assert second.sealed
    assert files_of(tmp_path / "tiny") == reference


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": range(6)}, r"--shards 0:6: tiny has the shards 0:5\."),
        ({"shards": range(2, 2)}, r"--shards 2:2: tiny has the shards 0:5\."),
        ({"shards": range(2), "force": True}, "does not go together"),
        ({"workers": 0}, "at least 1 worker, not 0"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fake_build(tmp_path, **options)
    assert not files_of(tmp_path)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("jax_ir_pairs.build.shard.replace_text", full)
    with pytest.raises(BuildError, match=r"json: No space left on device; free some space, and"):
        fake_build(tmp_path)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(BuildError, match=r"out.*: Not a directory; .* choose another --out"):
        fake_build(tmp_path / "out")


def test_leftovers_of_killed_builds_are_removed(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "shards").mkdir(parents=True)
    for name in (".train-00000-of-00003.parquet.0123.tmp", "shards/.x.json.0123.tmp"):
        (tmp_path / "tiny" / name).write_text("half")
    fake_build(tmp_path)
    assert not Folder(tmp_path / "tiny").leftovers()


def test_structures_in_two_splits_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confused(folder: Any, shard: Any, build: Any, rows: Any, rejected: Any) -> None:
        write_shard(
            folder, shard, build, ({**row, "structure_hash": "0" * 16} for row in rows), rejected
        )

    monkeypatch.setattr(run, "write_shard", confused)
    with pytest.raises(BuildError, match="structures are in more than one split"):
        fake_build(tmp_path)


def test_the_manifest(tmp_path: Path) -> None:
    fake_build(tmp_path, varied())
    manifest = json.loads((tmp_path / "tiny" / "manifest.json").read_text())

    assert Config.model_validate_json(json.dumps(manifest["config"])) == CONFIG
    assert manifest["rows"] == 72
    assert manifest["structures"]["in_more_than_one_split"] == 0
    assert set(manifest["build"]) == {
        "config",
        "code",
        "jax",
        "jaxlib",
        "compiler_flags",
        "pyarrow",
    }
    train = manifest["splits"]["train"]
    assert (train["rows"], len(train["shards"])) == (60, 3)
    for shard in train["shards"]:
        path = tmp_path / "tiny" / shard["file"]
        assert path.stat().st_size == shard["bytes"]
        assert files_of(path.parent)[path.name] == shard["sha256"]
    counts = manifest["plan"]
    assert counts["candidates"] > 72
    assert set(counts) == {"candidates", "duplicates", "surplus"}
