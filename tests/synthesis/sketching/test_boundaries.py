"""Sketches of what crosses the boundary of the compiler, and of primitives that few others have."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import jax
import pytest

from jax_ir_pairs.extraction import levels
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.sketching.drawing import fitting
from jax_ir_pairs.synthesis.sketching.library import library
from tests.synthesis.sketching.programs import drawn
from tests.synthesis.tracing import primitives, traced

KERNELS = {
    "call_exported", "custom_partitioning", "dce_sink", "debug_callback", "debug_print",
    "device_put", "empty", "ffi_call", "inspect_sharding", "io_callback", "layout_constraint",
    "multiple_of", "optimization_barrier", "pallas_call", "program_id", "pure_callback",
    "xla_metadata_value",
}  # fmt: skip
STATE = {"addupdate", "freeze", "get", "new_ref", "run_state", "swap"}
SPARSE = {
    "bcoo_dot_general", "bcoo_dot_general_sampled", "bcoo_extract", "bcoo_fromdense",
    "bcoo_sort_indices", "bcoo_spdot_general", "bcoo_sum_duplicates", "bcoo_todense",
    "bcoo_transpose", "bcsr_dot_general", "bcsr_extract", "bcsr_fromdense", "bcsr_todense",
    "coo_fromdense", "coo_matmat", "coo_matvec", "coo_todense", "csr_fromdense", "csr_matmat",
    "csr_matvec", "csr_todense", "spsolve", "todense",
}  # fmt: skip


def _programs(*stems: str, seeds: int = 1) -> Iterator[Program]:
    """Gives programs of each sketch of a file or a theme."""
    for sketch in library().sketches.values():
        if sketch.file.stem in stems or sketch.file.theme in stems:
            for seed in range(seeds):
                yield drawn(sketch, seed, alone=True).program()


@pytest.mark.parametrize(
    ("theme", "wanted"), [("kernels", KERNELS), ("state", STATE), ("sparse", SPARSE)]
)
def test_primitives_are_reached(theme: str, wanted: set[str]) -> None:
    found: set[str] = set()
    seeds = 8 if theme == "sparse" else 2
    for program in _programs(theme, seeds=seeds):
        found.update(primitives(traced(program)))
        if found >= wanted:
            break
    jax.clear_caches()
    assert found >= wanted, wanted - found


def test_callbacks_leave_nothing_of_the_process_in_the_text() -> None:
    programs = list(_programs("host_functions", "batch_rules"))
    texts = []
    for order in (programs, programs[::-1]):
        made = {p.id: levels.extract(p.python, p.entry_point, p.inputs) for p in order}
        texts.append([(e.stablehlo, e.optimized_hlo) for _, e in sorted(made.items())])
    assert texts[0] == texts[1]


def test_primitives_leave_nothing_behind_and_lower_without_a_deprecated_name() -> None:
    for program in _programs("primitives", "linear_primitives"):
        assert str(traced(program)) == str(traced(program))
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            function = load(program.python, program.entry_point)
            function.trace(*abstract_arguments(program.inputs)).lower()


def test_what_cannot_be_transformed_fills_no_hole() -> None:
    holes = {hole for s in library().sketches.values() for hole in s.file.holes.values()}
    assert all(sketch.fills for hole in holes for sketch in fitting(library(), hole))
    assert not library().sketches["flash_attention_kernel"].fills
