"""A module that can be run, by the interpreter where that is quick, else compiled. In the child."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir
from jaxlib.mlir.passmanager import PassManager

from jax_ir_pairs.extraction.execution import Executable
from jax_ir_pairs.interpreter.module import Interpreter
from jax_ir_pairs.interpreter.operation import UnsupportedError
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.scoring.module import Module, NotRunnableError
from jax_ir_pairs.scoring.refusal import unrunnable

INTERPRETED_COST = 100_000.0
"""Units over which a module is never interpreted: some 0.1 s for one draw of inputs."""
QUICK_COST = 25_000.0
"""Units over which it is compiled for all draws after the first: where seven draws take as long."""
_PLAIN = "builtin.module(cse,symbol-dce)"

_RESULT_INFO = re.compile(r'(?:, )?jax\.result_info = "(?:[^"\\]|\\.)*"')
_EMPTY = re.compile(r" ?\{\}")
_STRING_OR_SYMBOL = re.compile(r'custom_call @[\w.$-]+|"(?:[^"\\]|\\.)*"|@[\w.$-]+')


class Program:
    """A module, read once and run on many inputs; nothing is made of it before it is asked for.

    One that has to be `compiled` is never interpreted.
    """

    def __init__(self, module: Module, context: ir.Context, *, compiled: bool = False) -> None:
        self.module = module
        self._compiled = compiled
        self._context = context
        self._parsed = self._parse()

    def _parse(self) -> ir.Module:
        with self._context, ir.Location.unknown():
            return ir.Module.parse(self.module.stablehlo)

    @functools.cached_property
    def text(self) -> str:
        """The module as MLIR prints it."""
        return str(self._parsed.operation.get_asm(enable_debug_info=False))

    @functools.cached_property
    def canonical(self) -> str:
        """The same whatever its values and functions are called, and however it is laid out.

        What is computed twice, or for nothing, is left out too.
        """
        names: dict[str, str] = {}
        with self._context, ir.Location.unknown():
            module = self._parse()
            PassManager.parse(_PLAIN).run(module.operation)
            text = str(module.operation.get_asm(enable_debug_info=False))

        def renamed(match: re.Match[str]) -> str:
            name = match.group()
            return names.setdefault(name, f"@{len(names)}") if name[0] == "@" else name

        return _STRING_OR_SYMBOL.sub(renamed, _EMPTY.sub("", _RESULT_INFO.sub("", text)))

    @functools.cached_property
    def never_run(self) -> str:
        """What it has that is never run, such as a callback, or nothing."""
        return unrunnable(self.text)

    @functools.cached_property
    def interpreter(self) -> Interpreter | None:
        """What interprets it; nothing where that cannot be done, or takes too long."""
        if self._compiled or self.module.num_devices > 1 or self.never_run:
            return None
        try:
            with self._context, ir.Location.unknown():
                return Interpreter(self._parse(), INTERPRETED_COST)
        except UnsupportedError:
            return None

    @functools.cached_property
    def executable(self) -> Executable:
        """The same compiled. **Raises:** [`NotRunnableError`][]."""
        if self.never_run:
            raise NotRunnableError(f"It has {self.never_run}, which is not run.")
        return Executable(self.text, self.module.num_devices)

    def run(self, inputs: Sequence[Array], *, interpreted: bool) -> list[Array]:
        """Gives the results for `inputs`, in one of the two ways.

        **Raises:** [`UnsupportedError`][] where interpreting it takes too long.
        """
        if interpreted:
            assert self.interpreter is not None
            return self.interpreter(inputs)
        return self.executable(inputs, [shape for shape, _ in self.module.outputs])


def new_context() -> ir.Context:
    """Gives a context for the programs of one row; it keeps their constants until it is gone."""
    return make_ir_context()
