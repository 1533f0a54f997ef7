"""Ray on a cluster of two nodes, which are processes of this machine."""

from __future__ import annotations

import _thread
import threading
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jax_ir_pairs.build import Event, RowDone, ShardDone, build
from jax_ir_pairs.errors import BuildError
from tests.build.engines import ray_tasks
from tests.build.fakes import CONFIG, FakeProcess, files_of

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'jax-ir-pairs[ray]'")
# Ray leaves its log files and sockets to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.xdist_group("ray"),
]

STORE = 80 << 20
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of two CPUs; what is lost on one is known within seconds."""
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node: dict[str, Any] = {"num_cpus": 2, "object_store_memory": STORE}
        nodes = Cluster(
            initialize_head=True,
            head_node_args={**node, "include_dashboard": False, "_system_config": HEALTH},
        )
        nodes.add_node(**node)
        yield nodes
        ray.shutdown()
        nodes.shutdown()


def ray_build(cluster: Any, out: Path, **options: Any) -> list[Event]:
    from jax_ir_pairs.build.engines import ray as engine

    told: list[Event] = []

    def hear(event: Event) -> None:
        told.append(event)
        if on_event := options.get("on_event"):
            on_event(event)

    build(
        CONFIG,
        out,
        engine=partial(engine.run, address=cluster.address),
        open_process=options.get("open_process", ray_tasks.open_fake),
        on_event=hear,
    )
    return told


def test_the_bytes_are_those_of_a_local_build(
    cluster: Any, tmp_path: Path, reference: dict[str, str]
) -> None:
    told = ray_build(cluster, tmp_path)

    assert files_of(tmp_path / "tiny") == reference
    assert sum(isinstance(event, RowDone) for event in told) == sum(
        map(CONFIG.splits.rows, CONFIG.splits.names)
    )
    assert len({e.shard for e in told if isinstance(e, ShardDone)}) == 5


def test_an_error_is_raised_as_it_was(cluster: Any) -> None:
    from jax_ir_pairs.build.engines import ray as engine

    with pytest.raises(BuildError, match=r"^two is too many$"):
        engine.run(
            range(9),
            ray_tasks.fail_on_two,
            workers=1,
            open_process=FakeProcess,
            emit=print,
            address=cluster.address,
        )


def test_ctrl_c_interrupts_tasks(cluster: Any, tmp_path: Path) -> None:
    from jax_ir_pairs.build.engines import ray as engine

    def interrupt() -> None:
        while not list(tmp_path.glob("*.task")):
            time.sleep(0.1)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        engine.run(
            [str(tmp_path / f"{number}.task") for number in range(2)],
            ray_tasks.say_and_hang,
            workers=1,
            open_process=FakeProcess,
            emit=print,
            address=cluster.address,
        )
    started = {path.stem for path in tmp_path.glob("*.task")}
    assert {path.stem for path in tmp_path.glob("*.interrupted")} == started != set()


def test_a_node_is_lost_in_the_middle(
    cluster: Any, tmp_path: Path, reference: dict[str, str]
) -> None:
    lost = cluster.add_node(num_cpus=2, object_store_memory=STORE)

    def lose(event: Event) -> None:
        nonlocal lost
        if isinstance(event, ShardDone) and lost is not None:
            node, lost = lost, None
            cluster.remove_node(node, allow_graceful=False)

    ray_build(cluster, tmp_path, open_process=ray_tasks.open_slow, on_event=lose)

    assert lost is None
    assert files_of(tmp_path / "tiny") == reference
