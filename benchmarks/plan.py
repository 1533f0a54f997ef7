"""Measures planning, in candidates per second: `python benchmarks/plan.py hlo-10k`."""

from __future__ import annotations

import resource
import sys
import time

from jax_ir_pairs.config import load_config
from jax_ir_pairs.plan import enumerate_plan


def main() -> None:
    """Makes the plan of the config that is named, without the cache."""
    config = load_config(sys.argv[1] if len(sys.argv) > 1 else "hlo-10k")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    plan = enumerate_plan(config)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = plan.counts
    print(f"{config.name}: {sum(map(len, plan.seeds.values())):,} seeds in {seconds:.1f} s")
    print(f"candidates {counts.candidates:,}, {counts.candidates / seconds:,.0f} a second")
    print(f"duplicates {counts.duplicates:,}, surplus {counts.surplus:,}")
    print(f"peak memory {after / 1024:.0f} MiB, {before / 1024:.0f} MiB of it before planning")


if __name__ == "__main__":
    main()
