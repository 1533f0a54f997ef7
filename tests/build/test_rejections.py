from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import (
    Event,
    RowDone,
    RowRejected,
    ShardDone,
)
from jax_ir_pairs.errors import BuildError, Rejected
from jax_ir_pairs.synthesis.program import Program
from tests.build.fake_builds import fake_build
from tests.build.fakes import (
    CONFIG,
    FakeProcess,
    digest_of,
    reject_tenth,
)


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
