"""The versions of NVIDIA's libraries that JAX lowers for: pinned, since none of them is there.

The one place that uses the private `_versions` of JAX's CUDA plug-in. JAX asks it for cuSOLVER's
version to choose how `eig` is lowered, which fails without the library and else depends on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

CUSOLVER_VERSION = 12_000
"""That of CUDA 13.0, as its `cusolverGetVersion` counts: of all that is asked, 11701 is enough."""


@contextmanager
def pinned_versions() -> Iterator[None]:
    """Makes JAX lower as where NVIDIA's libraries are those of CUDA 13.0."""
    versions: Any = importlib.import_module("jax_cuda13_plugin._versions")
    with patch.object(versions, "cusolver_get_version", lambda: CUSOLVER_VERSION):
        yield
