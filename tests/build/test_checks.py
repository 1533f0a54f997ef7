"""What a build asks to have checked, and where it lists what failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.config import Checks, Config
from jax_ir_pairs.errors import CHECK_REASONS, Rejected
from jax_ir_pairs.quality import check_request
from jax_ir_pairs.synthesis.program import Program
from tests.build.fake_builds import fake_build
from tests.build.fakes import CHECKED, CONFIG, FakeProcess, digest_of


def checking(checks: Checks) -> Config:
    return CONFIG.model_copy(update={"checks": checks})


@pytest.mark.parametrize("checks", ["none", "sample", "texts", "all"])
def test_rows_are_checked_as_the_config_says(checks: Checks, tmp_path: Path) -> None:
    fake_build(tmp_path, config=checking(checks))
    rows = rows_in(tmp_path / "tiny")
    assert len(rows) == 72
    for row in rows:
        request = check_request(checks, row["seed"])
        found = {name: row[name] for name in CHECKED}
        assert found == (CHECKED if request else dict.fromkeys(CHECKED))
        assert row["executed"] == (request is not None and request.executes)
        assert (row["peak_memory_bytes"] is None) != row["executed"]
    if checks in {"sample", "texts"}:
        assert 0 < sum(row["executed"] for row in rows) < 30


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """Gives what the rows of a build say of their checks."""
    names = ["seed", "executed", "peak_memory_bytes", *CHECKED]
    tables = [pq.read_table(path, columns=names) for path in folder.glob("*.parquet")]
    return [row for table in tables for row in table.to_pylist()]


def test_what_failed_is_listed_with_its_detail(tmp_path: Path) -> None:
    reasons = sorted(CHECK_REASONS)

    def fail(program: Program) -> None:
        if (kind := digest_of(program) % 20) < len(reasons):
            raise Rejected(reasons[kind], f"off by {kind}")
        if kind == 7:
            raise Rejected("compiler-error", "no lowering")

    report = fake_build(tmp_path, FakeProcess(check=fail), config=checking("all"))
    folder = tmp_path / "tiny"
    listed = json.loads((folder / "manifest.json").read_text())["failed_checks"]
    counts = {reason: report.rejections.get(reason, 0) for reason in reasons}
    assert sum(counts.values()) == len(listed) > 2
    for entry in listed:
        assert set(entry) == {"split", "shard", "seed", "reason", "detail"}
        assert entry["detail"] == f"off by {reasons.index(entry['reason'])}"
    sidecars = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    of_sidecars = [
        (entry["seed"], entry["reason"], entry["detail"])
        for sidecar in sidecars
        for entry in sidecar.get("rejected", [])
        if entry["reason"] in CHECK_REASONS
    ]
    assert sorted(of_sidecars) == sorted((e["seed"], e["reason"], e["detail"]) for e in listed)
    # What only says that a candidate gave no row is not listed for the build, but by its shard.
    assert report.rejections["compiler-error"] > 0
    assert "no lowering" not in json.dumps(listed)
    assert json.dumps(sidecars).count("no lowering") == report.rejections["compiler-error"]


def test_a_build_without_failed_checks_has_an_empty_list(tmp_path: Path) -> None:
    fake_build(tmp_path, config=checking("all"))
    assert json.loads((tmp_path / "tiny" / "manifest.json").read_text())["failed_checks"] == []
