"""A metric for an evaluation: the share of answers that are right, judged by running them.

Run it with `python examples/lm_eval_metric.py`; it needs no harness. For lm-evaluation-harness put
this beside the YAML of a task: `process_results: !function lm_eval_metric.process_results`, with
`output_type: generate_until` and a `metric_list` of `reward` and `equivalent`, averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jax_ir_pairs.scoring import reward
from jax_ir_pairs.training import to_examples

SAMPLE = Path(__file__).parent.parent / "data/sample/train-00000-of-00001.parquet"
TASK = "stablehlo_to_hlo"


@cache
def metric() -> reward.ProcessResults:
    """Give the metric, with a process that is started once and ends with this one."""
    return reward.process_results(TASK)


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Give the metrics of one document, a row, and of what the model wrote for it."""
    return metric()(doc, results)


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """Give the prompt."""
    [example] = to_examples(doc, TASK)
    return str(example["prompt"])


def main() -> None:
    """Evaluate a model that is right every other time."""
    rows = pq.read_table(SAMPLE).to_pylist()
    docs = sorted(rows, key=lambda row: row["num_stablehlo_ops"])[:4]  # the smallest
    found = []
    for number, doc in enumerate(docs):
        own = str(doc["hlo"])
        found.append(process_results(doc, [own if number % 2 else own[: len(own) // 2]]))
    for name in found[0]:
        print(f"{name:<11} {sum(each[name] for each in found) / len(found):.2f}")


if __name__ == "__main__":
    main()
