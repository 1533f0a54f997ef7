"""The rows that are committed in data/sample, made again."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import build, build_fingerprint
from jax_ir_pairs.config import load_config
from jax_ir_pairs.schema import LEVELS, arrow_schema

FOLDER = Path(__file__).parent.parent / "data" / "sample"
SAMPLE = FOLDER / "train-00000-of-00001.parquet"


def test_the_sample_holds_a_hundred_whole_rows() -> None:
    table = pq.read_table(SAMPLE)
    assert table.schema.equals(arrow_schema())
    assert table.num_rows == 100
    rows = table.to_pylist()
    assert len({row["id"] for row in rows}) == 100
    families = {row["family"] for row in rows}
    recipe = load_config("hlo-100").recipe
    assert families <= {*recipe.families, *recipe.sketches}
    assert len(families) >= 20
    assert sum(bool(row["sketches"]) for row in rows) >= 70
    for row in rows:
        assert all(row[level] for level in LEVELS), row["seed"]


@pytest.mark.slow
def test_the_sample_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    config = load_config(FOLDER / "sample.yaml")
    ours = build_fingerprint(config)
    made_by = pq.ParquetFile(SAMPLE)
    row = made_by.read_row_group(0, columns=["jax_version"]).slice(0, 1).to_pylist()[0]
    pyarrow = made_by.metadata.created_by.removeprefix("parquet-cpp-arrow version ")
    if (row["jax_version"], pyarrow) != (ours.jax, ours.pyarrow):
        pytest.skip(
            f"the sample was made with JAX {row['jax_version']} and pyarrow {pyarrow}, and this "
            f"environment has JAX {ours.jax} and pyarrow {ours.pyarrow}"
        )
    build(config, tmp_path, shards=range(1))
    again = tmp_path / "sample" / SAMPLE.name
    assert again.read_bytes() == SAMPLE.read_bytes(), "after a change of rows: make sample"
