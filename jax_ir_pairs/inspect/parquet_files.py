"""The shards of a config, in a build, a download of one or a bare folder, and how they are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.build.layout import Shard
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.location import Location, parquet_file, with_folders_in
from jax_ir_pairs.schema import SPLITS


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """The shards of one config, in order, by split; a split without shards is left out."""

    name: str
    folder: Location
    shards: Mapping[str, tuple[Location, ...]]

    def of_split(self, split: str) -> tuple[Location, ...]:
        """Gives the shards of `split`.

        **Raises:** [`UsageError`][] where there are none.
        """
        if split not in self.shards:
            known = ", ".join(self.shards)
            raise UsageError(f"{self.folder}: there is no split {split!r}; there is {known}.")
        return self.shards[split]

    def columns(self) -> tuple[str, ...]:
        """Gives the names of the columns that the first shard has.

        **Raises:** [`BuildError`][] where it cannot be read.
        """
        with open_shard(next(iter(self.shards.values()))[0]) as shard:
            return tuple(shard.schema_arrow.names)

    def num_rows(self) -> int:
        """Gives the number of rows of all splits, from the ends of the shards alone.

        **Raises:** [`BuildError`][] where one cannot be read.
        """
        rows = 0
        for path in (path for paths in self.shards.values() for path in paths):
            with open_shard(path) as shard:
                rows += shard.metadata.num_rows
        return rows

    def tables(
        self, columns: Sequence[str], splits: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Gives the rows, of all splits unless some are named, a row group at a time.

        Only `columns` are read; `passes.list.element.pass` reads one field of a nested column.

        **Raises:** [`UsageError`][] where there is no such split; [`BuildError`][] where a shard
        cannot be read or lacks a column.
        """
        for path in (path for split in splits or self.shards for path in self.of_split(split)):
            with open_shard(path) as shard:
                wanted = [name.partition(".")[0] for name in columns]
                if missing := [name for name in wanted if name not in shard.schema_arrow.names]:
                    raise BuildError(
                        f"{path}: has no column {missing[0]!r}; build the config again with this "
                        "version."
                    )
                for group in range(shard.num_row_groups):
                    yield shard.read_row_group(group, columns=list(columns))


def find_config(folder: Location, name: str | None = None) -> ConfigFiles:
    """Gives the shards of the config `name`, which may be left out where there is only one.

    `folder` is what was built (`out`), or the folder of one config in it (`out/hlo-100`).

    **Raises:** [`UsageError`][] that says which configs there are.
    """
    found = [
        ConfigFiles(place.resolve().name, place, shards)
        for place in with_folders_in(folder)
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


@contextlib.contextmanager
def open_shard(path: Location) -> Iterator[pq.ParquetFile]:
    """Opens a shard; what is wrong with its bytes raises [`BuildError`][]."""
    try:
        with parquet_file(path) as shard:
            yield shard
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        problem = " ".join(str(error).split())
        raise BuildError(
            f"{path}: cannot be read ({problem}); build the config again, which replaces it."
        ) from None


def _shards(folder: Location) -> dict[str, tuple[Location, ...]]:
    by_split: dict[str, list[Location]] = {split: [] for split in SPLITS}
    found = {path.name: path for path in folder.glob("*.parquet")}
    for _, path in sorted(found.items()):
        if shard := Shard.of_file(path.name):
            by_split[shard.split].append(path)
    return {split: tuple(paths) for split, paths in by_split.items() if paths}
