from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from jax_ir_pairs.inspect.distribution import Distribution
from jax_ir_pairs.inspect.statistics import (
    Optimization,
    SplitStatistics,
    Statistics,
    TextStatistics,
)
from jax_ir_pairs.inspect.statistics_view import (
    markdown,
    readable_bytes,
    readable_number,
    tables,
)
from jax_ir_pairs.schema import LEVELS

LENGTHS = Distribution(4, 6000, 500, 4000, (500, 1000, 4000), (2, 1, 1))
SPLIT = SplitStatistics(
    rows=3, shards=1, stored_bytes=999, structures=3, text_bytes=dict.fromkeys(LEVELS, 5000)
)
STATISTICS = Statistics(
    config="mine",
    splits={"train": SPLIT, "test": replace(SPLIT, rows=1, structures=1)},
    texts=dict.fromkeys(LEVELS, TextStatistics(LENGTHS, unique=2, exact=True)),
    numbers={"num_eqns": LENGTHS, "bytes_accessed": LENGTHS},
    optimization=Optimization(Distribution(4, 6, 1, 2, (1, 2), (2, 2)), ((70, 72, 4),)),
    families={"expression": 3, "autodiff": 1},
    transforms={"none": 2, "vmap": 1, "grad": 1},
    family_transforms={"expression": {"none": 2, "vmap": 1}, "autodiff": {"grad": 1}},
    primitives={f"p{number}": 1 for number in range(50)},
    devices={1: 3, 8: 1},
    jax_versions={"1.2.3": 4},
    shared_structures=1,
    rejections={"timeout": 2},
)


def printed(statistics: Statistics, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(tables(statistics))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_page_has_every_figure() -> None:
    page = markdown(STATISTICS)
    for piece in (
        "4 rows. Written by `jax-ir-pairs stats DIR --config mine --markdown FILE`.",
        "| python | 6.0 kB | 1.5 kB | 500 B | 500 B | 4.0 kB | 4.0 kB | 4.0 kB | 2 (50.0%) |",
        "train 3 rows (3 structures, 25.0 kB of text, 999 B on disk); test 1 rows (1 ",
        "Families: expression 75.0%, autodiff 25.0%",
        "Transformations: none 50.0%, vmap 25.0%, grad 25.0%",
        "Primitives, 50: p0 25.0%",
        "p11 25.0%, …",
        "1.00 (2.00, 2.00) HLO after ÷ before, 500 (4.0k, 4.0k) eqns, 500 B (4.0 kB, 4.0 kB) acc",
        "Devices: 1 (75.0%), 8 (25.0%)",
        "Rejected: 2 timeout. Structures in two splits: 1. Made with JAX: 1.2.3",
    ):
        assert piece in page
    assert "p12" not in page


def test_the_page_has_at_most_twenty_lines(everything: Statistics) -> None:
    page = markdown(everything)
    assert len(everything.splits) == 5
    assert len(page.splitlines()) <= 20
    for piece in (
        "Tokens by `words.json`, counted in 2,000 of 500,000,000 rows.",
        "| ≈ 499,999,999 (",
        "Compiled for: tpu-v5e 50.0%",
        "Passes, 50: pass0 0.2%",
        "Checked by: interpreter 99.8%, none 0.2%",
        "Executed: 10.0%",
        "Near-duplicates: python 10.0%, jaxpr 10.0%",
        "max abs error",
    ):
        assert piece in page


def test_eighty_columns_are_enough(everything: Statistics) -> None:
    text = printed(everything)
    assert max(map(len, text.splitlines())) <= 80
    # Only what is left of the primitives and of the passes is left out.
    assert text.count("…") == 2
    for piece in ("999.9 GB", "444.4G", "≈499,999,999", "100,000,000", "test_compositions"):
        assert piece in text


def test_the_terminal_gets_the_same_figures(sample: Statistics) -> None:
    text = printed(sample, 1000)
    for line in markdown(sample).splitlines():
        if line.startswith("- ") and not line.startswith(("- Splits", "- Median")):
            for fact in line.removeprefix("- ").split(". "):
                assert fact.partition(": ")[2] in text, fact


def test_numbers_that_not_all_rows_have_say_so() -> None:
    one = Distribution(1, 96, 96, 96, (96,), (1,))
    none = Distribution(0, 0, 0, 0, (), ())
    some = replace(STATISTICS, numbers={"flops": none, "peak_memory_bytes": one}, executed=1)
    page, text = markdown(some), printed(some)
    assert "96 B (96 B, 96 B) peak memory (1 rows)" in page
    assert "Executed: 25.0%" in page
    for shown in (page, text):
        assert "flops" not in shown
    assert "Executed" not in markdown(STATISTICS)


def test_a_build_under_way_is_no_build_without_rejections() -> None:
    assert "Rejected: not sealed yet" in markdown(replace(STATISTICS, rejections=None))
    assert "Rejected: none" in markdown(replace(STATISTICS, rejections={}))


def test_structures_that_were_only_estimated_are_not_compared() -> None:
    page = markdown(replace(STATISTICS, shared_structures=None))
    assert "Structures in two splits: too many to tell" in page


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (10**15, "1000.0 TB"),
    ],
)
def test_sizes_are_readable(number: int, text: str) -> None:
    assert readable_bytes(number) == text


def test_numbers_are_readable() -> None:
    assert [readable_number(number) for number in (7, 1234, -5e6)] == ["7", "1.2k", "-5.0M"]
