"""The programs of a module, one for each example of a function, and the config of their rows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path

from jax_ir_pairs.config import Config, Recipe, Splits
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.synthesis.functions.module import PACKAGE, Function, Module, read_module
from jax_ir_pairs.synthesis.functions.source import source_of
from jax_ir_pairs.synthesis.functions.structure import structure_hash
from jax_ir_pairs.synthesis.program import Program

FAMILY = "user"
_ROWS_PER_SHARD = 20
"""So few that several workers have something to do; a module is no million rows."""


def functions_config(path: Path, targets: Sequence[str] = ("cpu",)) -> Config:
    """Gives the config whose rows are the examples of the functions in a file.

    It has the file's name, and its source, so that it can be built again without it. All rows are
    `train`, in the order of the source. A function that gives no row does not fail the build.

    **Raises:** [`UsageError`][] for a file that cannot be read or has no examples.
    """
    module = read_module(read_source(path), path.name)
    if not any(function.examples for function in module.functions.values()):
        raise UsageError(
            f"{path}: no function has examples: write @{PACKAGE}.example_inputs('f32[8,16]') above "
            "one, with an aval for each of its arguments."
        )
    name = re.sub("[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:60].strip("-")
    if name in {"", "data"}:
        raise UsageError(f"{path}: a config cannot be called {name!r}; rename the file.")
    return Config(
        name=name,
        description=f"The functions of {path.name}.",
        splits=Splits(train=num_programs(module.source), validation=0, test=0),
        rows_per_shard=_ROWS_PER_SHARD,
        targets=tuple(targets),
        recipe=Recipe(functions=module.source),
        spare_share=0.0,
        max_rejected_share=1.0,
    )


def read_source(path: Path) -> str:
    """Gives the text of a Python file. **Raises:** [`UsageError`][] where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name a Python file.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no text in UTF-8; name a Python file.") from None


def num_programs(source: str) -> int:
    """Gives the number of examples in a module."""
    return len(_examples(read_module(source)))


def program_of(source: str, number: int) -> Program:
    """Gives the program of an example, counted from 0 in the order of the source."""
    module = read_module(source)
    function, inputs = _examples(module)[number]
    python = source_of(module, function.name)
    named = list(zip(_names(function, len(inputs)), inputs, strict=True))
    return Program(
        python=python,
        entry_point=function.name,
        inputs=json.dumps(named),
        family=FAMILY,
        transforms=(),
        structure_hash=structure_hash(python),
        purpose=_purpose(function),
    )


def _purpose(function: Function) -> str | None:
    """Gives the first line of a docstring, where there is one."""
    first, _, _ = (ast.get_docstring(function.node) or "").partition("\n")
    return first or None


def _examples(module: Module) -> list[tuple[Function, tuple[object, ...]]]:
    return [(f, inputs) for f in module.functions.values() for inputs in f.examples]


def _names(function: Function, count: int) -> list[str]:
    names = function.parameters[:count]
    rest = function.node.args.vararg
    return names + [f"{rest.arg}_{n}" for n in range(count - len(names)) if rest is not None]
