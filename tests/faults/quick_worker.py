"""A worker that compiles nothing: what it answers is a function of the program's text.

By their texts some programs are rejected, some end the worker each time, some have the jaxpr of
another, and some start a process that does a part of the work.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import time
from typing import Any

from jax_ir_pairs.extraction.lifeline import end_with_parent
from jax_ir_pairs.extraction.result import Extraction
from tests.extractions import fake_extraction

SECONDS = 0.02
"""What a program takes."""


def answer(python: str, *, crashes: bool) -> dict[str, Any]:
    number = int(hashlib.sha256(python.encode()).hexdigest(), 16)
    if number % 4 == 0:
        subprocess.run(["/bin/sleep", str(SECONDS)], check=False)
    time.sleep(SECONDS)
    if crashes and number % 23 == 5:
        os.abort()
    reply: dict[str, Any] = {"seconds": {}, "peak_memory_bytes": 1}
    if number % 10 == 3:
        return {**reply, "rejected": ["compiler-error", "no lowering"]}
    return {**reply, "extraction": dataclasses.asdict(extraction(number))}


def extraction(number: int) -> Extraction:
    return fake_extraction(
        f"{number:x}",
        jaxpr=f"jaxpr {number % 400}",
        optimized_hlo=f"optimized hlo {number:x} " * 50,
    )


def main(*, crashes: bool = True) -> None:
    end_with_parent()
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb", 0) as replies:
        replies.write(b"{}\n")
        for line in requests:
            reply = answer(json.loads(line)["python"], crashes=crashes)
            replies.write(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main()
