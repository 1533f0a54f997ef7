"""All that is counted of a whole build, in one file that the dataset card is filled from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.inspect import coverage_view, near_duplicates, plots, statistics_view
from jax_ir_pairs.inspect.coverage import coverage
from jax_ir_pairs.inspect.coverage_reasons import installed_registry, reasons
from jax_ir_pairs.inspect.parquet_files import ConfigFiles, find_config
from jax_ir_pairs.inspect.recorded import NEAR_DUPLICATES
from jax_ir_pairs.inspect.statistics import statistics
from jax_ir_pairs.inspect.statistics_json import as_json

ANALYSIS = "analysis.json"
"""In the folder of the config, with the fingerprint of the build that it is of."""

_LEAST = 10
_CAPTIONS = {
    "lengths": "How long the texts of each level are",
    "primitives": "The most frequent primitives, and the share of the rows that have them",
    "family_transform": "Which transformations the programs of each family have",
    "optimization": "Size of the module before and after optimization",
}


def analyze(out: Path, say: Callable[[str], object] = lambda sentence: None) -> None:
    """Counts every sealed build in `out`, and writes its `analysis.json` and its plots.

    What needs an extra that is not installed is left out, and `say` is called with a sentence
    about it, as with one for each build that is counted.

    **Raises:** [`BuildError`][] where there is no sealed build, or a shard cannot be read.
    """
    folders = sorted(path.parent for path in out.glob("*/manifest.json"))
    if not folders:
        raise BuildError(f"{out}: there is no finished build to count; build a config first.")
    for folder in folders:
        say(f"Counting {folder.name}")
        files = find_config(out, folder.name)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        found = {"fingerprint": manifest["fingerprint"], **_counts(out, files, say)}
        replace_text(folder / ANALYSIS, json.dumps(found, indent=1) + "\n")


def _counts(out: Path, files: ConfigFiles, say: Callable[[str], object]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        near = near_duplicates.as_json(near_duplicates.near_duplicates(files))
        replace_text(files.folder / NEAR_DUPLICATES, near)
        found["near_duplicates"] = json.loads(near)
    except UsageError as missing:
        say(str(missing))
    registry = installed_registry()
    covered = coverage(files, registry, reasons(registry.jax_version))
    found["coverage"] = json.loads(coverage_view.as_json(covered, _LEAST))
    counted = statistics(files)
    found["statistics"] = json.loads(as_json(counted))
    found["page"] = statistics_view.markdown(counted)
    try:
        drawn = plots.draw(counted, out / "plots" / files.name)
    except UsageError as missing:
        say(str(missing))
        drawn = []
    found["plots"] = [
        {"caption": _CAPTIONS[path.stem], "path": path.relative_to(out).as_posix()}
        for path in drawn
    ]
    return found
