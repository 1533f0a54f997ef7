from __future__ import annotations

import sys

import pytest

from jax_ir_pairs.build import engines
from jax_ir_pairs.build.engines import local
from jax_ir_pairs.cli.engines import EngineName, asked_engine
from jax_ir_pairs.errors import UsageError


def test_local_is_the_function_of_its_file() -> None:
    assert asked_engine(EngineName.LOCAL, None) is local.run


def test_an_address_needs_ray() -> None:
    with pytest.raises(UsageError, match=r"--address .* needs --engine ray"):
        asked_engine(EngineName.LOCAL, "10.0.0.1:6379")


def test_ray_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "jax_ir_pairs.build.engines.ray", raising=False)
    monkeypatch.delattr(engines, "ray", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'jax-ir-pairs\[ray\]'"):
        asked_engine(EngineName.RAY, None)
