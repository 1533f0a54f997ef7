"""Each kind of damage, done to a build and named."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.config import Checks, Splits
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.verification.verify import _chosen
from tests.build.fake_builds import fake_build
from tests.build.fakes import CONFIG, use_fake_programs
from tests.verification.damage import (
    OTHER_TRAIN,
    TEST,
    TRAIN,
    FakeVerifier,
    Row,
    change_manifest,
    change_row,
    change_rows,
    fit_manifest,
    only,
    verified,
)


def test_a_sound_build_passes_with_every_row_made_again(out: Path) -> None:
    report = verified(out, rows=None, workers=2)
    assert report.is_sound, report.findings
    assert (report.files, report.rows, report.texts) == (5, 72, 4 * 72)
    assert (report.remade, report.run) == (72, 72)
    assert not report.not_remade


def test_a_download_without_sidecars_and_the_folder_of_one_config_pass(out: Path) -> None:
    shutil.rmtree(out / "tiny" / "shards")
    assert verified(out).is_sound
    assert verified(out / "tiny", config="tiny").is_sound


def test_a_flipped_bit_is_named_and_the_file_is_not_read(out: Path, folder: Path) -> None:
    path = folder / TRAIN
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    report = verified(out)
    finding = only(report)
    assert (finding.kind, finding.place) == ("file", f"tiny/{TRAIN}")
    assert f"has SHA-256 {hashlib.sha256(content).hexdigest()[:16]}" in finding.what
    assert report.rows == 52


def test_a_truncated_file_is_named(out: Path, folder: Path) -> None:
    path = folder / TRAIN
    path.write_bytes(path.read_bytes()[:-100])
    finding = only(verified(out))
    assert finding.kind == "file"
    assert "bytes instead of" in finding.what
    # With a manifest that fits, it is no Parquet file.
    fit_manifest(folder, TRAIN)
    finding = only(verified(out))
    assert (finding.kind, finding.what) == ("file", "cannot be read")


def test_damaged_pages_under_a_checksum_that_fits_are_no_crash(out: Path, folder: Path) -> None:
    content = bytearray((folder / TRAIN).read_bytes())
    content[4:2000] = bytes(1996)
    (folder / TRAIN).write_bytes(content)
    fit_manifest(folder, TRAIN)
    report = verified(out)
    assert not report.is_sound
    assert all(TRAIN in finding.place for kind in report.findings.values() for finding in kind)


def test_a_missing_and_a_foreign_file_are_named(out: Path, folder: Path) -> None:
    (folder / TRAIN).rename(folder / "train-00007-of-00009.parquet")
    report = verified(out)
    assert [(f.place, f.what) for f in report.findings["file"]] == [
        (f"tiny/{TRAIN}", "is missing"),
        ("tiny/train-00007-of-00009.parquet", "is not in the manifest"),
    ]


def test_a_shard_that_the_manifest_has_lost_is_named(out: Path, folder: Path) -> None:
    def drop(manifest: dict[str, Any]) -> None:
        del manifest["splits"]["train"]["shards"][1]

    change_manifest(folder, drop)
    (folder / TRAIN).unlink()
    finding = only(verified(out))
    assert (finding.kind, finding.what) == ("manifest", f"lists {TRAIN}")
    assert (finding.expected, finding.found) == ("20 rows", "not listed")


def test_a_shard_in_the_place_of_another_is_named_by_its_rows(out: Path, folder: Path) -> None:
    shutil.copy(folder / OTHER_TRAIN, folder / TRAIN)
    fit_manifest(folder, TRAIN)
    report = verified(out)
    shards = report.findings["provenance"]
    assert len(shards) == 20
    assert (shards[0].what, shards[0].expected, shards[0].found) == ("shard", "1", "2")
    assert report.counts["duplicate"] == 20


def test_a_swapped_split_is_named(out: Path, folder: Path) -> None:
    validation = TEST.replace("test", "validation")
    (folder / TEST).rename(folder / "other")
    (folder / validation).rename(folder / TEST)
    (folder / "other").rename(folder / validation)
    fit_manifest(folder, TEST)
    fit_manifest(folder, validation)
    report = verified(out)
    wrong = {(f.what, f.expected, f.found) for f in report.findings["provenance"]}
    assert wrong == {("split", "'test'", "'validation'"), ("split", "'validation'", "'test'")}


def test_a_structure_in_two_splits_is_named(out: Path, folder: Path) -> None:
    first = change_row(folder, TRAIN, 0)
    change_row(folder, TEST, 3, structure_hash=first["structure_hash"])
    finding = only(verified(out))
    assert (finding.kind, finding.what) == ("split", f"structure {first['structure_hash']}")
    assert finding.place.startswith(f"tiny/{TEST}, row 3 (")
    assert "train" in finding.expected


def test_a_duplicate_row_is_named(out: Path, folder: Path) -> None:
    def copy_row(rows: list[Row]) -> list[Row]:
        rows[5] = rows[4] | {"index": rows[5]["index"], "seed": rows[5]["seed"]}
        return rows

    change_rows(folder, TRAIN, copy_row)
    finding = only(verified(out))
    assert (finding.kind, finding.what) == ("duplicate", "jaxpr, id")
    assert finding.place.startswith(f"tiny/{TRAIN}, row 5 (")
    assert finding.found == f"that of {TRAIN}, row 4"


def test_a_wrong_id_is_named(out: Path, folder: Path) -> None:
    before = change_row(folder, TRAIN, 2, id="0" * 16)
    finding = only(verified(out))
    assert (finding.kind, finding.expected, finding.found) == ("id", before["id"], "0" * 16)


def test_another_order_of_rows_is_named(out: Path, folder: Path) -> None:
    change_rows(folder, TRAIN, lambda rows: [*rows[1:], rows[0]])
    finding = only(verified(out))
    assert (finding.kind, finding.what) == ("provenance", "index")
    assert ", row 19 (" in finding.place


def test_a_column_too_few_or_of_another_type_is_named(out: Path, folder: Path) -> None:
    tables = {file: pq.read_table(folder / file) for file in (TRAIN, OTHER_TRAIN, TEST)}
    tables[TRAIN] = tables[TRAIN].drop_columns(["flops"])
    tables[OTHER_TRAIN] = tables[OTHER_TRAIN].append_column("note", tables[OTHER_TRAIN]["id"])
    wide = tables[TEST]["python"].cast("large_string")
    tables[TEST] = tables[TEST].set_column(1, "python", wide)
    for file, table in tables.items():
        pq.write_table(table, folder / file)
        fit_manifest(folder, file)
    found = {f.place.partition("/")[2]: (f.what, f.found) for f in verified(out).findings["schema"]}
    assert found[TRAIN] == ("column flops", "missing")
    assert found[OTHER_TRAIN][0] == "column note"
    assert found[TEST][0] == "column python"
    assert found[TEST][1].startswith("large_string")


@pytest.mark.parametrize("column", ["id", "optimized_hlo", "line_map", "num_eqns"])
def test_a_row_without_a_value_is_named_and_its_file_not_read_on(
    out: Path, folder: Path, column: str
) -> None:
    change_row(folder, TRAIN, 6, **{column: None})
    finding = only(verified(out, rows=None))
    assert (finding.kind, finding.place) == ("schema", f"tiny/{TRAIN}")
    assert (finding.what, finding.found) == (f"column {column}", "null")


def test_files_of_before_which_say_what_is_never_null_are_read(out: Path, folder: Path) -> None:
    table = pq.read_table(folder / TRAIN)
    never = [field.with_nullable(table[field.name].null_count > 0) for field in table.schema]
    pq.write_table(table.cast(pa.schema(never)), folder / TRAIN)
    fit_manifest(folder, TRAIN)
    assert not pq.read_schema(folder / TRAIN).field("id").nullable
    assert verified(out).is_sound


def test_a_changed_text_under_a_checksum_that_fits_is_found_by_making_it_again(
    out: Path, folder: Path
) -> None:
    before = change_row(folder, TRAIN, 6, optimized_hlo="optimized hlo, another")
    assert verified(out).is_sound
    finding = only(verified(out, rows=None))
    assert (finding.kind, finding.what) == ("bytes", "optimized_hlo")
    assert finding.place == f"tiny/{TRAIN}, row 6 ({before['id']})"
    assert finding.expected == repr(before["optimized_hlo"])
    assert finding.found == "'optimized hlo, another'"


def test_a_row_with_another_result_is_named(out: Path, folder: Path) -> None:
    change_row(folder, TRAIN, 6, max_rel_error=0.0)
    finding = only(verified(out, rows=None))
    assert (finding.kind, finding.what) == ("result", "max_rel_error")
    assert (finding.expected, finding.found) == (repr(2.0**-24), "0.0")


def test_a_row_that_says_it_was_run_and_was_not_is_named(out: Path, folder: Path) -> None:
    change_row(folder, TRAIN, 6, executed=False)
    finding = only(verified(out, rows=None))
    assert (finding.kind, finding.what) == ("result", "executed")
    assert (finding.expected, finding.found) == ("True", "False")


@pytest.mark.parametrize("checks", ["none", "sample", "texts"])
def test_rows_are_made_again_with_the_checks_of_their_build(
    checks: Checks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_programs(monkeypatch, tmp_path / "plans")
    fake_build(tmp_path / "out", config=CONFIG.model_copy(update={"checks": checks}))
    report = verified(tmp_path / "out", rows=None)
    assert report.is_sound, report.findings
    assert report.remade == 72
    assert (report.run == 72) == (checks == "texts")


def test_a_seed_that_is_not_the_plans_is_named(out: Path, folder: Path) -> None:
    before = change_row(folder, TRAIN, 6, seed=123456)
    finding = only(verified(out))
    assert finding.what == f"seed of index {before['index']}"
    assert (finding.expected, finding.found) == (str(before["seed"]), "123456")


def test_a_text_that_does_not_parse_is_named(out: Path, folder: Path) -> None:
    change_row(folder, TRAIN, 6, hlo="junk")
    finding = only(verified(out, FakeVerifier(refused={"junk": "no\n module"})))
    assert (finding.kind, finding.what, finding.found) == ("text", "hlo", "no module")


def test_the_configs_of_a_folder_are_looked_at_in_one_run(
    out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_fake_programs(monkeypatch, tmp_path / "plans")
    other = CONFIG.model_copy(
        update={"name": "other", "splits": Splits(train=6, validation=0, test=0)}
    )
    fake_build(out, config=other)
    change_row(out / "other", "train-00000-of-00001.parquet", 2, id="0" * 16)
    report = verified(out)
    assert (report.configs, report.rows) == (["other", "tiny"], 78)
    assert only(report).place.startswith("other/train-00000-of-00001.parquet, row 2")
    assert verified(out, config="tiny").is_sound


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("config", "other"),
        ("split", "test"),
        ("shard", 2),
        ("jax_version", "0.0.1"),
        ("compiler_flags", "{}"),
        ("index", 3),
    ],
)
def test_a_row_that_says_it_is_of_elsewhere_is_named(
    out: Path, folder: Path, column: str, value: Any
) -> None:
    change_row(folder, TRAIN, 6, **{column: value})
    found = verified(out).findings["provenance"]
    assert column in {finding.what for finding in found}
    assert all(f"{TRAIN}, row 6 (" in f.place for f in found)


def test_a_row_less_is_named(out: Path, folder: Path) -> None:
    path = folder / TRAIN
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 19), path)
    fit_manifest(folder, TRAIN)
    finding = only(verified(out))
    assert (finding.kind, finding.expected, finding.found) == ("file", "20 rows", "19 rows")


def test_a_row_does_not_get_by_with_a_version_of_its_own(out: Path, folder: Path) -> None:
    change_row(folder, TRAIN, 6, jaxlib_version="0.0.1")
    finding = only(verified(out))
    assert (finding.kind, finding.what, finding.found) == (
        "provenance",
        "jaxlib_version",
        "'0.0.1'",
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda m: m.update(fingerprint="0" * 16), "fingerprint"),
        (lambda m: m["config"].update(seed=7), "config"),
        (lambda m: m["config"].update(targets=["abacus"]), "has a config that is none here"),
        (lambda m: m.pop("splits"), "cannot be read"),
    ],
)
def test_a_changed_manifest_is_named(out: Path, folder: Path, change: Any, what: str) -> None:
    change_manifest(folder, change)
    assert what in {finding.what for finding in verified(out).findings["manifest"]}


def test_shards_without_a_manifest_are_looked_at(out: Path, folder: Path) -> None:
    (folder / "manifest.json").unlink()
    report = verified(out)
    assert only(report).what.startswith("is missing")
    assert report.rows == 72


def test_an_error_ends_every_verifier(out: Path) -> None:
    class BrokenError(Exception):
        pass

    class Broken(FakeVerifier):
        killed = False

        def problems(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
            raise BrokenError

        def kill(self) -> None:
            self.killed = True

    verifier = Broken()
    with pytest.raises(BrokenError):
        verified(out, verifier, workers=2)
    assert verifier.killed
    assert verifier.closed


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, config, problem in (
        (tmp_path / "empty", None, "no dataset"),
        (tmp_path / "nowhere", None, "no folder"),
        (out, "huge", "there is tiny"),
    ):
        with pytest.raises(UsageError, match=problem):
            verified(folder, config=config)


def test_the_rows_that_are_chosen_are_always_the_same_and_all_over() -> None:
    assert _chosen(1000, 50) == _chosen(1000, 50)
    assert len(_chosen(1000, 50)) == 50
    assert min(_chosen(1000, 50)) < 100
    assert max(_chosen(1000, 50)) > 900
    assert set(_chosen(1000, 10)) < set(_chosen(1000, 50))
    assert list(_chosen(3, None)) == list(_chosen(3, 5)) == [0, 1, 2]
