"""A model under construction: its scope, its weights, and functions of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.graph import Call, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import FLOATS, WIDER, Aval, Bounds, Record, Tree

WEIGHTS: Bounds = (-4.0, 4.0)
STREAM: Bounds = (-60.0, 60.0)
"""Activations between the blocks of a model."""

_TYPICAL: Bounds = (0.5, 0.9)
_MOST = 1e3
_PRODUCTS = frozenset({"matmul", "einsum", "conv_2d", "conv_1d", "conv_3d", "conv_transpose"})


def calm(scope: Scope, x: Var) -> Var:
    """Gives `x` small enough for another product."""
    return x if max(map(abs, x.bounds)) <= 100.0 else scope.let("tanh", x)


ACTIVATIONS = ("relu", "relu", "gelu", "silu", "tanh", "sigmoid", "elu", "leaky_relu", "softplus")


def activation(scope: Scope, x: Var) -> Var:
    """Gives an activation of `x`."""
    name = scope.stream.choice(ACTIVATIONS)
    try:
        return scope.let(name, x)
    except IllTyped:
        return scope.let("tanh", x)


@dataclass(slots=True)
class Weights:
    """The weights that a model asks for while it is built; they become one dict."""

    items: dict[str, Var] = field(default_factory=dict)

    def new(self, name: str, type: Tree) -> Var:
        """Gives a weight under a name like `name`, numbered where it is taken."""
        key, number = name, 2
        while key in self.items:
            key, number = f"{name}{number}", number + 1
        var = self.items[key] = Var(type, WEIGHTS)
        return var

    def type(self) -> Record:
        """Gives the type of the dict."""
        return Record(tuple((key, var.type) for key, var in self.items.items()))

    def unpack(self, scope: Scope, params: Var) -> None:
        """Reads every weight out of `params`, at the top of the scope's body."""
        reads = [
            Call(scope.ops["item"], (params,), {"key": key}, var) for key, var in self.items.items()
        ]
        scope.body[:0] = reads


def known(
    scope: Scope, name: str, *operands: Any, bounds: Bounds | None = None, role: str = "",
    **params: Any,
) -> Var:  # fmt: skip
    """Applies an op as the author of a model does, who knows the size of its values.

    Bounds are those of four standard deviations, or the ones given where the range is known by
    how the operands were made, as that of a root of a mean of squares.
    """
    op = scope.ops[name]
    given = operands
    if bounds is not None:
        given = tuple(
            Var(x.type, _TYPICAL) if isinstance(x, Var) and x.aval.dtype in FLOATS else x
            for x in operands
        )
    typed = op.typed(given, params)
    assert isinstance(typed, tuple)
    aval, inside = typed
    if bounds is None:
        scale = 4.0 if name in _PRODUCTS else 1.0
        bounds = (max(inside[0] / scale, -_MOST), min(inside[1] / scale, _MOST))
    widened = op.widens == "all" or (op.widens and aval.dtype not in FLOATS)
    if scope.x64 and widened and "dtype" not in params:
        aval = Aval(WIDER.get(aval.dtype, aval.dtype), aval.shape)
    if aval.size > MAX_ELEMENTS:
        raise IllTyped(f"{aval} is too large")
    out = Var(aval, bounds, role)
    scope.bind(name, operands, params, out)
    return out


@dataclass(frozen=True, slots=True)
class Block:
    """A helper function, and the type of the weights that it takes first, if any."""

    function: Function
    weights: Record | None


Result: TypeAlias = "Var | tuple[Var, ...]"
Build: TypeAlias = "Callable[..., Any]"


