"""What a model can be asked for: one task, one row of a table. Imports no JAX."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring.tasks import cost, line_map, programs
from jax_ir_pairs.scoring.tasks.task import Task

TASKS: Mapping[str, Task] = MappingProxyType(
    {task.name: task for task in (*programs.TASKS, cost.TASK, *line_map.TASKS)}
)
"""By name."""


def task_named(name: str) -> Task:
    """Gives a task. **Raises:** [`UsageError`][] that lists them."""
    if name not in TASKS:
        raise UsageError(f"There is no task {name!r}; there are {', '.join(TASKS)}.")
    return TASKS[name]


__all__ = ["TASKS", "Task", "task_named"]
