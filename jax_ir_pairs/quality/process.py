"""The parent's side of a check: the process that extracts programs, with a child that can check."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from jax_ir_pairs.config import Checks
from jax_ir_pairs.extraction import ExtractionProcess


class CheckingProcess(ExtractionProcess):
    """Extracts programs, and checks those that it is given a `check_seed` for."""

    worker: ClassVar[str] = "jax_ir_pairs.quality.worker"


def is_checked(checks: Checks, seed: int) -> bool:
    """Tells whether the program of `seed` is checked: of a `sample` a tenth, chosen by its hash."""
    if checks == "sample":
        return hashlib.sha256(f"check {seed}".encode()).digest()[0] * 10 < 256
    return checks == "all"
