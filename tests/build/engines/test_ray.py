"""Ray on a cluster of two nodes, which are processes of this machine."""

from __future__ import annotations

import _thread
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jax_ir_pairs.build import Event, RowDone, ShardDone, build
from jax_ir_pairs.build.engines import Process
from jax_ir_pairs.errors import BuildError
from tests.build.fakes import CONFIG, FakeProcess, files_of

pytest.importorskip("ray", reason="Ray is not installed: pip install 'jax-ir-pairs[ray]'")
from jax_ir_pairs.build.engines import ray as engine
from tests.build.engines import ray_tasks

# Ray leaves its log files and sockets to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.xdist_group("ray"),
]

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes of a CPU; what is lost on one is known within seconds."""
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = Cluster(
            initialize_head=True,
            head_node_args={**NODE, "include_dashboard": False, "_system_config": HEALTH},
        )
        nodes.add_node(**NODE)
    ending = signal.getsignal(signal.SIGTERM)
    try:
        with engine.cluster(nodes.address, 0) as cpus:
            assert cpus == 2
            assert signal.getsignal(signal.SIGTERM) == ending
            yield nodes
    finally:
        nodes.shutdown()


def ray_build(
    out: Path, open_process: Callable[[], Process], on_event: Callable[[Event], object]
) -> None:
    build(CONFIG, out, engine=engine.run, open_process=open_process, on_event=on_event)


def test_the_bytes_are_those_of_a_local_build(
    nodes: Any, tmp_path: Path, reference: dict[str, str]
) -> None:
    told: list[Event] = []
    ray_build(tmp_path, ray_tasks.open_fake, told.append)

    assert files_of(tmp_path / "tiny") == reference
    assert sum(isinstance(event, RowDone) for event in told) == sum(
        map(CONFIG.splits.rows, CONFIG.splits.names)
    )
    assert len({event.shard for event in told if isinstance(event, ShardDone)}) == 5


def test_a_node_is_lost_in_the_middle(
    nodes: Any, tmp_path: Path, reference: dict[str, str]
) -> None:
    lost: list[Any] = []

    def lose(event: Event) -> None:
        if isinstance(event, ShardDone) and not lost:
            lost.extend(nodes.worker_nodes)
            nodes.remove_node(lost[0], allow_graceful=False)

    working = tmp_path / "nodes"
    working.mkdir()
    ray_build(tmp_path, partial(ray_tasks.open_once_two_nodes_work, working), lose)

    assert len(lost) == 1
    assert files_of(tmp_path / "tiny") == reference


def test_an_error_is_raised_as_it_was(nodes: Any) -> None:
    with pytest.raises(BuildError, match=r"^two is too many$"):
        engine.run(range(9), ray_tasks.fail_on_two, workers=1, open_process=FakeProcess, emit=print)


def test_ctrl_c_leaves_no_orphans(nodes: Any, tmp_path: Path) -> None:
    task = tmp_path / "task"

    def interrupt() -> None:
        while not task.exists() or not task.read_text():
            time.sleep(0.1)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        engine.run(
            [str(task)], ray_tasks.say_and_hang, workers=1, open_process=FakeProcess, emit=print
        )
    deadline = time.monotonic() + 30
    while Path(f"/proc/{task.read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
