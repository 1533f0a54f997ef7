"""Where arrays lie on a mesh, asked for while the compiler divides the work itself."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.devices.meshes import (
    Mesh,
    Spec,
    lay_out,
    mesh_of,
    sharded,
    spec_text,
)
from jax_ir_pairs.synthesis.graph import Code, Defined, Var
from jax_ir_pairs.synthesis.growth import Mix, leaves, use_all
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import NUMBERS


def _sharding(stream: Any, mesh: Mesh, spec: Spec) -> Defined:
    role = stream.choice(("sharding", "batch_sharding", "row_sharding")) if spec else "replicated"
    template = "{name} = NamedSharding({u0}, {spec})"
    return Defined(role, template, params={"spec": spec_text(spec)}, uses=(mesh.block,))


def constrained(scope: Scope, budget: int, mix: Mix) -> None:
    """Values whose sharding is asked for between the steps of a computation."""
    stream, mesh = scope.stream, mesh_of(scope)
    x, spec = sharded(scope, mesh)
    known: dict[str, Defined] = {}
    for step in range(stream.weighted((1, 2, 3), (3, 4, 1))):
        out = Var(x.type, x.bounds)
        if stream.chance(0.55):
            code = Code(spec_text(spec))
            scope.bind("sharding_constraint", (x, mesh.block), {"spec": code}, out)
        else:
            block = known.setdefault(spec_text(spec), _sharding(stream, mesh, spec))
            name = "placed" if stream.chance(0.25) else "constrained_to"
            scope.bind(name, (x, block), {}, out)
        mix.fill(scope, max(1, budget // 3))
        fits = [v for v in leaves(scope, 2) if v.aval.dtype in NUMBERS and v.aval.rank]
        if not fits:
            break
        x = use_all(scope, fits[-1], [out])
        spec = () if step and stream.chance(0.4) else lay_out(stream, mesh, x.aval)


def compiled(scope: Scope, budget: int, mix: Mix) -> None:
    """A function that is compiled with the shardings of its arguments and of its result."""
    stream, mesh = scope.stream, mesh_of(scope)
    x, spec = sharded(scope, mesh)
    arguments, specs = [x], [spec]
    other = scope.pick(NUMBERS, where=lambda v: v is not x)
    if other is not None and stream.chance(0.5):
        arguments.append(other)
        specs.append(())
    params = [Var(v.type, v.bounds, v.role or "xyz"[n]) for n, v in enumerate(arguments)]
    body = scope.nested(params, sealed=True)
    mix.fill(body, budget)
    value = use_all(body, leaves(body, 1)[0], params)
    if value in params:
        raise IllTyped("a function that gives back its argument")
    out_spec: Spec = ()
    if value.aval.rank and stream.chance(0.6):
        try:
            out_spec = lay_out(stream, mesh, value.aval)
        except IllTyped:
            out_spec = ()
    blocks: dict[Spec, Defined] = {}
    for one in (*specs, out_spec):
        if one not in blocks:
            blocks[one] = _sharding(stream, mesh, one)
    ins: Any = tuple(blocks[one] for one in specs)
    ins = ins[0] if len(ins) == 1 else ins
    function = body.close(stream.choice(("forward", "step", "compute", "apply_fn")), value)
    out = Var(value.type, value.bounds)
    scope.bind("sharded_jit", (function, ins, blocks[out_spec], *arguments), {}, out)
