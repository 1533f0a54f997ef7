"""JAX programs at every level of the compiler, as Hugging Face datasets, or one by one.

Importing this package lets `datasets` (4.0 and later) load builder scripts that use it. It imports
neither JAX nor `datasets`, and as little as it can besides: an environment in which
`jax-ir-pairs register` was run imports it each time that Python starts.
"""

# No `from __future__ import annotations` here: it imports a module, at each start of Python.
import sys

TYPE_CHECKING = False  # typing is slow to import; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from jax_ir_pairs.config import Config, config_names, load_config
    from jax_ir_pairs.errors import JaxIrPairsError
    from jax_ir_pairs.examples import example_inputs
    from jax_ir_pairs.extraction.in_process import extract
    from jax_ir_pairs.extraction.result import Extraction
    from jax_ir_pairs.scoring.score import Score
    from jax_ir_pairs.scoring.scorer import Scorer, score, score_many

    __version__: str

__all__ = [
    "Config",
    "Extraction",
    "JaxIrPairsError",
    "Score",
    "Scorer",
    "__version__",
    "config_names",
    "example_inputs",
    "extract",
    "load_config",
    "score",
    "score_many",
]

_HOMES = {
    "Config": "jax_ir_pairs.config",
    "Extraction": "jax_ir_pairs.extraction.result",
    "JaxIrPairsError": "jax_ir_pairs.errors",
    "Score": "jax_ir_pairs.scoring.score",
    "Scorer": "jax_ir_pairs.scoring.scorer",
    "config_names": "jax_ir_pairs.config",
    "example_inputs": "jax_ir_pairs.examples",
    "extract": "jax_ir_pairs.extraction.in_process",
    "load_config": "jax_ir_pairs.config",
    "score": "jax_ir_pairs.scoring.scorer",
    "score_many": "jax_ir_pairs.scoring.scorer",
}


def __getattr__(name: str) -> object:
    import importlib

    if name == "__version__":
        metadata = importlib.import_module("importlib.metadata")
        try:
            return metadata.version("jax-ir-pairs")
        except metadata.PackageNotFoundError:  # a checkout on the path that nobody installed
            return "0+unknown"
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _RegisterWithDatasets:
    """A finder that registers with `datasets` at the moment when it gets imported, and is gone."""

    def find_spec(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name != "datasets.load":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is None or (loader := spec.loader) is None:
            return None

        def exec_module(module: "ModuleType") -> None:
            del loader.exec_module  # uncovers the loader's own
            loader.exec_module(module)
            sys.meta_path.remove(self)
            _register(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register(load: "ModuleType") -> None:
    from jax_ir_pairs.hub.registration import register

    register(load)


if (_load := sys.modules.get("datasets.load")) is not None:
    _register(_load)
else:
    sys.meta_path.insert(0, _RegisterWithDatasets())
