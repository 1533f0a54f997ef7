"""Where the files of a build are, and how its shards are numbered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from jax_ir_pairs.atomic import TEMPORARY
from jax_ir_pairs.config import Config
from jax_ir_pairs.location import Location
from jax_ir_pairs.schema import SPLITS

_ROWS = re.compile(rf"({'|'.join(SPLITS)})-(\d{{5,}})-of-(\d{{5,}})\.parquet")


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of one split."""

    split: str
    number: int
    of: int

    @property
    def name(self) -> str:
        """Stem of the shard's files, `train-00003-of-00100`."""
        of = f"{self.of:05d}"  # both of one length, so that names sort as numbers do
        return f"{self.split}-{self.number:0{len(of)}d}-of-{of}"

    @classmethod
    def of_file(cls, name: str) -> Shard | None:
        """Gives the shard whose rows a file of this name has; nothing where it is none."""
        match = _ROWS.fullmatch(name)
        return cls(match[1], int(match[2]), int(match[3])) if match else None


class Shards(Sequence[Shard]):
    """The shards of all splits of a config in the order of their global numbers.

    They are made as they are asked for: there may be a million.
    """

    def __init__(self, config: Config) -> None:
        self._of = {split: config.num_shards(split) for split in config.splits.names}

    def __len__(self) -> int:
        return sum(self._of.values())

    @overload
    def __getitem__(self, index: int) -> Shard: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Shard, ...]: ...
    def __getitem__(self, index: int | slice) -> Shard | tuple[Shard, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(len(self))[index])
        number = range(len(self))[index]
        for split, of in self._of.items():
            if number < of:
                return Shard(split, number, of)
            number -= of
        raise AssertionError("a number below the sum is below one of the parts")


def all_shards(config: Config) -> Shards:
    """Gives the shards of all splits in the order of their global numbers."""
    return Shards(config)


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one config's build, and the files in it."""

    path: Location

    @property
    def manifest(self) -> Location:
        """The manifest, which is there exactly when the build is sealed."""
        return self.path / "manifest.json"

    @property
    def order(self) -> Location:
        """What is being built here, and by what: written first, and read by `seal`."""
        return self.path / "build.json"

    @property
    def sidecars(self) -> Location:
        """The folder of the sidecars."""
        return self.path / "shards"

    def parquet(self, shard: Shard) -> Location:
        """Gives the path of a shard's rows."""
        return self.path / f"{shard.name}.parquet"

    def sidecar(self, shard: Shard) -> Location:
        """Gives the path of a shard's sidecar."""
        return self.sidecars / f"{shard.name}.json"

    def written(self) -> list[Location]:
        """Gives all files of a build that are there, whichever config or code made them."""
        found = [*self.path.glob("*.parquet"), *self.sidecars.glob("*.json")]
        return sorted(found) + [path for path in (self.order, self.manifest) if path.exists()]

    def leftovers(self) -> list[Location]:
        """Gives the temporary files that killed builds left behind."""
        return [*self.path.glob(TEMPORARY), *self.sidecars.glob(TEMPORARY)]
