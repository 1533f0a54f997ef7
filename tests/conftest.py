"""Settings that all tests share: no test writes outside its own temporary folders."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from jax_ir_pairs.extraction.environment import ENVIRONMENT

# Before anything imports JAX: programs on several devices are traced in this process too.
for _name in ("JAX_PLATFORMS", "NPROC", "XLA_FLAGS"):
    os.environ[_name] = ENVIRONMENT[_name]

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Points the caches of this project and of `datasets` to a temporary folder."""
    base = tmp_path_factory.getbasetemp()
    os.environ["JAX_IR_PAIRS_CACHE"] = str(base / "jax-ir-pairs-cache")
    os.environ["HF_HOME"] = str(base / "hf-home")
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"


pytest_plugins = ["tests.built"]
