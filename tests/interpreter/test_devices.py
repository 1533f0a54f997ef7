"""Programs of several devices: what each of them does, against what XLA makes of all."""

from __future__ import annotations

import numpy as np
import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.mesh import Mesh
from jax_ir_pairs.interpreter.module import Interpreter, parsed
from jax_ir_pairs.quality import texts
from jax_ir_pairs.quality.comparison import compare
from jax_ir_pairs.quality.execution import execute
from jax_ir_pairs.quality.inputs import ordinary_inputs
from jax_ir_pairs.quality.oracles import kept
from tests.quality.programs import compiled

HEAD = """from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

mesh = jax.make_mesh((2, 4), ("a", "b"), axis_types=(AxisType.Auto,) * 2)


"""


def mapped(body: str, ins: str, outs: str) -> str:
    decorator = f"@partial(jax.shard_map, mesh=mesh, in_specs={ins}, out_specs={outs})"
    return f"{HEAD}{decorator}\ndef f(x):\n    return {body}"


PROGRAMS = {
    "sums": mapped("lax.psum(x, 'b') * lax.axis_index('a')", "P('a', 'b')", "P('a')"),
    "means and largest": mapped(
        "lax.pmean(x, ('a', 'b')) + lax.pmax(x, 'a')", "P(('a', 'b'))", "P('b')"
    ),
    "gathers": mapped("lax.all_gather(x, 'b', axis=1, tiled=True).sum()[None, None]",
                      "P('a', 'b')", "P('a', 'b')"),
    "scatters": mapped("lax.psum_scatter(x, 'b', scatter_dimension=0, tiled=True)",
                       "P(None, 'a')", "P('b', 'a')"),
    "exchanges": mapped("lax.all_to_all(x, 'b', 1, 0, tiled=True)", "P('b', None)", "P(None, 'b')"),
    "neighbours": mapped("lax.ppermute(x, 'b', [(i, (i + 1) % 4) for i in range(3)])",
                         "P('a', 'b')", "P('a', 'b')"),
    "loops": mapped(
        "lax.fori_loop(0, 3, lambda i, y: y + lax.psum(y, 'a') * 0.1, x)", "P('a')", "P('a')"
    ),
    "branches of some devices": mapped(
        "lax.cond(lax.axis_index('b') > 1, jnp.sin, jnp.cos, x)", "P(None, 'b')", "P(None, 'b')"
    ),
    "shardings": HEAD + (
        "def f(x):\n    x = lax.with_sharding_constraint(x, NamedSharding(mesh, P('a', 'b')))\n"
        "    return (x @ x.T).sum(axis=0), jnp.sort(x, axis=1)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_texts_are_what_xla_makes_of_them(name: str) -> None:
    program = compiled(PROGRAMS[name], "f32[8,8]")
    assert program.extraction.num_devices == 8
    inputs = ordinary_inputs(program.traced.jaxpr.in_avals, 5)
    expected = execute(program, inputs)
    for meaning in (texts.stablehlo(program), texts.optimized_hlo(program)):
        assert compare(meaning(kept(program, inputs)), expected, 1e-6).beyond == ""


def test_an_array_that_is_a_sum_of_what_devices_have() -> None:
    body = (
        "from jax.sharding import NamedSharding, PartitionSpec as P\n\n"
        "mesh = jax.make_mesh((4,), ('i',))\n\n\n"
        "def f(x):\n"
        "    x = jax.sharding.reshard(x, NamedSharding(mesh, P(None, 'i')))\n"
        "    terms = jnp.einsum(\n        'ij,jk->ik', x, x.T,\n"
        "        out_sharding=NamedSharding(mesh, P(None, None, unreduced={'i'}))\n    )\n"
        "    return jax.shard_map(\n        lambda z: lax.psum(z, 'i'), mesh=mesh,\n"
        "        in_specs=P(None, None, unreduced={'i'}), out_specs=P()\n    )(terms)"
    )
    program = compiled(body, "f32[3,4]")
    inputs = ordinary_inputs(program.traced.jaxpr.in_avals, 5)
    [found] = texts.stablehlo(program)(inputs)
    np.testing.assert_allclose(found, inputs[0] @ inputs[0].T, rtol=1e-5)


def test_groups_of_a_mesh_are_in_the_order_of_its_axes() -> None:
    mesh = Mesh({"a": 2, "b": 3}, (5, 4, 3, 2, 1, 0))
    assert mesh.groups(["b"]) == [[5, 4, 3], [2, 1, 0]]
    assert mesh.groups(["a"]) == [[5, 2], [4, 1], [3, 0]]
    assert mesh.groups(["b", "a"]) == [[5, 2, 4, 1, 3, 0]]
    assert mesh.coordinates(1) == {"a": 1, "b": 1}


def test_one_of_a_group_tells_the_others_and_a_replica_is_the_only_one() -> None:
    text = """func.func @main(%x: tensor<2xui32>) -> tensor<2xui32> {
  %y = "stablehlo.collective_broadcast"(%x) <{replica_groups = dense<[[2, 0], [1, 3]]> :
    tensor<2x2xi64>}> : (tensor<2xui32>) -> tensor<2xui32>
  %p = stablehlo.partition_id : tensor<ui32>
  %r = stablehlo.replica_id : tensor<ui32>
  %q = stablehlo.add %p, %r : tensor<ui32>
  %z = stablehlo.broadcast_in_dim %q, dims = [] : (tensor<ui32>) -> tensor<2xui32>
  %w = stablehlo.add %y, %z : tensor<2xui32>
  return %w : tensor<2xui32>
}"""
    with make_ir_context(), ir.Location.unknown():
        run = Interpreter(parsed(text), num_devices=4)
    inputs = [[np.full(2, 10 * device, np.uint32)] for device in range(4)]
    found = [int(values[0][0]) for values in run.side_by_side(inputs)]
    assert found == [20, 11, 22, 13]
