"""Lets `datasets` 4.0 and later load a builder script of this project from a local path.

Those versions refuse every `.py` path and have no point of extension, so the function that
resolves a path is wrapped. A path is ours when it is an existing `.py` file that imports this
package and defines a builder or takes one from `jax_ir_pairs.hub`; every other path goes to
`datasets` as it came. `datasets` 3.6 loads scripts itself and is left as it is.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from jax_ir_pairs.atomic import replacing

_MARK = "_jax_ir_pairs_registered"
_FOLDER = "jax_ir_pairs_scripts"


def register(load: ModuleType) -> None:
    """Wraps `dataset_module_factory` where `datasets` uses it; `load` is `datasets.load`.

    Does nothing where that is done already, or where `datasets` loads scripts itself.
    """
    factory = load.dataset_module_factory
    if hasattr(load, "LocalDatasetModuleFactoryWithScript") or hasattr(factory, _MARK):
        return
    wrapped = _wrap(factory, load)
    for module in (load, sys.modules.get("datasets.inspect")):
        if getattr(module, "dataset_module_factory", None) is factory:
            setattr(module, "dataset_module_factory", wrapped)  # noqa: B010 (any module)


def _wrap(factory: Callable[..., Any], load: ModuleType) -> Callable[..., Any]:
    @functools.wraps(factory)
    def dataset_module_factory(path: Any, *args: Any, **kwargs: Any) -> Any:
        if is_builder_script(path):
            script = Path(path)
            name, digest = importable(script, Path(load.config.HF_MODULES_CACHE))
            if load.import_main_class(name) is not None:
                return load.DatasetModule(name, digest, {"base_path": str(script.parent)})
        return factory(path, *args, **kwargs)

    setattr(dataset_module_factory, _MARK, True)
    return dataset_module_factory


def is_builder_script(path: object) -> bool:
    """Says whether `path` is a Python file that is written to be a builder of this project.

    The file is parsed and not run.

    **Raises:** `SyntaxError` where a file that names this package is not Python.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path).endswith(".py"):
        return False
    try:
        source = Path(path).read_bytes()
    except OSError:
        return False
    if b"jax_ir_pairs" not in source:
        return False
    body = ast.parse(source, filename=os.fspath(path)).body
    imported = [module for statement in body for module in _imported(statement)]
    if not any(module.split(".")[0] == "jax_ir_pairs" for module in imported):
        return False
    defines_subclass = any(isinstance(node, ast.ClassDef) and node.bases for node in body)
    return defines_subclass or any(
        f"{module}.".startswith("jax_ir_pairs.hub.") for module in imported
    )


def _imported(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
        return [f"{statement.module}.{alias.name}" for alias in statement.names]
    return []


def importable(script: Path, cache: Path) -> tuple[str, str]:
    """Gives the name under which a copy of `script` can be imported, and the digest of its source.

    As in `datasets` 3.6 the copy lies in the modules cache, in a folder named by its content: an
    edited script is another module, and worker processes that do not fork find it too, because
    they are handed `sys.path`.
    """
    source = script.read_bytes()
    digest = hashlib.sha256(source).hexdigest()[:16]
    stem = script.stem.replace(".", "_")
    copy = cache / _FOLDER / f"source_{digest}" / f"{stem}.py"
    if not copy.is_file() or copy.read_bytes() != source:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with replacing(copy) as temporary:
            temporary.write_bytes(source)
    if str(cache) not in sys.path:
        sys.path.append(str(cache))
    return f"{_FOLDER}.{copy.parent.name}.{stem}", digest
