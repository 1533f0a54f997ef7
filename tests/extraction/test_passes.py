from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from jax_ir_pairs.config import load_config
from jax_ir_pairs.extraction import Extraction, ExtractionProcess, environment
from jax_ir_pairs.extraction.environment import child_command, child_environment
from jax_ir_pairs.extraction.result import Pass
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import LIMITS, PROGRAMS, SIMPLE, program

ALL: dict[str, Program] = {
    **PROGRAMS,
    "simplified": program(
        "def f(x):\n    return jnp.sin(-(-lax.rev(lax.rev(x, (0,)), (0,))))", "f32[8,4]"
    ),
    "denormal": program("def f(x):\n    return x * 1e-45 + 3e-44", "f32[4]"),
    "donated": program(
        "def f(x):\n    return x + 1\n\n\nf = jax.jit(f, donate_argnums=0)", "f32[8]"
    ),
    "parallel": program(
        "from jax.sharding import PartitionSpec as P\n\n\n"
        "def f(x):\n"
        "    mesh = jax.make_mesh((4,), ('d',), axis_types=(jax.sharding.AxisType.Auto,))\n"
        "    total = lambda a: lax.psum(a, 'd')\n"
        "    return jax.shard_map(total, mesh=mesh, in_specs=P('d'), out_specs=P())(x)",
        "f32[8]",
    ),
    **{
        f"drawn {seed}": draw(load_config("passes-1k").recipe, seed).program() for seed in range(24)
    },
}


@pytest.fixture(scope="module")
def plain() -> Iterator[dict[str, Extraction]]:
    with ExtractionProcess(LIMITS) as process:
        yield {name: process.extract(program) for name, program in ALL.items()}


@pytest.fixture(scope="module")
def extractions() -> Iterator[dict[str, Extraction]]:
    with ExtractionProcess(LIMITS, passes=True) as process:
        yield {name: process.extract(program) for name, program in ALL.items()}


@pytest.mark.parametrize("name", ALL)
def test_dumping_changes_nothing_else(
    name: str, plain: dict[str, Extraction], extractions: dict[str, Extraction]
) -> None:
    assert plain[name].passes == ()
    # A program with an opt-barrier is compiled whole on either way.
    assert plain[name].peak_memory_bytes in {None, extractions[name].peak_memory_bytes}
    peak = plain[name].peak_memory_bytes
    assert replace(extractions[name], passes=(), peak_memory_bytes=peak) == plain[name]


@pytest.mark.parametrize("name", ALL)
def test_steps_lead_from_the_first_module_to_the_optimized_one(
    name: str, extractions: dict[str, Extraction]
) -> None:
    first, *steps = extractions[name].passes
    assert (first.pipeline, first.name) == ("", "")
    assert all(step.pipeline and step.name for step in steps)
    assert all(one.hlo != other.hlo for one, other in pairwise((first, *steps)))
    assert steps[-1].hlo == extractions[name].optimized_hlo


@pytest.mark.parametrize("name", ALL)
def test_steps_carry_no_trace_of_the_machine_or_the_process(
    name: str, extractions: dict[str, Extraction]
) -> None:
    foreign = re.compile(r"\.py\b|metadata=|stack_frame|FileNames|FileLocations| at 0x|\{\.\.\.\}")
    for step in extractions[name].passes:
        assert not foreign.search(step.hlo)
        assert step.hlo.endswith("}\n")
        for part in (step.pipeline, step.name):
            assert re.fullmatch(r"|[A-Za-z][\w-]*", part)
            assert not re.search(r"-\d+$", part)  # a count of the process


_HEAD = (
    "entry_computation_layout={(f32[8,4]{1,0})->f32[8,4]{1,0}}, "
    "allow_spmd_sharding_propagation_to_parameters={true}, "
    "allow_spmd_sharding_propagation_to_output={true}\n"
)


def test_algebraic_simplification_is_seen_at_work(extractions: dict[str, Extraction]) -> None:
    """What is undone at once goes: a value reversed twice and negated twice is that value."""
    first, simplified, *_ = extractions["simplified"].passes
    assert re.findall(r" (\w+)\(", first.hlo.partition("ENTRY")[2]) == [
        *("parameter", "reverse", "reverse", "negate", "negate", "sine")
    ]
    assert simplified == Pass(
        "simplification",
        "algsimp",
        f"HloModule jit_f, {_HEAD}\n"
        "ENTRY %main.1 (x.1: f32[8,4]) -> f32[8,4] {\n"
        "  %x.1 = f32[8,4]{1,0} parameter(0)\n"
        "  ROOT %sin.1 = f32[8,4]{1,0} sine(%x.1)\n"
        "}\n",
    )


def test_the_last_step_of_the_simplest_program_is_its_schedule(
    extractions: dict[str, Extraction],
) -> None:
    names = [(step.pipeline, step.name) for step in extractions["simple"].passes]
    assert names[0] == ("", "")
    assert ("HLO_passes_after_layout_assignment", "fusion") in names
    assert names[-1] == ("HLO_passes_after_scheduling", "pipeline-start")
    scheduled = [", is_scheduled=true, " in step.hlo for step in extractions["simple"].passes]
    assert scheduled == [False] * (len(names) - 1) + [True]


def test_numbers_that_the_compiling_thread_takes_for_zero_are_whole(
    extractions: dict[str, Extraction],
) -> None:
    assert "constant(1.4013e-45)" in extractions["denormal"].passes[0].hlo


