"""Tasks of a Ray cluster, which places them and starts them again where a node is lost."""

from __future__ import annotations

import functools
import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import RayError, RayTaskError

from jax_ir_pairs.build.engines import Emit, Process, Task
from jax_ir_pairs.build.events import Event
from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.errors import BuildError

_RETRIES = 10
"""Of a task whose worker or node was lost; what a task raises is not tried again."""
_TASKS_PER_CPU = 2
"""Tasks handed to Ray at a time: a million would fill its memory."""
_OBJECT_STORE_BYTES = 80 << 20  # the least that Ray takes; only events travel


def run(
    tasks: Iterable[Task],
    work: Callable[[Task, Extractor, Emit], None],
    *,
    workers: int,
    open_process: Callable[[], Process],
    emit: Emit,
) -> None:
    """Does each task on one CPU of a cluster; an [`Engine`][], whose events come task by task.

    The cluster is the one of [`cluster`][], which places as many tasks as it has CPUs, or else one
    of `workers` CPUs for this call. Each worker process of Ray keeps one extraction process. All
    arguments but `emit` have to be picklable, and what `work` reads and writes has to be in reach
    of all nodes. An error or Ctrl-C kills the workers, which leave temporary files behind.

    **Raises:** what `work` raises, and [`BuildError`][] where Ray cannot be reached or a task's
    workers are lost again and again.
    """
    with cluster(None, workers):
        opened = pickle.dumps(open_process)
        remote: Any = ray.remote(num_cpus=1, max_retries=_RETRIES)(_do)
        pending: list[Any] = []
        waiting = iter(tasks)
        try:
            while True:
                at_once = _TASKS_PER_CPU * max(1, _cpus())
                while len(pending) < at_once and (task := next(waiting, None)) is not None:
                    pending.append(remote.remote(task, work, opened))
                if not pending:
                    return
                [done], pending = ray.wait(pending, num_returns=1)
                for event in ray.get(done):
                    emit(event)
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            first = str(error).strip().splitlines()[0]
            raise BuildError(
                f"Ray lost a shard: {first}; run the same command again: the shards that are "
                "whole are kept."
            ) from error
        finally:
            for task in pending:
                ray.cancel(task, force=True)


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


@contextmanager
def cluster(address: str | None, workers: int) -> Iterator[int]:
    """Connects with a cluster, unless the caller has, and leaves it at the end.

    It is the one at `address`, or at `$RAY_ADDRESS`, or else one of `workers` CPUs, which is
    started here and ended. Gives its number of CPUs.

    **Raises:** [`BuildError`][] where Ray cannot be reached.
    """
    if ray.is_initialized():
        yield _cpus()
        return
    address = address or os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {
        "num_cpus": workers,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    try:
        with _same_sigterm():
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
        yield _cpus()
    finally:
        ray.shutdown()


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """Keeps what SIGTERM does, which Ray would make a plain exit."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _cpus() -> int:
    return int(ray.cluster_resources().get("CPU", 0))
