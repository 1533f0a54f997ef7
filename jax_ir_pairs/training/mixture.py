"""A mixture of tasks: weights, form and limit in a YAML file, found as configs are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from jax_ir_pairs.config import resource_folder
from jax_ir_pairs.scoring.tasks import TASKS
from jax_ir_pairs.training.examples import Dataset, Examples, Form
from jax_ir_pairs.yaml_model import NamedModel, load, shipped_names

Weight = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class Mixture(NamedModel):
    """Tasks by weight: each row gives the examples of one, drawn by the row's seed and this one."""

    description: str
    seed: Annotated[int, Field(ge=0, description="another one draws other tasks")] = 0
    form: Form = "prompt_completion"
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    tasks: Annotated[dict[str, Weight], Field(min_length=1)]

    @field_validator("tasks")
    @classmethod
    def _known(cls, tasks: dict[str, float]) -> dict[str, float]:
        if unknown := [name for name in tasks if name not in TASKS]:
            raise ValueError(f"unknown task {unknown[0]!r}; there are {', '.join(TASKS)}")
        return tasks

    def mapping(self, tokenizer: Any = None) -> Examples:
        """Gives what turns rows into its examples, for `map` and for counts."""
        return Examples(
            self.tasks, self.form, max_tokens=self.max_tokens, tokenizer=tokenizer, seed=self.seed
        )

    def examples(
        self, rows: Dataset, *, tokenizer: Any = None, num_proc: int | None = None
    ) -> Dataset:
        """Gives the examples of a dataset or a stream, in the order of its rows.

        **Raises:** [`UsageError`][] that names a column which a task needs and the rows lack.
        """
        return self.mapping(tokenizer).of(rows, num_proc)


def mixture_names() -> list[str]:
    """Gives the names of the mixtures that the project ships."""
    return shipped_names(_folder())


def load_mixture(name_or_path: str | Path, **overrides: Any) -> Mixture:
    """Gives a mixture by its name, or from a YAML file by its path.

    Keywords replace top-level keys of the file: `load_mixture("instruct", form="messages")`.

    **Raises:** [`UsageError`][] that names file, key, value and what is allowed.
    """
    return load(Mixture, _folder(), name_or_path, **overrides)


def _folder() -> Path:
    return resource_folder("configs") / "mixtures"
