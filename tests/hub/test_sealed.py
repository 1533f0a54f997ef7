from __future__ import annotations

from pathlib import Path

import pytest

from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.hub.sealed import sealed_builds
from tests.hub.small_builds import write_build


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Gives a folder with one build of five shards."""
    write_build(tmp_path / "out")
    return tmp_path / "out"


def test_only_whole_builds_with_their_card_are_sealed(out: Path, tmp_path: Path) -> None:
    def refused(place: Path, part: str) -> None:
        with pytest.raises(UsageError if place != out else BuildError) as error:
            sealed_builds(place)
        assert part in str(error.value)
        assert str(error.value).endswith(".")

    card = (out / "README.md").read_text()
    path = out / "hlo-1k" / "train-00001-of-00003.parquet"
    content, manifest = path.read_bytes(), (out / "hlo-1k" / "manifest.json").read_text()
    refused(tmp_path / "none", "There is no folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "there is no build in it")
    refused(out / "hlo-1k", f"give the one above, {out}.")
    (out / "README.md").write_text(card.replace("download_size", "size"))
    refused(out, f"README.md: describes no config; run `jax-ir-pairs card {out}`.")
    (out / "README.md").write_text("---\n{\n---\n")
    refused(out, "README.md: describes no config;")
    (out / "README.md").write_text(card.replace("download_size: ", "download_size: 1"))
    refused(out, "README.md: does not describe hlo-1k as it is built;")
    (out / "README.md").unlink()
    refused(out, "README.md: the dataset card is missing;")
    (out / "README.md").write_text(card)
    path.write_bytes(content[:-1] + b"?")
    refused(out, f"{path}: does not have the checksum that is in the manifest; build hlo-1k again.")
    path.write_bytes(content[:-1])
    refused(out, f"{path}: has {len(content) - 1:,} bytes, {len(content):,} are in the manifest;")
    path.unlink()
    refused(out, f"{path}: is missing, ")
    path.write_bytes(content)
    for wrong in (manifest.replace("hlo-1k", "hlo-2k"), "{", "[]", '{"config": 1}'):
        (out / "hlo-1k" / "manifest.json").write_text(wrong)
        refused(out, "manifest.json: is not the manifest of hlo-1k;")
    (out / "hlo-1k" / "manifest.json").unlink()
    refused(out, "hlo-1k: the build is not finished; run `jax-ir-pairs build hlo-1k ")
