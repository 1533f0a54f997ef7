"""One shard on disk: a Parquet file of rows, and a sidecar that tells about it.

The Parquet file is put in place first and the sidecar second, each in one step, so a shard is
whole exactly when its sidecar is there and the checksum in it is that of the Parquet file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.atomic import replace_text, replacing
from jax_ir_pairs.build.fingerprint import BuildFingerprint
from jax_ir_pairs.build.layout import Folder, Shard
from jax_ir_pairs.build.records import Refusal, Rejection, Row, text_hash
from jax_ir_pairs.build.sizes import largest_argument
from jax_ir_pairs.errors import CHECK_REASONS, INCIDENT_REASONS
from jax_ir_pairs.location import Location, parquet_file
from jax_ir_pairs.plan import PlanCounts
from jax_ir_pairs.schema import LEVELS, arrow_schema, without_value

if TYPE_CHECKING:
    from io import BufferedReader

ROWS_PER_GROUP = 100
"""Few enough for the Hub's viewer to scan a row group, whose texts are some kilobytes each."""

ZSTD_LEVEL = 12
"""A quarter smaller than level 3 for 2 ms a row, under 1 % of what compiling a row costs:
`benchmarks/files.py`, docs/hub.md."""


_CHECKSUM = ',\n "checksum": "'
"""What stands before the checksum of a sidecar, which covers all that comes before this."""

Outcome = TypeVar("Outcome", Rejection, Refusal)


class BrokenShardError(Exception):
    """A shard whose files are not what they were written as, so that it has to be built again."""


