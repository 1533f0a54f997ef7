"""Programs and an extraction that stay as they are and take no time."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jax_ir_pairs import plan
from jax_ir_pairs.build import records
from jax_ir_pairs.config import Config, Recipe, Splits
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import CheckRequest, Extraction, TargetLevels
from jax_ir_pairs.extraction.result import Pass
from jax_ir_pairs.synthesis.held_out import Kind
from jax_ir_pairs.synthesis.program import Program
from tests.extractions import fake_extraction

CONFIG = Config(
    name="tiny",
    description="for tests",
    splits=Splits(train=60, validation=6, test=6),
    rows_per_shard=20,
    recipe=Recipe(families={"expression": 1.0}),
    spare_share=0.2,
    max_rejected_share=0.5,
)
"""Five shards: three of train, one of validation, one of test."""


@dataclass(frozen=True)
class FakeDraft:
    """A program for each seed, a structure for each two; nothing is held out."""

    seed: int
    held_out: Kind = "none"

    @property
    def canonical_hash(self) -> str:
        return _hash(f"canonical {self.seed}")

    @property
    def structure_hash(self) -> str:
        return _hash(f"structure {self.seed // 2}")

    def program(self) -> Program:
        source = f"def f(x):\n    return x + {self.seed}\n"
        return Program(source, "f", '[["x", "f32[2]"]]', "expression", (), self.structure_hash)


def draw(recipe: Recipe, seed: int) -> FakeDraft:
    return FakeDraft(seed)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def use_fake_programs(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Makes plans and builds draw the programs of here, and keeps their plans to themselves."""
    patch.setenv("JAX_IR_PAIRS_CACHE", str(cache))
    patch.setattr(plan, "draw", draw)
    patch.setattr(records, "draw", draw)


def digest_of(program: Program) -> int:
    return int(hashlib.sha256((program.python + program.inputs).encode()).hexdigest(), 16)


def distinct(program: Program) -> int:
    return digest_of(program)


def colliding(program: Program) -> int:
    """Gives programs one of 150 jaxprs, so that many rows are duplicates."""
    return digest_of(program) % 150


def nothing_rejected(program: Program) -> None:
    pass


def no_further_target(program: Program) -> tuple[TargetLevels, ...]:
    return ()


CHECKED: Mapping[str, Any] = {
    "checked_by": "interpreter",
    "max_abs_error": 0.5,
    "max_rel_error": 2.0**-24,
}


@dataclass
class FakeProcess:
    """`jaxpr` tells two jaxprs apart; `check` may raise; the rest counts what was done."""

    jaxpr: Callable[[Program], int] = distinct
    check: Callable[[Program], None] = nothing_rejected
    further: Callable[[Program], tuple[TargetLevels, ...]] = no_further_target
    passes: tuple[Pass, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """What each extraction has instead of the usual."""
    extracted: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False

    def extract(self, program: Program, check: CheckRequest | None = None) -> Extraction:
        with self.lock:
            self.extracted[program.id] += 1
        self.check(program)
        is_run = check is not None and check.executes
        values = {
            "executed": is_run,
            "peak_memory_bytes": 96 if is_run else None,
            **({} if check is None else CHECKED),
            **self.values,
        }
        return fake_extraction(
            f"{self.jaxpr(program):x}",
            **values,
            further=self.further(program),
            passes=self.passes,
        )

    def close(self) -> None:
        self.closed = True

    def kill(self) -> None:
        pass


def reject_tenth(program: Program) -> None:
    """Rejects about a tenth of the programs, by what they are."""
    if digest_of(program) % 10 == 3:
        raise Rejected("compiler-error", "no lowering")


def files_of(folder: Path) -> dict[str, str]:
    """Gives the SHA-256 of every file, whatever its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
