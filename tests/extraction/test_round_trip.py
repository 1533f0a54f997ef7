"""The texts of modules parse back through jaxlib, and print again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import Extraction, ExtractionProcess
from jax_ir_pairs.extraction.environment import child_environment
from tests.extraction.hand_written import LIMITS, PROGRAMS
from tests.extraction.same_bytes import drawn

# In a process with the environment of the extraction: a broken text can end it.
_READER = """
import json, sys
import jaxlib._hlo as _hlo
from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir
from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.text import with_one_newline

def again(level, text):
    if level == "stablehlo":
        with mlir.make_ir_context():
            return with_one_newline(str(ir.Module.parse(text)))
    module = _hlo.hlo_module_from_text(text)
    printed = hlo_module.unoptimized_text if level == "hlo" else hlo_module.optimized_text
    return printed(module)

for line in sys.stdin:
    level, text = json.loads(line)
    once = again(level, text)
    print(json.dumps([once, again(level, once)]))
"""


class Printed(NamedTuple):
    """A text of a row, what it prints as after it was read, and after that was read."""

    name: str
    text: str
    once: str
    twice: str


@pytest.fixture(scope="module")
def extractions() -> dict[str, Extraction]:
    found = {}
    with ExtractionProcess(LIMITS) as process:
        for name, asked in {**PROGRAMS, **drawn(32)}.items():
            try:
                found[name] = process.extract(asked)
            except Rejected as rejected:
                print(f"{name}: {rejected}")
    assert len(found) > 35
    return found


def printed(extractions: dict[str, Extraction], level: str) -> Iterator[Printed]:
    texts = {name: getattr(extraction, level) for name, extraction in extractions.items()}
    done = subprocess.run(
        [sys.executable, "-P", "-c", _READER],
        input="".join(json.dumps([level, text]) + "\n" for text in texts.values()),
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for (name, text), line in zip(texts.items(), done.stdout.splitlines(), strict=True):
        yield Printed(name, text, *json.loads(line))


def test_stablehlo_prints_again_as_it_is(extractions: dict[str, Extraction]) -> None:
    for found in printed(extractions, "stablehlo"):
        assert found.once == found.text, found.name


def computations(text: str) -> Counter[str]:
    return Counter(part.strip() for part in text.partition("\n")[2].split("\n\n"))


@pytest.mark.parametrize("level", ["hlo", "optimized_hlo"])
def test_hlo_prints_again_with_the_same_computations(
    level: str, extractions: dict[str, Extraction]
) -> None:
    """XLA's parser may put computations in another order, which then stays."""
    for found in printed(extractions, level):
        assert found.once.partition("\n")[0] == found.text.partition("\n")[0], found.name
        assert computations(found.once) == computations(found.text), found.name
        assert found.twice == found.once, found.name
