"""All checks of a dataset, in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from jax_ir_pairs.build.fingerprint import build_fingerprint
from jax_ir_pairs.build.layout import Folder, Shard, all_shards
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.extraction.answering import AnsweringProcess
from jax_ir_pairs.extraction.environment import memory_bytes
from jax_ir_pairs.quality import CheckingProcess
from jax_ir_pairs.verification.files import check_files, listed_shards
from jax_ir_pairs.verification.finding import Finding
from jax_ir_pairs.verification.remaking import check_row
from jax_ir_pairs.verification.rows import RowChecks
from jax_ir_pairs.verification.texts import WORKER, check_texts

Step = Callable[[str, int, int], None]
"""Is told of the progress: what is done, how much of it, and of how much."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the checks of one config."""

    config: str
    rows: int
    """Rows whose columns were checked, which is all of them."""
    remade: int
    """Rows that were made again, and compared."""
    run: int
    """Rows of other code or versions, whose HLO was run against their StableHLO instead."""
    made_by: str
    """What differs from the code and the versions at hand; empty where nothing does."""
    findings: tuple[Finding, ...]


def verify(
    folder: Path, rows: int | None = 0, on_step: Step = lambda what, done, of: None
) -> Verification:
    """Checks the build of one config, or the download of one, that is in `folder`.

    All files and all rows are held against the manifest and the schema. Of `rows`, evenly spread,
    or of all with None, the texts are parsed, and each row is made again and compared; where it is
    of other code or versions, it is run instead.

    **Raises:** [`UsageError`][] where there is no such config, and [`BuildError`][] where it has no
    manifest to be held against.
    """
    own = Folder(folder)
    manifest, config = _manifest(own)
    findings = list(check_files(own.path, manifest))
    broken = {finding.where for finding in findings}
    shards = [s for s in all_shards(config) if own.parquet(s).name not in broken]
    checks = RowChecks(config)
    for done, shard in enumerate(shards):
        on_step("files", done, len(shards))
        findings += checks.check(own.parquet(shard), shard.split, shard.number)
    counts = {shard: pq.read_metadata(own.parquet(shard)).num_rows for shard in shards}
    findings += _counts(manifest, counts)
    differences = _differences(own, config)
    chosen = _chosen(counts, rows)
    with ExitStack() as stack:
        memory = memory_bytes(config.limits.memory_gib, ("cpu",))
        reader = stack.enter_context(AnsweringProcess(WORKER, memory))
        process = stack.enter_context(
            CheckingProcess(config.limits, config.targets, passes=config.passes)
        )
        for done, (where, row) in enumerate(_rows(own, chosen)):
            on_step("rows", done, len(chosen))
            seconds, run = config.limits.seconds, bool(differences)
            findings += check_texts(where, row, reader, seconds, run=run)
            if not differences:
                findings += check_row(where, row, config, process)
    return Verification(
        config=config.name,
        rows=sum(counts.values()),
        remade=0 if differences else len(chosen),
        run=len(chosen) if differences else 0,
        made_by=", ".join(differences),
        findings=tuple(findings),
    )


def _manifest(folder: Folder) -> tuple[Mapping[str, Any], Config]:
    if not folder.path.is_dir():
        raise UsageError(f"There is no folder {str(folder.path)!r}.")
    try:
        manifest = json.loads(folder.manifest.read_bytes())
        config = Config.model_validate_json(json.dumps(manifest["config"]))
        if not all({"file", "bytes", "sha256"} <= set(s) for s in listed_shards(manifest)):
            raise KeyError
    except FileNotFoundError:
        raise BuildError(
            f"{folder.manifest}: is missing, so there is nothing to verify against; build "
            f"{folder.path.name} again, or download its manifest too."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        raise BuildError(f"{folder.manifest}: is no manifest of this version.") from None
    return manifest, config


def _counts(manifest: Mapping[str, Any], counts: Mapping[Shard, int]) -> Iterator[Finding]:
    listed = {shard["file"]: shard["rows"] for shard in listed_shards(manifest)}
    for shard, found in counts.items():
        name = f"{shard.name}.parquet"
        if name in listed and listed[name] != found:
            yield Finding("file", name, f"has {found:,} rows, not {listed[name]:,}")


def _differences(folder: Folder, config: Config) -> list[str]:
    return build_fingerprint(config).differences(folder.manifest)


def _chosen(counts: Mapping[Shard, int], rows: int | None) -> list[tuple[Shard, int]]:
    """Gives rows that are spread evenly over all, the same ones each time."""
    every = [(shard, number) for shard, count in counts.items() for number in range(count)]
    wanted = len(every) if rows is None else min(rows, len(every))
    return [every[place * len(every) // wanted] for place in range(wanted)]


def _rows(
    folder: Folder, chosen: list[tuple[Shard, int]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    by_shard: dict[Shard, list[int]] = {}
    for shard, number in chosen:
        by_shard.setdefault(shard, []).append(number)
    for shard, numbers in by_shard.items():
        with pq.ParquetFile(folder.parquet(shard)) as file:
            first = 0
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                own = [n - first for n in numbers if first <= n < first + count]
                if own:
                    found = file.read_row_group(group).take(own).to_pylist()
                    for number, row in zip(own, found, strict=True):
                        yield f"{shard.name}.parquet row {first + number}", row
                first += count
