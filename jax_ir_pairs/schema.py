"""What a row is: one table of columns, from which every description of a row is made.

The Arrow schema of the shards, the `datasets.Features` of the builder and of the card, and the
tables in the card and the docs all read [`COLUMNS`][].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from jax_ir_pairs.targets import further

if TYPE_CHECKING:
    import datasets

LEVELS: tuple[str, ...] = ("python", "jaxpr", "stablehlo", "hlo", "optimized_hlo")
"""The texts of a row, from what a person writes to what the compiler emits."""

SPLITS: tuple[str, ...] = ("train", "validation", "test", "test_ops", "test_compositions")
"""All that a config can have; the last two are of programs with what is held out of the others."""

Kind = Literal[
    "string",
    "list of string",
    "list of {pipeline, pass, hlo}",
    "list of {python, jaxpr, stablehlo, hlo, optimized_hlo}",
    "{python, jaxpr, stablehlo, hlo, optimized_hlo}",
    "int32",
    "int64",
    "float64",
    "bool",
]

_ARROW: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "list of string": pa.list_(pa.string()),
    "list of {pipeline, pass, hlo}": pa.list_(
        pa.struct({"pipeline": pa.string(), "pass": pa.string(), "hlo": pa.string()})
    ),
    "{python, jaxpr, stablehlo, hlo, optimized_hlo}": pa.struct(
        [(level, pa.int32()) for level in LEVELS]
    ),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "list of {python, jaxpr, stablehlo, hlo, optimized_hlo}": pa.list_(
        pa.struct(
            [("python", pa.int32()), *((level, pa.list_(pa.int32())) for level in LEVELS[1:])]
        )
    ),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row."""

    name: str
    kind: Kind
    meaning: str
    nullable: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("id", "string", "first 16 hex digits of the SHA-256 of `python` + `inputs`"),
    Column("python", "string", "self-contained, formatted program"),
    Column("entry_point", "string", "name of the function that is traced"),
    Column("inputs", "string", "JSON, the abstract arguments in order: name and tree of avals"),
    Column("jaxpr", "string", "the traced program"),
    Column("stablehlo", "string", "the lowered module, in MLIR's textual form"),
    Column("hlo", "string", "the HLO module before optimization"),
    Column("optimized_hlo", "string", "the HLO module after every pass of the compiler"),
    Column(
        "line_map",
        "list of {python, jaxpr, stablehlo, hlo, optimized_hlo}",
        "for each line of `python` that something came from, the lines of each level that did",
    ),
    Column(
        "family", "string", "the theme of sketches, or the generator, that the program comes from"
    ),
    Column(
        "purpose",
        "string",
        "what the program is for, in one sentence; null where nobody said",
        nullable=True,
    ),
    Column("sketches", "list of string", "the sketches that the program is drawn from"),
    Column("transforms", "list of string", "JAX transformations, in order from outside in"),
    Column("primitives", "list of string", "distinct primitives of the jaxpr, sorted"),
    Column("num_eqns", "int32", "equations of the jaxpr, those of sub-jaxprs included"),
    Column("num_stablehlo_ops", "int32", "operations of the StableHLO module"),
    Column("num_hlo_instructions", "int32", "instructions of the unoptimized HLO module"),
    Column("num_optimized_hlo_instructions", "int32", "instructions of the optimized HLO module"),
    Column("num_fusions", "int32", "fusion instructions of the optimized HLO module"),
    Column("num_devices", "int32", "devices that the program runs on"),
    Column("difficulty", "int32", "1 to 10, by size, nesting, variety, transformations, devices"),
    Column(
        "num_tokens",
        "{python, jaxpr, stablehlo, hlo, optimized_hlo}",
        "tokens of each level, about: bytes of UTF-8 over 3, rounded up",
    ),
    Column("flops", "float64", "floating-point operations, by the compiler's cost analysis"),
    Column("bytes_accessed", "float64", "bytes read and written, by the same analysis"),
    Column("transcendentals", "float64", "transcendental operations, by the same analysis"),
    Column(
        "peak_memory_bytes",
        "int64",
        "arguments, results and temporaries, less aliased bytes; null without machine code",
        nullable=True,
    ),
    Column(
        "checked_by",
        "string",
        "the oracle that confirmed what the program computes; null where none did",
        nullable=True,
    ),
    Column(
        "max_abs_error",
        "float64",
        "greatest difference between its results and the oracle's; null where there is none",
        nullable=True,
    ),
    Column(
        "max_rel_error",
        "float64",
        "the same over the greatest magnitude in that result; null where there is none",
        nullable=True,
    ),
    Column("executed", "bool", "whether machine code was made, run and compared as well"),
    Column("structure_hash", "string", "hash of the program without names, shapes and dtypes"),
    Column("config", "string", "name of the config that the row belongs to"),
    Column("split", "string", "split of the row"),
    Column("shard", "int32", "shard of the split"),
    Column("index", "int32", "place of the candidate in the plan of its shard, from 0"),
    Column("seed", "int64", "seed of the program under the config's recipe"),
    Column("jax_version", "string", "version of JAX that traced and lowered the program"),
    Column("jaxlib_version", "string", "version of jaxlib, and so of XLA, that compiled it"),
    Column("compiler_flags", "string", "JSON, compiler options and environment of the extraction"),
)
"""The columns in the order in which they are stored."""

