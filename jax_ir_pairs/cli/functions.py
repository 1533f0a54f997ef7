"""Builds of a user's own functions: what was asked for, and which of them gave no row."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jax_ir_pairs.build import (
    Event,
    Folder,
    Rejection,
    RowRejected,
    Shard,
    all_shards,
    read_sidecar,
)
from jax_ir_pairs.build.shard import BrokenShardError
from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.inspect.row_view import tree_text
from jax_ir_pairs.location import Location
from jax_ir_pairs.synthesis.functions import functions_config, program_of
from jax_ir_pairs.targets import known_targets

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.program import Program


def asked_config(
    name: str | None, functions: Path | None, targets: Sequence[str], seed: int | None
) -> Config:
    """Gives the config of a name or a YAML file, or the one that a file of functions makes.

    **Raises:** [`UsageError`][] for both or none of them, and for options that are of the other.
    """
    if functions is None:
        if name is None:
            raise UsageError("Name a config, such as hlo-100, or a file with --functions FILE.py.")
        if targets:
            raise UsageError("--target goes with --functions; a config has targets of its own.")
        return load_config(name, **({} if seed is None else {"seed": seed}))
    if name is not None:
        raise UsageError(f"Both {name} and --functions {functions} are given; build one of them.")
    if seed is not None:
        raise UsageError("--seed is for synthesized programs; functions are what they are.")
    return functions_config(functions, known_targets(targets))


class FunctionRejections:
    """Listens to a build, and says which functions of its module gave no row, and why.

    Nothing for other configs. A context manager: a build that fails says it on stderr.
    """

    def __init__(self, config: Config, file: Path | None, out: Location) -> None:
        self._config = config
        self._file = file
        self._folder = Folder(out / config.name)
        self._details: dict[int, str] = {}

    def listening(self, on_event: Callable[[Event], object]) -> Callable[[Event], None]:
        """Gives `on_event` as one that takes note of rejections too."""

        def listen(event: Event) -> None:
            if isinstance(event, RowRejected):
                self._details[event.rejection.seed] = event.rejection.detail
            on_event(event)

        return listen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, BuildError):
            for line in self.lines():
                print(line, file=sys.stderr)

    def lines(self) -> list[str]:
        """Gives a line for each: the call, the reason and, if it was found in this run, the error.

        What an earlier run rejected counts too, by its sidecars. The last line is the command that
        shows the first error whole.
        """
        if (source := self._config.recipe.functions) is None:
            return []
        rejected = {
            rejection.seed: rejection.reason
            for shard in all_shards(self._config)
            for rejection in _rejected(self._folder, shard)
        }
        found = [
            ": ".join(filter(None, [_call(program_of(source, n)), reason, self._details.get(n)]))
            for n, reason in sorted(rejected.items())
        ]
        errors = [n for n, reason in sorted(rejected.items()) if reason != "duplicate"]
        if errors and self._file is not None:
            found.append(f"{_command(self._file, program_of(source, errors[0]))} shows where")
        return found


def _rejected(folder: Folder, shard: Shard) -> tuple[Rejection, ...]:
    try:
        sidecar = read_sidecar(folder, shard)
    except BrokenShardError:  # which the build tells about
        return ()
    return sidecar.rejected if sidecar else ()


def _command(file: Path, program: Program) -> str:
    inputs = [tree if isinstance(tree, str) else json.dumps(tree)
              for _, tree in json.loads(program.inputs)]  # fmt: skip
    options = [word for tree in inputs for word in ("--input", tree)]
    return shlex.join(["jax-ir-pairs", "extract", f"{file}:{program.entry_point}", *options])


def _call(program: Program) -> str:
    trees = (tree_text(tree) for _, tree in json.loads(program.inputs))
    return f"{program.entry_point}({', '.join(trees)})"
