"""Streaming as trainers do it: shuffled, over ranks and workers, resumed, and by columns."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.schema import arrow_schema
from tests.rows import filler_row

Python = Callable[..., str]
SHARDS, ROWS = 8, 12
TEXT = 80_000
"""Bytes of a long text, so that a column more or less shows in what is read."""

CARD = """---
configs:
- config_name: many
  data_files:
  - {split: train, path: "many/train-*.parquet"}
---
"""
OPEN = """
import json, sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1], "many", split="train", streaming=True)
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a repository of eight shards, written as a build writes them."""
    out = tmp_path_factory.mktemp("many")
    (out / "many").mkdir()
    row = filler_row()
    for shard in range(SHARDS):
        rows = []
        for place in range(ROWS):
            number = shard * ROWS + place
            noise = random.Random(number).randbytes(TEXT // 2).hex()
            rows.append(row | {"id": f"{number:03d}", "python": "x = 1", "optimized_hlo": noise})
        path = out / "many" / f"train-{shard:05d}-of-{SHARDS:05d}.parquet"
        table = pa.Table.from_pylist(rows, arrow_schema())
        pq.write_table(table, path, compression="zstd", write_page_index=True)
    (out / "README.md").write_text(CARD, encoding="utf-8")
    return out


IDS = [f"{number:03d}" for number in range(SHARDS * ROWS)]


def test_a_shuffle_gives_each_row_once_in_an_order_of_its_seed(out: Path, python: Python) -> None:
    code = OPEN + (
        "ids = lambda seed: [r['id'] for r in rows.shuffle(seed=seed, buffer_size=20)]\n"
        "print(json.dumps([ids(0), ids(0), ids(1)]))"
    )
    first, again, other = json.loads(python(code, str(out), folder=out))
    assert first == again
    assert first != other
    assert first != IDS
    assert sorted(first) == sorted(other) == IDS


def test_ranks_share_the_rows(out: Path, python: Python) -> None:
    """With shards for all ranks each reads its own; else each takes its rows of every shard."""
    code = OPEN + (
        "from datasets.distributed import split_dataset_by_node\n"
        "print(json.dumps([[[r['id'] for r in split_dataset_by_node(rows, rank, ranks)]\n"
        "                   for rank in range(ranks)] for ranks in (4, 3, 16)]))"
    )
    for parts in json.loads(python(code, str(out), folder=out)):
        assert sorted(row for part in parts for row in part) == IDS
        assert max(map(len, parts)) - min(map(len, parts)) <= ROWS


def test_a_state_resumes_in_the_middle(out: Path, python: Python) -> None:
    code = OPEN + (
        "from itertools import islice\n"
        "def ids(rows, count=None): return [r['id'] for r in islice(rows, count)]\n"
        "done = []\n"
        "for row in rows:\n"
        "    done.append(row['id'])\n"
        "    if len(done) == 41:\n"
        "        state = json.loads(json.dumps(rows.state_dict()))\n"
        "        break\n"
        "fresh = load_dataset(sys.argv[1], 'many', split='train', streaming=True)\n"
        "fresh.load_state_dict(state)\n"
        "print(json.dumps([done, ids(fresh)]))"
    )
    done, rest = json.loads(python(code, str(out), folder=out))
    assert done + rest == IDS


def test_columns_read_only_what_they_name(out: Path, python: Python) -> None:
    """The bytes are those that the process asked the files for, by the kernel's count."""
    code = (
        "import json, sys\n"
        "from datasets import load_dataset\n"
        "def read(**more):\n"
        "    rows = load_dataset(sys.argv[1], 'many', split='train', streaming=True, **more)\n"
        "    next(iter(rows))\n"  # what opening takes
        "    count = lambda: int(open('/proc/self/io').read().split()[1])\n"
        "    before = count()\n"
        "    found = list(rows)\n"
        "    return count() - before, sorted(found[0]), len(found)\n"
        "print(json.dumps([read(), read(columns=['id', 'python'])]))"
    )
    (every, _, count), (few, names, same) = json.loads(python(code, str(out), folder=out))
    assert names == ["id", "python"]
    assert count == same == len(IDS)
    size = sum(path.stat().st_size for path in (out / "many").iterdir())
    assert every > 0.9 * size
    assert few < every / 5  # most of it footers, which are read 64 KiB at a time


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is no dependency, and not installed"
)
def test_a_loader_with_workers_gives_each_row_once(out: Path, python: Python) -> None:
    code = OPEN + (
        "from torch.utils.data import DataLoader\n"
        "loader = DataLoader(rows.select_columns(['id']), batch_size=5, num_workers=2)\n"
        "print(json.dumps([id for batch in loader for id in batch['id']]))"
    )
    assert sorted(json.loads(python(code, str(out), folder=out))) == IDS
