"""What the README shows and names, held against the project."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.config import Limits, config_names, load_config
from jax_ir_pairs.extraction import ExtractionProcess, versions
from jax_ir_pairs.schema import SPLITS
from jax_ir_pairs.synthesis.program import Program

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_is_what_the_compiler_makes() -> None:
    if versions()[0] != "0.12.0.1":
        pytest.skip("the example was made with JAX 0.12.0.1")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    python = next(text for language, text in blocks if language == "python")
    fusion = next(text for language, text in blocks if not language)
    inputs = re.search(r"`(\[\[.*?\]\])`", README)
    assert inputs is not None
    with ExtractionProcess(Limits()) as process:
        entry = re.findall(r"^def (\w+)", python, re.MULTILINE)[-1]
        extraction = process.extract(Program(python, entry, inputs[1], "losses", (), "0" * 16))
    assert fusion.rstrip("\n") in extraction.optimized_hlo
    assert extraction.num_fusions == 7


def test_the_example_is_a_row_of_the_sample() -> None:
    rows = pq.read_table(ROOT / "data/sample/train-00000-of-00001.parquet").to_pylist()
    python = re.search(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert python is not None
    assert python[1] in {row["python"] for row in rows}


def test_the_table_of_configs_is_theirs() -> None:
    for name in config_names():
        config = load_config(name)
        rows = " | ".join(f"{config.splits.rows(split):,}" for split in SPLITS)
        shards = sum(config.num_shards(split) for split in SPLITS)
        assert f"| `{name}` | {rows} | {shards:,} |" in README


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
