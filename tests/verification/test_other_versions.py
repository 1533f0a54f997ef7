"""Rows that cannot be made again here: of other versions, or for what is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import BuildFingerprint
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import TargetLevels, versions
from jax_ir_pairs.targets import Target
from jax_ir_pairs.verification import Report
from tests.build.fake_builds import fake_build
from tests.build.fakes import CONFIG, FakeProcess, use_fake_programs
from tests.verification.damage import (
    TRAIN,
    FakeVerifier,
    change_manifest,
    change_row,
    change_rows,
    fit_manifest,
    verified,
)


def of_other_versions(folder: Path) -> None:
    """Makes a build one of other versions, rows and manifest."""
    for file in sorted(path.name for path in folder.glob("*.parquet")):
        change_rows(folder, file, lambda rows: [row | {"jaxlib_version": "0.0.1"} for row in rows])

    def change(manifest: dict[str, Any]) -> None:
        manifest["build"]["jaxlib"] = "0.0.1"
        manifest["fingerprint"] = BuildFingerprint(**manifest["build"]).digest

    change_manifest(folder, change)


def test_rows_of_other_versions_are_run_and_not_compared(out: Path, folder: Path) -> None:
    of_other_versions(folder)
    change_row(folder, TRAIN, 6, optimized_hlo="of another compiler")
    verifier = FakeVerifier(refused={"of another compiler": "unknown syntax"})
    report = verified(out, verifier, rows=9)
    assert report.is_sound, report.findings
    assert report.not_remade == {"of other versions: jaxlib 0.0.1": 9}
    assert report.not_read == {"optimized_hlo": 1}
    assert (report.run, report.remade, len(verifier.ran)) == (9, 0, 9)
    assert not verifier.extracted

    report = verified(out, FakeVerifier(disagreement="differs in 1 of 2 elements"), rows=9)
    assert report.counts == {"result": 9}
    assert report.findings["result"][0].found == "differs in 1 of 2 elements"


def without(folder: Path, column: str) -> None:
    """Takes a column out of a build."""
    for path in sorted(folder.glob("*.parquet")):
        pq.write_table(pq.read_table(path).drop_columns([column]), path)
        fit_manifest(folder, path.name)


def schema_findings(report: Report) -> set[tuple[str, str]]:
    return {(finding.what, finding.found) for finding in report.findings.get("schema", ())}


def test_a_build_of_before_a_column_is_sound_and_one_that_lost_it_is_not(
    out: Path, folder: Path
) -> None:
    without(folder, "executed")
    assert schema_findings(verified(out)) == {("column executed", "missing")}

    def older(manifest: dict[str, Any]) -> None:
        manifest["build"]["code"] = "0" * 16
        manifest["fingerprint"] = BuildFingerprint(**manifest["build"]).digest

    change_manifest(folder, older)
    report = verified(out, rows=9)
    assert report.is_sound, report.findings
    assert (report.rows, report.run) == (72, 9)
    without(folder, "flops")
    assert schema_findings(verified(out)) == {("column flops", "missing")}


def test_shards_of_before_a_column_without_a_manifest_are_looked_at(
    out: Path, folder: Path
) -> None:
    without(folder, "executed")
    (folder / "manifest.json").unlink()
    report = verified(out)
    assert set(report.findings) == {"manifest"}
    assert report.rows == 72


def test_what_another_jaxlib_does_not_run_is_counted_and_no_finding(
    out: Path, folder: Path
) -> None:
    class Ending(FakeVerifier):
        def run(self, row: Mapping[str, Any]) -> tuple[str, str]:
            raise Rejected("crash", "SIGABRT")

    of_other_versions(folder)
    report = verified(out, Ending(), rows=9)
    assert report.is_sound, report.findings
    assert report.not_run == {"this jaxlib does not run them (crash)": 9}
    assert report.run == 0

    def older(manifest: dict[str, Any]) -> None:
        manifest["build"] |= {"code": "0" * 16, "jaxlib": versions()[1]}
        manifest["fingerprint"] = BuildFingerprint(**manifest["build"]).digest

    change_manifest(folder, older)
    for file in sorted(path.name for path in folder.glob("*.parquet")):
        change_rows(
            folder, file, lambda rows: [row | {"jaxlib_version": versions()[1]} for row in rows]
        )
    report = verified(out, Ending(), rows=9)
    assert report.counts == {"result": 9}
    assert report.findings["result"][0].found == "crash: SIGABRT"


def test_a_target_that_is_not_installed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = TargetLevels("tpu-v5e", None, "HloModule tpu")
    use_fake_programs(monkeypatch, tmp_path / "plans")
    config = CONFIG.model_copy(update={"targets": ("cpu", "tpu-v5e")})
    monkeypatch.setattr(Target, "missing", lambda self: [])
    fake_build(tmp_path / "out", FakeProcess(further=lambda program: (levels,)), config=config)
    monkeypatch.setattr(Target, "missing", lambda self: ["x"] * (self.platform == "tpu"))
    report = verified(tmp_path / "out", rows=3)
    assert report.is_sound, report.findings
    assert report.not_remade == {"for tpu-v5e, whose compiler is not installed": 3}
    assert (report.texts, report.run) == (5 * 72, 3)
