"""Where the shards of a config are: in a build, in a download of one, or in a bare folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.schema import SPLITS

_SHARD = re.compile(rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet")


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """The shards of one config, in order, by split; a split without shards is left out."""

    name: str
    folder: Path
    shards: Mapping[str, tuple[Path, ...]]

    def of_split(self, split: str) -> tuple[Path, ...]:
        """Gives the shards of `split`.

        **Raises:** [`UsageError`][] where there are none.
        """
        if split not in self.shards:
            known = ", ".join(self.shards)
            raise UsageError(f"{self.folder}: there is no split {split!r}; there is {known}.")
        return self.shards[split]


def find_config(folder: Path, name: str | None = None) -> ConfigFiles:
    """Gives the shards of the config `name`, which may be left out where there is only one.

    `folder` is what was built (`out`), or the folder of one config in it (`out/hlo-100`).

    **Raises:** [`UsageError`][] that says which configs there are.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {str(folder)!r}.")
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = [
        ConfigFiles(place.resolve().name, place, shards)
        for place in places
        if (shards := _shards(place))
    ]
    configs = {files.name: files for files in found}
    if not configs:
        raise UsageError(f"{folder}: there are no shards in it, such as hlo-100/train-*.parquet.")
    known = ", ".join(configs)
    if name is None:
        if len(configs) > 1:
            raise UsageError(f"{folder}: choose one of its configs with --config: {known}.")
        return next(iter(configs.values()))
    if name not in configs:
        raise UsageError(f"{folder}: there is no config {name!r}; there is {known}.")
    return configs[name]


def _shards(folder: Path) -> dict[str, tuple[Path, ...]]:
    by_split: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for path in sorted(folder.glob("*.parquet")):
        if match := _SHARD.fullmatch(path.name):
            by_split[match[1]].append(path)
    return {split: tuple(paths) for split, paths in by_split.items() if paths}
