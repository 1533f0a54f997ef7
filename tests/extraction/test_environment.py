from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jax_ir_pairs
from jax_ir_pairs.extraction import ExtractionProcess, compiler_flags, versions
from jax_ir_pairs.extraction.environment import (
    COMPILER_OPTIONS,
    ENVIRONMENT,
    child_command,
    child_environment,
)
from tests.extraction.hand_written import LIMITS, PROGRAMS


def test_flags_name_every_option_and_pinned_variable() -> None:
    flags = json.loads(compiler_flags())
    assert flags == {"compiler_options": dict(COMPILER_OPTIONS), "environment": dict(ENVIRONMENT)}
    assert compiler_flags() == json.dumps(flags, sort_keys=True)


def test_nothing_of_the_caller_leaks_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = child_environment()
    for name in ("XLA_FLAGS", "JAX_PLATFORMS", "JAX_ENABLE_X64", "NPROC", "PYTHONHASHSEED"):
        monkeypatch.setenv(name, "7")
    for name in ("JAX_DEFAULT_MATMUL_PRECISION", "LIBTPU_INIT_ARGS", "PYTHONSTARTUP", "FOO"):
        monkeypatch.setenv(name, "8")
    assert child_environment() == before


def test_the_caller_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """One core, 64-bit types, another CPU and other flags would each change these texts."""
    programs = [PROGRAMS["large"], PROGRAMS["indexing"]]
    with ExtractionProcess(LIMITS) as process:
        expected = [process.extract(program) for program in programs]
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("JAX_PLATFORMS", "no-such-platform")
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "float32")
    monkeypatch.setenv("NPROC", "3")
    with ExtractionProcess(LIMITS) as process:
        assert [process.extract(program) for program in programs] == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins cores as Linux does")
def test_the_number_of_cores_changes_no_byte() -> None:
    cores = os.sched_getaffinity(0)
    with ExtractionProcess(LIMITS) as process:
        expected = process.extract(PROGRAMS["large"])
    try:
        os.sched_setaffinity(0, {min(cores)})
        with ExtractionProcess(LIMITS) as process:
            assert process.extract(PROGRAMS["large"]) == expected
    finally:
        os.sched_setaffinity(0, cores)


def test_the_child_finds_what_the_caller_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    command = [sys.executable, "-P", "-c", "import elsewhere, jax_ir_pairs as j; print(j.__file__)"]
    run = subprocess.run(
        command, env=child_environment(), cwd="/", capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == jax_ir_pairs.__file__


def test_modules_of_the_working_directory_are_not_in_the_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "resource.py").write_text("raise ImportError('the wrong one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    run = subprocess.run(
        child_command(2**31), env=child_environment(), stdin=subprocess.DEVNULL, check=False
    )
    assert run.returncode == 0


def test_versions_need_no_import() -> None:
    script = (
        "import sys, jax_ir_pairs.extraction as e; print(e.versions());"
        "print({'jax', 'jaxlib', 'pydantic', 'datasets', 'pyarrow'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], env=child_environment(), capture_output=True, text=True
    )
    assert run.stdout.splitlines() == [str(versions()), "set()"], run.stderr
