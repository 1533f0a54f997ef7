from __future__ import annotations

import datasets
import pyarrow as pa
import pytest

from jax_ir_pairs.config import Splits
from jax_ir_pairs.schema import (
    COLUMNS,
    LEVELS,
    SPLITS,
    Column,
    arrow_schema,
    columns,
    features,
    markdown_table,
    without_value,
)
from tests.rows import filler_row


def test_features_and_arrow_schema_agree() -> None:
    made_by_features = features().arrow_schema
    assert made_by_features.names == [column.name for column in COLUMNS]
    assert arrow_schema().equals(made_by_features)  # else `datasets` casts all that it reads


def test_rows_of_the_schema_encode_as_features_do() -> None:
    table = pa.Table.from_pylist([filler_row()], arrow_schema())
    assert datasets.Dataset(table).features == features()


TARGETS = ("cpu", "tpu-v5e", "cuda-h100")
MAY_BE_NULL = ["purpose", "peak_memory_bytes", "checked_by", "max_abs_error", "max_rel_error"]


@pytest.mark.parametrize("column", columns(TARGETS, passes=True), ids=lambda column: column.name)
def test_only_columns_of_the_check_and_of_further_targets_go_without_a_value(
    column: Column,
) -> None:
    schema = pa.schema([arrow_schema(TARGETS, passes=True).field(column.name)])
    has_none = pa.table({column.name: [None]}, schema)
    may = column.name in MAY_BE_NULL or column.name.endswith(("_tpu_v5e", "_cuda_h100"))
    assert without_value(has_none) == ([] if may else [column.name])
    assert not without_value(has_none.slice(0, 0))


def test_columns_are_named_once_and_every_level_has_one() -> None:
    names = [column.name for column in COLUMNS]
    assert len(names) == len(set(names))
    assert set(LEVELS) <= set(names)
    assert SPLITS == ("train", "validation", "test", "test_ops", "test_compositions")
    assert tuple(Splits.model_fields) == SPLITS


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_markdown_table_has_each_column(column: object) -> None:
    name = getattr(column, "name", "")
    lines = [line for line in markdown_table().splitlines() if line.startswith(f"| `{name}` |")]
    assert len(lines) == 1
    assert lines[0].count("|") == 4


def test_each_further_target_adds_two_columns_after_the_levels() -> None:
    assert columns() == columns(("cpu",)) == COLUMNS
    names = [column.name for column in columns(TARGETS)]
    more = [
        *("stablehlo_tpu_v5e", "optimized_hlo_tpu_v5e"),
        *("stablehlo_cuda_h100", "optimized_hlo_cuda_h100"),
    ]
    place = names.index("optimized_hlo") + 1
    assert names[place : place + 4] == more
    assert [name for name in names if name not in more] == [column.name for column in COLUMNS]
    schema = arrow_schema(TARGETS)
    assert schema.names == names
    assert list(features(TARGETS)) == names
    assert all(f"| `{name}` | string |" in markdown_table(TARGETS) for name in more)


def test_passes_come_after_the_levels_and_targets() -> None:
    names = [column.name for column in columns(TARGETS, passes=True)]
    assert names[names.index("passes") - 1] == "optimized_hlo_cuda_h100"
    assert [name for name in names if name != "passes"] == [c.name for c in columns(TARGETS)]
    assert "| `passes` | list of {pipeline, pass, hlo} |" in markdown_table(passes=True)


def test_rows_with_passes_encode_as_features_do() -> None:
    field = arrow_schema(passes=True).field("passes")
    assert [inner.name for inner in field.type.value_type] == ["pipeline", "pass", "hlo"]
    steps = [{"pipeline": "p", "pass": "dce", "hlo": "HloModule m"}]
    table = pa.table({"passes": [steps]}, pa.schema([field]))
    encoded = datasets.Dataset(table)
    assert encoded.features["passes"] == features(passes=True)["passes"]
    assert encoded[0]["passes"] == steps
