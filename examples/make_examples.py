"""Rows become examples to train on: one task, a mixture, a limit in tokens.

Run it with `python examples/make_examples.py`; it needs no trainer, and says where TRL's goes on.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import datasets
import pyarrow.parquet as pq

from jax_ir_pairs.training import Examples, load_mixture

SAMPLE = Path(__file__).parent.parent / "data/sample/train-00000-of-00001.parquet"


def rows() -> datasets.Dataset:
    """Give the rows of the sample; `load_dataset("out", "hlo-10k", split="train")` gives more."""
    return datasets.Dataset(pq.read_table(SAMPLE))


def shortest() -> dict[str, str]:
    """Give the shortest example of one task."""
    examples = Examples("python_to_stablehlo").of(rows())
    found: dict[str, str] = min(examples, key=lambda each: len(each["prompt"] + each["completion"]))
    return found


def main() -> None:
    """Show an example, how a mixture falls out, and what a limit costs."""
    example = shortest()
    print(example["prompt"] + example["completion"])

    # With TRL: SFTTrainer(model, train_dataset=mixed, args=SFTConfig(packing=True, max_length=…)).
    mixed = load_mixture("instruct", form="messages").examples(rows())
    print(f"{len(mixed)} examples of {len(rows())} rows:", *Counter(mixed["task"]).most_common(3))

    # A tokenizer counts by default the bytes; here a rough one counts words.
    tally = Examples("hlo_to_optimized_hlo", max_tokens=2000, tokenizer=str.split).tally(rows())
    print(f"Optimizations: {dict(tally.examples)}, too long: {dict(tally.too_long)}")


if __name__ == "__main__":
    main()
