"""Speed of the whole: builds beside the script that a person writes first, and what a row costs.

    python benchmarks/build.py [--rows N] [--rounds N] [--ray] [--write]

In each round all ways take turns, and each round begins elsewhere, so that whatever else the
machine does hits all of them. A build makes N rows by the recipe of `hlo-10k`, from nothing but
their plan, with each of the `checks` and with one worker and two; the start of its workers and its
seal count. `naive` and `floor` are the scripts of `routes/plain.py`, each in one process whose
start does not count, with the programs of those rows. CPU time is that of all processes, but for
Ray's, which are not ours. Costs are of the first N rows of `hlo-1k` and of `hlo-10k`, by one
worker, so that the stages which it reports add up.

`--write` keeps the figures in `results/build.json`, draws `docs/build.png`, and puts tables into
`README.md`, `docs/architecture.md` and `docs/scaling.md`; `--draw` does so with the figures that
are there. 300 rows in three rounds take half an hour.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from building import costs, figures, reading, speed
from building.drawing import draw
from building.figures import Results
from building.pages import write_region
from building.report import speed_tables
from building.scaling import size_table
from building.stages import stage_tables
from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.extraction import versions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "build.json"
PAGES: Mapping[str, Callable[[Results], str]] = {
    "README.md": speed_tables,
    "docs/architecture.md": stage_tables,
    "docs/scaling.md": size_table,
}
"""What stands in each page between its marks."""
_FEWEST_ROWS = 8


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jax, _ = versions()
    return (
        f"{cores} cores ({platform.machine()}), Python {platform.python_version()}, JAX {jax}, "
        f"beside a load of {os.getloadavg()[0]:.1f}"
    )


def measure(rows: int, rounds: int, folder: Path, *, with_ray: bool = False) -> Results:
    """Gives all figures; `folder` is for what is built."""
    machine, started = _machine(), time.monotonic()

    def tell(what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        print(f"{minutes:3}:{seconds:02} {what}", flush=True)

    built = speed.rows_to_measure(rows, folder)
    tell(f"{len(built)} rows are built")
    speeds = speed.by_turns(speed.ways(with_ray=with_ray), built, rounds, tell)
    both = costs.costs(rows, rounds, tell)
    read = reading.reading("hlo-10k", folder)
    tell("what was built is read")
    first = reading.seconds_to_first_row("hlo-10k")
    tell("the first row is there")
    return Results(machine, rows, speeds, both, read, first)


def write(results: Results) -> None:
    """Draws the figures, and puts them into the pages."""
    draw(results, ROOT / "docs" / "build.png")
    for page, content in PAGES.items():
        write_region(ROOT / page, content(results))


def read_results() -> Results:
    """Gives the figures that were kept."""
    return figures.from_json(json.loads(RESULTS.read_text(encoding="utf-8")))


def main() -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", action="store_true", help="builds by Ray too")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--draw", action="store_true")
    asked = parser.parse_args()
    if asked.rows < _FEWEST_ROWS or asked.rounds < 1:
        parser.error(f"there are at least {_FEWEST_ROWS} rows and one round")
    if asked.ray and importlib.util.find_spec("ray") is None:
        parser.error("Ray is not installed: pip install 'jax-ir-pairs[ray]'")
    if asked.draw:
        results = read_results()
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["JAX_IR_PAIRS_CACHE"] = str(Path(folder) / "plans")
            results = measure(asked.rows, asked.rounds, Path(folder), with_ray=asked.ray)
    if asked.write:
        replace_text(RESULTS, json.dumps(asdict(results), indent=1) + "\n")
    if asked.write or asked.draw:
        write(results)
    print("", *(content(results) for content in PAGES.values()), sep="\n\n")


if __name__ == "__main__":
    main()