LATER: frozenset[str] = frozenset(
    {
        "difficulty",
        "executed",
        "num_optimized_hlo_instructions",
        "num_tokens",
        "purpose",
        "sketches",
    }
)
"""Columns that what earlier versions of this project built may lack."""

PASSES = Column(
    "passes",
    "list of {pipeline, pass, hlo}",
    "the module before any pass of the compiler, and after each that changed it",
)
"""The column of a config that asks for it."""


def columns(targets: Sequence[str] = ("cpu",), *, passes: bool = False) -> tuple[Column, ...]:
    """Gives the columns of a config's rows: two more for each target after the first.

    Those of the targets, and [`PASSES`][] where it is asked for, come after the levels.
    """
    place = COLUMNS.index(next(c for c in COLUMNS if c.name == LEVELS[-1])) + 1
    more = [
        column
        for target in further(targets)
        for column in (
            Column(
                target.column("stablehlo"),
                "string",
                f"`stablehlo` as lowered for {target.name}; null where it is the same",
                nullable=True,
            ),
            Column(
                target.column("optimized_hlo"),
                "string",
                f"`optimized_hlo` for {target.name}; null where that compiler refuses the program",
                nullable=True,
            ),
        )
    ]
    steps = (PASSES,) if passes else ()
    return (*COLUMNS[:place], *more, *steps, *COLUMNS[place:])


def arrow_schema(targets: Sequence[str] = ("cpu",), *, passes: bool = False) -> pa.Schema:
    """Gives the Arrow schema of a shard.

    All its fields are nullable, as those of `datasets.Features` are: where they are not, `datasets`
    casts every table that it reads, and streams a fifth slower. [`without_value`][] finds nulls
    that may not be.
    """
    return pa.schema([(c.name, _ARROW[c.kind]) for c in columns(targets, passes=passes)])


def without_value(table: pa.Table) -> list[str]:
    """Gives the columns of `table` that have a null, and of which every row has a value."""
    always = {column.name for column in (*COLUMNS, PASSES) if not column.nullable}
    return [name for name in table.column_names if name in always and table[name].null_count]


def features(targets: Sequence[str] = ("cpu",), *, passes: bool = False) -> datasets.Features:
    """Gives the same columns as `datasets.Features`. Imports datasets."""
    import datasets

    return datasets.Features.from_arrow_schema(arrow_schema(targets, passes=passes))


def markdown_table(targets: Sequence[str] = ("cpu",), *, passes: bool = False) -> str:
    """Gives the columns as a Markdown table, for the card and the docs."""
    rows = [f"| `{c.name}` | {c.kind} | {c.meaning} |" for c in columns(targets, passes=passes)]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])
