"""All checks of a dataset, in one reading of its files."""

from __future__ import annotations

import functools
import hashlib
import heapq
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from jax_ir_pairs.build import Shard
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.extraction import versions
from jax_ir_pairs.inspect.parquet_files import open_shard
from jax_ir_pairs.location import Location, parquet_file
from jax_ir_pairs.plan import plan_of
from jax_ir_pairs.schema import LATER
from jax_ir_pairs.verification import columns, provenance
from jax_ir_pairs.verification.dataset import BuiltConfig, configs_in
from jax_ir_pairs.verification.duplicates import Duplicates
from jax_ir_pairs.verification.files import wrong_file, wrong_sidecar
from jax_ir_pairs.verification.findings import Finding, Report, shortened
from jax_ir_pairs.verification.ids import wrong_id
from jax_ir_pairs.verification.manifest import (
    is_of_this_code,
    planned,
    wrong_fingerprint,
    wrong_list,
)
from jax_ir_pairs.verification.process import Verifier, VerifyingProcess
from jax_ir_pairs.verification.remaking import other_than_made
from jax_ir_pairs.verification.running import disagreement, why_not_remade
from jax_ir_pairs.verification.splits import Splits
from jax_ir_pairs.verification.texts import columns_of, unparsed
from jax_ir_pairs.waiting import results

Row = Mapping[str, Any]
OpenVerifier = Callable[[Config | None], Verifier]
"""Starts what looks into the rows of a config, for the CPU only where there is none."""


def verify(
    folder: Location,
    *,
    config: str | None = None,
    rows: int | None = 0,
    workers: int = 1,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
    open_verifier: OpenVerifier = VerifyingProcess,
) -> Report:
    """Checks the dataset in `folder`, or one config of it, and gives what is wrong.

    Files, columns and every row are held against the manifest and each other, and every text is
    parsed. So many `rows`, all for None, are made again too, or where other versions made them, are
    run; which ones depends on nothing but their number. `on_progress` is called with rows seen and
    rows in all.

    **Raises:** [`UsageError`][] where there is no dataset.
    """
    report = Report()
    checks = [_Check(built, report) for built in configs_in(folder, config)]
    total = sum(check.open() for check in checks)
    chosen = _chosen(total, rows)
    splits = Splits()
    first = 0
    for check in checks:
        with _Workers(workers, check.config_made_again, open_verifier) as pool:
            for numbered in check.batches(splits):
                look = [(place, row, first + at in chosen) for at, (place, row) in numbered]
                for _ in pool.map(check.look_into, look):
                    report.rows += 1
                    on_progress(report.rows, total)
        first += check.num_rows
    return report


def _chosen(total: int, rows: int | None) -> frozenset[int] | range:
    if rows is None or rows >= total:
        return range(total)

    def order(number: int) -> bytes:
        return hashlib.sha256(f"verify {number}".encode()).digest()

    return frozenset(heapq.nsmallest(rows, range(total), key=order))


