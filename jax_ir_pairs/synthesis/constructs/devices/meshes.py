"""Meshes of devices: their axes, how arrays lie on them, and functions that every device runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jax_ir_pairs.synthesis.graph import Code, Defined, Var, vars_in
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import NUMBERS, Aval

_LINES = ("data", "data", "batch", "x", "i", "devices", "model", "shards", "dp", "tp", "p")
_PLANES = (("data", "model"), ("data", "model"), ("x", "y"), ("dp", "tp"), ("rows", "cols"),
           ("replica", "data"), ("i", "j"))  # fmt: skip
_LINE_SIZES = (2, 4, 4, 4, 8, 8)
_PLANE_SIZES = ((2, 2), (2, 2), (2, 4), (4, 2))


@dataclass(frozen=True, slots=True)
class Axis(Code):
    """A named axis of a mesh or of a `vmap`, or several as one: the parameter of a collective."""

    size: int = 1
    names: tuple[str, ...] = ()


def axis(name: str, size: int) -> Axis:
    """Gives one axis."""
    return Axis(f'"{name}"', size, (name,))


def joint(axes: Sequence[Axis]) -> Axis:
    """Gives several axes as one: `("x", "y")`."""
    if len(axes) == 1:
        return axes[0]
    text = f"({', '.join(a.text for a in axes)})"
    return Axis(text, math.prod(a.size for a in axes), tuple(n for a in axes for n in a.names))


Spec = tuple[tuple[str, ...], ...]
"""For each dimension of an array the axes that divide it; what is left out is not divided."""


def spec_text(spec: Spec) -> str:
    """Gives the source of a spec: `P(None, "model")`."""
    parts = list(spec)
    while parts and not parts[-1]:
        parts.pop()
    texts = []
    for names in parts:
        quoted = [f'"{name}"' for name in names]
        texts.append(f"({', '.join(quoted)})" if len(names) > 1 else quoted[0] if names else "None")
    return f"P({', '.join(texts)})"


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """The devices of a program; its block defines them in the source."""

    axes: tuple[Axis, ...]
    block: Defined

    @property
    def size(self) -> int:
        """Number of devices."""
        return math.prod(a.size for a in self.axes)

    def _parts(self, names: Sequence[str]) -> int:
        return math.prod(a.size for a in self.axes if a.names[0] in names)

    def local(self, aval: Aval, spec: Spec) -> Aval:
        """Gives what one device has of an array; raises `IllTyped` where it does not divide."""
        shape = list(aval.shape)
        for place, names in enumerate(spec):
            parts = self._parts(names)
            if shape[place] % parts:
                raise IllTyped("the devices do not divide the axis")
            shape[place] //= parts
        return Aval(aval.dtype, tuple(shape))

    def assembled(self, aval: Aval, spec: Spec) -> Aval:
        """Gives the array that the parts of all devices make."""
        shape = list(aval.shape)
        for place, names in enumerate(spec):
            shape[place] *= self._parts(names)
        if math.prod(shape) > MAX_ELEMENTS:
            raise IllTyped("the assembled array is too large")
        return Aval(aval.dtype, tuple(shape))


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """What a function's body knows of the axes that it runs along."""

    axes: tuple[Axis, ...]
    depth: int
    varying: Mapping[Var, tuple[str, ...]]
    """The axes along which each parameter differs."""
    checked: bool = False
    """Whether JAX tracks along which axes a value differs."""
    batched: bool = False
    """Whether it is the axis of a `vmap`, where no place may go without a value."""


def mesh_of(scope: Scope) -> Mesh:
    """Gives the program's mesh, drawn when first asked for; raises `IllTyped` without one.

    There is one in a program, since all of it runs on the same devices.
    """
    root = scope
    while root.outer is not None:
        root = root.outer
    if scope.named_axes is not None:
        raise IllTyped("the devices are divided already")
    if root.mesh is None:
        root.mesh = _draw(scope.stream)
    mesh: Mesh = root.mesh
    return mesh


def _draw(stream: Stream) -> Mesh:
    if stream.chance(0.3):
        names: tuple[str, ...] = stream.choice(_PLANES)
        sizes: tuple[int, ...] = stream.choice(_PLANE_SIZES)
    else:
        names, sizes = (stream.choice(_LINES),), (stream.choice(_LINE_SIZES),)
    axes = tuple(axis(name, size) for name, size in zip(names, sizes, strict=True))
    quoted = f"({', '.join(a.text for a in axes)}{',' * (len(axes) == 1)})"
    count = math.prod(sizes)
    ways = ["make", "make", "array"] + ["utils"] * (count == 8)
    way = stream.choice(ways)
    if way == "make":
        kinds = ", ".join(["AxisType.Auto"] * len(axes)) + "," * (len(axes) == 1)
        template = f"{{name}} = jax.make_mesh({{shape}}, {quoted}, axis_types=({kinds}))"
    elif way == "utils":
        template = f"{{name}} = Mesh(mesh_utils.create_device_mesh({{shape}}), {quoted})"
    else:
        shape = ".reshape{shape}" if len(axes) > 1 else ""
        template = f"{{name}} = Mesh(np.array(jax.devices()[:{{count}}]){shape}, {quoted})"
    role = stream.choice(("mesh", "mesh", "mesh", "device_mesh"))
    return Mesh(axes, Defined(role, template, params={"shape": sizes, "count": count}))


