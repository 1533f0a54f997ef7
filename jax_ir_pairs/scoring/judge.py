"""The child that judges answers: reads them, runs them, and holds them against their rows."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, BinaryIO

import jax

from jax_ir_pairs.extraction.execution import load_lapack
from jax_ir_pairs.extraction.failures import described
from jax_ir_pairs.quality.comparison import described_as
from jax_ir_pairs.quality.roundings import tolerances
from jax_ir_pairs.scoring import sandbox
from jax_ir_pairs.scoring.draws import Input, among, flat_inputs
from jax_ir_pairs.scoring.forked import Serve
from jax_ir_pairs.scoring.languages import optimized_hlo, reader
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotRunnableError, NotValidError
from jax_ir_pairs.scoring.program import Program, new_context
from jax_ir_pairs.scoring.quality_of import quality
from jax_ir_pairs.scoring.sameness import same_up_to_names
from jax_ir_pairs.scoring.score import Score
from jax_ir_pairs.scoring.tracer import module_of
from jax_ir_pairs.scoring.verdict import Reference, difference

_WITH_ALL_INPUTS = frozenset({"python", "jaxpr"})
"""The languages whose texts keep the inputs that have no effect, which lowering drops."""


class NeedsWholeError(Exception):
    """The row's StableHLO lacks inputs that the answer has: its Python has to be traced."""


class JudgedRow:
    """A row that answers are judged against, and all that is known of it so far."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row
        self.context = new_context()
        self.inputs = flat_inputs(row["inputs"])
        self.whole: Module | None = None
        self._references: dict[str, Reference] = {}

    @functools.cached_property
    def kept(self) -> Module:
        """The row's own StableHLO."""
        return reader("stablehlo")(self.row["stablehlo"], self.row)

    def reference(self, language: str) -> Reference:
        """Gives the program that answers in a language are held against.

        **Raises:** [`NeedsWholeError`][].
        """
        own = self.kept
        if language in _WITH_ALL_INPUTS and len(own.inputs) != len(self.inputs):
            if self.whole is None:
                raise NeedsWholeError
            own = self.whole
        kind = "whole" if own is self.whole else "kept"
        if kind not in self._references:
            program = Program(own, self.context)
            allowed = tolerances(self.row["stablehlo"])
            ins: list[Input] = among(self.inputs, own.inputs)
            self._references[kind] = Reference(program, ins, self.row["seed"], allowed)
        return self._references[kind]

    @functools.cache  # noqa: B019  (it goes with the row)
    def of_column(self, language: str, column: str) -> str:
        """Gives the canonical StableHLO of the row's own text in a language; empty for none."""
        try:
            return Program(reader(language)(self.row[column], self.row), self.context).canonical
        except (NotParsedError, NotValidError, NotRunnableError):
            return ""


def judge(row: JudgedRow, request: Mapping[str, Any]) -> Score:
    """Gives the score of an answer. **Raises:** [`NeedsWholeError`][]."""
    language, column, text = request["language"], request["column"], request["answer"]
    traced = request.get("module")
    try:
        if not request["runs"]:
            raise NotRunnableError(_read_only(text))
        module = reader(language)(text, row.row) if traced is None else module_of(traced)
        return _judge(row, request, module)
    except NotParsedError as error:
        return Score.not_parsed(str(error))
    except NotValidError as error:
        return Score.not_valid(str(error))
    except NotRunnableError as error:
        if traced is None and same_up_to_names(language, text, row.row[column]):
            return Score.right(reason="It is the row's own text up to names; it was not run.")
        return Score.not_run(str(error))


def _read_only(text: str) -> str:
    """Parses a text of a target that is not here, and says that it is not run."""
    optimized_hlo.hold_to_syntax(text)
    return "It parses; its target is not here to run it."


def _judge(row: JudgedRow, request: Mapping[str, Any], module: Module) -> Score:
    language, column, text = request["language"], request["column"], request["answer"]
    reference = row.reference(language)
    own = reference.program.module
    if problem := _other_signature(module, own):
        return Score.other_signature(problem)
    answer = Program(module, row.context)
    worth = quality(text, row.row[column]) if language == "optimized_hlo" else 1.0
    if answer.canonical == reference.program.canonical or (
        language not in ("python", "stablehlo")
        and answer.canonical == row.of_column(language, column)
    ):
        return Score.right(quality=worth)
    if answer.never_run:
        raise NotRunnableError(f"It has {answer.never_run}, which is not run.")
    try:
        found = difference(reference, answer, request["draws"])
    except (NotRunnableError, NeedsWholeError):
        raise
    except Exception as error:  # whatever XLA raises
        return Score.different(f"It does not run: {described(error)}.")
    return Score.different(found) if found else Score.right(quality=worth)


def _other_signature(module: Module, own: Module) -> str:
    for what, ours, theirs in (
        ("takes", module.inputs, own.inputs),
        ("gives", module.outputs, own.outputs),
    ):
        if ours != theirs:
            return f"It {what} {_listed(ours)} instead of {_listed(theirs)}."
    if module.num_devices != own.num_devices:
        return f"It is of {module.num_devices} devices instead of {own.num_devices}."
    return ""


def _listed(avals: Any) -> str:
    listed = ", ".join(described_as(dtype, shape) for shape, dtype in avals)
    return (listed[:200] + " …" if len(listed) > 200 else listed) or "nothing"


def serving(memory_bytes: int) -> Serve:
    """Gives what the child does, with so much memory."""
    return partial(_serve, memory_bytes)


def _serve(memory_bytes: int, requests: BinaryIO, replies: BinaryIO) -> None:
    sandbox.end_with_parent()
    _prepare()
    sandbox.limit(memory_bytes)
    row: JudgedRow | None = None
    for line in requests:
        request = json.loads(line)
        reply: dict[str, Any]
        try:
            if "row" in request:
                row = None  # its context is gone before the next is made
                row = JudgedRow(request["row"])
            assert row is not None
            if "whole" in request:
                row.whole = module_of(request["whole"])
            reply = {"score": asdict(judge(row, request))}
        except NeedsWholeError:
            reply = {"needs": "whole"}
        except MemoryError:
            reply = {"out_of_memory": True}
        except Exception as error:  # a reader met what it did not expect
            reply = {"score": asdict(Score.refused(f"It cannot be read: {described(error)}."))}
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _prepare() -> None:
    """Starts the devices, and LAPACK, while nothing is limited yet."""
    jax.devices()
    load_lapack()
