"""Builds to damage, and what damages them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.build import Folder, Shard
from jax_ir_pairs.build.shard import sha256_of
from jax_ir_pairs.schema import arrow_schema
from jax_ir_pairs.verification import Finding, Report, verify
from tests.build.fakes import FakeProcess

TRAIN = "train-00001-of-00003.parquet"
OTHER_TRAIN = "train-00002-of-00003.parquet"
TEST = "test-00000-of-00001.parquet"

Row = dict[str, Any]


@dataclass
class FakeVerifier(FakeProcess):
    """Parses and agrees with everything, unless a test says otherwise."""

    refused: Mapping[str, str] = field(default_factory=dict)
    """Problems by text."""
    disagreement: str = ""
    ran: list[str] = field(default_factory=list)

    def problems(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
        return {name: self.refused[row[name]] for name in columns if row[name] in self.refused}

    def run(self, row: Mapping[str, Any]) -> tuple[str, str]:
        self.ran.append(row["id"])
        return self.disagreement, ""


def verified(out: Path, verifier: FakeVerifier | None = None, **options: Any) -> Report:
    found = verifier or FakeVerifier()
    return verify(out, open_verifier=lambda config: found, **options)


def only(report: Report) -> Finding:
    """Gives the one finding that there is."""
    [[finding]] = report.findings.values()
    return finding


def change_rows(folder: Path, file: str, change: Callable[[list[Row]], list[Row]]) -> None:
    """Writes a shard with other rows, and makes the manifest fit it."""
    path = folder / file
    with pq.ParquetFile(path) as shard:
        rows = change(shard.read().to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, arrow_schema()), path)
    fit_manifest(folder, file, rows=len(rows))


def change_row(folder: Path, file: str, number: int, **values: Any) -> Row:
    """Gives row `number` other values, and gives what it was."""
    before: list[Row] = []

    def change(rows: list[Row]) -> list[Row]:
        before.append(dict(rows[number]))
        rows[number] |= values
        return rows

    change_rows(folder, file, change)
    return before[0]


def of_file(file: str) -> Shard:
    shard = Shard.of_file(file)
    assert shard is not None
    return shard


def fit_manifest(folder: Path, file: str, **values: Any) -> None:
    """Makes the manifest list a file as it is, and drops its sidecar, as downloads do."""
    Folder(folder).sidecar(of_file(file)).unlink(missing_ok=True)

    def change(manifest: dict[str, Any]) -> None:
        for split in manifest["splits"].values():
            for shard in split["shards"]:
                if shard["file"] == file:
                    path = folder / file
                    shard |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)} | values

    change_manifest(folder, change)


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
