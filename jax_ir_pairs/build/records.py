"""The rows of one shard: the one function that feeds every way into the data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Protocol

from jax_ir_pairs.build.sizes import difficulty, num_tokens
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError, Reason, Rejected
from jax_ir_pairs.extraction import (
    CheckRequest,
    Extraction,
    TargetLevels,
    compiler_flags,
    versions,
)
from jax_ir_pairs.plan import plan_of
from jax_ir_pairs.quality import CheckingProcess, check_request
from jax_ir_pairs.schema import LEVELS, columns
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.functions import program_of
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.targets import TARGETS

Row = dict[str, Any]
"""A row: a value for each of the columns."""


class Extractor(Protocol):
    """What turns a program into its levels; [`CheckingProcess`][] is the real one."""

    def extract(self, program: Program, check: CheckRequest | None = None) -> Extraction:
        """Gives the levels of `program`, checked with a `check`, or raises [`Rejected`][]."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A candidate that gave no row."""

    seed: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A further target that refuses the program of a row; the row has null there."""

    seed: int
    target: str
    reason: Reason
    detail: str


def shard_records(
    config: Config,
    split: str,
    shard: int,
    *,
    process: Extractor | None = None,
    known: Mapping[int, Row | Rejection] = MappingProxyType({}),
    on_rejection: Callable[[Rejection], object] = lambda _: None,
    on_refusal: Callable[[Refusal], object] = lambda _: None,
) -> Generator[Row, None, None]:
    """Gives the rows of a shard in order, with exactly the columns of the schema.

    Candidates are taken in the plan's order until the shard has its rows. A row whose jaxpr an
    earlier row of this shard has is rejected as a duplicate. Without a `process`, one is started
    and ended here. What is `known` of a seed, its row or its rejection, is not found out again.
    The refusals of a row that was not known are told before it.

    **Raises:** [`BuildError`][] where the spares run out before the shard has its rows, unless its
    programs are the functions of a module.
    """
    wanted = config.shard_rows(split, shard)
    candidates = plan_of(config, split, shard).candidates(split, shard)
    jaxprs: set[str] = set()
    reasons: Counter[str] = Counter()
    with ExitStack() as stack:
        if process is None:
            process = stack.enter_context(
                CheckingProcess(config.limits, config.targets, passes=config.passes)
            )
        candidate = _Candidates(config, split, shard, process)
        for index, seed in enumerate(candidates):
            if len(jaxprs) == wanted:
                return
            outcome = known.get(seed) or candidate.outcome(index, seed)
            if isinstance(outcome, dict) and (jaxpr := text_hash(outcome["jaxpr"])) in jaxprs:
                outcome = Rejection(seed, "duplicate", "an earlier row has the same jaxpr")
            if isinstance(outcome, Rejection):
                reasons[outcome.reason] += 1
                on_rejection(outcome)
            else:
                jaxprs.add(jaxpr)
                for refusal in candidate.refusals.pop(seed, ()):
                    on_refusal(refusal)
                yield outcome
    # A module has the functions that it has, and no spares.
    if len(jaxprs) < wanted and config.recipe.functions is None:
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        raise BuildError(
            f"{config.name}: shard {shard} of {split} has {len(jaxprs)} of {wanted} rows and no "
            f"candidates left: {counts}. Raise spare_share or what rejects them in the config."
        )


def remade_row(
    config: Config, split: str, shard: int, index: int, seed: int, process: Extractor
) -> Row | Rejection:
    """Gives the row of a seed, made by its place in the plan and nothing else."""
    return _Candidates(config, split, shard, process).outcome(index, seed)


def text_hash(text: str) -> str:
    """Gives 16 hex digits that stand for `text` where rows are compared."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Candidates:
    """Turns the candidates of one shard into rows or rejections."""

    def __init__(self, config: Config, split: str, shard: int, process: Extractor) -> None:
        self._config = config
        self._process = process
        self._columns = [column.name for column in columns(config.targets, passes=config.passes)]
        self.refusals: dict[int, list[Refusal]] = {}
        jax_version, jaxlib_version = versions()
        self._provenance = {
            "config": config.name,
            "split": split,
            "shard": shard,
            "jax_version": jax_version,
            "jaxlib_version": jaxlib_version,
            "compiler_flags": compiler_flags(config.targets),
        }

    def outcome(self, index: int, seed: int) -> Row | Rejection:
        recipe = self._config.recipe
        if recipe.functions is None:
            program = draw(recipe, seed).program()
        else:
            program = program_of(recipe.functions, seed)
        try:
            self._check_length("python", program.python)
            check = check_request(self._config.checks, seed)
            extraction = self._process.extract(program, check)
            for level in LEVELS[1:]:
                self._check_length(level, getattr(extraction, level))
            self._check_length("passes", *(step.hlo for step in extraction.passes))
        except Rejected as rejected:
            return Rejection(seed, rejected.reason, rejected.detail)
        further = [self._within_limits(levels) for levels in extraction.further]
        self.refusals[seed] = [
            Refusal(seed, levels.target, *levels.refusal) for levels in further if levels.refusal
        ]
        values = {
            "id": program.id,
            "index": index,
            "seed": seed,
            **asdict(program),
            **asdict(extraction),
            **self._provenance,
            "passes": [
                {"pipeline": step.pipeline, "pass": step.name, "hlo": step.hlo}
                for step in extraction.passes
            ],
        }
        texts = {level: str(values[level]) for level in LEVELS}
        values |= {
            "difficulty": difficulty(program, extraction),
            "num_tokens": num_tokens(texts),
        }
        for levels in further:
            target = TARGETS[levels.target]
            values[target.column("stablehlo")] = levels.stablehlo
            values[target.column("optimized_hlo")] = levels.optimized_hlo
        return {name: _plain(values[name]) for name in self._columns}

    def _within_limits(self, levels: TargetLevels) -> TargetLevels:
        """Gives the levels of a target, or its refusal where one of them is too long."""
        try:
            self._check_length("stablehlo", levels.stablehlo or "")
            self._check_length("optimized_hlo", levels.optimized_hlo or "")
        except Rejected as rejected:
            return TargetLevels.refused(levels.target, rejected.reason, rejected.detail)
        return levels

    def _check_length(self, level: str, *texts: str) -> None:
        limit: int = getattr(self._config.text_limits, level)
        if (length := sum(map(len, texts))) > limit:
            raise Rejected("too-long", f"{level} has {length:,} characters, over {limit:,}")


def _plain(value: object) -> object:
    """Gives `value` as JSON would: with lists in place of tuples, at any depth."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