@dataclass(frozen=True, slots=True)
class RowDigest:
    """What sealing and statistics need of a row; hashes and lengths are by level."""

    seed: int
    structure_hash: str
    text_hashes: dict[str, str]
    text_lengths: dict[str, int]
    largest_argument: int = 0
    """Elements of its largest input; 0 in builds of versions that did not count them."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is known of a shard without reading its Parquet file."""

    build: BuildFingerprint
    split: str
    shard: int
    file: str
    bytes: int
    num_bytes: int
    """Size of the rows in memory, nearly: that of the file's pages before compression."""
    sha256: str
    rejected: tuple[Rejection, ...]
    """In the plan's order."""
    rows: tuple[RowDigest, ...]
    plan: PlanCounts
    """Of the block that the shard is in, as every other shard of it has them."""
    refused: tuple[Refusal, ...] = ()
    """Of the rows, in the plan's order."""

    @property
    def target_refusals(self) -> dict[str, Counter[str]]:
        """Refusals by target and reason."""
        counts: dict[str, Counter[str]] = {}
        for refusal in self.refused:
            counts.setdefault(refusal.target, Counter())[refusal.reason] += 1
        return counts

    @property
    def rejections(self) -> Counter[str]:
        """Rejections by reason."""
        return Counter(rejection.reason for rejection in self.rejected)

    @property
    def incidents(self) -> list[Rejection]:
        """Rejections that depend on the machine."""
        return [r for r in self.rejected if r.reason in INCIDENT_REASONS]

    @property
    def failed_checks(self) -> list[Rejection]:
        """Rejections by the check, each of which may be a bug of a compiler."""
        return [r for r in self.rejected if r.reason in CHECK_REASONS]

    def to_json(self) -> str:
        """Gives the sidecar as JSON, a line for each row."""
        content = asdict(self)
        rows = ",\n  ".join(json.dumps(row) for row in content.pop("rows"))
        if content["refused"]:
            content["target_refusals"] = {
                target: dict(sorted(counts.items()))
                for target, counts in sorted(self.target_refusals.items())
            }
        else:
            del content["refused"]
        content |= {"num_rows": len(self.rows), "rejections": dict(sorted(self.rejections.items()))}
        lines = ",\n ".join(f'"{key}": {json.dumps(value)}' for key, value in content.items())
        text = f'{{\n {lines},\n "rows": [\n  {rows}\n ]'
        return f'{text}{_CHECKSUM}{_sha256(text)}"\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Gives the sidecar in `text`; raises [`BrokenShardError`][] where there is none."""
        try:
            content = json.loads(text)
            body, mark, checksum = text.rpartition(_CHECKSUM)
            # Versions of the project that did not tell themselves wrote no checksum.
            if content["build"].get("project") and not (mark and checksum[:64] == _sha256(body)):
                raise BrokenShardError("its sidecar does not have the checksum that it names")
            content["build"] = BuildFingerprint(**content["build"])
            content["rejected"] = tuple(Rejection(**item) for item in content["rejected"])
            content["plan"] = PlanCounts(**content["plan"])
            content["rows"] = tuple(RowDigest(**item) for item in content["rows"])
            content["refused"] = tuple(Refusal(**item) for item in content.get("refused", ()))
            return cls(**{field.name: content[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BrokenShardError("its sidecar cannot be read") from None


def write_shard(
    folder: Folder,
    shard: Shard,
    build: BuildFingerprint,
    rows: Iterable[Row],
    rejected: list[Rejection],
    *,
    plan: PlanCounts,
    targets: Sequence[str] = ("cpu",),
    passes: bool = False,
    refused: Sequence[Refusal] = (),
) -> None:
    """Writes both files of a shard, each put in place only once it is whole.

    `rejected` and `refused` are read after the last row: whoever makes the rows appends to them
    meanwhile.
    """
    path = folder.parquet(shard)
    schema = arrow_schema(targets, passes=passes)
    digests: list[RowDigest] = []
    stream = iter(rows)
    with replacing(path) as temporary:
        with pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            **_encodings(schema),
            write_page_index=True,
            use_content_defined_chunking=True,
        ) as writer:
            while group := list(itertools.islice(stream, ROWS_PER_GROUP)):
                table = pa.Table.from_pylist(group, schema)
                if missing := without_value(table):
                    raise ValueError(f"{path}: rows without {', '.join(missing)}")
                writer.write_table(table)
                digests.extend(map(_digest, group))
        size, checksum = temporary.stat().st_size, sha256_of(temporary)
        num_bytes = _uncompressed(pq.read_metadata(temporary))
        text = Sidecar(
            build=build,
            split=shard.split,
            shard=shard.number,
            file=path.name,
            bytes=size,
            num_bytes=num_bytes,
            sha256=checksum,
            rejected=tuple(rejected),
            refused=tuple(refused),
            rows=tuple(digests),
            plan=plan,
        ).to_json()
        # Else a build that is killed between the two files would leave what looks like damage. One
        # that makes the same shard beside this one has the same sidecar, which stays.
        sidecar = folder.sidecar(shard)
        if sidecar.exists() and sidecar.read_bytes() != text.encode():
            sidecar.unlink()
    replace_text(sidecar, text)


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """Stores lists of line numbers as differences: 4 % of a file less than in a dictionary."""
    leaves = [leaf for field in schema for leaf in _leaves(field)]
    numbers = [leaf for leaf in leaves if leaf.startswith("line_map.")]
    return {
        "use_dictionary": [leaf for leaf in leaves if leaf not in numbers],
        "column_encoding": dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
    }


def _leaves(field: pa.Field, prefix: str = "") -> Iterator[str]:
    path = f"{prefix}{field.name}"
    if pa.types.is_struct(field.type):
        for inner in field.type.fields:
            yield from _leaves(inner, f"{path}.")
    elif pa.types.is_list(field.type):
        yield from _leaves(field.type.value_field.with_name("element"), f"{path}.list.")
    else:
        yield path


def _uncompressed(metadata: pq.FileMetaData) -> int:
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return sum(group.total_byte_size for group in groups)


def _digest(row: Row) -> RowDigest:
    return RowDigest(
        seed=row["seed"],
        structure_hash=row["structure_hash"],
        text_hashes={level: text_hash(row[level]) for level in LEVELS},
        text_lengths={level: len(row[level]) for level in LEVELS},
        largest_argument=largest_argument(row["inputs"]),
    )


def read_sidecar(folder: Folder, shard: Shard) -> Sidecar | None:
    """Gives the sidecar of a shard, or nothing where there is none.

    **Raises:** [`BrokenShardError`][] where it cannot be read.
    """
    path = folder.sidecar(shard)
    if not path.exists():
        return None
    sidecar = Sidecar.from_json(path.read_bytes().decode(errors="replace"))
    if (sidecar.split, sidecar.shard, sidecar.file) != (
        shard.split,
        shard.number,
        folder.parquet(shard).name,
    ):
        raise BrokenShardError(f"its sidecar is that of {sidecar.file}")
    return sidecar


def own_sidecar(folder: Folder, shard: Shard, build: BuildFingerprint) -> Sidecar | None:
    """Gives the sidecar of a shard, which has to be of this build; nothing where there is none.

    **Raises:** [`BrokenShardError`][] where it cannot be read, or is of another build.
    """
    sidecar = read_sidecar(folder, shard)
    if sidecar is not None and sidecar.build != build:
        differences = ", ".join(build.differences(folder.sidecar(shard)))
        raise BrokenShardError(f"its sidecar is of a build that differs in {differences}")
    return sidecar


def check_rows(folder: Folder, shard: Shard, sidecar: Sidecar) -> None:
    """Raises [`BrokenShardError`][] unless the Parquet file is the sidecar's."""
    if problem := file_problem(folder.parquet(shard), sidecar.bytes, sidecar.sha256):
        raise BrokenShardError(f"its Parquet file {problem}")


def file_problem(path: Location, size: int, sha256: str) -> str:
    """Says how a file is not the one of this size and checksum; empty where it is."""
    if not path.is_file():
        return "is missing"
    if (found := path.stat().st_size) != size:
        return f"has {found:,} bytes instead of {size:,}"
    if (checksum := sha256_of(path)) != sha256:
        return f"has SHA-256 {checksum[:16]}… instead of {sha256[:16]}…"
    return ""


def read_rows(folder: Folder, shard: Shard) -> list[Row]:
    """Gives the rows of a shard in order."""
    with parquet_file(folder.parquet(shard)) as file:
        rows: list[Row] = file.read().to_pylist()
    return rows


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of(path: Location) -> str:
    """Gives the SHA-256 of a file in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest()
