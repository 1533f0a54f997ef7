"""A worker that never answers, while it and its child hold what a watching thread would need."""

from __future__ import annotations

import os
import sys

from jax_ir_pairs.extraction.worker import main


def endless(*request: object, **named: object) -> None:
    os.fork()
    sum(range(10**12))  # in one call of compiled code, with the interpreter's lock


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:], endless)
