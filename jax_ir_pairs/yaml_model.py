"""Settings that are read from YAML and validated, with errors that name file, key and value.

Those of a kind are found by their names in the folder that the project ships, or by a path.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from jax_ir_pairs.errors import UsageError

_MAX_BYTES = 1 << 24
"""Of a file; a module of functions may be in it."""


class Model(BaseModel):
    """Settings: frozen, of the very types that are asked for, without other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NamedModel(Model):
    """Settings that fill a file, and have its name."""

    name: str


Named = TypeVar("Named", bound=NamedModel)


def shipped_names(folder: Path) -> list[str]:
    """Gives the names of the files in `folder`, but for those that others only extend."""
    return sorted(path.stem for path in folder.glob("*.yaml") if not path.stem.startswith("_"))


def load(model: type[Named], shipped: Path, name_or_path: str | Path, **overrides: Any) -> Named:
    """Gives the settings of a name in the folder `shipped`, or of a YAML file by its path.

    Keywords replace top-level keys of the file.

    **Raises:** [`UsageError`][] that names file, key, value and what is allowed.
    """
    kind = model.__name__.lower()
    path = _find(kind, shipped, name_or_path)
    try:
        content = json.dumps({**_read(kind, shipped, path), **overrides})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: {error}; use plain values.") from None
    try:
        found = model.model_validate_json(content)
    except ValidationError as error:
        raise UsageError(_explain(model, path, error)) from None
    if found.name != path.stem:
        raise UsageError(f"{path}: name is {found.name!r}; it must be the file's, {path.stem!r}.")
    return found


def _find(kind: str, shipped: Path, name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        if not (path := Path(text)).is_file():
            raise UsageError(f"There is no {kind} file {text!r}.")
        return path
    known = shipped_names(shipped)
    if text in known:
        return shipped / f"{text}.yaml"
    near = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
    raise UsageError(f"There is no {kind} {text!r}: {hint}")


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases, of which a few lines can stand for more values than there is memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError("an alias is no plain value", self.get_mark())
        return super().compose_node(parent, index)


def _read(kind: str, shipped: Path, path: Path, *, extends: bool = True) -> dict[str, Any]:
    """Reads a YAML file, over the one that its `extends` names: beside it, or a shipped one."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path}: is too long for a {kind}, over {_MAX_BYTES >> 20} MiB.")
        content = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; see whether it can be read.") from None
    except RecursionError:
        raise UsageError(f"{path}: is nested too deep; use plain values.") from None
    except (yaml.YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise UsageError(f"{path}: is not YAML of plain values: {problem}.") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: must hold keys and values, such as 'name: {path.stem}'.")
    if not extends or (base := content.pop("extends", None)) is None:
        return content
    if not isinstance(base, str) or Path(base).name != base or base == path.stem:
        raise UsageError(f"{path}: extends: {base!r} must be the name of another {kind}.")
    base_path = path.parent / f"{base}.yaml"
    if not base_path.is_file():
        base_path = shipped / f"{base}.yaml"
    if not base_path.is_file():
        raise UsageError(f"{path}: extends: there is no {base}.yaml, here or in the project.")
    base_content = _read(kind, shipped, base_path, extends=False)
    return {**base_content, **content}


def _explain(model: type[Model], path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "the whole file"
        if problem["type"] == "extra_forbidden":
            allowed = f"unknown key; allowed are {', '.join(_siblings(model, problem['loc']))}"
        elif problem["type"] == "missing":
            allowed = "is missing"
        else:
            value = json.dumps(problem["input"], default=str)
            allowed = f"{value[:80]}: {problem['msg'].removeprefix('Value error, ')}"
        lines.append(f"{path}: {key}: {allowed}.")
    return "\n".join(lines)


def _siblings(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location[:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return sorted(model.model_fields)
