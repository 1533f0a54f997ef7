"""The builder that `load_dataset` runs: shards of a config in, rows out.

`datasets` patches `open`, `os.path` and `pathlib` in this very module to read remote files, so it
holds nothing that opens files. Nothing here imports JAX, which does not survive the fork that
`num_proc` makes: rows come from extraction processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from jax_ir_pairs.build import build_fingerprint, shard_records
from jax_ir_pairs.config import Config, config_names, load_config
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.hub.processes import ExtractionProcesses
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.schema import features

_COLUMNS_VERSION = "1.0.0"
"""Version of what a row is; everything else that makes it is in the fingerprint."""


@dataclass(eq=False)
class JaxIrPairsConfig(datasets.BuilderConfig):  # type: ignore[misc]  # untyped
    """One of the shipped configs, or a YAML file's, with what `load_dataset` overrides in it.

    load_dataset("./builder_script.py", "hlo-1k", seed=7)
    load_dataset("./builder_script.py", config_file="mine.yaml")
    """

    name: str = "default"
    version: datasets.Version | str | None = _COLUMNS_VERSION
    config_file: str | None = None
    seed: int | None = None
    targets: Sequence[str] | None = None
    passes: bool | None = None
    splits: Mapping[str, int] | None = None
    rows_per_shard: int | None = None

    def __post_init__(self) -> None:
        if self.config_file is not None and self.name == "default":
            self.name = load_config(self.config_file).name
        super().__post_init__()

    def resolved(self) -> Config:
        """Gives the config, validated.

        **Raises:** [`UsageError`][] that names file, key, value and what is allowed.
        """
        asked = {
            "seed": self.seed,
            "targets": self.targets,
            "passes": self.passes,
            "splits": self.splits,
            "rows_per_shard": self.rows_per_shard,
        }
        overrides = {key: value for key, value in asked.items() if value is not None}
        config = load_config(self.config_file or self.name, **overrides)
        if config.name != self.name:
            raise UsageError(
                f"Both the config {self.name!r} and the file {self.config_file!r} were asked for; "
                "leave out the name."
            )
        return config

    def create_config_id(
        self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None
    ) -> str:
        """Gives the name of the cache folder: another config, code or JAX has another one."""
        name = super().create_config_id({}, custom_features)
        return f"{name}-{build_fingerprint(self.resolved()).digest}"


class JaxIrPairs(datasets.GeneratorBasedBuilder):  # type: ignore[misc]  # untyped
    """Makes the rows of a config, shard by shard."""

    BUILDER_CONFIG_CLASS = JaxIrPairsConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 (the attribute of the base class)
        JaxIrPairsConfig(name=name, description=load_config(name).description)
        for name in config_names()
    ]

    def __init__(self, *, dataset_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(dataset_name=dataset_name or "jax_ir_pairs", **kwargs)
        self._processes = ExtractionProcesses()

    def _info(self) -> datasets.DatasetInfo:
        config = self.config.resolved()
        return datasets.DatasetInfo(
            description=config.description,
            features=features(config.targets, passes=config.passes),
            license="apache-2.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        config = self.config.resolved()
        # Made here it is there for all workers. A stream makes it with its first row, so that
        # asking for the names of the splits is quick.
        if not dl_manager.is_streaming:
            make_plan(config)
        return [
            datasets.SplitGenerator(
                name=split,
                # `datasets` deals out what is a list.
                gen_kwargs={"split": split, "shards": list(range(config.num_shards(split)))},
            )
            for split in config.splits.names
        ]

    def _generate_examples(
        self, split: str, shards: list[int]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.config.resolved()
        with self._processes.lend(config.limits, config.targets, passes=config.passes) as process:
            for shard in shards:
                for row in shard_records(config, split, shard, process=process):
                    yield f"{shard}/{row['index']}", row

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Writes the rows to the cache; see the base class."""
        try:
            super().download_and_prepare(*args, **kwargs)
        finally:
            self._processes.close()
