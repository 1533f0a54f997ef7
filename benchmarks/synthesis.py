"""Measures the synthesis, in programs per second: `python benchmarks/synthesis.py hlo-100 2000`."""

from __future__ import annotations

import sys
import time

from jax_ir_pairs.config import load_config
from jax_ir_pairs.synthesis import draw


def main() -> None:
    """Draws and hashes programs of the config that is named, then renders the same ones."""
    config = load_config(sys.argv[1] if len(sys.argv) > 1 else "hlo-100")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    draw(config.recipe, 0).program()  # imports the families
    started = time.perf_counter()
    drafts = [draw(config.recipe, seed) for seed in range(count)]
    distinct = len({draft.canonical_hash for draft in drafts})
    drawn = time.perf_counter()
    characters = sum(len(draft.program().python) for draft in drafts)
    rendered = time.perf_counter()
    print(f"{config.name}: {count:,} programs, {distinct:,} distinct")
    print(f"draw and hash: {count / (drawn - started):,.0f} a second")
    print(
        f"render: {count / (rendered - drawn):,.0f} a second, {characters / count:,.0f} characters"
    )


if __name__ == "__main__":
    main()
