from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import (
    Event,
    Folder,
    Sealing,
    all_shards,
    task,
)
from jax_ir_pairs.build.shard import write_shard
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.synthesis.program import Program
from tests.build.fake_builds import StopHereError, fake_build, varied
from tests.build.fakes import (
    CONFIG,
    FakeProcess,
    colliding,
    digest_of,
    draw,
    files_of,
    reject_tenth,
)


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


def test_structures_in_two_splits_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confused(
        folder: Any, shard: Any, build: Any, rows: Any, rejected: Any, **targets: Any
    ) -> None:
        same = ({**row, "structure_hash": "0" * 16} for row in rows)
        write_shard(folder, shard, build, same, rejected, **targets)

    monkeypatch.setattr(task, "write_shard", confused)
    with pytest.raises(BuildError, match="structures are in more than one split"):
        fake_build(tmp_path)
