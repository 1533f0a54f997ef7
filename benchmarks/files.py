"""Measures how the Parquet files are best written: zstd level, rows of a group, shared chunks.

    python benchmarks/files.py out/hlo-10k/train-0000[0-3]*.parquet

Size and times are of all files together, times the median of three rounds, and ratios to level 3.
Shared chunks: each file is written again with three of its rows replaced by those of another file,
and both are cut where their content says, as content-addressed storage cuts them.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LEVELS = (1, 3, 6, 9, 12, 15, 19)
GROUPS = (25, 50, 100)
ROUNDS = 3
_MASK = (1 << 16) - 1
"""Chunks have 64 KiB on average, as those of the Hub's storage."""
_WINDOW = 48


def write(table: pa.Table, level: int, rows: int = 100, **more: Any) -> bytes:
    """Gives the file of a table as a build writes it, at this level."""
    sink = BytesIO()
    settings = {"use_content_defined_chunking": True, "write_page_index": True} | more
    with pq.ParquetWriter(
        sink, table.schema, compression="zstd", compression_level=level, **settings
    ) as writer:
        writer.write_table(table, row_group_size=rows)
    return sink.getvalue()


def chunks(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Gives digest and length of the pieces that a rolling hash cuts the content into."""
    table = np.random.default_rng(0).integers(0, 1 << 63, 256, dtype=np.uint64)
    values = table[np.frombuffer(content, np.uint8)]
    rolling = np.zeros(len(values), np.uint64)
    for place in range(_WINDOW):
        shifted = np.left_shift(values[: len(values) - place], np.uint64(place))
        rolling[place:] += shifted
    cuts = [*np.flatnonzero((rolling >> np.uint64(20)) & np.uint64(_MASK) == 0), len(content)]
    start = 0
    for cut in cuts:
        if cut - start >= 8192 or cut == len(content):
            piece = content[start:cut]
            yield hashlib.blake2b(piece, digest_size=16).digest(), len(piece)
            start = cut


def shared(old: bytes, new: bytes) -> float:
    """Gives the share of the new file's bytes that are in chunks of the old one."""
    known = {digest for digest, _ in chunks(old)}
    found = list(chunks(new))
    return sum(size for digest, size in found if digest in known) / sum(s for _, s in found)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    tables = [pq.read_table(path) for path in parser.parse_args().files]
    texts = sum(table.nbytes for table in tables)
    times: dict[int, list[float]] = {level: [] for level in LEVELS}
    reads: dict[int, list[float]] = {level: [] for level in LEVELS}
    sizes: dict[int, int] = {}
    for _ in range(ROUNDS):
        for level in LEVELS:
            started = time.perf_counter()
            written = [write(table, level) for table in tables]
            middle = time.perf_counter()
            for content in written:
                pq.read_table(BytesIO(content), use_threads=False)
            times[level].append(middle - started)
            reads[level].append(time.perf_counter() - middle)
            sizes[level] = sum(map(len, written))
    rows = sum(table.num_rows for table in tables)
    print(f"{rows:,} rows, {texts:,} bytes in memory\n")
    print("| zstd level | bytes | to level 3 | write, ms a row | read, ms a row |")
    print("|---:|---:|---:|---:|---:|")
    for level in LEVELS:
        print(
            f"| {level} | {sizes[level]:,} | {sizes[level] / sizes[3]:.3f} "
            f"| {1000 * median(times[level]) / rows:.3f} "
            f"| {1000 * median(reads[level]) / rows:.3f} |"
        )
    print("\n| rows of a group | bytes | to 100 | largest group in memory |\n|---:|---:|---:|---:|")
    whole = sum(len(write(table, 3)) for table in tables)
    for group in GROUPS:
        written = [write(table, 3, group) for table in tables]
        metas = [pq.read_metadata(BytesIO(content)) for content in written]
        largest = max(
            meta.row_group(i).total_byte_size for meta in metas for i in range(meta.num_row_groups)
        )
        size = sum(map(len, written))
        print(f"| {group} | {size:,} | {size / whole:.3f} | {largest:,} |")
    print("\n| three rows of a hundred replaced | share of the bytes that is known |\n|---|---:|")
    for chunking in (True, False):
        shares = []
        for table, other in zip(tables, tables[1:] + tables[:1], strict=True):
            changed = pa.concat_tables(
                [table.slice(0, 20), other.slice(0, 3), table.slice(23)]
            ).combine_chunks()
            more = {"use_content_defined_chunking": chunking}
            shares.append(shared(write(table, 3, **more), write(changed, 3, **more)))
        kind = "content-defined" if chunking else "fixed"
        print(f"| {kind} pages | {sum(shares) / len(shares):.2f} |")


if __name__ == "__main__":
    main()
