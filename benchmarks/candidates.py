"""Traces the programs of some seeds, on demand runs them too, and says what became of them.

    python benchmarks/candidates.py 0:500 --run
    python benchmarks/candidates.py 0:200 --family control_flow --show 3

The tool for work on the op table and the families: failures come with their seed and program.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter, defaultdict
from statistics import median, quantiles
from typing import Any

from jax_ir_pairs.config import Recipe, load_config
from jax_ir_pairs.extraction.environment import ENVIRONMENT

os.environ |= ENVIRONMENT

import jax

from jax_ir_pairs.extraction.counting import all_jaxprs
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.quality.comparison import all_finite
from jax_ir_pairs.quality.inputs import ordinary_inputs, unwrapped, wrapped
from jax_ir_pairs.synthesis import draw


def main() -> None:
    """Prints the figures, and up to `--show` programs of each failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="?", default="0:300", help="FIRST:END")
    parser.add_argument("--config", default="hlo-10k")
    parser.add_argument("--family", action="append", help="only this one; several times")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--show", type=int, default=1)
    arguments = parser.parse_args()
    jax.config.update("jax_numpy_rank_promotion", "allow")
    recipe = load_config(arguments.config).recipe
    if arguments.family:
        recipe = Recipe(families=dict.fromkeys(arguments.family, 1.0), size=recipe.size)
    first, end = map(int, arguments.seeds.split(":"))
    started = time.perf_counter()
    drafts = [(seed, draw(recipe, seed)) for seed in range(first, end)]
    for _, draft in drafts:
        _ = draft.canonical_hash
    drawn = time.perf_counter() - started

    outcomes: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    primitives: Counter[str] = Counter()
    families = Counter(draft.family for _, draft in drafts)
    sizes: list[int] = []
    of_family: defaultdict[str, list[int]] = defaultdict(list)
    for seed, draft in drafts:
        program = draft.program()
        jax.config.update("jax_enable_x64", False)

        def note(outcome: str, kind: str, seed: int = seed, program: Any = program) -> None:
            outcomes[kind] += 1
            shown[kind] += 1
            if shown[kind] <= arguments.show:
                print(f"--- seed {seed}: {outcome}\n{program.inputs}\n{program.python}")

        try:
            function = load(program.python, program.entry_point)
            avals = abstract_arguments(program.inputs)
            traced = function.trace(*avals)
        except Exception as error:
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            note(text, f"trace-error {text[:60]}")
            continue
        jaxprs = all_jaxprs(traced.jaxpr)
        sizes.append(sum(len(j.eqns) for j in jaxprs))
        of_family[draft.family].append(sizes[-1])
        primitives.update({eqn.primitive.name for j in jaxprs for eqn in j.eqns})
        outs = traced.jaxpr.out_avals
        got = [re.sub(r"\{.*?\}|~", "", aval.str_short(short_dtypes=True)) for aval in outs]
        want = None if draft.results is None else list(map(str, draft.results))
        if want is not None and got != want:
            note(f"built as {want}, traced as {got}", "other avals")
        used = {id(var) for eqn in traced.jaxpr.eqns for var in eqn.invars}
        if any(id(var) not in used for var in traced.jaxpr.jaxpr.invars):
            note("an input is not used", "unused input")
        if not arguments.run:
            continue
        try:
            with jax.default_matmul_precision("float32"):
                flat, tree = jax.tree.flatten(avals)
                values = ordinary_inputs(flat, seed)
                ready = [wrapped(x, a.dtype) for x, a in zip(values, flat, strict=True)]
                results = jax.block_until_ready(function(*jax.tree.unflatten(tree, ready)))
        except Exception as error:
            note(f"{type(error).__name__}: {error}", f"run-error {type(error).__name__}")
            continue
        if not all(all_finite(unwrapped(value)) for value in jax.tree.leaves(results)):
            note("not finite on ordinary inputs", "not finite")
        jax.clear_caches()
    count = len(drafts)
    print(f"{count} drafts, {count / drawn:.0f} a second; {dict(outcomes) or 'no failures'}")
    medians = {name: median(found) for name, found in of_family.items()}
    print(f"families {dict(families)}, their median equations {medians}")
    if len(sizes) > 1:
        cuts = quantiles(sizes, n=100)
        print(f"equations: median {cuts[49]:.0f}, p90 {cuts[89]:.0f}, p99 {cuts[98]:.0f}, "
              f"largest {max(sizes)}")  # fmt: skip
    print(f"{len(primitives)} primitives: {dict(primitives.most_common())}")


if __name__ == "__main__":
    main()
