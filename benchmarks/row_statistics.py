"""Measures counting, in rows per second and peak memory, on one core.

`python benchmarks/row_statistics.py DIR [TIMES]` counts the build in DIR, and then its files TIMES
times over (10), each in a process of its own: with the manifest, whose numbers of distinct texts
are taken over, and as if there were none. Without DIR it counts `data/sample`.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


def measure(folder: Path, times: int, manifest: bool) -> tuple[int, float, float, float]:
    """Gives rows, seconds, and MiB of memory before and at the most."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from jax_ir_pairs.inspect.parquet_files import find_config
    from jax_ir_pairs.inspect.statistics import statistics

    found = find_config(folder)
    files = replace(found, shards={split: of * times for split, of in found.shards.items()})
    before = _peak()
    with tempfile.TemporaryDirectory() as empty:
        if not manifest:
            files = replace(files, folder=Path(empty))
        started = time.perf_counter()
        rows = statistics(files).rows
        seconds = time.perf_counter() - started
    return rows, seconds, before, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Counts the build that is named, once and several times over."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    print("manifest    rows   seconds  rows/s  100,000 rows  peak MiB  of it before")
    for manifest in (True, False):
        for number in (1, times):
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawn) as process:
                rows, seconds, before, peak = process.submit(
                    measure, folder, number, manifest
                ).result()
            print(
                f"{'yes' if manifest else 'no':8} {rows:7,} {seconds:9.1f} {rows / seconds:7,.0f} "
                f"{100_000 * seconds / rows:11.0f} s {peak:9.0f} {before:13.0f}"
            )


if __name__ == "__main__":
    main()
