"""The builder that `load_dataset` runs: shards of a config in, rows out.

`datasets` patches `open`, `os.path` and `pathlib` in this very module to read remote files, so it
holds nothing that opens files. Nothing here imports JAX, which does not survive the fork that
`num_proc` makes: rows come from extraction processes.
"""

from __future__ import annotations

import hashlib
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
from jax_ir_pairs.training import Examples, load_mixture

_COLUMNS_VERSION = "1.0.0"
"""Version of what a row is; everything else that makes it is in the fingerprint."""

_DESCRIPTIONS = {name: load_config(name).description for name in config_names()}


@dataclass(eq=False)
class JaxIrPairsConfig(datasets.BuilderConfig):  # type: ignore[misc]  # untyped
    """One of the shipped configs, or a YAML file's, with what `load_dataset` overrides in it.

    load_dataset("./builder_script.py", "hlo-1k", seed=7)
    load_dataset("./builder_script.py", config_file="mine.yaml")

    With a mixture it gives examples to train on in place of rows; `hlo-1k-instruct` is short for
    the first of these.

    load_dataset("./builder_script.py", "hlo-1k", mixture="instruct")
    load_dataset("./builder_script.py", "hlo-1k", mixture="mine.yaml", form="messages")
    """

    name: str = "default"
    version: datasets.Version | str | None = _COLUMNS_VERSION
    config_file: str | None = None
    seed: int | None = None
    targets: Sequence[str] | None = None
    passes: bool | None = None
    splits: Mapping[str, int] | None = None
    rows_per_shard: int | None = None
    mixture: str | None = None
    form: str | None = None
    max_tokens: int | None = None
    rows_of: str | None = None
    """The config whose rows they are, where that is not the name."""

    def __post_init__(self) -> None:
        if self.config_file is not None and self.name == "default":
            self.name = load_config(self.config_file).name
        super().__post_init__()

    def resolved(self) -> Config:
        """Gives the config, validated.

        **Raises:** [`UsageError`][] that names file, key, value and what is allowed.
        """
        name = self.rows_of or self.name
        config = load_config(self.config_file or name, **self.overrides())
        if config.name != name:
            raise UsageError(
                f"Both the config {name!r} and the file {self.config_file!r} were asked for; "
                "leave out the name."
            )
        return config

    def overrides(self) -> dict[str, Any]:
        """Gives what was asked for in place of the config's own."""
        keys = ("seed", "targets", "passes", "splits", "rows_per_shard")
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def examples(self) -> Examples | None:
        """Gives what turns rows into examples, where there is a mixture.

        **Raises:** [`UsageError`][] where one cannot be read, or is missing.
        """
        asked = {"form": self.form, "max_tokens": self.max_tokens}
        changes = {key: value for key, value in asked.items() if value is not None}
        if self.mixture is not None:
            return load_mixture(self.mixture, **changes).mapping()
        if changes:
            raise UsageError(
                f"{next(iter(changes))} is for examples: name a mixture too, as mixture='instruct'."
            )
        return None

    def create_config_id(
        self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None
    ) -> str:
        """Gives the name of the cache folder: another config, code, JAX or mixture has its own."""
        name = super().create_config_id({}, custom_features)
        examples = self.examples()
        digest = build_fingerprint(self.resolved()).digest
        if examples is None:
            return f"{name}-{digest}"
        mixed = hashlib.sha256(f"{examples!r} {examples.code}".encode()).hexdigest()[:16]
        return f"{name}-{digest}-{mixed}"


class JaxIrPairs(datasets.GeneratorBasedBuilder):  # type: ignore[misc]  # untyped
    """Makes the rows of a config, shard by shard, or the examples of a mixture out of them."""

    BUILDER_CONFIG_CLASS = JaxIrPairsConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 (the attribute of the base class)
        *(JaxIrPairsConfig(name=name, description=text) for name, text in _DESCRIPTIONS.items()),
        *(
            JaxIrPairsConfig(
                name=f"{name}-instruct",
                description=f"{text} As prompts and completions.",
                rows_of=name,
                mixture="instruct",
            )
            for name, text in _DESCRIPTIONS.items()
        ),
    ]

    def __init__(self, *, dataset_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(dataset_name=dataset_name or "jax_ir_pairs", **kwargs)
        self._processes = ExtractionProcesses()

    def _info(self) -> datasets.DatasetInfo:
        config, examples = self.config.resolved(), self.config.examples()
        of_rows = features(config.targets, passes=config.passes)
        if examples is not None:
            examples.check_columns(of_rows)
        return datasets.DatasetInfo(
            description=self.config.description or config.description,
            features=of_rows if examples is None else examples.features,
            license="apache-2.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        config = self.config.resolved()
        there = self._rows_there(config)
        # Made here it is there for all workers. A stream makes it with its first row, so that
        # asking for the names of the splits is quick.
        if not (dl_manager.is_streaming or there):
            make_plan(config)
        return [
            datasets.SplitGenerator(
                name=split,
                gen_kwargs={
                    "split": split,
                    # `datasets` deals out what is a list.
                    "shards": list(range(config.num_shards(split))),
                    "there": there.get(split),
                },
            )
            for split in config.splits.names
        ]

    def _generate_examples(
        self, split: str, shards: list[int], there: datasets.Dataset | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        config, examples = self.config.resolved(), self.config.examples()
        for shard, row in self._rows(config, split, shards, there):
            if examples is None:
                yield f"{shard}/{row['index']}", row
            else:
                for number, example in enumerate(examples.of_row(row)):
                    yield f"{row['id']}/{number}", example

    def _rows(
        self, config: Config, split: str, shards: list[int], there: datasets.Dataset | None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        if there is not None:
            for shard in shards:
                for row in there.shard(config.num_shards(split), shard, contiguous=True):
                    yield shard, row
            return
        with self._processes.lend(config.limits, config.targets, passes=config.passes) as process:
            for shard in shards:
                for row in shard_records(config, split, shard, process=process):
                    yield shard, row

    def _builder_of_rows(self) -> JaxIrPairs:
        """Gives the builder of the rows that examples are made of, with the same cache."""
        asked = self.config
        named = {"config_file": asked.config_file} if asked.config_file else {}
        return type(self)(
            cache_dir=self._cache_dir_root,
            dataset_name=self.dataset_name,
            config_name=None if named else asked.rows_of or asked.name,
            hash=self.hash,
            base_path=self.base_path,
            **named,
            **asked.overrides(),
        )

    def _rows_there(self, config: Config) -> Mapping[str, datasets.Dataset]:
        """Gives the splits of the rows that examples are made of, if those are in the cache."""
        if (examples := self.config.examples()) is None:
            return {}
        source = self._builder_of_rows()
        if not source.info.splits:  # known of what is in the cache
            return {}
        columns = list(examples.columns)
        return {
            split: source.as_dataset(split).select_columns(columns) for split in config.splits.names
        }

    def download_and_prepare(self, *args: Any, num_proc: int | None = None, **kwargs: Any) -> None:
        """Writes the rows to the cache, and then the examples of a mixture; see the base class."""
        is_there = bool(self.info.splits)  # then it needs no rows
        if self.config.examples() is not None and not is_there:
            self._builder_of_rows().download_and_prepare(num_proc=num_proc)
        try:
            super().download_and_prepare(*args, num_proc=num_proc, **kwargs)
        finally:
            self._processes.close()
