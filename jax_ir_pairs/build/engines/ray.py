"""Tasks of a Ray cluster, which places them and starts them again where a node is lost."""

from __future__ import annotations

import functools
import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of its future

import ray
from ray.exceptions import RayError, RayTaskError

from jax_ir_pairs.build.engines import Emit, Process, Task
from jax_ir_pairs.build.events import Event
from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.errors import BuildError

_RETRIES = 10
"""Of a task whose worker or node was lost; what a task raises is not tried again."""
_TASKS_PER_CPU = 2
"""Tasks handed to Ray at a time: more would hold the seeds of a large plan in memory."""
_OBJECT_STORE_BYTES = 80 << 20  # the least that Ray takes; only events travel
_SECONDS_TO_STOP = 20.0


def run(
    tasks: Iterable[Task],
    work: Callable[[Task, Extractor, Emit], None],
    *,
    workers: int,
    open_process: Callable[[], Process],
    emit: Emit,
    address: str | None = None,
) -> None:
    """Does each task on one CPU of a cluster; an [`Engine`][], whose events come task by task.

    The cluster is the one at `address`, or at `$RAY_ADDRESS`, which places as many tasks as it has
    CPUs, or else one that is started here with `workers` CPUs and ended. Each worker process of Ray
    keeps one extraction process. All arguments but `emit` have to be picklable, and what `work`
    reads and writes has to be in reach of all nodes.

    **Raises:** what `work` raises, and [`BuildError`][] where Ray cannot be reached or a task's
    workers are lost again and again.
    """
    with _cluster(address, workers):
        opened = pickle.dumps(open_process)
        remote: Any = ray.remote(num_cpus=1, max_retries=_RETRIES)(_do)
        pending: list[Any] = []
        waiting = iter(tasks)
        try:
            while True:
                at_once = _TASKS_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))
                while len(pending) < at_once and (task := next(waiting, None)) is not None:
                    pending.append(remote.remote(task, work, opened))
                if not pending:
                    return
                [done], pending = ray.wait(pending, num_returns=1)
                for event in ray.get(done):
                    emit(event)
        except RayTaskError as error:
            _cancel(pending)
            raise error.cause from error
        except RayError as error:
            _cancel(pending)
            first = str(error).strip().splitlines()[0]
            raise BuildError(
                f"Ray lost a shard: {first}; run the same command again: the shards that are "
                "whole are kept."
            ) from error
        except BaseException:
            _cancel(pending)
            raise


def _do(
    task: Task, work: Callable[[Task, Extractor, Emit], None], open_process: bytes
) -> list[Event]:
    events: list[Event] = []
    work(task, _process(open_process), events.append)
    return events


@functools.lru_cache(maxsize=1)
def _process(open_process: bytes) -> Process:
    """Gives the process of this worker of Ray, which it has for all its tasks.

    It ends with the worker, however that ends.
    """
    opened: Process = pickle.loads(open_process)()
    return opened


def _cancel(pending: list[Any]) -> None:
    """Interrupts tasks, so that they delete their temporary files, and kills what stays."""
    for task in pending:
        ray.cancel(task)
    if pending:
        _, stuck = ray.wait(pending, num_returns=len(pending), timeout=_SECONDS_TO_STOP)
        for task in stuck:
            ray.cancel(task, force=True)


@contextmanager
def _cluster(address: str | None, workers: int) -> Iterator[None]:
    """Connects with a cluster, unless the caller has, and leaves it at the end."""
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {
        "num_cpus": workers,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else own),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BuildError(
            f"Ray at {address or 'this machine'}: {error}; see whether this works: ray status"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
