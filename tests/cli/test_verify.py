from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.test_app import run
from tests.verification.damage import change_row


def test_a_sound_build_is_told_in_a_line_or_two(tiny: Path, tmp_path: Path) -> None:
    done = run("verify", tiny, "--rows", "3", "--json", tmp_path / "found.json")
    assert done.stdout.splitlines() == [
        "tiny: 4 files, 11 rows, 44 texts parsed, 3 rows made again, 3 rows run.",
        "Nothing is wrong.",
    ]
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["is_sound"] is True


def test_what_is_wrong_is_a_table_and_exit_code_1(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "out") / "tiny"
    for path in folder.glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-8])
    done = run("verify", tmp_path / "out", "--json", tmp_path / "found.json", code=1)
    assert "Wrong: 4 file." in done.stdout
    for path in folder.glob("*.parquet"):
        assert f"tiny/{path.name}" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert all("bytes instead of" in finding["what"] for finding in found["findings"]["file"])


def test_a_changed_text_that_still_parses_is_found_by_making_the_row_again(
    tiny: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "out") / "tiny"
    file = "train-00001-of-00002.parquet"
    row = change_row(folder, file, 1)
    fusions = row["num_fusions"]
    text = row["optimized_hlo"].replace("is_scheduled=true", "is_scheduled=false")
    change_row(folder, file, 1, optimized_hlo=text, num_fusions=fusions + 1)
    assert "Nothing is wrong." in run("verify", tmp_path / "out").stdout
    done = run("verify", tmp_path / "out", "--rows", "all", "--workers", "2", code=1)
    assert "Wrong: 2 bytes." in done.stdout
    [shown, other] = [line for line in done.stdout.splitlines() if "bytes  tiny/" in line]
    assert f"{file}, row 1 ({row['id']})" in shown
    assert "line 1: HloModule" in shown
    assert other.split()[-3:] == ["num_fusions", str(fusions), str(fusions + 1)]


def test_what_is_no_dataset_is_exit_code_2(tmp_path: Path, tiny: Path) -> None:
    assert "no dataset" in run("verify", tmp_path, code=2).stderr
    assert "--rows 'some'" in run("verify", tiny, "--rows", "some", code=2).stderr
