"""The columns of a file against the schema."""

from __future__ import annotations

from collections.abc import Set

import pyarrow as pa

from jax_ir_pairs.config import Config
from jax_ir_pairs.schema import arrow_schema, without_value
from jax_ir_pairs.verification.findings import Finding


def wrong_columns(
    place: str, config: Config | None, schema: pa.Schema, may_lack: Set[str] = frozenset()
) -> list[Finding]:
    """Gives each column that is missing, too many or of another type; order counts too.

    Without a config, only columns that every row has are asked for; those in `may_lack` never are.
    """
    wanted = arrow_schema() if config is None else _schema_of(config)
    lacking = may_lack - set(schema.names)
    wanted = pa.schema(field for field in wanted if field.name not in lacking)
    findings = []
    for field in wanted:
        at = schema.get_field_index(field.name)
        if at >= 0 and schema.field(at).type.equals(field.type):  # names of a list's items aside
            continue
        found = "missing" if at < 0 else str(schema.field(at).type)
        findings.append(Finding("schema", place, f"column {field.name}", str(field.type), found))
    if config is None or findings:
        return findings
    findings = [
        Finding("schema", place, f"column {name}", "no such column", str(schema.field(name).type))
        for name in schema.names
        if name not in wanted.names
    ]
    if not findings and schema.names != wanted.names:
        findings.append(
            Finding("schema", place, "order", ", ".join(wanted.names), ", ".join(schema.names))
        )
    return findings


def nulls(place: str, table: pa.Table) -> list[Finding]:
    """Gives each column that has nulls where every row should have a value."""
    return [
        Finding("schema", place, f"column {name}", "a value in every row", "null")
        for name in without_value(table)
    ]


def _schema_of(config: Config) -> pa.Schema:
    return arrow_schema(config.targets, passes=config.passes)
