"""The columns of a file against the schema."""

from __future__ import annotations

import pyarrow as pa

from jax_ir_pairs.config import Config
from jax_ir_pairs.schema import arrow_schema
from jax_ir_pairs.verification.findings import Finding


def wrong_columns(place: str, config: Config | None, schema: pa.Schema) -> list[Finding]:
    """Gives each column that is missing, too many or of another type; order counts too.

    Without a config, only columns that every row has are asked for.
    """
    wanted = arrow_schema() if config is None else _schema_of(config)
    findings = []
    for field in wanted:
        at = schema.get_field_index(field.name)
        if at >= 0 and schema.field(at).equals(field):  # names of a list's items aside
            continue
        found = "missing" if at < 0 else _described(schema.field(at))
        findings.append(Finding("schema", place, f"column {field.name}", _described(field), found))
    if config is None or findings:
        return findings
    findings = [
        Finding("schema", place, f"column {name}", "no such column", _described(schema.field(name)))
        for name in schema.names
        if name not in wanted.names
    ]
    if not findings and schema.names != wanted.names:
        findings.append(
            Finding("schema", place, "order", ", ".join(wanted.names), ", ".join(schema.names))
        )
    return findings


def _schema_of(config: Config) -> pa.Schema:
    return arrow_schema(config.targets, passes=config.passes)


def _described(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"
