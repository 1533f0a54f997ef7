"""Python processes of their own, as a user would start them."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jax_ir_pairs.hub.builder import JaxIrPairs
from jax_ir_pairs.hub.registration import importable
from tests.this_python import UNREGISTERED, search_path

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def script_class(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[JaxIrPairs]]:
    """Gives the class of the script, imported from a copy as `datasets` does it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        name, _ = importable(ROOT / "builder_script.py", tmp_path_factory.mktemp("modules"))
        yield importlib.import_module(name).BuilderScript


@pytest.fixture
def datasets_4() -> None:
    """Skips the test where `datasets` loads scripts itself."""
    if int(importlib.metadata.version("datasets").split(".")[0]) < 4:
        pytest.skip("datasets before 4.0 loads scripts itself")


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., str]:
    """Gives a function that runs code in a home of its own and gives what it prints.

    Without another `executable` it runs in this environment, as if it were not registered.
    """

    def run(
        code: str,
        *arguments: str,
        folder: Path = ROOT,
        executable: str | None = None,
        **environment: str,
    ) -> str:
        command = UNREGISTERED if executable is None else [executable]
        ours = {} if executable is not None else search_path()
        ours |= {
            "HF_HOME": str(tmp_path / "home"),
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "JAX_IR_PAIRS_CACHE": str(tmp_path / "home" / "plans"),
        }
        done = subprocess.run(
            [*command, "-c", code, *arguments],
            cwd=folder,
            env=os.environ | ours | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
