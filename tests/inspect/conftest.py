"""Statistics that the tests of their views share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jax_ir_pairs.inspect.near_duplicates import NearDuplicates
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.statistics import Statistics, statistics
from jax_ir_pairs.schema import SPLITS

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample"


@pytest.fixture(scope="session")
def sample() -> Statistics:
    """The statistics of `data/sample`."""
    return statistics(find_config(SAMPLE))


@pytest.fixture(scope="session")
def everything(sample: Statistics) -> Statistics:
    """Statistics with all that there can be, of five splits of many rows."""
    split = replace(
        sample.splits["train"],
        rows=100_000_000,
        structures=99_999_999,
        text_bytes=dict.fromkeys([*sample.texts, "optimized_hlo_tpu_v5e"], 999_900_000_000),
        text_tokens=dict.fromkeys([*sample.texts, "optimized_hlo_tpu_v5e"], 444_400_000_000),
    )
    texts = {
        name: replace(
            found,
            unique=499_999_999,
            exact=False,
            tokens=found.bytes,
            near_duplicates=NearDuplicates(500_000_000, 50_000_000, 475_000_000),
        )
        for name, found in sample.texts.items()
    }
    flops = sample.numbers["flops"]
    return replace(
        sample,
        splits=dict.fromkeys(SPLITS, split),
        texts=texts | {"optimized_hlo_tpu_v5e": texts["optimized_hlo"]},
        numbers=dict(sample.numbers) | {"max_abs_error": flops, "max_rel_error": flops},
        rejections={"timeout": 2_000, "trace-error": 31_000},
        tokenizer="words.json",
        token_rows=2000,
        oracles={"interpreter": 499_000_000, "none": 1_000_000},
        executed=50_000_000,
        targets={"tpu-v5e": 250_000_000},
        passes={f"pass{number}": 1_000_000 for number in range(50)},
    )
