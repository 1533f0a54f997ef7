from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from jax_ir_pairs.config import load_config
from jax_ir_pairs.extraction import ExtractionProcess, environment
from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.extraction.targets.cuda_passes import HANDLED
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import LIMITS, PROGRAMS, SIMPLE, program
from tests.extraction.targets.test_compilation import CALLBACK, PARALLEL, REPLICATED, installed

DRAWN = {
    f"drawn {seed}": draw(load_config("hlo-10k").recipe, seed).program() for seed in range(40, 66)
}
CHANGED = {
    "products": PROGRAMS["softmax"],  # compiled on the way, and started by each other
    "gradient": PROGRAMS["grad"],
    "barrier": program("def f(x):\n    return lax.optimization_barrier(jnp.sin(x)) + 1", "f32[8]"),
    "loop": program(
        "def f(x, ys):\n    return lax.scan(lambda x, y: (x @ y, x.sum(0)), x, ys)",
        *("f32[8,8]", "f32[4,8,8]"),
    ),
    "sum of several devices": PARALLEL,
    "permuted by several devices": program(
        "mesh = jax.make_mesh((4,), ('x',), axis_types=(jax.sharding.AxisType.Auto,))\n\n\n"
        "@partial(jax.shard_map, mesh=mesh, in_specs=jax.P('x'), out_specs=jax.P('x'))\n"
        "def f(x):\n"
        "    y = lax.ppermute(x, 'x', [(i, (i + 1) % 4) for i in range(4)])\n"
        "    return lax.all_gather(y, 'x').sum(0) + x",
        "f32[8,4]",
    ),
    "mapped": REPLICATED,
}
"""What passes change that run after the last hook."""

CALLING = {
    "callback": CALLBACK,
    "solved": program("def f(a, b):\n    return jnp.linalg.solve(a, b)", "f32[4,4]", "f32[4]"),
    "factored": program(
        "def f(x):\n    return jnp.linalg.svd(x), jnp.linalg.qr(x), jnp.linalg.eigh(x @ x.T)",
        "f32[4,4]",
    ),
    "convolved": program(
        "def loss(x, w):\n    return jnp.sin(lax.conv(x, w, (1, 1), 'SAME')).sum()\n\n\n"
        "def f(x, w):\n    return jax.grad(loss, argnums=(0, 1))(x, w)",
        *("f32[2,4,8,8]", "f32[4,4,3,3]"),
    ),
}

_SCRIPT = """
import json, sys
import jax
from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.cores import on_one_core
from jax_ir_pairs.extraction.environment import PLATFORM_OPTIONS
from jax_ir_pairs.extraction.optimization import num_devices
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.extraction.targets import cuda_passes
from jax_ir_pairs.extraction.targets.compilation import Compilation

OPTIONS = dict(PLATFORM_OPTIONS["cuda"])
target, dump = sys.argv[1:]
cuda_passes._DUMP = dump or cuda_passes._DUMP

def ways(python, entry_point, inputs):
    def trace():
        jax.config.update("jax_enable_x64", False)
        return load(python, entry_point).trace(*abstract_arguments(inputs))

    jax.clear_caches()
    traced = trace()
    lowered = Compilation(target, num_devices(traced.lower()), traced, trace).lowered()
    with on_one_core():
        found = cuda_passes.optimized_for_gpu(lowered, OPTIONS)
        compiled = lowered.compile(compiler_options=OPTIONS)
    whole = hlo_module.optimized_text(hlo_module.optimized_module(compiled))
    return found.text, whole, found.executable is None

for line in sys.stdin:
    name, *program = json.loads(line)
    try:
        answer = ways(*program)
    except Exception as error:
        answer = str(error), "", False
    print(json.dumps([name, *answer]), flush=True)
"""


