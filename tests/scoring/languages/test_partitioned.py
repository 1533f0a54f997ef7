from __future__ import annotations

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jax_ir_pairs.extraction.execution import Executable
from jax_ir_pairs.extraction.hlo_module import optimized_module, optimized_text
from jax_ir_pairs.scoring.languages import hlo, optimized_hlo
from jax_ir_pairs.scoring.languages.partitioned import whole
from jax_ir_pairs.scoring.module import Module, NotRunnableError, NotValidError

X = np.arange(32, dtype=np.float32).reshape(8, 4)


def lowered() -> jax.stages.Lowered:
    mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    columns = NamedSharding(mesh, PartitionSpec("b", "a"))

    def f(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = jax.lax.with_sharding_constraint(x * 2, columns)
        return y, y.sum(axis=0)

    return jax.jit(f, in_shardings=columns).lower(X)


def text_of(compiled: jax.stages.Compiled) -> str:
    return optimized_text(optimized_module(compiled))


@pytest.fixture(scope="module")
def module() -> jax.stages.Lowered:
    return lowered()


def test_a_part_runs_on_whole_arrays(module: jax.stages.Lowered) -> None:
    row = {"num_devices": 4, "stablehlo": module.as_text()}
    for read, text in (
        (hlo.read, module.as_text(dialect="hlo")),
        (optimized_hlo.read, text_of(module.compile())),
    ):
        found = read(text, row)
        assert found.inputs == (((8, 4), "float32"),)
        assert found.outputs == (((8, 4), "float32"), ((4,), "float32"))
        doubled, total = Executable(found.stablehlo, 4)([X], [s for s, _ in found.outputs])
        np.testing.assert_array_equal(doubled, X * 2)
        np.testing.assert_array_equal(total, X.sum(axis=0) * 2)


def test_parts_of_other_sides(module: jax.stages.Lowered) -> None:
    row = {"num_devices": 4, "stablehlo": module.as_text()}
    part = Module("", (((8, 4), "float32"),), (((4, 2), "float32"), ((4,), "float32")), 4)
    with pytest.raises(NotValidError, match="A device holds"):
        whole(part, row)
    with pytest.raises(NotValidError, match="0 values where the row has 1"):
        whole(Module("", (), ()), row)


def test_a_number_that_has_no_binary_mesh() -> None:
    with pytest.raises(NotRunnableError, match="6 devices"):
        whole(Module("", (), ()), {"num_devices": 6, "stablehlo": ""})