def lay_out(stream: Stream, mesh: Mesh, aval: Aval, *, share: float = 0.8) -> Spec:
    """Gives a spec that divides an array along some axes of the mesh, at least along one."""
    parts: list[tuple[str, ...]] = [()] * aval.rank
    sides = list(aval.shape)
    for one in stream.shuffled(mesh.axes):
        fits = [place for place, side in enumerate(sides) if side % one.size == 0]
        if fits and (not any(parts) or stream.chance(share)):
            place = fits[0] if stream.chance(0.6) else stream.choice(fits)
            sides[place] //= one.size
            parts[place] = (*parts[place], *one.names)
    if not any(parts):
        raise IllTyped("no axis divides it")
    order = [one.names[0] for one in mesh.axes]
    return tuple(tuple(sorted(names, key=order.index)) for names in parts)


def sharded(scope: Scope, mesh: Mesh, dtypes: Sequence[str] = NUMBERS) -> tuple[Var, Spec]:
    """Gives an array that the mesh divides, and how."""
    stream, least = scope.stream, min(one.size for one in mesh.axes)

    def fits(var: Var) -> bool:
        return var.aval.rank >= 1 and any(s % least == 0 for s in var.aval.shape)

    x = scope.pick(dtypes, where=fits) if stream.chance(0.8) else None
    if x is None:
        dtype = scope.dtype if scope.dtype in dtypes else scope.float_dtype
        sides = [scope.side() for _ in range(stream.weighted((0, 1, 2), (2, 5, 1)))]
        rows = mesh.size * stream.choice((1, 2, 2, 4))
        x = scope.input(Aval(dtype, (rows, *sides)), stream.choice(("x", "xs", "batch", "data")))
    return x, lay_out(stream, mesh, x.aval)


def device_body(
    scope: Scope,
    mesh: Mesh,
    arguments: Sequence[Var],
    specs: Sequence[Spec],
    roles: Sequence[str] = (),
    *,
    checked: bool,
) -> Scope:
    """Gives the body of a function that every device runs on its part of the arguments."""
    params = [
        Var(
            mesh.local(var.aval, spec),
            var.bounds,
            roles[place] if place < len(roles) else var.role or "xyzw"[place],
        )
        for place, (var, spec) in enumerate(zip(arguments, specs, strict=True))
    ]
    body = scope.nested(params, sealed=True)
    varying = {
        param: tuple(name for names in spec for name in names)
        for param, spec in zip(params, specs, strict=True)
    }
    body.named_axes = Bound(mesh.axes, body.depth, varying, checked)
    return body


def shard_map(
    scope: Scope,
    mesh: Mesh,
    body: Scope,
    role: str,
    result: Var | tuple[Var, ...],
    arguments: Sequence[Var],
    specs: Sequence[Spec],
    out_specs: Sequence[Spec],
) -> tuple[Var, ...]:
    """Runs the function of a body on all devices, in one of the ways that people write it."""
    stream = scope.stream
    function = body.close(role, result)
    several = isinstance(result, tuple)
    params = {
        "in_specs": _specs(specs, stream, several=len(arguments) > 1),
        "out_specs": _specs(out_specs, stream, several=several),
    }
    if not body.named_axes.checked:
        params["check_vma"] = "False"
    outs = tuple(
        Var(mesh.assembled(var.aval, spec), var.bounds)
        for var, spec in zip(vars_in(result), out_specs, strict=True)
    )
    pattern = outs if several else outs[0]
    way = stream.weighted(("call", "decorator", "name"), (5, 3, 2))
    if way == "call":
        written = {key: Code(text) for key, text in params.items()}
        scope.bind("shard_map", (function, mesh.block, *arguments), written, pattern)
        return outs
    keywords = ", ".join(f"{key}={{{key}}}" for key in params)
    if way == "decorator":
        head = f"@partial(jax.shard_map, mesh={{u0}}, {keywords})"
        block = Defined(role, f"{head}\n{{def0}}", (function,), params, uses=(mesh.block,))
    else:
        template = f"{{def0}}\n\n\n{{name}} = jax.shard_map({{f0}}, mesh={{u0}}, {keywords})"
        block = Defined(f"sharded_{role}", template, (function,), params, uses=(mesh.block,))
    scope.bind("shard_map_defined", (block, *arguments), {}, pattern)
    return outs


def _specs(specs: Sequence[Spec], stream: Stream, *, several: bool) -> str:
    texts = [spec_text(spec) for spec in specs]
    if not several or (len(set(texts)) == 1 and stream.chance(0.6)):
        return texts[0]
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"
