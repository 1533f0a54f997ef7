"""`jax-ir-pairs` with fake programs and an extraction that takes no time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jax_ir_pairs.build import driver
from jax_ir_pairs.cli import main
from tests.build.fake_builds import varied
from tests.build.fakes import use_fake_programs

if __name__ == "__main__":
    patch = pytest.MonkeyPatch()
    use_fake_programs(patch, Path(os.environ["JAX_IR_PAIRS_CACHE"]))
    patch.setattr(driver, "CheckingProcess", lambda *_, **__: varied())
    main()