@dataclass(slots=True)
class Net:
    """A scope with weights; `dtype` is that of weights and activations."""

    scope: Scope
    dtype: str
    weights: Weights = field(default_factory=Weights)

    @property
    def stream(self) -> Stream:
        """Where all chance comes from."""
        return self.scope.stream

    def chance(self, probability: float) -> bool:
        """Gives True with this probability."""
        return self.scope.stream.chance(probability)

    def let(self, name: str, *operands: Any, role: str = "", **params: Any) -> Var:
        """Applies an op; its bounds are those of ordinary activations."""
        return known(self.scope, name, *operands, role=role, **params)

    def sure(self, name: str, *operands: Any, bounds: Bounds, role: str = "", **params: Any) -> Var:
        """Applies an op whose range the way its operands were made decides."""
        return known(self.scope, name, *operands, bounds=bounds, role=role, **params)

    def weight(self, name: str, *shape: int) -> Var:
        """Gives a new weight."""
        return self.weights.new(name, Aval(self.dtype, shape))

    @property
    def typed(self) -> dict[str, str]:
        """The `dtype` argument of what would else have JAX's default one."""
        return {} if self.dtype == self.scope.float_dtype else {"dtype": self.dtype}

    def act(self, x: Var, name: str = "") -> Var:
        """Gives an activation of `x`."""
        name = name or self.stream.choice(ACTIVATIONS)
        low, high = x.bounds
        inside = (0.0, 1.0) if name == "sigmoid" else (-1.0, 1.0) if name == "tanh" else None
        if inside is None:
            inside = (0.0 if name in ("relu", "softplus") else -1.0, max(high, 1.0))
        if name == "leaky_relu":
            inside = (low, max(high, 1.0))
        return self.sure(name, x, bounds=inside)

    def define(
        self, role: str, build: Build, doc: str = "", extra: dict[str, Bounds] | None = None, /,
        **arguments: Var,
    ) -> Block:  # fmt: skip
        """Gives a helper function of these arguments; `build` gets a net and their parameters."""
        params = {
            name: Var(v.type, (extra or {}).get(name, v.bounds), name)
            for name, v in arguments.items()
        }
        body = self.scope.nested(list(params.values()), sealed=True)
        inner = Net(body, self.dtype)
        result = build(inner, **params)
        if not inner.weights.items:
            return Block(body.close(role, result), None)
        own = Var(inner.weights.type(), role=self.stream.choice(("params", "params", "p")))
        inner.weights.unpack(body, own)
        body.params.insert(0, own)
        return Block(body.close(role, result), inner.weights.type())

    def apply(self, block: Block, own: Var | None, *arguments: Var, role: str = "") -> Any:
        """Calls a helper function on weights of its own and on arguments."""
        outs = fresh(block.function.result, role)
        operands = arguments if own is None else (own, *arguments)
        self.scope.bind("apply", (block.function, *operands), {}, outs)
        return outs

    def call(
        self, role: str, build: Build, key: str = "", doc: str = "", /, **arguments: Var
    ) -> Any:
        """Defines a helper function and calls it; its weights go under `key` of this net's."""
        block = self.define(role, build, doc, **arguments)
        own = self.weights.new(key or role, block.weights) if block.weights else None
        return self.apply(block, own, *arguments.values())

    def inline_or_call(self, role: str, build: Build, key: str = "", /, **arguments: Var) -> Any:
        """Writes what `build` does here, or as a helper function."""
        if self.chance(0.3):
            return build(self, **arguments)
        return self.call(role, build, key, **arguments)

    def stack(
        self, role: str, build: Build, count: int, x: Var, key: str = "blocks", /, **others: Var
    ) -> Var:
        """Gives `x` after several blocks of one shape: one by one, or a scan over their weights."""
        block = self.define(role, build, "", {"x": STREAM}, x=x, **others)
        assert block.weights is not None
        result = block.function.result
        if not isinstance(result, Var) or result.type != x.type:
            raise IllTyped("a block that changes the type of its input")
        way = self.stream.choice(("keys", "keys", "list", "scan", "scan"))
        if way == "scan":
            return self._scanned(block, count, x, key, *others.values())
        function: Any = block.function
        if self.chance(0.12):
            function = Transformed("checkpoint", block.function)
        elif self.chance(0.1):
            function = replace(block.function, decorator="jax.checkpoint")
        name = key.removesuffix("s")
        tree: Var | None = None
        if way == "list":
            tree = self.weights.new(key, (block.weights,) * count)
        for place in range(count):
            if tree is None:
                own = self.weights.new(f"{name}{place + 1}", block.weights)
            else:
                own = Var(block.weights)
                self.scope.bind("item", (tree,), {"key": place}, own)
            out = Var(x.type, STREAM, x.role if x.role == "h" else "")
            self.scope.bind("apply", (function, own, x, *others.values()), {}, out)
            x = out
        return x

    def _scanned(self, block: Block, count: int, x: Var, key: str, *others: Var) -> Var:
        assert block.weights is not None
        stacked = self.weights.new(key, deeper(block.weights, count))
        h, own = Var(x.type, STREAM, "h"), Var(block.weights, role="layer")
        body = self.scope.nested([h, own], others)
        inner = Net(body, self.dtype)
        new = inner.apply(block, own, h, *others)
        step = body.close(self.stream.choice(("apply_layer", "layer_fn", "body")), (new, None))
        function: Any = step
        if self.chance(0.15):
            function = replace(step, decorator="jax.checkpoint")
        out, nothing = Var(x.type, STREAM, "h"), Var(())
        params = {"unroll": 2} if self.chance(0.1) else {}
        self.scope.bind("scan", (function, x, stacked), params, (out, nothing))
        self.scope.unused.pop(nothing, None)
        return out


def fresh(result: Any, role: str = "") -> Any:
    """Gives new variables of the types of a function's result."""
    if isinstance(result, tuple):
        return tuple(fresh(part) for part in result)
    if isinstance(result, Record):
        return Var(_type(result), role=role)
    assert isinstance(result, Var), result
    return Var(result.type, result.bounds, role)


def _type(result: Any) -> Any:
    if isinstance(result, Record):
        return Record(tuple((key, _type(part)) for key, part in result.items), result.cls)
    if isinstance(result, tuple):
        return tuple(_type(part) for part in result)
    return result.type


def deeper(tree: Any, count: int) -> Any:
    """Gives the type of a tree whose leaves are stacked, `count` of each."""
    if isinstance(tree, Record):
        return Record(tuple((key, deeper(part, count)) for key, part in tree.items))
    if isinstance(tree, tuple):
        return tuple(deeper(part, count) for part in tree)
    return tree.with_shape(count, *tree.shape)


def minus(net: Net, number: float, x: Var) -> Var:
    """Gives `number - x`."""
    return net.let("sub", Literal(number), x)
