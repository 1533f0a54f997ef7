from __future__ import annotations

import sys

import pytest

from jax_ir_pairs.build import engines
from jax_ir_pairs.build.engines import local
from jax_ir_pairs.cli.engines import EngineName, asked_engine
from jax_ir_pairs.errors import UsageError


def test_local_is_the_function_of_its_file() -> None:
    with asked_engine(EngineName.LOCAL, None, 3) as asked:
        assert asked == (local.run, 3)


def refuses(message: str, name: EngineName, address: str | None, workers: int | None) -> None:
    with pytest.raises(UsageError, match=message), asked_engine(name, address, workers):
        pass


def test_an_address_needs_ray() -> None:
    refuses(r"--address .* needs --engine ray", EngineName.LOCAL, "10.0.0.1:6379", None)


def test_a_cluster_has_its_own_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses(r"--workers: the cluster at 10.0.0.1:6379", EngineName.RAY, "10.0.0.1:6379", 2)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.2:6379")
    refuses(r"--workers: the cluster at 10.0.0.2:6379", EngineName.RAY, None, 2)


def test_ray_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "jax_ir_pairs.build.engines.ray", raising=False)
    monkeypatch.delattr(engines, "ray", raising=False)
    refuses(r"pip install 'jax-ir-pairs\[ray\]'", EngineName.RAY, None, None)
