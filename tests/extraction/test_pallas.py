"""That a kernel is all that a process has to lower ahead: the next JAX may need more."""

from __future__ import annotations

import json
import subprocess
import sys

from jax_ir_pairs.extraction.environment import child_environment
from tests.this_python import search_path

STATES = """
import importlib, json, pkgutil, warnings
import jax
from jax._src.config import trace_context
from jax_ir_pairs.extraction.pallas import load_pallas

warnings.simplefilter("ignore")
load_pallas()
found, imported = len(trace_context()), []
for module in pkgutil.walk_packages(jax.__path__, "jax.", onerror=lambda name: None):
    if "test" in module.name:
        continue
    try:
        importlib.import_module(module.name)
    except ImportError:  # of what needs a library more
        continue
    imported.append(module.name)
    if len(trace_context()) != found:
        break
print(json.dumps([found, len(trace_context()), imported]))
"""


def test_no_other_module_of_jax_adds_states_to_its_configuration() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STATES],
        env=child_environment() | search_path(),
        capture_output=True,
        text=True,
        check=True,
    )
    before, after, imported = json.loads(done.stdout.splitlines()[-1])
    assert before == after > 20, imported[-1]
    assert "jax._src.pallas.core" in imported
    assert len(imported) > 300
