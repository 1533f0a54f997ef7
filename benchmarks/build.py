"""Speed of the whole: rows a second by engine and workers, and what a row costs.

    python benchmarks/build.py [--rows N] [--write]

Each build makes the same N rows of `hlo-10k`, from nothing but their plan. `naive` is the script of
`routes/plain.py`, for those programs. Costs are of N rows of `hlo-1k` and of `hlo-10k`, by
one worker, so that the stages which it reports add up; other things that the machine does slow all
of them. `--write` keeps the figures in `results/build.json`, draws `docs/build.png`, and puts
tables into `README.md` and `docs/scaling.md`; `--draw` does so with the figures that are there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from building import measuring, report, scaling
from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.build.engines import Engine, local
from jax_ir_pairs.extraction import versions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "build.json"
_MOST_WORKERS = 2


def _engines() -> Iterator[tuple[str, Engine]]:
    yield "local", local.run
    if importlib.util.find_spec("ray") is not None:
        from jax_ir_pairs.build.engines import ray

        yield "ray", ray.run


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jax, _ = versions()
    return (
        f"{cores} cores ({platform.machine()}), Python {platform.python_version()}, JAX {jax}, "
        f"beside a load of {os.getloadavg()[0]:.1f}"
    )


def measure(rows: int, folder: Path) -> dict[str, Any]:
    """Gives all figures; `folder` is for what is built."""
    machine = _machine()
    config = measuring.short_config(rows)
    builds = []
    for engine, run in _engines():
        for workers in range(1, _MOST_WORKERS + 1):
            out = folder / f"{engine}-{workers}"
            speed = measuring.rows_per_second(config, out, run, workers)
            builds.append({"engine": engine, "workers": workers, "rows_per_second": speed})
            print(f"{engine}, {workers}: {speed:.2f} rows/s", flush=True)
    made = measuring.rows_of(config, out)
    return {
        "machine": machine,
        "rows": rows,
        "builds": builds,
        "naive_rows_per_second": measuring.naive_rows_per_second(made),
        "reading": measuring.reading(config, out),
        "costs": [asdict(measuring.cost(name, rows)) for name in ("hlo-1k", "hlo-10k")],
        "seconds_to_first_row": measuring.seconds_to_first_row("hlo-10k"),
    }


def write(results: dict[str, Any]) -> None:
    """Draws the figures, and puts them into the pages."""
    report.draw(results, ROOT / "docs" / "build.png")
    report.write_region(ROOT / "README.md", report.table(results))
    report.write_region(ROOT / "docs" / "scaling.md", scaling.table(results))


def main() -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--draw", action="store_true")
    asked = parser.parse_args()
    if asked.draw:
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["JAX_IR_PAIRS_CACHE"] = str(Path(folder) / "plans")
            results = measure(asked.rows, Path(folder))
    print(report.table(results), scaling.table(results), sep="\n\n")
    if asked.write:
        replace_text(RESULTS, json.dumps(results, indent=1) + "\n")
    if asked.write or asked.draw:
        write(results)


if __name__ == "__main__":
    main()
