"""A reward for reinforcement learning: what a model wrote is run, and held against the row.

Run it with `python examples/grpo_reward.py`; it needs no trainer, and says where TRL would call
it. TRL's page on rewards: "Using a custom reward function" of its GRPO trainer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jax_ir_pairs import Scorer
from jax_ir_pairs.scoring.reward import reward_function
from jax_ir_pairs.training import to_examples

SAMPLE = Path(__file__).parent.parent / "data/sample/train-00000-of-00001.parquet"
TASK = "jaxpr_to_stablehlo"


def dataset() -> dict[str, list[Any]]:
    """Give the smallest rows with a column `prompt`, as columns; all other columns are kept."""
    rows = pq.read_table(SAMPLE).to_pylist()
    rows = sorted(rows, key=lambda row: row["num_stablehlo_ops"])[:4]
    for row in rows:
        row["prompt"] = to_examples(row, TASK)[0]["prompt"]
    return {name: [row[name] for row in rows] for name in rows[0]}


def completions_of_a_model(columns: dict[str, list[Any]]) -> list[str]:
    """Give what a model may answer: right with other names, of another row, none, the row's own."""
    texts = columns["stablehlo"]
    return [
        f"Here it is:\n```mlir\n{texts[0].replace('%', '%my_')}```\n",
        texts[0],
        "I would rather not.",
        texts[3],
    ]


def main() -> None:
    """Call the reward function as the trainer does: with the prompts, completions and columns."""
    columns = dataset()
    completions = completions_of_a_model(columns)
    with Scorer(workers=1) as scorer:
        # With TRL: GRPOTrainer(model, reward_funcs=reward, train_dataset=…, args=GRPOConfig(
        # remove_unused_columns=False)), with a column `prompt` beside those of a row.
        reward = reward_function(TASK, scorer)
        rewards = reward(columns.pop("prompt"), completions, **columns)
    for completion, each in zip(completions, rewards, strict=True):
        print(f"{each:.1f}  {' '.join(completion.split())[:70]}")


if __name__ == "__main__":
    main()
