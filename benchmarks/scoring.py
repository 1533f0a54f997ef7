"""How many answers a second are scored: `python benchmarks/scoring.py [CONFIG] [ROWS] [WORKERS]`.

For each row with up to 30 StableHLO operations there are eight answers, as of a group of GRPO: the
row's own text, one with other names, two that are right and have to be run, three mutants, and one
that does not parse. Seconds of CPU time are those of all processes, their start left out; they tell
more than the clock where others use the cores.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import psutil

from jax_ir_pairs.config import load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.scoring import Score, Scorer
from jax_ir_pairs.synthesis import draw

TASK = "jaxpr_to_stablehlo"
SWAPS = (
    ("stablehlo.add", "stablehlo.subtract"),
    ("stablehlo.subtract", "stablehlo.add"),
    ("stablehlo.multiply", "stablehlo.add"),
    ("stablehlo.divide", "stablehlo.multiply"),
    ("stablehlo.tanh", "stablehlo.sine"),
    ("stablehlo.maximum", "stablehlo.minimum"),
    ("dense<1.0", "dense<2.0"),
    ("dense<0", "dense<3"),
    ("LT", "GE"),
    ("GT", "LE"),
)
_RETURN = re.compile(r"^(    return )(%[\w#]+)(.*?: )(tensor<[^>]*>+)", re.MULTILINE)


def rows(config: str, count: int) -> list[dict[str, Any]]:
    """Gives so many small rows, with what scoring needs of them."""
    loaded = load_config(config)
    found: list[dict[str, Any]] = []
    with ExtractionProcess(loaded.limits) as process:
        seed = 0
        while len(found) < count:
            seed += 1
            program = draw(loaded.recipe, seed).program()
            try:
                row = asdict(process.extract(program))
            except Rejected:
                continue
            if row["num_stablehlo_ops"] <= 30:
                names = ("python", "entry_point", "inputs")
                found.append(row | {n: getattr(program, n) for n in names} | {"seed": seed})
    return found


def renamed(text: str) -> str:
    """Gives the module with other names of values."""
    return text.replace("%", "%value_")


def run_anew(text: str, times: int = 1) -> str:
    """Gives a module that does the same, with barriers in it that no rewriting takes out."""
    for number in range(times):
        new = rf"    %b{number} = stablehlo.optimization_barrier \2 : \4\n\1%b{number}\3\4"
        text = _RETURN.sub(new, text, count=1)
    return text


def mutants(text: str, rng: random.Random) -> list[str]:
    """Gives the module with one thing changed, in all ways, in random order."""
    found = [
        text[: match.start()] + other + text[match.end() :]
        for one, other in SWAPS
        for match in re.finditer(re.escape(one), text)
    ]
    rng.shuffle(found)
    return found


def measure(name: str, given: Sequence[tuple[dict[str, Any], str]], workers: int) -> list[Score]:
    """Scores answers, and prints how many a second."""
    with Scorer(workers) as scorer:
        for process in scorer._processes:
            process._ready_child()
        before = _cpu_seconds(scorer)
        begun = time.perf_counter()
        scores = scorer.score_many(TASK, [row for row, _ in given], [text for _, text in given])
        wall = time.perf_counter() - begun
        seconds = _cpu_seconds(scorer) - before
    rewards = dict(sorted(Counter(round(score.reward, 2) for score in scores).items()))
    print(
        f"{name:<22} {len(given):5} answers  {len(given) / wall:6.0f}/s by the clock  "
        f"{1000 * seconds / len(given):6.1f} CPU ms each  rewards {rewards}"
    )
    return scores


def _cpu_seconds(scorer: Scorer) -> float:
    """Gives the CPU time of the scorer's processes so far, those included that they waited for."""
    total = 0.0
    for process in scorer._processes:
        own = psutil.Process(process._ready_child().pid)
        for each in (own, *own.children(recursive=True)):
            total += sum(each.cpu_times()[:4])
    return total


def main(config: str = "hlo-10k", count: str = "100", workers: str = "2") -> None:
    """Measures each kind of answer, and a group of all."""
    rng = random.Random(0)
    found = rows(config, int(count))
    number = int(workers)
    texts = [(row, row["stablehlo"]) for row in found]
    measure("other names", [(r, renamed(t) + "\n" * n) for r, t in texts for n in range(4)], number)
    measure("right, to be run", [(r, run_anew(t, n)) for r, t in texts for n in (1, 2)], number)
    measure("mutants", [(r, m) for r, t in texts for m in mutants(t, rng)[:4]], number)
    group = [
        (r, answer)
        for r, t in texts
        for answer in (t, renamed(t), run_anew(t), run_anew(t, 2), t[:-40], *mutants(t, rng)[:3])
    ]
    measure("groups of eight", group, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
