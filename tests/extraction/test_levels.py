from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import Extraction, ExtractionProcess
from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import INSPECTED, KERNEL, LIMITS, PROGRAMS, SIMPLE, program

_TEXTS = ("jaxpr", "stablehlo", "hlo", "optimized_hlo")


@pytest.fixture(scope="module")
def process() -> Iterator[ExtractionProcess]:
    with ExtractionProcess(LIMITS) as process:
        yield process


@pytest.fixture(scope="module")
def extractions(process: ExtractionProcess) -> dict[str, Extraction]:
    return {name: process.extract(program) for name, program in PROGRAMS.items()}


def test_levels_start_as_they_do_in_the_field(extractions: dict[str, Extraction]) -> None:
    for extraction in extractions.values():
        assert re.match(r"let |\{ lambda ", extraction.jaxpr)
        assert extraction.stablehlo.startswith("module @jit_f ")
        assert extraction.hlo.startswith("HloModule jit_f, entry_computation_layout=")
        assert extraction.optimized_hlo.startswith("HloModule jit_f, is_scheduled=true, ")


@pytest.mark.parametrize("name", PROGRAMS)
def test_texts_carry_no_trace_of_the_machine(name: str, extractions: dict[str, Extraction]) -> None:
    foreign = re.compile(
        r"\.py\b|metadata=|stack_frame|FileNames|FunctionNames|FileLocations"
        r"| at 0x|0x7[0-9a-f]{11}|np\.|\{\.\.\.\}"
    )
    for level in _TEXTS:
        text = getattr(extractions[name], level)
        assert not foreign.search(text), text
        assert sys.prefix not in text
        assert str(Path(__file__).parents[2]) not in text
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", PROGRAMS)
def test_sizes_agree_with_the_texts(name: str, extractions: dict[str, Extraction]) -> None:
    extraction = extractions[name]
    instructions = re.findall(r"^ +(?:ROOT )?[\w.-]+ = ", extraction.hlo, re.MULTILINE)
    assert extraction.num_hlo_instructions == len(instructions)
    assert extraction.num_fusions == len(re.findall(r" fusion\(", extraction.optimized_hlo))
    assert extraction.num_devices == 1
    assert list(extraction.primitives) == sorted(set(extraction.primitives))
    if name != "scan":  # a printed list of sub-jaxprs hides none of the others
        assert extraction.num_eqns >= len(extraction.primitives)


def test_figures_of_a_program_that_fits_in_the_head(extractions: dict[str, Extraction]) -> None:
    simple = extractions["simple"]
    assert simple.primitives == ("add", "sin")
    assert simple.num_eqns == 2
    assert simple.num_stablehlo_ops == 4  # sine, constant, broadcast_in_dim, add
    assert (simple.num_hlo_instructions, simple.num_fusions) == (5, 1)
    assert (simple.flops, simple.transcendentals, simple.bytes_accessed) == (8.0, 8.0, 64.0)
    assert simple.peak_memory_bytes is None  # no machine code was made


def test_sub_jaxprs_are_counted(extractions: dict[str, Extraction]) -> None:
    assert set(extractions["cond"].primitives) >= {"cond", "sin", "cos", "reduce_sum"}
    assert set(extractions["while"].primitives) >= {"while", "lt", "add"}
    assert set(extractions["scan"].primitives) == {"scan", "mul", "sin"}
    assert extractions["scan"].num_eqns == 3
    assert set(extractions["custom_jvp"].primitives) >= {"custom_jvp_call", "max"}


def test_constants_are_whole_where_a_level_has_them(extractions: dict[str, Extraction]) -> None:
    constant = extractions["constant"]
    assert "38, 57, 76, 95" in constant.hlo
    assert "38, 57, 76, 95" in constant.optimized_hlo
    assert len(constant.stablehlo) > 20 * 20 * 8


def test_modules_hold_no_address(process: ExtractionProcess) -> None:
    extraction = process.extract(INSPECTED)
    [line] = (line for line in extraction.stablehlo.splitlines() if "@InspectSharding" in line)
    assert 'backend_config = ""' in line
    [line] = (line for line in extraction.hlo.splitlines() if '"InspectSharding"' in line)
    assert "backend_config" not in line
    with ExtractionProcess(LIMITS) as other:
        assert other.extract(INSPECTED) == extraction


def test_the_first_kernel_of_a_process_is_lowered_as_the_second() -> None:
    with ExtractionProcess(LIMITS) as fresh:
        first, second = fresh.extract(KERNEL), fresh.extract(KERNEL)
    assert first == second