def both_ways(
    programs: Mapping[str, Program],
    target: str = "cuda-h100",
    *,
    dump: str = "",
    folder: Path | None = None,
) -> dict[str, tuple[str, str, bool]]:
    """Gives the text of each program, that of the compiler left alone, and whether it was stopped.

    One that is refused has what was said, and no text of the other way.
    """
    asked = ([name, p.python, p.entry_point, p.inputs] for name, p in programs.items())
    run = subprocess.run(
        [sys.executable, "-P", "-c", _SCRIPT, target, dump],
        env=child_environment(("cpu", target), folder),
        input="".join(json.dumps(each) + "\n" for each in asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = map(json.loads, run.stdout.splitlines())
    return {name: (text, whole, stopped) for name, text, whole, stopped in answers}


def assert_stopped_at_the_same_text(answers: Mapping[str, tuple[str, str, bool]]) -> None:
    for name, (text, whole, stopped) in answers.items():
        assert text == whole, name
        assert stopped, name


@pytest.mark.parametrize("kind", [CHANGED, CALLING], ids=["changed late", "calling"])
def test_the_text_is_that_of_the_compiler_left_alone(kind: Mapping[str, Program]) -> None:
    installed("cuda-h100")
    answers = both_ways(kind)
    assert list(answers) == list(kind)
    assert_stopped_at_the_same_text(answers)
    if kind is CHANGED:
        assert "gemm_fusion" in answers["products"][0], "what is compiled on the way is not stopped"
        assert "opt-barrier" not in answers["barrier"][0], "a pass after the hook removes it"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cuda-a100", "cuda-h100", "cuda-h200", "cuda-b200"])
def test_drawn_programs_have_the_text_of_the_compiler_left_alone(target: str) -> None:
    installed(target)
    answers = both_ways(DRAWN, target)
    assert list(answers) == list(DRAWN)
    compiled = {name: answer for name, answer in answers.items() if answer[1]}
    assert len(compiled) > 0.9 * len(DRAWN)
    assert_stopped_at_the_same_text(compiled)


def test_what_calls_an_unknown_function_is_refused_as_ever() -> None:
    installed("cuda-h100")
    calling = program(
        "def f(x):\n"
        "    return jax.ffi.ffi_call('nobody_has_this', jax.ShapeDtypeStruct((4,), 'f4'))(x)",
        "f32[4]",
    )
    [(text, _, stopped)] = both_ways({"": calling}).values()
    assert "No FFI handler registered for nobody_has_this" in text
    assert not stopped


def test_without_a_dump_the_program_is_compiled_whole(tmp_path: Path) -> None:
    installed("cuda-h100")
    for answers in (
        both_ways({"": SIMPLE}, dump="never written"),
        both_ways({"": SIMPLE}, folder=tmp_path / "is not there"),
    ):
        [(text, whole, stopped)] = answers.values()
        assert text == whole
        assert not stopped


def test_dumps_go_with_each_program_and_their_folder_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("cuda-h100")
    monkeypatch.setattr(environment, "_IN_MEMORY", tmp_path)
    monkeypatch.setattr(environment, "_ROOM_FOR_DUMPS", 0)
    with ExtractionProcess(LIMITS, ("cpu", "cuda-h100")) as process:
        assert process.extract(SIMPLE).further[0].optimized_hlo
        [folder] = tmp_path.iterdir()
        assert not list(folder.iterdir())
    assert not list(tmp_path.iterdir())


def registered() -> Iterable[str]:
    """Gives the names of the functions that JAX's plug-in brings along."""
    for name in ("_hybrid", "_linalg", "_prng", "_solver"):
        yield from importlib.import_module(f"jax_cuda13_plugin.{name}").registrations()
    extension: Any = importlib.import_module("jax_cuda13_plugin.cuda_plugin_extension")
    yield from extension.ffi_handlers()


def test_the_functions_that_are_handled_are_those_of_the_plug_in_and_of_xla() -> None:
    installed("cuda-h100")
    own = {name for name in HANDLED if name.startswith("__cu")} | {"GetRngSeed"}
    assert set(registered()) >= HANDLED - own
