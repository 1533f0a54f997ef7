"""Classes of `flax.linen`: compact or with a setup, of dense, convolving, attending layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from jax_ir_pairs.synthesis.constructs.modules import Module
from jax_ir_pairs.synthesis.graph import Defined
from jax_ir_pairs.synthesis.stream import Stream

Shape: TypeAlias = tuple[int, ...]
Layer: TypeAlias = "Callable[[Stream, Shape], tuple[list[str], Shape] | None]"

ACTIVATIONS = ("relu", "gelu", "tanh", "silu", "elu", "leaky_relu", "softplus")
_INITS = ("", "", "", ", kernel_init=nn.initializers.he_normal()",
          ", kernel_init=nn.initializers.normal(0.02)", ", use_bias=False")  # fmt: skip


def act(stream: Stream) -> str:
    """Gives the name of an activation."""
    return stream.choice(ACTIVATIONS)


def _dense(stream: Stream, shape: Shape) -> tuple[list[str], Shape]:
    units = stream.choice((4, 8, 16, 32))
    line = f"x = nn.Dense({units}{stream.choice(_INITS)})(x)"
    return [line, f"x = nn.{act(stream)}(x)"], (*shape[:-1], units)


def _residual(stream: Stream, shape: Shape) -> tuple[list[str], Shape]:
    wide = min(64, 2 * shape[-1])
    lines = [f"h = nn.{stream.choice(('LayerNorm', 'RMSNorm'))}()(x)",
             f"h = nn.{act(stream)}(nn.Dense({wide})(h))",
             f"x = x + nn.Dense({shape[-1]})(h)"]  # fmt: skip
    return lines, shape


def _norm(stream: Stream, shape: Shape) -> tuple[list[str], Shape]:
    if shape[-1] % 4 == 0 and stream.chance(0.3):
        return [f"x = nn.GroupNorm(num_groups={shape[-1] // 2})(x)"], shape
    return [f"x = nn.{stream.choice(('LayerNorm', 'LayerNorm', 'RMSNorm'))}()(x)"], shape


def _gated(stream: Stream, shape: Shape) -> tuple[list[str], Shape]:
    wide = min(32, 2 * shape[-1])
    lines = [f"gate = nn.{stream.choice(('silu', 'gelu', 'sigmoid'))}(nn.Dense({wide})(x))",
             f"x = nn.Dense({shape[-1]})(gate * nn.Dense({wide})(x))"]  # fmt: skip
    return lines, shape


def _attention(stream: Stream, shape: Shape) -> tuple[list[str], Shape] | None:
    heads = [n for n in (2, 4) if shape[-1] % n == 0]
    if len(shape) != 3 or not heads:
        return None
    name = f"nn.MultiHeadDotProductAttention(num_heads={stream.choice(heads)})"
    if stream.chance(0.4):
        mask = ["mask = nn.make_causal_mask(jnp.ones(x.shape[:2]))"]
        return [*mask, f"x = x + {name}(x, x, mask=mask)"], shape
    return [f"x = x + {name}(nn.LayerNorm()(x))"], shape


def _recurrent(stream: Stream, shape: Shape) -> tuple[list[str], Shape] | None:
    if len(shape) != 3:
        return None
    units, cell = stream.choice((4, 8)), stream.choice(("LSTMCell", "GRUCell", "SimpleCell"))
    return [f"x = nn.RNN(nn.{cell}({units}))(x)"], (*shape[:-1], units)


def _conv(stream: Stream, shape: Shape) -> tuple[list[str], Shape]:
    spatial, filters = len(shape) - 2, stream.choice((4, 8))
    window = stream.choice((1, 3, 3))
    step = stream.choice((1, 1, 2))
    extra = f", strides={(step,) * spatial}" if step > 1 else ""
    sides = tuple(-(-side // step) for side in shape[1:-1])
    lines = [f"x = nn.Conv({filters}, kernel_size={(window,) * spatial}{extra})(x)",
             f"x = nn.{act(stream)}(x)"]  # fmt: skip
    return lines, (shape[0], *sides, filters)


def _pool(stream: Stream, shape: Shape) -> tuple[list[str], Shape] | None:
    if min(shape[1:-1]) < 2:
        return None
    window = (2,) * (len(shape) - 2)
    name = stream.choice(("max_pool", "avg_pool"))
    sides = tuple(side // 2 for side in shape[1:-1])
    return [f"x = nn.{name}(x, {window}, strides={window})"], (shape[0], *sides, shape[-1])


def _up(stream: Stream, shape: Shape) -> tuple[list[str], Shape] | None:
    spatial = len(shape) - 2
    if max(shape[1:-1]) > 8:
        return None
    window = (2,) * spatial
    line = f"x = nn.ConvTranspose(4, kernel_size={(3,) * spatial}, strides={window})(x)"
    return [line], (shape[0], *(2 * side for side in shape[1:-1]), 4)


_BY_RANK: dict[int, tuple[tuple[Layer, float], ...]] = {
    2: ((_dense, 4.0), (_residual, 2.0), (_norm, 1.0), (_gated, 1.0)),
    3: ((_attention, 3.0), (_residual, 2.0), (_recurrent, 1.2), (_dense, 1.5), (_conv, 0.8),
        (_gated, 1.0), (_norm, 0.7)),
    4: ((_conv, 4.0), (_pool, 1.5), (_up, 0.5), (_norm, 1.0)),
}  # fmt: skip


def draw(stream: Stream, budget: int) -> Module:
    """Gives a class with a compact call."""
    rank = stream.weighted((2, 3, 4), (4, 2.5, 2))
    shape: Shape
    dtype, lines = "f32", []
    if rank == 4:
        shape = (stream.choice((1, 2)), 8, 8, stream.choice((1, 3)))
    elif rank == 3:
        shape = (stream.choice((1, 2, 4)), stream.choice((4, 8)), stream.choice((4, 8, 16)))
    else:
        shape = (stream.choice((2, 4, 8, 16)), stream.choice((3, 4, 8, 16)))
    takes = shape
    if rank == 3 and stream.chance(0.4):
        dtype, takes = "i32", shape[:2]
        lines.append(f"x = nn.Embed({stream.choice((16, 32))}, {shape[-1]})(x)")
    stats, dropout = rank != 3 and stream.chance(0.15), False
    for _ in range(max(1, min(8, budget // 4))):
        layers = _BY_RANK[len(shape)]
        layer = stream.weighted([item for item, _ in layers], [w for _, w in layers])
        if (found := layer(stream, shape)) is None:
            continue
        lines, shape = [*lines, *found[0]], found[1]
    if stats:
        lines.append("x = nn.BatchNorm(use_running_average=False)(x)")
    elif stream.chance(0.25):
        dropout = True
        lines.append(f"x = nn.Dropout({stream.choice((0.1, 0.5))}, deterministic=not train)(x)")
    if len(shape) == 4:
        lines.append("x = x.mean(axis=(1, 2))")
        shape = (shape[0], shape[-1])
    elif len(shape) == 3 and stream.chance(0.5):
        lines.append("x = x.mean(axis=1)")
        shape = (shape[0], shape[-1])
    out = stream.choice((4, 5, 8, 10))
    field = stream.chance(0.6)
    lines.append(f"return nn.Dense({'self.features' if field else out})(x)")
    name = {2: ("MLP", "Net", "Model"), 3: ("Encoder", "SequenceModel", "Transformer"),
            4: ("CNN", "ConvNet", "Classifier")}[rank]  # fmt: skip
    arguments = "self, x, train: bool = False" if dropout else "self, x"
    body = "\n".join(f"        {line}" for line in lines)
    head = f"    features: int = {out}\n\n" if field else ""
    template = (
        f"class {{name}}(nn.Module):\n{head}    @nn.compact\n    def __call__({arguments}):\n{body}"
    )
    block = Defined(stream.choice(name), template)
    return Module(block, takes, (*shape[:-1], out), dtype, stats, dropout)


def with_setup(stream: Stream, budget: int) -> Module:
    """Gives a class whose layers are made in `setup`."""
    batch, inside = stream.choice((2, 4, 8)), stream.choice((3, 4, 8, 16))
    count, out = stream.choice((1, 2, 2, 3)), stream.choice((4, 6, 10))
    units = [stream.choice((8, 16, 32)) for _ in range(count)]
    name = act(stream)
    normed = stream.chance(0.4)
    made = [f"self.hidden = [nn.Dense(n) for n in {tuple(units)}]"]
    made += ["self.norm = nn.LayerNorm()"] * normed
    made.append(f"self.out = nn.Dense({out})")
    used = ["for layer in self.hidden:", f"    x = nn.{name}(layer(x))"]
    used += ["x = self.norm(x)"] * normed
    used.append("return self.out(x)")
    setup = "\n".join(f"        {line}" for line in made)
    call = "\n".join(f"        {line}" for line in used)
    template = (
        f"class {{name}}(nn.Module):\n    def setup(self):\n{setup}\n\n"
        f"    def __call__(self, x):\n{call}"
    )
    block = Defined(stream.choice(("MLP", "Net", "Head")), template)
    return Module(block, (batch, inside), (batch, out))
