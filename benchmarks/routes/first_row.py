"""Builds a config until it has a row, and says so: `first_row.py CONFIG OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from jax_ir_pairs.build import Event, RowDone, build
from jax_ir_pairs.config import load_config


def _end(event: Event) -> None:
    if isinstance(event, RowDone):
        print("row", flush=True)
        raise SystemExit


if __name__ == "__main__":
    build(load_config(sys.argv[1]), Path(sys.argv[2]), shards=range(1), on_event=_end)