@dataclass
class _Check:
    """The check of one config."""

    built: BuiltConfig
    report: Report
    readable: list[str] = field(default_factory=list)
    num_rows: int = 0
    not_remade: str = ""
    """Why its rows cannot be made again here, or nothing."""
    is_planned: bool = False
    """Whether the plan that the rows are of is made here."""
    jaxlib: str = field(default_factory=lambda: versions()[1])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> int:
        """Checks what can be without reading rows, and gives the number of rows to read."""
        built, report = self.built, self.report
        report.configs.append(built.name)
        report.add(built.problems)
        report.add(wrong_fingerprint(built))
        report.add(wrong_list(built))
        self.not_remade = why_not_remade(built)
        self.is_planned, problems = planned(built)
        report.add(problems)
        may_lack = frozenset() if is_of_this_code(built) else LATER
        for file in built.files():
            report.files += 1
            report.add(filter(None, [wrong_sidecar(built, file)]))
            if problem := wrong_file(built, file):
                report.add([problem])  # its bytes are not to be trusted, so nobody reads them
                continue
            place = built.place(file)
            try:
                with open_shard(built.folder / file) as shard:
                    schema, rows = shard.schema_arrow, shard.metadata.num_rows
            except BuildError as error:
                report.add([Finding("file", place, "cannot be read", found=shortened(str(error)))])
                continue
            listed = built.listed.get(file)
            if listed and listed.rows != rows:
                found = f"{rows:,} rows"
                report.add([Finding("file", place, "rows", f"{listed.rows:,} rows", found)])
            if wrong := columns.wrong_columns(place, built.config, schema, may_lack):
                report.add(wrong)
                continue
            self.readable.append(file)
            self.num_rows += rows
        return self.num_rows

    @property
    def config_made_again(self) -> Config | None:
        """The config, where its rows can be made again here."""
        return None if self.not_remade else self.built.config

    def batches(self, splits: Splits) -> Iterator[list[tuple[int, tuple[_Place, Row]]]]:
        """Checks rows against each other, and gives them by row group, numbered."""
        duplicates = Duplicates()
        # Of where the row says that it is: where that is wrong, it is a finding of its own.
        candidates = functools.lru_cache(2)(self._candidates)
        number = 0
        for file in self.readable:
            expected = provenance.expected_columns(self.built, file)
            shard = Shard.of_file(file)
            before, in_file = -1, 0
            for group in self._groups(file):
                batch: list[tuple[int, tuple[_Place, Row]]] = []
                for row in group:
                    place = _Place(self.built.place(file), file, in_file, row["id"])
                    found = [
                        wrong_id(str(place), row),
                        *provenance.wrong_columns(str(place), row, expected),
                        provenance.wrong_place(
                            str(place), row, before, candidates(row["split"], row["shard"])
                        ),
                        duplicates.add(str(place), file, in_file, row),
                        shard and splits.add(str(place), shard.split, row["structure_hash"]),
                    ]
                    self.report.add(finding for finding in found if finding)
                    batch.append((number, (place, row)))
                    before = row["index"]
                    in_file, number = in_file + 1, number + 1
                yield batch

    def _candidates(self, split: str, shard: int) -> Sequence[int] | None:
        config = self.built.config
        if config is None or not self.is_planned or split not in config.splits.names:
            return None
        if shard not in range(config.num_shards(split)):
            return ()
        return plan_of(config, split, shard).candidates(split, shard)

    def _groups(self, file: str) -> Iterator[list[Row]]:
        try:
            with parquet_file(self.built.folder / file) as shard:
                for group in range(shard.num_row_groups):
                    table = shard.read_row_group(group)
                    if found := columns.nulls(self.built.place(file), table):
                        self.report.add(found)  # what reads its rows could not go on
                        return
                    yield table.to_pylist()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            place = self.built.place(file)
            problem = shortened(f"{type(error).__name__}: {error}")
            self.report.add([Finding("file", place, "cannot be read", found=problem)])

    def look_into(self, item: tuple[_Place, Row, bool], verifier: Verifier) -> None:
        """Parses the texts of a row and, where it is chosen, makes it again or runs it."""
        place, row, is_chosen = item
        is_ours = row["jaxlib_version"] == self.jaxlib
        texts = columns_of(row)
        findings, not_read = unparsed(str(place), row, texts, verifier, is_of_this_jaxlib=is_ours)
        not_run = ""
        made_again = is_chosen and not self.not_remade
        if made_again:
            assert self.built.config is not None
            shard = Shard.of_file(place.file)
            assert shard is not None
            findings += other_than_made(
                str(place), row, self.built.config, shard.split, shard.number, verifier
            )
        elif is_chosen and {"stablehlo", "hlo"} & {*not_read, *(f.what for f in findings)}:
            not_run = "this jaxlib does not read them"
        elif is_chosen:
            finding, not_run = disagreement(str(place), row, verifier, is_of_this_jaxlib=is_ours)
            findings += [finding] if finding else []
        with self.lock:
            self.report.add(findings)
            self.report.texts += len(texts)
            self.report.not_read.update(not_read)
            if made_again:
                self.report.remade += 1
                self.report.run += row["checked_by"] is not None
            elif is_chosen:
                self.report.not_remade[self.not_remade] += 1
                if not_run:
                    self.report.not_run[not_run] += 1
                else:
                    self.report.run += 1


@dataclass(frozen=True, slots=True)
class _Place:
    """A row by its file and its number in it."""

    path: str
    file: str
    number: int
    id: str

    def __str__(self) -> str:
        return f"{self.path}, row {self.number} ({self.id})"


class _Workers:
    """Threads with a verifier each, which end with the block; an error kills all verifiers."""

    def __init__(self, number: int, config: Config | None, open_verifier: OpenVerifier) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="verify")
        self._verifiers = [open_verifier(config) for _ in range(number)]
        self._idle = list(self._verifiers)

    def __enter__(self) -> _Workers:
        return self

    def map(self, look: Callable[[Any, Verifier], None], items: list[Any]) -> Iterator[None]:
        """Calls `look` for each item, and gives something as each is done."""

        def one(item: Any) -> None:
            verifier = self._idle.pop()
            try:
                look(item, verifier)
            finally:
                self._idle.append(verifier)

        yield from results([self._pool.submit(one, item) for item in items])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for verifier in self._verifiers:
                verifier.kill()
        self._pool.shutdown(cancel_futures=True)
        for verifier in self._verifiers:
            verifier.close()