def test_avals_of_every_kind(process: ExtractionProcess) -> None:
    avals = ["f32[8,16]", "bf16[]", "f16[1]", "i32[4]", "i8[2]", "u8[2]", "u32[2]", "bool[3]"]
    avals += ["c64[3]", "f8_e4m3fn[2]"]
    tree = {"a": avals[0], "b": [avals[1], {"c": avals[2]}]}
    jaxpr = process.extract(program("def f(*args):\n    return args", tree, *avals[3:])).jaxpr
    binders = jaxpr.partition("; ")[2].partition(". let")[0]
    assert [binder.partition(":")[2] for binder in binders.split()] == avals


def test_an_entry_point_may_be_jitted_already(process: ExtractionProcess) -> None:
    jitted = SIMPLE.python.replace("def f", "@jax.jit\ndef f")
    extraction = process.extract(
        Program(jitted, "f", SIMPLE.inputs, "expression", (), SIMPLE.structure_hash)
    )
    assert replace(extraction, line_map=()) == replace(process.extract(SIMPLE), line_map=())


def test_what_ran_before_changes_no_byte(extractions: dict[str, Extraction]) -> None:
    names = list(PROGRAMS)
    random.Random(0).shuffle(names)
    with ExtractionProcess(LIMITS) as process:
        for name in names:
            assert process.extract(PROGRAMS[name]) == extractions[name], name
        with pytest.raises(Rejected):
            process.extract(program("def f(x):\n    return x + 'a'", "f32[8]"))
        assert process.extract(SIMPLE) == extractions["simple"]


@pytest.mark.parametrize(
    ("body", "aval", "reason", "detail"),
    [
        ("def f(x):\n    return x @ x", "f32[2,3]", "trace-error", r"TypeError: .*, line 9\)"),
        ("def f(x:\n    return x", "f32[2]", "trace-error", r"SyntaxError: .*, line 8\)"),
        ("def g(x):\n    return x", "f32[2]", "trace-error", "KeyError: 'f'"),
        ("def f(x):\n    return x", "f33[2", "trace-error", "'f33.2' is no aval"),
        ("def f(x):\n    raise SystemExit", "f32[2]", "trace-error", "SystemExit: .*line 9"),
        ("def f(x):\n    return input()", "f32[2]", "trace-error", "EOFError"),
        ("raise MemoryError", "f32[2]", "out-of-memory", "MemoryError"),
        ("w = jnp.ones(1 << 40)", "f32[2]", "out-of-memory", "RESOURCE_EXHAUSTED"),
    ],
)
def test_rejections(
    process: ExtractionProcess, body: str, aval: str, reason: str, detail: str
) -> None:
    with pytest.raises(Rejected) as info:
        process.extract(program(body, aval))
    assert info.value.reason == reason
    assert re.search(detail, info.value.detail), info.value.detail
    assert "\n" not in info.value.detail


_PUBLIC_API = """
import json, os, sys
if sys.platform == "linux":  # as each compilation of ours
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import jax
for name, python, inputs in json.load(sys.stdin):
    from jax_ir_pairs.extraction.source import abstract_arguments
    namespace = {}
    exec(python, namespace)
    arguments = abstract_arguments(inputs)
    jaxpr = str(jax.make_jaxpr(namespace["f"])(*arguments))
    lowered = jax.jit(namespace["f"]).lower(*arguments)
    hlo, optimized = lowered.as_text(dialect="hlo"), lowered.compile().as_text()
    print(json.dumps([name, jaxpr, lowered.as_text(), hlo, optimized]), flush=True)
"""


def test_texts_are_those_of_the_public_api(extractions: dict[str, Extraction]) -> None:
    """Three traces and a compilation with no options give the same, but for what is left out."""
    # A large constant is elided there, and a callback's place in the process is its own.
    programs = {n: p for n, p in PROGRAMS.items() if n not in ("constant", "callback")}
    run = subprocess.run(
        [sys.executable, "-c", _PUBLIC_API],
        input=json.dumps([(n, p.python, p.inputs) for n, p in programs.items()]),
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    for name, jaxpr, stablehlo, hlo, optimized in map(json.loads, run.stdout.splitlines()):
        jaxpr = re.sub(r" at 0xX+|np\.int64\((\d+)\)", lambda m: m[1] or "", jaxpr)
        head, _, tables = optimized.partition("\n\n")
        body = re.sub(r"^(FileNames|FunctionNames|FileLocations|StackFrames)\n(\d.*\n)*\n*",
                      "", tables, flags=re.MULTILINE)  # fmt: skip
        body = re.sub(r", metadata=\{[^}]*\}", "", body)
        texts = [jaxpr, stablehlo, hlo, f"{head}\n\n{body}"]
        expected = tuple(text.strip("\n") + "\n" for text in texts)
        assert astuple(extractions[name])[:4] == expected, name
