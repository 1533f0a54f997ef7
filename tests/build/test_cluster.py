"""The files of examples/cluster, run as their schedulers do, with a command of fake programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from jax_ir_pairs.build import all_shards
from jax_ir_pairs.config import load_config
from tests.build import fake_command
from tests.build.fake_builds import fake_build, varied
from tests.build.fakes import CONFIG, files_of

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "examples" / "cluster"
SBATCH = CLUSTER / "slurm.sbatch"
SHARDS, SEAL = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8"))
EIGHT_SHARDS = CONFIG.model_copy(update={"rows_per_shard": 10})

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "out"


@pytest.fixture
def start(tmp_path: Path, out: Path) -> Start:
    """Starts a command where `jax-ir-pairs` builds fakes, and `ray` says its arguments."""
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(EIGHT_SHARDS.model_dump(mode="json")), encoding="utf-8")
    path = tmp_path / "bin"
    path.mkdir()
    for name, script in {
        "jax-ir-pairs": f'exec {sys.executable} -m {fake_command.__name__} "$@"',
        "ray": 'printf "%s\\n" "$@"',
    }.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (path / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CONFIG": str(config),
        "OUT": str(out),
        "FOLDER": str(out / "tiny"),
    }

    def start(*command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def end(process: subprocess.Popen[str]) -> str:
    with process:
        out, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return out


def whole(tmp_path: Path) -> dict[str, str]:
    fake_build(tmp_path / "whole", varied(), config=EIGHT_SHARDS)
    return files_of(tmp_path / "whole" / "tiny")


def test_tasks_of_slurm_in_any_order_and_one_of_them_twice(
    start: Start, out: Path, tmp_path: Path
) -> None:
    end(start("bash", str(SBATCH), SLURM_ARRAY_TASK_ID="1"))
    twice = [start("bash", str(SBATCH), SLURM_ARRAY_TASK_ID="0") for _ in range(2)]
    for process in twice:
        end(process)
    end(start("jax-ir-pairs", "seal", str(out / "tiny")))

    assert files_of(out / "tiny") == whole(tmp_path)


def test_pods_of_kubernetes(start: Start, out: Path, tmp_path: Path) -> None:
    def pod(job: dict[str, Any], **variables: str) -> subprocess.Popen[str]:
        [container] = job["spec"]["template"]["spec"]["containers"]
        return start(*container["command"], **variables)

    for index in ("1", "0"):
        end(pod(SHARDS, JOB_COMPLETION_INDEX=index))
    end(pod(SEAL))

    assert files_of(out / "tiny") == whole(tmp_path)


def test_a_job_of_ray_is_a_build(start: Start, out: Path, tmp_path: Path) -> None:
    said = end(start("bash", str(CLUSTER / "ray_job.sh"))).splitlines()

    assert said[:2] == ["job", "submit"]
    config = str(tmp_path / "tiny.yaml")
    engine = ["--engine", "ray", "--address", "auto"]
    assert said[said.index("--") + 1 :] == [
        "jax-ir-pairs", "build", config, "--out", str(out), *engine
    ]  # fmt: skip


def test_the_tasks_are_all_shards() -> None:
    shards = len(all_shards(load_config("hlo-100k")))
    array = re.search(r"--array=0-(\d+)", SBATCH.read_text(encoding="utf-8"))
    assert array is not None
    assert (int(array[1]) + 1) * 4 == SHARDS["spec"]["completions"] * 4 == shards