def test_large_constants_are_whole(extractions: dict[str, Extraction]) -> None:
    assert all("38, 57, 76, 95" in step.hlo for step in extractions["constant"].passes)


_PARSED = """
import json, sys
from jax_ir_pairs.extraction import hlo_module
import jaxlib._hlo as _hlo

def printed(text):
    return hlo_module.optimized_text(_hlo.hlo_module_from_text(text))

for name, hlo, texts in json.load(sys.stdin):
    parsed = [printed(text) for text in texts]  # raises for what does not parse
    again = [printed(text) for text in parsed]
    print(json.dumps([name, printed(hlo), parsed, again]), flush=True)
"""


@pytest.fixture(scope="module")
def parsed(extractions: dict[str, Extraction]) -> dict[str, tuple[str, list[str], list[str]]]:
    """For each program `hlo` and its steps as jaxlib parses and prints them, and these again."""
    asked = [(n, e.hlo, [step.hlo for step in e.passes]) for n, e in extractions.items()]
    run = subprocess.run(
        [sys.executable, "-c", _PARSED],
        input=json.dumps(asked),
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: tuple(found) for name, *found in map(json.loads, run.stdout.splitlines())}


def _instructions(text: str) -> list[str]:
    """Gives the lines but the header in an order that does not depend on that of computations.

    XLA reads a zero in a list back without its sign.
    """
    return sorted(re.sub(r"(?<=[{ ])-0(?=[,} ])", "0", line) for line in text.splitlines()[1:])


@pytest.mark.parametrize("name", ALL)
def test_every_step_parses_back(
    name: str,
    extractions: dict[str, Extraction],
    parsed: dict[str, tuple[str, list[str], list[str]]],
) -> None:
    """Parsed, computations may come in another order, and no instruction is lost or changed."""
    _, steps, again = parsed[name]
    for step, once, twice in zip(extractions[name].passes, steps, again, strict=True):
        assert _instructions(once) == _instructions(step.hlo), (step.pipeline, step.name)
        assert _instructions(twice) == _instructions(once)


# JAX exports shardings, and calls of Python, to the compiler in another spelling than to `hlo`.
_SPELLED_OTHERWISE = ("sharding", "custom-call")


@pytest.mark.parametrize("name", ALL)
def test_the_first_step_is_what_hlo_becomes(
    name: str,
    extractions: dict[str, Extraction],
    parsed: dict[str, tuple[str, list[str], list[str]]],
) -> None:
    hlo, steps, _ = parsed[name]
    if any(word in extractions[name].hlo for word in _SPELLED_OTHERWISE):
        pytest.skip("a program with shardings or calls")
    assert _instructions(steps[0]) == _instructions(hlo)


def test_another_process_with_another_history_gives_the_same_bytes(
    extractions: dict[str, Extraction],
) -> None:
    with ExtractionProcess(LIMITS, passes=True) as process:
        for name in reversed(ALL):
            assert process.extract(ALL[name]).passes == extractions[name].passes, name


def test_dumps_go_with_each_program_and_their_folder_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_IN_MEMORY", tmp_path)
    monkeypatch.setattr(environment, "_ROOM_FOR_DUMPS", 0)
    with ExtractionProcess(LIMITS, passes=True) as process:
        assert process.extract(SIMPLE).passes
        [folder] = tmp_path.iterdir()
        assert not list(folder.iterdir())
    assert not list(tmp_path.iterdir())
    with ExtractionProcess(LIMITS) as process:
        assert process.extract(SIMPLE).passes == ()
        assert not list(tmp_path.iterdir())


_WITHOUT_ONE_DUMP = """
import sys
from pathlib import Path
import jax
from jax_ir_pairs.extraction import hlo_module, optimization, passes

lowered = jax.jit(lambda x: x * 2).trace(jax.ShapeDtypeStruct((8,), "float32")).lower()
options = {**passes._DUMP, "xla_dump_to": sys.argv[1]}
compiled = lowered.compile(compiler_options=options)
final = hlo_module.optimized_text(hlo_module.optimized_module(compiled))
folder, attributes = Path(sys.argv[1]), optimization.compilation_attributes(lowered)
assert passes._read(folder, final, attributes)[-1].hlo == final
lost, empty = sorted(folder.glob("*.after_pipeline-start.*.hlo.pb"))[1:3]

def complaint():
    try:
        passes._read(folder, final, attributes)
    except MemoryError as error:
        print(error)

[last] = folder.glob("*after_optimizations.hlo.pb")
for file in (lost, last):
    kept = file.read_bytes()
    file.unlink()
    complaint()
    file.write_bytes(kept)
for broken in (empty.read_bytes()[:-1], b""):
    empty.write_bytes(broken)
    complaint()
"""


def test_dumps_that_are_not_whole_give_no_steps(tmp_path: Path) -> None:
    """XLA goes on where it cannot write, as on a full disk."""
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT_ONE_DUMP, str(tmp_path)],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    complaint = "the dumps of the passes are not whole: no room for temporary files"
    assert run.stdout.splitlines() == [complaint] * 4


def test_a_worker_whose_parent_dies_takes_its_dumps_along(tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    (dumps / "module.pb").write_bytes(b"")
    worker = subprocess.Popen(
        child_command(2**33),
        env=child_environment(dumps=dumps),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    worker.communicate()  # which closes its stdin, as the end of its parent does
    assert not dumps.exists()
