"""This interpreter for tests of imports, whether or not its environment is registered."""

from __future__ import annotations

import os
import sys

UNREGISTERED = [sys.executable, "-S"]
"""Runs no `.pth` file, such as `jax-ir-pairs register` writes; needs the environment below."""


def search_path() -> dict[str, str]:
    """Gives the environment in which the interpreter above finds what this one finds."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
