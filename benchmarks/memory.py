"""Memory of one worker over many programs, which it checks by their texts, without a restart.

python benchmarks/memory.py [CONFIG] [PROGRAMS]
"""

from __future__ import annotations

import statistics
import sys

import psutil

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.quality import CheckingProcess, check_request
from jax_ir_pairs.synthesis import draw


def main(config: str = "hlo-10k", programs: str = "2000") -> None:
    """Prints resident memory after each 500 programs, the median of the last 50, and the peak."""
    recipe = load_config(config).recipe
    with CheckingProcess(Limits(programs_per_process=10**6)) as process:
        process.start()
        children = psutil.Process().children()
        [worker] = [c for c in children if "jax_ir_pairs.quality.worker" in c.cmdline()]
        resident: list[int] = []
        for seed in range(int(programs)):
            try:
                process.extract(draw(recipe, seed).program(), check_request("texts", seed))
            except Rejected as rejected:
                print(f"{seed}: {rejected}", file=sys.stderr)
            if not worker.is_running():
                sys.exit(f"the worker ended at program {seed}")
            resident.append(worker.memory_info().rss)
            if (seed + 1) % 500 == 0:
                median = statistics.median(resident[-50:]) / 2**20
                peak = process.peak_memory_bytes / 2**20
                print(f"{seed + 1} programs: {median:.0f} MiB, peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
