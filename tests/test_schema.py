from __future__ import annotations

import datasets
import pyarrow as pa
import pytest

from jax_ir_pairs.config import Splits
from jax_ir_pairs.schema import (
    COLUMNS,
    LEVELS,
    SPLITS,
    arrow_schema,
    columns,
    features,
    markdown_table,
)
from tests.rows import filler_row


def test_features_and_arrow_schema_agree() -> None:
    def without_nullability(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
        return [(field.name, field.type) for field in schema]

    made_by_features = features().arrow_schema
    assert [name for name, _ in without_nullability(made_by_features)] == [c.name for c in COLUMNS]
    for (name, ours), (_, theirs) in zip(
        without_nullability(arrow_schema()), without_nullability(made_by_features), strict=True
    ):
        assert ours == theirs, name


def test_rows_of_the_schema_encode_as_features_do() -> None:
    table = pa.Table.from_pylist([filler_row()], arrow_schema())
    assert datasets.Dataset(table).features == features()


OF_THE_CHECK = ["checked_by", "max_abs_error", "max_rel_error"]


def test_only_the_columns_of_the_check_take_a_null() -> None:
    assert [field.name for field in arrow_schema() if field.nullable] == OF_THE_CHECK


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


TARGETS = ("cpu", "tpu-v5e", "cuda-h100")


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
    assert [field.name for field in schema if field.nullable] == more + OF_THE_CHECK
    assert list(features(TARGETS)) == names
    assert all(f"| `{name}` | string |" in markdown_table(TARGETS) for name in more)


def test_passes_come_after_the_levels_and_targets() -> None:
    names = [column.name for column in columns(TARGETS, passes=True)]
    assert names[names.index("passes") - 1] == "optimized_hlo_cuda_h100"
    assert [name for name in names if name != "passes"] == [c.name for c in columns(TARGETS)]
    assert "| `passes` | list of {pipeline, pass, hlo} |" in markdown_table(passes=True)


def test_rows_with_passes_encode_as_features_do() -> None:
    field = arrow_schema(passes=True).field("passes")
    assert not field.nullable
    assert [inner.name for inner in field.type.value_type] == ["pipeline", "pass", "hlo"]
    steps = [{"pipeline": "p", "pass": "dce", "hlo": "HloModule m"}]
    table = pa.table({"passes": [steps]}, pa.schema([field]))
    encoded = datasets.Dataset(table)
    assert encoded.features["passes"] == features(passes=True)["passes"]
    assert encoded[0]["passes"] == steps
