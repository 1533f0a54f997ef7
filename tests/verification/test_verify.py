from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jax_ir_pairs.cli.app import app
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.verification import Finding, verify
from tests.built import tiny as tiny

FIRST = "train-00000-of-00002.parquet"
SECOND = "train-00001-of-00002.parquet"
TEST = "test-00000-of-00001.parquet"


@pytest.fixture
def build(tiny: Path, tmp_path: Path) -> Path:
    """The folder of a sound build, to be damaged."""
    return Path(shutil.copytree(tiny / "tiny", tmp_path / "out" / "tiny"))


def found(build: Path, rows: int | None = 0) -> list[tuple[str, str]]:
    return [(finding.kind, finding.where) for finding in verify(build, rows).findings]


def edit(build: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Changes the rows of a shard, and the manifest with them, as whoever wants to hide it."""
    table = pq.read_table(build / name)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), build / name)
    manifest = json.loads((build / "manifest.json").read_text())
    for shard in (s for split in manifest["splits"].values() for s in split["shards"]):
        if shard["file"] == name:
            content = (build / name).read_bytes()
            shard |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (build / "manifest.json").write_text(json.dumps(manifest))


def test_a_sound_build_has_nothing_wrong(build: Path) -> None:
    verification = verify(build, 2)
    assert verification.findings == ()
    assert (verification.rows, verification.remade, verification.run) == (11, 2, 0)


def test_damaged_files_are_named(build: Path) -> None:
    content = bytearray((build / FIRST).read_bytes())
    content[len(content) // 2] ^= 4
    (build / FIRST).write_bytes(content)
    (build / SECOND).write_bytes((build / SECOND).read_bytes()[:-100])
    (build / TEST).unlink()
    shutil.copy(build / FIRST, build / "train-00002-of-00003.parquet")
    findings = verify(build).findings
    assert [(f.where, f.what.split()[0]) for f in findings] == [
        (FIRST, "has"),
        (SECOND, "has"),
        (TEST, "is"),
        ("train-00002-of-00003.parquet", "is"),
    ]
    assert "SHA-256" in findings[0].what
    assert "bytes" in findings[1].what


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda rows: rows[1].update(id="0" * 16), {"id"}),
        (lambda rows: rows[1].update(python=rows[1]["python"] + "\n"), {"id"}),
        (lambda rows: rows[1].update(split="test"), {"split"}),
        (lambda rows: rows[1].update(config="other"), {"split"}),
        (lambda rows: rows.__setitem__(1, rows[0]), {"duplicate"}),
        (lambda rows: rows.pop(), {"file"}),
    ],
    ids=["id", "python", "split", "config", "duplicate", "fewer rows"],
)
def test_a_changed_row_is_named(build: Path, change: Any, kinds: set[str]) -> None:
    edit(build, FIRST, change)
    assert {kind for kind, _ in found(build)} == kinds


def test_structures_are_in_one_split(build: Path) -> None:
    structure = pq.read_table(build / FIRST)["structure_hash"][0].as_py()
    edit(build, TEST, lambda rows: rows[0].update(structure_hash=structure))
    [finding] = verify(build).findings
    where = f"{FIRST} row 0"
    assert finding.kind == "split"
    assert finding.where == where or finding.where == f"{TEST} row 0"


def test_another_schema_is_a_finding(build: Path) -> None:
    table = pq.read_table(build / FIRST).drop_columns(["flops"])
    pq.write_table(table, build / FIRST)
    assert ("schema", FIRST) in found(build) or ("file", FIRST) in found(build)
    edit(build, FIRST, lambda rows: None)
    assert found(build) == [("schema", FIRST)]


def test_texts_results_and_rows_are_made_again(build: Path) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["stablehlo"] = rows[0]["stablehlo"].replace("stablehlo.", "stablehlos.", 1)
        rows[1]["max_rel_error"] = 0.25
        rows[2]["num_eqns"] += 1

    edit(build, FIRST, change)
    findings = verify(build, None).findings
    kinds = {(f.kind, f.where) for f in findings}
    assert kinds == {
        ("text", f"{FIRST} row 0"),
        ("row", f"{FIRST} row 0"),
        ("result", f"{FIRST} row 1"),
        ("row", f"{FIRST} row 2"),
    }


def test_rows_of_other_versions_are_run(build: Path) -> None:
    manifest = json.loads((build / "manifest.json").read_text())
    manifest["build"]["jax"] = "0.0.1"
    (build / "manifest.json").write_text(json.dumps(manifest))

    def change(rows: list[dict[str, Any]]) -> None:
        assert " add(" in rows[0]["hlo"]
        rows[0]["hlo"] = rows[0]["hlo"].replace(" add(", " multiply(", 1)

    edit(build, FIRST, change)
    verification = verify(build, None)
    assert (verification.remade, verification.run) == (0, 11)
    assert "jax (0.0.1 there" in verification.made_by
    [finding] = verification.findings
    assert (finding.kind, finding.where) == ("result", f"{FIRST} row 0")


def test_without_a_manifest_there_is_nothing_to_verify(build: Path) -> None:
    (build / "manifest.json").write_text("{}")
    with pytest.raises(BuildError, match="is no manifest"):
        verify(build)
    (build / "manifest.json").unlink()
    with pytest.raises(BuildError, match="is missing"):
        verify(build)


def test_the_command(build: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["verify", str(build.parent)])
    assert (run.exit_code, "Nothing is wrong" in run.output) == (0, True)
    edit(build, FIRST, lambda rows: rows[1].update(id="0" * 16))
    out = tmp_path / "found.json"
    run = CliRunner().invoke(app, ["verify", str(build.parent), "--json", str(out)])
    assert run.exit_code == 1
    assert "1 findings: 1 id" in run.output
    [finding] = json.loads(out.read_text())["findings"]
    assert Finding(**finding).where == f"{FIRST} row 1"
