from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.synthesis import Program
from jax_ir_pairs.synthesis.constructs.devices.meshes import device_body, mesh_of, shard_map
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.ops.collectives import OPS
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.sketching.library import library
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, to_json
from tests.extraction.hand_written import LIMITS
from tests.synthesis.sketching.programs import drawn
from tests.synthesis.tracing import drafts, only, primitives, primitives_of, run, shown, traced

RECIPE = only("parallel")
MIXED = only("parallel", "control_flow", "autodiff", "batching", "calls", "expression", "random")

EXPECTED = {
    "psum", "psum_invariant", "pmax", "pmin", "all_gather", "all_gather_invariant",
    "all_to_all", "ppermute", "reduce_scatter", "axis_index", "pvary", "shard_map",
    "unreduced_psum", "unreduced_reduce_scatter",
}  # fmt: skip
IN_SKETCHES = {
    "placed_forward": {"device_put", "sharding_constraint"},
    "reduced_gather_step": {"all_gather_reduced"},
    "deferred_gradient_sum": {"preduced"},
    "resharded_layer": {"reshard"},
}

PARAMS: dict[str, dict[str, Any]] = {
    "psum": {}, "pmean": {}, "pmax": {}, "pmin": {}, "all_gather": {"tiled": True},
    "all_to_all": {"split_axis": 1, "concat_axis": 0, "tiled": True},
    "ppermute": {"perm": ((0, 1), (1, 0))}, "by_axis_size": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def process() -> Iterator[ExtractionProcess]:
    with ExtractionProcess(LIMITS) as process:
        yield process


def declared_devices(python: str) -> int | None:
    """Gives the number of devices of the mesh that a source defines, if it defines one."""
    found = re.search(r"(?:make_mesh|create_device_mesh)\(\s*\(([\d, ]+)\)", python)
    if found:
        return math.prod(int(side) for side in found[1].split(",") if side.strip())
    found = re.search(r"jax\.devices\(\)\[:(\d+)\]", python)
    return int(found[1]) if found else None


def test_every_collective_turns_up_as_it_is_typed() -> None:
    assert primitives_of(RECIPE, 900).keys() >= EXPECTED


@pytest.mark.parametrize("name", IN_SKETCHES)
def test_sketches_have_what_the_family_has_not(name: str) -> None:
    sketch = library().sketches[name]
    programs = (drawn(sketch, seed, alone=True).program() for seed in range(6))
    assert {p for program in programs for p in primitives(traced(program))} >= IN_SKETCHES[name]


def test_composes_with_other_families() -> None:
    found = primitives_of(MIXED, 120)
    assert {"shard_map", "psum", "scan", "while", "cond"} <= found.keys()


def test_runs_on_all_devices() -> None:
    for seed, draft in drafts(12, RECIPE):
        run(draft.program(), seed)


def test_the_executable_runs_on_the_devices_of_the_mesh(process: ExtractionProcess) -> None:
    sizes = set()
    for seed, draft in drafts(30, RECIPE):
        program = draft.program()
        expected = declared_devices(program.python)
        if expected is not None:
            extraction = process.extract(program)
            assert extraction.num_devices == expected, shown(program, seed)
            sizes.add(expected)
    assert sizes == {2, 4, 8}


def test_two_processes_give_the_same_texts(process: ExtractionProcess) -> None:
    with ExtractionProcess(LIMITS) as other:
        for seed, draft in drafts(12, RECIPE):
            program = draft.program()
            texts = [
                (e.jaxpr, e.stablehlo, e.hlo, e.optimized_hlo)
                for e in (process.extract(program), other.extract(program))
            ]
            assert texts[0] == texts[1], shown(program, seed)


def test_a_program_has_one_mesh() -> None:
    for seed, draft in drafts(150, MIXED):
        python = draft.program().python
        assert len(re.findall(r"= (?:jax\.make_mesh|Mesh)\(", python)) <= 1, seed


def collective(name: str, template: int) -> Program:
    """Gives a program that uses a collective in one of its spellings."""
    op = TABLE[name]
    ops = {**TABLE, name: replace(op, spellings=(op.spellings[template],))}
    scope = Scope(Stream("parallel", 0), ops)
    x = scope.input(Aval("f32", (64, 16)), "x")
    mesh = mesh_of(scope)
    over = mesh.axes[0]
    body = device_body(scope, mesh, [x], [(over.names,)], ["x"], checked=False)
    y = body.let(name, body.params[0], along=over, **PARAMS[name])
    (out,) = shard_map(scope, mesh, body, "f", y, [x], [(over.names,)], [(over.names,)])
    function = scope.close("entry", out)
    source, names = render(function, "g", Stream("style", 0))
    types = [var.type for var in function.params]
    return Program(source, "g", to_json(list(zip(names, types, strict=True))), "", (), "")


@pytest.mark.parametrize(
    "name", [op.name for op in OPS if len(op.spellings) > 1 and op.infer is not None]
)
def test_all_spellings_trace_to_one_jaxpr(name: str) -> None:
    programs = [collective(name, place) for place in range(len(TABLE[name].spellings))]
    assert len({program.python for program in programs}) == len(programs)
    assert len({str(traced(program)) for program in programs}) == 1


def test_devices_stand_in_the_source_before_they_are_used() -> None:
    for seed, draft in drafts(60, RECIPE):
        python = draft.program().python
        for name in re.findall(r"mesh=(\w+)", python):
            place = python.index(f"{name} = ")
            assert place < python.index(f"mesh={name}"), (seed, python)
