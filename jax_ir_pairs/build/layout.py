"""Where the files of a build are, and how its shards are numbered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jax_ir_pairs.atomic import TEMPORARY
from jax_ir_pairs.config import Config
from jax_ir_pairs.schema import SPLITS

_ROWS = re.compile(rf"({'|'.join(SPLITS)})-(\d{{5}})-of-(\d{{5}})\.parquet")


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of one split."""

    split: str
    number: int
    of: int

    @property
    def name(self) -> str:
        """Stem of the shard's files, `train-00003-of-00100`."""
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}"

    @classmethod
    def of_file(cls, name: str) -> Shard | None:
        """Gives the shard whose rows a file of this name has; nothing where it is none."""
        match = _ROWS.fullmatch(name)
        return cls(match[1], int(match[2]), int(match[3])) if match else None


def all_shards(config: Config) -> tuple[Shard, ...]:
    """Gives the shards of all splits in the order of their global numbers."""
    return tuple(
        Shard(split, number, config.num_shards(split))
        for split in config.splits.names
        for number in range(config.num_shards(split))
    )


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one config's build, and the files in it."""

    path: Path

    @property
    def manifest(self) -> Path:
        """The manifest, which is there exactly when the build is sealed."""
        return self.path / "manifest.json"

    @property
    def order(self) -> Path:
        """What is being built here, and by what: written first, and read by `seal`."""
        return self.path / "build.json"

    @property
    def sidecars(self) -> Path:
        """The folder of the sidecars."""
        return self.path / "shards"

    def parquet(self, shard: Shard) -> Path:
        """Gives the path of a shard's rows."""
        return self.path / f"{shard.name}.parquet"

    def sidecar(self, shard: Shard) -> Path:
        """Gives the path of a shard's sidecar."""
        return self.sidecars / f"{shard.name}.json"

    def written(self) -> list[Path]:
        """Gives all files of a build that are there, whichever config or code made them."""
        found = [*self.path.glob("*.parquet"), *self.sidecars.glob("*.json")]
        return sorted(found) + [path for path in (self.order, self.manifest) if path.exists()]

    def leftovers(self) -> list[Path]:
        """Gives the temporary files that killed builds left behind."""
        return [*self.path.glob(TEMPORARY), *self.sidecars.glob(TEMPORARY)]
