"""Folders as builds leave them, written in no time: the rows have the columns and mean nothing."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.build.shard import sha256_of
from jax_ir_pairs.config import load_config
from jax_ir_pairs.hub.card import write_card
from jax_ir_pairs.schema import LEVELS, arrow_schema
from tests.rows import filler_row

ROWS = {"train": 5, "validation": 2, "test": 1}
SHARDS = 5
FINGERPRINT = "0123456789abcdef"


def write_build(
    out: Path,
    name: str = "hlo-1k",
    *,
    fingerprint: str = FINGERPRINT,
    rows: dict[str, int] = ROWS,
    rows_per_shard: int = 2,
    text: int = 200,
) -> Path:
    """Writes a sealed build and the card, and gives the build's folder.

    `optimized_hlo` has `text` characters that do not compress. No two shards of any two builds
    have the same bytes unless all arguments are equal.
    """
    config = load_config(name, splits=rows, rows_per_shard=rows_per_shard)
    folder = out / name
    (folder / "shards").mkdir(parents=True)
    row = filler_row()
    splits: dict[str, Any] = {}
    for split in config.splits.names:
        shards: list[dict[str, Any]] = []
        for shard in range(of := config.num_shards(split)):
            path = folder / f"{split}-{shard:05d}-of-{of:05d}.parquet"
            chance = random.Random(f"{fingerprint} {name}/{path.name}")
            noise = [
                chance.randbytes(text // 2).hex() for _ in range(config.shard_rows(split, shard))
            ]
            written = [
                row | {"split": split, "config": name, "index": place, "optimized_hlo": text}
                for place, text in enumerate(noise)
            ]
            table = pa.Table.from_pylist(written, arrow_schema())
            pq.write_table(table, path, compression="zstd", write_page_index=True)
            (folder / "shards" / f"{path.stem}.json").write_text("{}")
            size = path.stat().st_size
            shards.append(
                {"file": path.name, "rows": len(noise), "bytes": size, "sha256": sha256_of(path)}
            )
        splits[split] = {
            "rows": config.splits.rows(split),
            "bytes": sum(shard["bytes"] for shard in shards),
            "num_bytes": 10 * sum(shard["bytes"] for shard in shards),
            "shards": shards,
        }
    total = sum(split["rows"] for split in splits.values())
    versions = {"jax": "1.2.3", "jaxlib": "4.5.6", "pyarrow": "7.8.9"}
    manifest = {
        "config": config.model_dump(mode="json"),
        "fingerprint": fingerprint,
        "build": versions | {"code": "c0de", "compiler_flags": "{}"},
        "rows": total,
        "bytes": sum(split["bytes"] for split in splits.values()),
        "splits": splits,
        "rejections": {},
        "levels": {level: {"unique": total, "total": total} for level in LEVELS},
        "structures": dict.fromkeys(splits, 1) | {"in_more_than_one_split": 0},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write_card(out)
    return folder
