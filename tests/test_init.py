from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import jax_ir_pairs
from tests.this_python import UNREGISTERED, search_path

ROOT = Path(__file__).parent.parent


def run(code: str) -> str:
    done = subprocess.run(
        [*UNREGISTERED, "-c", code],
        cwd=ROOT,
        env=os.environ | search_path(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_brings_nothing_heavy() -> None:
    heavy = {"jax", "jaxlib", "datasets", "pyarrow", "pydantic", "yaml", "typing", "importlib.util"}
    code = f"""
import sys
before = set(sys.modules)
import jax_ir_pairs
print(sorted((set(sys.modules) - before) & {heavy}))
"""
    assert run(code) == "[]"


def test_import_brings_no_module_but_itself() -> None:
    code = """
import sys
before = set(sys.modules)
import jax_ir_pairs
print(sorted(set(sys.modules) - before))
"""
    assert run(code) == "['jax_ir_pairs']"


@pytest.mark.parametrize("name", jax_ir_pairs.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(jax_ir_pairs, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        jax_ir_pairs.nonsense  # noqa: B018


def test_importing_datasets_leaves_no_trace_of_the_finder() -> None:
    code = """
import sys
before = list(sys.meta_path)
import jax_ir_pairs
assert sys.meta_path != before
import datasets.load
loader = datasets.load.__spec__.loader
print([f for f in sys.meta_path if "jax_ir_pairs" in type(f).__module__], vars(loader).keys())
"""
    assert run(code) == "[] dict_keys(['name', 'path'])"


def test_failed_import_of_datasets_can_be_tried_again() -> None:
    code = """
import sys
import jax_ir_pairs
sys.modules["fsspec"] = None
try:
    import datasets
except ImportError:
    del sys.modules["fsspec"]
import datasets.load
print([f for f in sys.meta_path if "jax_ir_pairs" in type(f).__module__])
"""
    assert run(code) == "[]"
