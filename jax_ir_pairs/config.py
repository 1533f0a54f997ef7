"""What is asked for: a config, read from YAML and validated.

A config is found by its name among those that the project ships, or by the path of a YAML file.
Its [`fingerprint`][Config.fingerprint] stands for everything that decides the bytes of a build
apart from the code and the compiler.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from jax_ir_pairs.targets import TARGETS
from jax_ir_pairs.yaml_model import Model, NamedModel, load, shipped_names

THEME_NEEDS: Mapping[str, tuple[str, ...]] = {"modules": ("flax", "optax", "equinox")}
"""Packages that the programs of a theme import, beside those of the project: an extra of its name.
Only a config that gives such a theme a weight needs them, and no other theme has its sketches."""

Checks = Literal["none", "sample", "texts", "all"]
"""What of a config is held against another way to compute it: nothing; a tenth of its programs,
which are run; the texts of every row, and the tenth is run too; every program, run."""

_PACKAGE = Path(__file__).parent


def resource_folder(name: str) -> Path:
    """Gives the folder `name` (`configs`, `dataset_card_template`) that travels with the package.

    In a wheel it lies inside the package, in a checkout beside it.
    """
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def family_names() -> list[str]:
    """Gives the names of the families: each is one file of `synthesis/families`."""
    folder = _PACKAGE / "synthesis" / "families"
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def theme_names() -> list[str]:
    """Gives the names of the themes of sketches: each is a folder of `synthesis/sketches`."""
    folder = _PACKAGE / "synthesis" / "sketches"
    return sorted({path.parent.name for path in folder.glob("*/*.py")})


class Splits(Model):
    """Rows of each split; one of 0 rows is not there."""

    train: Annotated[int, Field(ge=1, le=10**9)]
    validation: Annotated[int, Field(ge=0, le=10**9)]
    test: Annotated[int, Field(ge=0, le=10**9)]
    test_ops: Annotated[int, Field(ge=0, le=10**9)] = 0
    test_compositions: Annotated[int, Field(ge=0, le=10**9)] = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that are there, in order."""
        return tuple(name for name in type(self).model_fields if self.rows(name))

    def rows(self, split: str) -> int:
        """Gives the rows of `split`."""
        return int(getattr(self, split))


class Size(Model):
    """Operations of a program, drawn log-normally: half of them have at most `median`."""

    median: Annotated[int, Field(ge=2, le=1000)] = 12
    sigma: Annotated[float, Field(gt=0, le=2, description="of the logarithm")] = 0.8
    largest: Annotated[int, Field(ge=2, le=5000)] = 200

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.median > self.largest:
            raise ValueError(f"median {self.median} is over largest {self.largest}")
        return self


_Weight = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class Recipe(Model):
    """What programs are drawn: weights of themes of sketches, and of families grown from ops.

    `size` is that of the latter, in operations.

    Or, in `functions`, the source of a module whose functions are the programs.
    """

    sketches: dict[str, _Weight] = Field(default_factory=dict)
    families: dict[str, _Weight] = Field(default_factory=dict)
    size: Size = Size()
    functions: str | None = None

    @model_validator(mode="after")
    def _some_family(self) -> Self:
        if self.functions is not None:
            if self.families or self.sketches:
                raise ValueError("there are families and sketches, or functions, not both")
            return self
        if unknown := sorted(set(self.sketches) - set(theme_names())):
            raise ValueError(f"unknown theme {unknown[0]!r}; there are {theme_names()}")
        if unknown := sorted(set(self.families) - set(family_names())):
            raise ValueError(f"unknown family {unknown[0]!r}; there are {family_names()}")
        if not any((*self.families.values(), *self.sketches.values())):
            raise ValueError("at least one family or theme needs a weight over 0")
        for theme, needs in THEME_NEEDS.items():
            missing = [name for name in needs if importlib.util.find_spec(name) is None]
            if self.sketches.get(theme) and missing:
                raise ValueError(
                    f"theme {theme!r} needs {', '.join(missing)}: "
                    f"pip install 'jax-ir-pairs[{theme}]'"
                )
        return self


class TextLimits(Model):
    """Longest text of each level, in characters; a longer one rejects the program."""

    python: Annotated[int, Field(ge=100)] = 20_000
    jaxpr: Annotated[int, Field(ge=100)] = 200_000
    stablehlo: Annotated[int, Field(ge=100)] = 400_000
    hlo: Annotated[int, Field(ge=100)] = 400_000
    optimized_hlo: Annotated[int, Field(ge=100)] = 800_000
    passes: Annotated[int, Field(ge=100, description="all texts of a row together")] = 6_000_000


class Limits(Model):
    """Safety nets of the extraction: each hit is an incident, named in the manifest."""

    seconds: Annotated[float, Field(gt=0, le=3600, description="per program")] = 120.0
    memory_gib: Annotated[float, Field(ge=1, le=1024, description="per worker")] = 8.0
    programs_per_process: Annotated[int, Field(ge=1)] = 1000


class Config(NamedModel):
    """A named dataset configuration."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
    description: str
    seed: Annotated[int, Field(ge=0, lt=2**23, description="programs have seed · 2⁴⁰ + n")] = 0
    splits: Splits
    rows_per_shard: Annotated[int, Field(ge=1, le=100_000)]
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = ("cpu",)
    passes: bool = False
    checks: Checks = "none"
    recipe: Recipe
    text_limits: TextLimits = TextLimits()
    limits: Limits = Limits()
    spare_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.05

    @model_validator(mode="after")
    def _not_forbidden(self) -> Self:
        if self.name == "data":
            raise ValueError('name "data" is reserved by the Hub')
        return self

    @field_validator("targets")
    @classmethod
    def _known_targets(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in targets if name not in TARGETS]:
            raise ValueError(f"unknown target {unknown[0]!r}; there are {', '.join(TARGETS)}")
        if targets[0] != "cpu":
            raise ValueError("the first target must be cpu, which the other levels are of")
        if len(set(targets)) < len(targets):
            raise ValueError("a target is named twice")
        return targets

    def num_shards(self, split: str) -> int:
        """Gives the number of shards of `split`, each of at most `rows_per_shard` rows."""
        return -(-self.splits.rows(split) // self.rows_per_shard)

    def shard_rows(self, split: str, shard: int) -> int:
        """Gives the rows of one shard: those of a split are dealt evenly."""
        rows, shards = self.splits.rows(split), self.num_shards(split)
        return rows // shards + (shard < rows % shards)

    def fingerprint(self) -> str:
        """Gives 16 hex digits that stand for all that decides a row.

        The description and the safety nets do not: they change no byte of a row.
        """
        safety = {"limits", "max_rejected_share"}
        content = self.model_dump(mode="json", exclude={"description", *safety})
        if not self.passes:  # rows are those of a version that had no passes
            del content["passes"], content["text_limits"]["passes"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def config_names() -> list[str]:
    """Gives the names of the configs that the project ships, smallest first."""
    configs = [load_config(name) for name in shipped_names(resource_folder("configs"))]
    return [config.name for config in sorted(configs, key=lambda c: (c.splits.train, c.name))]


def load_config(name_or_path: str | Path, **overrides: Any) -> Config:
    """Gives a config by its name, or from a YAML file by its path.

    Keywords replace top-level keys of the file: `load_config("hlo-1k", seed=7)`.

    **Raises:** [`UsageError`][] that names file, key, value and what is allowed.
    """
    return load(Config, resource_folder("configs"), name_or_path, **overrides)
