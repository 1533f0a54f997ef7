"""Settings that all tests share: no test writes outside its own temporary folders."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from hypothesis import settings

from jax_ir_pairs.extraction.environment import ENVIRONMENT

# Before anything imports JAX: programs on several devices are traced in this process too.
for _name in ("JAX_PLATFORMS", "NPROC", "XLA_FLAGS"):
    os.environ[_name] = ENVIRONMENT[_name]

# A shell lets what it starts in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# And `nohup` lets it ignore the end of its terminal.
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Points the caches of this project and of `datasets` to a temporary folder."""
    base = tmp_path_factory.getbasetemp()
    os.environ["JAX_IR_PAIRS_CACHE"] = str(base / "jax-ir-pairs-cache")
    os.environ["HF_HOME"] = str(base / "hf-home")
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--one-in",
        type=int,
        default=1,
        metavar="N",
        help="of the cases of each parametrized test run every Nth; all other tests run",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    every: int = config.getoption("--one-in")
    seen: Counter[str] = Counter()
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        test, _, case = item.nodeid.partition("[")
        (left if case and seen[test] % every else kept).append(item)
        seen[test] += 1
    config.hook.pytest_deselected(items=left)
    items[:] = kept


pytest_plugins = ["tests.built"]
