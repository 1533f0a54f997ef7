"""The parent's side of a check: the process that extracts programs, with a child that can check."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from jax_ir_pairs.config import Checks
from jax_ir_pairs.extraction import CheckRequest, ExtractionProcess


class CheckingProcess(ExtractionProcess):
    """Extracts programs, and checks those that it is given a [`CheckRequest`][] for."""

    worker: ClassVar[str] = "jax_ir_pairs.quality.worker"


def check_request(checks: Checks, seed: int) -> CheckRequest | None:
    """Gives what is asked of the program of `seed`, or nothing where it is not checked.

    The tenth that is run, of `sample` and of `texts`, is chosen by the hash of the seed.
    """
    if checks == "none":
        return None
    is_of_tenth = hashlib.sha256(f"check {seed}".encode()).digest()[0] * 10 < 256
    if checks == "sample" and not is_of_tenth:
        return None
    return CheckRequest(seed, executes=checks == "all" or is_of_tenth)
