from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jaxlib._hlo as _hlo
import pytest

from jax_ir_pairs.config import Limits
from jax_ir_pairs.extraction import Extraction, ExtractionProcess, TargetLevels, hlo_module
from jax_ir_pairs.targets import TARGETS
from tests.extraction.hand_written import PROGRAMS, program

LIMITS = Limits(seconds=120.0)
NAMES = ["simple", "softmax", "scan", "grad", "indexing"]
ASKED = ("tpu-v5e", "tpu-v6e", "cuda-h100", "cuda-b200")

PARALLEL = program(
    "mesh = jax.make_mesh((4,), ('x',), axis_types=(jax.sharding.AxisType.Auto,))\n\n\n"
    "@partial(jax.shard_map, mesh=mesh, in_specs=jax.P('x'), out_specs=jax.P())\n"
    "def f(x):\n    return lax.psum(x * 2, 'x')",
    "f32[8,4]",
)
REPLICATED = program(
    "@partial(jax.pmap, axis_name='i')\n"
    "def f(x):\n    return x / lax.psum(x, 'i') + lax.axis_index('i')",
    "f32[2,16]",
)

CALLBACK = program(
    "import numpy as np\n\n\n"
    "def f(x):\n    jax.debug.print('{}', x)\n"
    "    return jax.pure_callback(lambda v: np.asarray(v) * 2, x, x) + 1",
    "f32[4]",
)
EXPORTED = program(
    "from jax import export\n\n\n"
    "inner = export.export(jax.jit(jnp.sin))(jax.ShapeDtypeStruct((4,), jnp.float32))\n\n\n"
    "def f(x):\n    return inner.call(x) + 1",
    "f32[4]",
)


def installed(*targets: str) -> None:
    """Skips the test unless all of `targets` can be compiled for."""
    if missing := {lack for name in targets for lack in TARGETS[name].missing()}:
        pytest.skip(f"needs {', '.join(sorted(missing))}")


def by_target(extraction: Extraction) -> dict[str, TargetLevels]:
    return {levels.target: levels for levels in extraction.further}


def extractions(targets: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, TargetLevels]]:
    with ExtractionProcess(LIMITS, ("cpu", *targets)) as process:
        return {name: by_target(process.extract(PROGRAMS[name])) for name in names}


@pytest.mark.slow
def test_neither_the_order_nor_the_process_changes_a_byte() -> None:
    installed(*ASKED)
    first = extractions(ASKED, NAMES)
    stream = random.Random(1)
    again = extractions(stream.sample(ASKED, 4), stream.sample(NAMES, len(NAMES)))
    assert {name: again[name] for name in NAMES} == first
    for target in ASKED:
        assert extractions([target], ["grad"])["grad"] == {target: first["grad"][target]}


@pytest.mark.parametrize("target", list(TARGETS)[1:])
def test_texts_are_canonical_and_parse(target: str) -> None:
    installed(target)
    with ExtractionProcess(LIMITS, ("cpu", target)) as process:
        extraction = process.extract(PROGRAMS["softmax"])
    [levels] = extraction.further
    assert levels.refusal is None
    text = levels.optimized_hlo
    assert text is not None
    assert text != extraction.optimized_hlo
    assert text.startswith("HloModule jit_f")
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    assert not re.search(r"metadata=|stack_frame_id|FileNames|\.py|/tmp|/home|0x[0-9a-f]{6}", text)
    again = hlo_module.optimized_text(_hlo.hlo_module_from_text(text))
    assert computations(again) == computations(text)


def computations(hlo: str) -> list[str]:
    """Gives the computations of a module, whose order XLA finds anew in a parsed one."""
    return sorted(hlo.rstrip().split("\n\n"))


@pytest.mark.parametrize("target", ["tpu-v5e", "tpu-v7x", "cuda-h100"])
def test_parallel_programs_compile_for_as_many_devices_as_they_use(target: str) -> None:
    installed(target)
    with ExtractionProcess(LIMITS, ("cpu", target)) as process:
        for parallel, number in ((PARALLEL, 4), (REPLICATED, 2)):
            extraction = process.extract(parallel)
            assert extraction.num_devices == number
            [levels] = extraction.further
            assert levels.refusal is None
            text = levels.optimized_hlo
            assert text is not None
            assert "all-reduce" in text
            assert f"num_partitions={number}" in text or f"replica_count={number}" in text


