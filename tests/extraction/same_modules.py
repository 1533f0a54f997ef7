"""Whether a compiler stopped after its passes gives the module that machine code is made of.

    python -m tests.extraction.same_modules [PROGRAMS] [FIRST]

Programs of the recipe of hlo-10k are compiled both ways, in the environment of an extraction. Their
texts, the lines that their instructions come from, and flops and bytes have to be the same. Those
with an `opt-barrier` are compiled whole on either way; they are counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

from jax_ir_pairs.extraction.environment import child_environment


def differences(count: int, first: int = 0) -> tuple[list[str], Counter[str]]:
    """Gives what differs, a line for each program, and how many were stopped, whole or refused."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", __spec__.name, str(count), str(first), "here"],
        env={**child_environment(), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return found["differences"], Counter(found["outcomes"])


def _here(count: int, first: int) -> None:
    from jax_ir_pairs.config import load_config
    from jax_ir_pairs.synthesis import draw

    recipe = load_config("hlo-10k").recipe
    lines: list[str] = []
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + count):
        program = draw(recipe, seed).program()
        try:
            outcome, different = _compared(program)
        except Exception as error:  # whatever a program raises that does not trace or compile
            outcome, different = f"refused: {type(error).__name__}", []
        outcomes[outcome] += 1
        if different:
            lines.append(f"seed {seed}: {', '.join(different)}\n{program.inputs}\n{program.python}")
    print(json.dumps({"differences": lines, "outcomes": outcomes}))


def _compared(program: Any) -> tuple[str, list[str]]:
    import jax

    from jax_ir_pairs.extraction import hlo_module
    from jax_ir_pairs.extraction.cores import on_one_core
    from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
    from jax_ir_pairs.extraction.line_map.hlo import lines_of
    from jax_ir_pairs.extraction.optimization import num_devices, of_executable, optimized
    from jax_ir_pairs.extraction.pallas import load_pallas
    from jax_ir_pairs.extraction.source import FILE_NAME, abstract_arguments, load

    jax.clear_caches()
    jax.config.update("jax_enable_x64", False)
    if "pallas" in program.python:
        load_pallas()
    traced = load(program.python, program.entry_point).trace(*abstract_arguments(program.inputs))
    lowered = traced.lower()
    with on_one_core():
        ours = optimized(lowered, COMPILER_OPTIONS)
        compiled = lowered.compile(compiler_options=dict(COMPILER_OPTIONS))
    theirs = of_executable(compiled)

    def lines(module: Any) -> Any:
        return lines_of(hlo_module.text_with_metadata(module), FILE_NAME)

    cost = compiled.cost_analysis() or {}
    own_cost = hlo_module.cost_of(ours.module)
    executable: Any = compiled.runtime_executable()
    found = {
        "text": ours.text == theirs.text,
        "lines": lines(ours.module) == lines(theirs.module),
        "devices": num_devices(lowered) == len(executable.local_devices()),
        **{
            name: own_cost.get(name) == cost.get(name)
            for name in ("flops", "bytes accessed", "transcendentals")
        },
    }
    outcome = "stopped" if ours.executable is None else "whole"
    return outcome, [name for name, same in found.items() if not same]


def main(count: str = "1000", first: str = "0", here: str = "") -> None:
    """Prints what differs, and how many programs went which way."""
    if here:
        _here(int(count), int(first))
        return
    lines, outcomes = differences(int(count), int(first))
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{count} programs, {dict(outcomes)}: {len(lines)} differ")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
