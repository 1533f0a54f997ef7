"""Whether programs give the same bytes whatever came before them and whatever is around them.

    python -m tests.extraction.same_bytes [PROGRAMS]

The same programs of all families are extracted by several processes, one for each of
[`SURROUNDINGS`][]: in another order, by long-used and by fresh workers, after other programs, and
with another environment, folder, host name or number of cores. Every field of every extraction has
to be the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jax_ir_pairs.config import Limits, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import INSPECTED, KERNEL, PROGRAMS, program

Digests = dict[str, dict[str, str]]
"""By name of the program, the hash of each field of its extraction, or its rejection."""


@dataclass(frozen=True)
class Surroundings:
    """One way to run the same programs."""

    name: str
    order: int
    """Seed of the order; 0 keeps it."""
    programs_per_process: int = 10**6
    unrelated: int = 0
    """Programs that the worker extracts beforehand."""
    environment: dict[str, str] = field(default_factory=dict)
    commands: tuple[tuple[str, ...], ...] = ()
    """What the process is run through, one in the other, where this machine lets us."""


SURROUNDINGS = (
    Surroundings("plain", 0),
    Surroundings(
        "after others, one core, other user and host",
        1,
        unrelated=40,
        environment={
            "HOME": "/nonexistent",
            "HOSTNAME": "elsewhere",
            "LANG": "C",
            "LOGNAME": "somebody",
            "NPROC": "1",
            "OMP_NUM_THREADS": "1",
            "TZ": "Asia/Tokyo",
            "USER": "somebody",
        },
        commands=(
            ("taskset", "1"),
            ("unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"),
        ),
    ),
    Surroundings(
        "2 threads, 64 bits, hash seed",
        2,
        environment={
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_ENABLE_X64": "1",
            "NPROC": "2",
            "OMP_NUM_THREADS": "2",
            "PYTHONHASHSEED": "4711",
        },
    ),
    Surroundings(
        "16 threads, devices, fresh workers",
        3,
        programs_per_process=7,
        environment={
            "CUDA_VISIBLE_DEVICES": "0",
            "JAX_PLATFORMS": "cuda,cpu",
            "NPROC": "16",
            "OMP_NUM_THREADS": "16",
            "PYTHONHASHSEED": "1",
            "TF_NUM_INTEROP_THREADS": "16",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_cpu_max_isa=SSE4_2",
        },
    ),
)

_WIDE = program(
    "jax.config.update('jax_enable_x64', True)\n\n\ndef f(x):\n"
    "    return jnp.where(x > 0, x, jnp.cumsum(x)), jnp.linalg.norm(x), jnp.clip(x, 0, 1)",
    "f64[5]",
)


def drawn(count: int) -> dict[str, Program]:
    """Gives as many programs, of all themes and families of the standard mix, and two more."""
    recipe = load_config("hlo-10k").recipe
    kinds = [(kind, name) for kind in ("families", "sketches") for name in getattr(recipe, kind)]
    found = {"inspected": INSPECTED, "kernel": KERNEL}
    for number in range(count):
        kind, name = kinds[number % len(kinds)]
        seed = number // len(kinds)
        one = recipe.model_copy(update={"families": {}, "sketches": {}, kind: {name: 1.0}})
        found[f"{name} {kind} {seed}"] = draw(one, seed).program()
    return found


def digests(count: int, surroundings: Surroundings) -> Digests:
    """Gives the hashes of `count` programs, extracted in this process's environment."""
    names = list(programs := drawn(count))
    if surroundings.order:
        random.Random(surroundings.order).shuffle(names)
    recipe = load_config("hlo-10k").recipe
    before = [draw(recipe, 10**6 + seed).program() for seed in range(surroundings.unrelated)]
    if before:
        before += [*PROGRAMS.values(), _WIDE]
    limits = Limits(programs_per_process=surroundings.programs_per_process)
    found: Digests = {}
    with ExtractionProcess(limits) as process:
        for unrelated in before:
            _fields(process, unrelated)
        for name in names:
            found[name] = _fields(process, programs[name])
    return found


def _fields(process: ExtractionProcess, asked: Program) -> dict[str, str]:
    try:
        fields = asdict(process.extract(asked))
    except Rejected as rejected:
        return {"rejected": str(rejected)}
    return {
        name: hashlib.sha256(json.dumps(value).encode()).hexdigest()
        for name, value in fields.items()
    }


def digests_elsewhere(count: int, surroundings: Surroundings) -> Digests:
    """Gives what [`digests`][] gives in a process of its own with these surroundings."""
    root = Path(__file__).parents[2]
    command = [word for words in surroundings.commands if _runs(words) for word in words]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, sys.executable, "-P", "-m", __spec__.name, str(count), surroundings.name],
            env={**os.environ, "PYTHONPATH": str(root), **surroundings.environment},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    found: Digests = json.loads(done.stdout)
    return found


def _runs(command: tuple[str, ...]) -> bool:
    """Whether a command runs another here: a host name may be the administrator's to change."""
    try:
        return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def differences(count: int) -> tuple[list[str], int]:
    """Gives what differs, a line for each program and field, and the number of rejections."""
    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(lambda s: digests_elsewhere(count, s), SURROUNDINGS)
    lines = [
        f"{name}: {key} with {surroundings.name}"
        for surroundings, found in zip(SURROUNDINGS[1:], others, strict=True)
        for name, fields in first.items()
        for key in fields.keys() | found[name].keys()
        if fields.get(key) != found[name].get(key)
    ]
    return sorted(lines), sum("rejected" in fields for fields in first.values())


def main(count: str = "300", name: str = "") -> None:
    """Prints what differs; with the name of surroundings, what they give."""
    if name:
        [asked] = [each for each in SURROUNDINGS if each.name == name]
        print(json.dumps(digests(int(count), asked)))
        return
    lines, rejected = differences(int(count))
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{count} programs, {len(SURROUNDINGS)} surroundings, {rejected} programs rejected:")
    print(f"{len(lines)} fields differ")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
