"""Builds that extract nothing, whole and interrupted."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.build import (
    BuildReport,
    build,
    seal,
)
from jax_ir_pairs.location import Location
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import (
    CONFIG,
    FakeProcess,
    colliding,
    reject_tenth,
)


def fake_build(
    out: Location | str, process: FakeProcess | None = None, **options: Any
) -> BuildReport:
    process = process or FakeProcess()
    config = options.pop("config", CONFIG)
    return build(config, out, open_process=lambda: process, **options)


def fake_seal(
    folder: Location | str, process: FakeProcess | None = None, **options: Any
) -> BuildReport:
    process = process or FakeProcess()
    return seal(folder, open_process=lambda: process, **options)


def varied() -> FakeProcess:
    """Has both rejections and duplicates across shards."""
    return FakeProcess(jaxpr=colliding, check=reject_tenth)


class StopHereError(Exception):
    """What a test throws into a build."""


def stopping_after(extractions: int) -> FakeProcess:
    process = varied()

    def check(program: Program) -> None:
        if process.extracted.total() > extractions:
            raise StopHereError
        reject_tenth(program)

    process.check = check
    return process