@pytest.mark.parametrize("target", ["tpu-v5e", "cuda-h100"])
def test_what_a_target_cannot_lower_keeps_the_rest(target: str) -> None:
    installed(target)
    hessenberg = program("def f(x):\n    return lax.linalg.hessenberg(x)[0]", "f32[4,4]")
    with ExtractionProcess(LIMITS, ("cpu", target)) as process:
        extraction = process.extract(hessenberg)
        assert process.extract(PROGRAMS["simple"]).further[0].refusal is None
    [levels] = extraction.further
    assert (levels.stablehlo, levels.optimized_hlo) == (None, None)
    assert levels.refusal is not None
    assert levels.refusal[0] == "trace-error"
    assert "hessenberg" in levels.refusal[1]
    assert "lapack" in extraction.optimized_hlo


@pytest.mark.parametrize("target", ["tpu-v5e", "cuda-h100"])
def test_callbacks_compile_and_leave_the_cpu_its_text(target: str) -> None:
    installed(target)
    with ExtractionProcess(LIMITS) as process:
        alone = process.extract(CALLBACK)
    with ExtractionProcess(LIMITS, ("cpu", target)) as process:
        first, again = process.extract(CALLBACK), process.extract(CALLBACK)
    assert replace(first, further=()) == alone
    assert first == again
    [levels] = first.further
    assert levels.refusal is None
    assert levels.optimized_hlo is not None
    if target.startswith("cuda"):
        assert levels.optimized_hlo.count('"xla_ffi_python_gpu_callback"') == 2
        assert "index = 1" in levels.optimized_hlo
    else:
        assert "is_host_transfer=true" in levels.optimized_hlo


@pytest.mark.parametrize("target", ["tpu-v5e", "cuda-h100"])
def test_what_a_program_exports_is_for_the_target(target: str) -> None:
    installed(target)
    with ExtractionProcess(LIMITS, ("cpu", target)) as process:
        extraction = process.extract(EXPORTED)
    assert "call_exported" in extraction.primitives
    [levels] = extraction.further
    assert levels.refusal is None
    assert levels.optimized_hlo is not None


def test_a_target_lowers_otherwise_only_where_it_must() -> None:
    installed("tpu-v5e")
    with ExtractionProcess(LIMITS, ("cpu", "tpu-v5e")) as process:
        assert process.extract(PROGRAMS["softmax"]).further[0].stablehlo is None
        cholesky = program("def f(x):\n    return jnp.linalg.cholesky(x)", "f32[4,4]")
        own = process.extract(cholesky)
    assert own.further[0].stablehlo is not None
    assert own.further[0].stablehlo != own.stablehlo


def test_eig_is_lowered_for_a_pinned_cusolver() -> None:
    installed("cuda-h100")
    eig = program("def f(x):\n    return jnp.linalg.eigvals(x)", "f32[4,4]")
    with ExtractionProcess(LIMITS, ("cpu", "cuda-h100")) as process:
        [levels] = process.extract(eig).further
    assert levels.optimized_hlo is not None
    assert "cusolver_geev_ffi" in levels.optimized_hlo


def test_no_cuda_toolkit_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("cuda-h100")
    broken = tmp_path / "ptxas"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with ExtractionProcess(LIMITS, ("cpu", "cuda-h100")) as process:
        [levels] = process.extract(PROGRAMS["softmax"]).further
    assert levels.refusal is None


def test_processes_side_by_side_share_libtpu() -> None:
    installed("tpu-v5e")
    with (
        ExtractionProcess(LIMITS, ("cpu", "tpu-v5e")) as one,
        ExtractionProcess(LIMITS, ("cpu", "tpu-v5e")) as other,
    ):
        one.start()
        assert other.extract(PROGRAMS["simple"]) == one.extract(PROGRAMS["simple"])


@pytest.mark.parametrize("target", ["tpu-v5e", "cuda-h100"])
def test_a_mesh_of_devices_that_are_here_is_refused(target: str) -> None:
    """XLA would compile for those, and the text would be taken for the target's."""
    installed(target)
    kept = program(
        "import builtins\n\n"
        "if not hasattr(builtins, 'mesh'):\n"
        "    builtins.mesh = jax.make_mesh((4,), ('x',), axis_types=(jax.sharding.AxisType.Auto,))"
        "\n\n\n"
        "@partial(jax.shard_map, mesh=mesh, in_specs=jax.P('x'), out_specs=jax.P())\n"
        "def f(x):\n    return lax.psum(x * 2, 'x')",
        "f32[8,4]",
    )
    with ExtractionProcess(LIMITS, ("cpu", target)) as process:
        [levels] = process.extract(kept).further
    assert levels.optimized_hlo is None
    assert levels.refusal is not None
    assert "its mesh is made of cpu devices before it is traced" in levels.refusal[1]
