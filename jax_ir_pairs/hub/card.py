"""The dataset card: `README.md` of a folder of builds, made from their manifests.

Its YAML declares each config with the files of its splits, so that `load_dataset` and the Hub
read the folder without this project; its text is filled into `dataset_card_template/README.md`.
"""

from __future__ import annotations

import json
import shlex
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from huggingface_hub import DatasetCard, DatasetCardData

import jax_ir_pairs
from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.config import Config, load_config, resource_folder
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.location import Location
from jax_ir_pairs.schema import LEVELS, SPLITS, arrow_schema, markdown_table
from jax_ir_pairs.targets import TARGETS

Manifest = dict[str, Any]

CANARY = "jax-ir-pairs:canary:f1d3a2c6-7f0e-4a53-9b57-2c7d1f5e8a94"
"""Stands in every card: whoever gathers text can filter by it, and a model that knows it has read
one."""
_COVERAGE_KINDS = {
    "primitives": "primitives of JAX",
    "stablehlo_ops": "ops of StableHLO",
    "hlo_opcodes": "opcodes of HLO",
    "dtypes": "dtypes",
}
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
_SIZE_BOUNDS = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)


def write_card(out: Location) -> Location:
    """Writes `out/README.md` for the builds in `out` that are sealed, and gives its path.

    **Raises:** [`BuildError`][] where there is none, or where a manifest cannot be read.
    """
    folders = sorted(path.parent for path in out.glob("*/manifest.json"))
    if not folders:
        raise BuildError(f"{out}: there is no finished build to describe; build a config first.")
    manifests = [_read_manifest(folder / "manifest.json") for folder in folders]
    manifests.sort(key=lambda manifest: (manifest["rows"], manifest["config"]["name"]))
    written = [manifest["config"]["recipe"].get("functions") is not None for manifest in manifests]
    tags = ["jax", "jaxpr", "stablehlo", "hlo", "xla", "compiler", "code"]
    card = DatasetCard.from_template(
        DatasetCardData(
            language=["code"],
            license="other" if any(written) else "apache-2.0",
            size_categories=[size_category(sum(manifest["rows"] for manifest in manifests))],
            task_categories=["text-generation"],
            pretty_name="JAX IR pairs",
            tags=tags if all(written) else [*tags, "synthetic"],
            configs=[_data_files(manifest, manifests[0]) for manifest in manifests],
            dataset_info=[_dataset_info(manifest) for manifest in manifests],
        ),
        template_path=str(resource_folder("dataset_card_template") / "README.md"),
        manifests=manifests,
        commands=[_command(Config.model_validate_json(json.dumps(m["config"]))) for m in manifests],
        columns=markdown_table(_all_targets(manifests), passes=any(map(_has_passes, manifests))),
        levels=LEVELS,
        version=jax_ir_pairs.__version__,
        max_elements=_largest_argument(manifests),
        canary=CANARY,
        analyses={m["config"]["name"]: a for m in manifests if (a := _analysis(out, m))},
        coverage_kinds=_COVERAGE_KINDS,
        splits=[split for split in SPLITS if any(split in m["splits"] for m in manifests)],
    )
    path = out / "README.md"
    replace_text(path, str(card))
    return path


def size_category(rows: int) -> str:
    """Gives the Hub's word for a number of rows, such as `10K<n<100K`."""
    return _SIZES[bisect_right(_SIZE_BOUNDS, rows)]


def _read_manifest(path: Location) -> Manifest:
    try:
        manifest: Manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise BuildError(
            f"{path}: is not a manifest ({error}); delete it and build the config again."
        ) from None
    return manifest


def _analysis(out: Location, manifest: Manifest) -> dict[str, Any] | None:
    """Gives what `jax-ir-pairs card --analyze` counted on this very build, if it did."""
    path = out / manifest["config"]["name"] / "analysis.json"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise BuildError(
            f"{path}: cannot be read; delete it, or write it again with card --analyze."
        ) from None
    return found if found.get("fingerprint") == manifest["fingerprint"] else None


def _largest_argument(manifests: Iterable[Manifest]) -> int:
    """Gives the elements of the largest input of all, or 0 where a build did not count them."""
    counts = [manifest.get("largest_argument", 0) for manifest in manifests]
    return max(counts) if all(counts) else 0


def _data_files(manifest: Manifest, default: Manifest) -> dict[str, Any]:
    name = manifest["config"]["name"]
    files = [{"split": split, "path": f"{name}/{split}-*.parquet"} for split in manifest["splits"]]
    mark = {"default": True} if manifest is default else {}
    return {"config_name": name, "data_files": files, **mark}


def _all_targets(manifests: Iterable[Manifest]) -> tuple[str, ...]:
    """Gives every target that one of the builds compiles for, in the table's order."""
    used = {target for manifest in manifests for target in manifest["config"]["targets"]}
    return tuple(name for name in TARGETS if name in used)


def _has_passes(manifest: Manifest) -> bool:
    return bool(manifest["config"].get("passes"))


def _dataset_info(manifest: Manifest) -> dict[str, Any]:
    targets = manifest["config"]["targets"]
    splits = [
        {
            "name": split,
            "num_bytes": of_split["num_bytes"],
            "num_examples": of_split["rows"],
        }
        for split, of_split in manifest["splits"].items()
    ]
    return {
        "config_name": manifest["config"]["name"],
        "features": [
            _feature(field) for field in arrow_schema(targets, passes=_has_passes(manifest))
        ],
        "splits": splits,
        "download_size": manifest["bytes"],
        "dataset_size": sum(split["num_bytes"] for split in splits),
    }


def _feature(field: pa.Field) -> dict[str, Any]:
    """Describes a column, or a field of one, as every version of `datasets` reads it."""
    if pa.types.is_struct(field.type):
        return {"name": field.name, "struct": [_feature(inner) for inner in field.type.fields]}
    if not pa.types.is_list(field.type):
        return {"name": field.name, "dtype": _dtype(field.type)}
    items = field.type.value_type
    if pa.types.is_struct(items):
        return {"name": field.name, "list": [_feature(inner) for inner in items.fields]}
    return {"name": field.name, "sequence": _dtype(items)}


def _dtype(arrow: pa.DataType) -> str:
    return "float64" if arrow == pa.float64() else str(arrow)


def _command(config: Config) -> str:
    """Gives the command that makes a config again, and the config where the project lacks it."""
    try:
        shipped = load_config(config.name)
    except UsageError:
        shipped = None
    command = f"jax-ir-pairs build {config.name} --out out"
    if shipped is not None and config.fingerprint() == shipped.fingerprint():
        return command
    if shipped is not None and config.fingerprint() == _with_seed(shipped, config.seed):
        return f"{command} --seed {config.seed}"
    content = json.dumps(config.model_dump(mode="json"))
    return (
        # No echo: that of some shells makes line ends of the \n in the source of functions.
        f"printf %s {shlex.quote(content)} > {config.name}.yaml\n"
        f"jax-ir-pairs build {config.name}.yaml --out out"
    )


def _with_seed(config: Config, seed: int) -> str:
    return config.model_copy(update={"seed": seed}).fingerprint()
