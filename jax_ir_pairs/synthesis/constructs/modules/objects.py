"""Classes of `equinox` and `flax.nnx`: layers made with a key, called like functions."""

from __future__ import annotations

from itertools import pairwise

from jax_ir_pairs.synthesis.constructs.modules import Module
from jax_ir_pairs.synthesis.graph import Defined
from jax_ir_pairs.synthesis.stream import Stream

_ACTIVATIONS = ("relu", "gelu", "tanh", "silu", "elu")


def _class(base: str, fields: list[str], init: list[str], call: list[str], takes: str) -> str:
    head = "".join(f"    {line}\n" for line in fields) + "\n" * bool(fields)
    made = "\n".join(f"        {line}" for line in init)
    used = "\n".join(f"        {line}" for line in call)
    return (
        f"class {{name}}({base}):\n{head}    def __init__(self, {takes}):\n{made}\n\n"
        f"    def __call__(self, x):\n{used}"
    )


def equinox(stream: Stream, budget: int) -> Module:
    """Gives a class of equinox that takes one example."""
    way = stream.choice(("list", "fields", "fields", "attention", "recurrent", "conv", "own"))
    inside, out = stream.choice((3, 4, 8)), stream.choice((4, 6, 10))
    units, name = stream.choice((8, 16)), stream.choice(_ACTIVATIONS)
    if way == "own":
        fields = ["weight: jax.Array", "bias: jax.Array"]
        scale = stream.choice((0.1, 0.02))
        init = [f"self.weight = {scale} * jax.random.normal(key, ({inside}, {out}))",
                f"self.bias = jnp.zeros({out})"]  # fmt: skip
        call = [f"return jax.nn.{name}(x @ self.weight + self.bias)"]
        takes: tuple[int, ...] = (inside,)
        gives: tuple[int, ...] = (out,)
    elif way == "list":
        depth = max(1, min(4, budget // 6))
        sides = [inside, *(stream.choice((8, 16)) for _ in range(depth)), out]
        fields = ["layers: list"]
        init = [f"keys = jax.random.split(key, {depth + 1})", "self.layers = ["]
        init += [f"    eqx.nn.Linear({a}, {b}, key=keys[{n}]),"
                 for n, (a, b) in enumerate(pairwise(sides))]  # fmt: skip
        init.append("]")
        call = ["for layer in self.layers[:-1]:", f"    x = jax.nn.{name}(layer(x))",
                "return self.layers[-1](x)"]  # fmt: skip
        takes, gives = (inside,), (out,)
    elif way == "fields":
        fields = ["mlp: eqx.nn.MLP", "norm: eqx.nn.LayerNorm", "head: eqx.nn.Linear"]
        init = ["mlp_key, head_key = jax.random.split(key)",
                f"self.mlp = eqx.nn.MLP({inside}, {units}, width_size=16, depth="
                f"{stream.choice((1, 2))}, key=mlp_key)",
                f"self.norm = eqx.nn.LayerNorm({units})",
                f"self.head = eqx.nn.Linear({units}, {out}, key=head_key)"]  # fmt: skip
        call = [f"h = jax.nn.{name}(self.norm(self.mlp(x)))", "return self.head(h)"]
        takes, gives = (inside,), (out,)
    elif way == "attention":
        time, width = stream.choice((4, 8)), stream.choice((4, 8))
        fields = ["attention: eqx.nn.MultiheadAttention", "norm: eqx.nn.LayerNorm",
                  "linear: eqx.nn.Linear"]  # fmt: skip
        init = ["key1, key2 = jax.random.split(key)",
                f"self.attention = eqx.nn.MultiheadAttention(2, {width}, key=key1)",
                f"self.norm = eqx.nn.LayerNorm({width})",
                f"self.linear = eqx.nn.Linear({width}, {out}, key=key2)"]  # fmt: skip
        call = ["h = jax.vmap(self.norm)(x)", "x = x + self.attention(h, h, h)",
                "return jax.vmap(self.linear)(x)"]  # fmt: skip
        takes, gives = (time, width), (time, out)
    elif way == "recurrent":
        time, cell = stream.choice((4, 8)), stream.choice(("GRUCell", "LSTMCell"))
        fields = [f"cell: eqx.nn.{cell}", "linear: eqx.nn.Linear"]
        init = ["cell_key, linear_key = jax.random.split(key)",
                f"self.cell = eqx.nn.{cell}({inside}, {units}, key=cell_key)",
                f"self.linear = eqx.nn.Linear({units}, {out}, key=linear_key)"]  # fmt: skip
        zeros = f"jnp.zeros({units})"
        start = f"({zeros}, {zeros})" if cell == "LSTMCell" else zeros
        last = "state[0]" if cell == "LSTMCell" else "state"
        call = ["def step(state, x_t):", "    return self.cell(x_t, state), None", "",
                f"state, _ = jax.lax.scan(step, {start}, x)",
                f"return self.linear({last})"]  # fmt: skip
        takes, gives = (time, inside), (out,)
    else:
        side = stream.choice((6, 8))
        fields = ["conv1: eqx.nn.Conv2d", "conv2: eqx.nn.Conv2d"]
        init = ["key1, key2 = jax.random.split(key)",
                f"self.conv1 = eqx.nn.Conv2d(1, {units}, kernel_size=3, padding=1, key=key1)",
                f"self.conv2 = eqx.nn.Conv2d({units}, {out}, kernel_size=3, key=key2)"]  # fmt: skip
        call = [f"x = jax.nn.{name}(self.conv1(x))", "return self.conv2(x)"]
        takes, gives = (1, side, side), (out, side - 2, side - 2)
    role = stream.choice(("Model", "Net", "Layer" if way == "own" else "Network"))
    return Module(Defined(role, _class("eqx.Module", fields, init, call, "key")), takes, gives)


def nnx(stream: Stream, budget: int) -> Module:
    """Gives a class of flax.nnx that takes a batch."""
    batch, inside, out = (
        stream.choice((2, 4, 8)),
        stream.choice((3, 4, 8)),
        stream.choice((4, 6, 10)),
    )
    init, call, width, name = [], [], inside, stream.choice(_ACTIVATIONS)
    for number in range(1, max(2, min(6, budget // 5)) + 1):
        way = stream.choice(("linear", "linear", "norm", "residual", "param"))
        if way == "linear":
            units = stream.choice((8, 16))
            init.append(f"self.linear{number} = nnx.Linear({width}, {units}, rngs=rngs)")
            call.append(f"x = nnx.{name}(self.linear{number}(x))")
            width = units
        elif way == "norm":
            init.append(f"self.norm{number} = nnx.LayerNorm({width}, rngs=rngs)")
            call.append(f"x = self.norm{number}(x)")
        elif way == "residual":
            init.append(f"self.block{number} = nnx.Linear({width}, {width}, rngs=rngs)")
            call.append(f"x = x + nnx.{name}(self.block{number}(x))")
        else:
            init.append(f"self.scale{number} = nnx.Param(jnp.ones({width}))")
            call.append(f"x = x * self.scale{number}[...]")
    init.append(f"self.head = nnx.Linear({width}, {out}, rngs=rngs)")
    call.append("return self.head(x)")
    block = Defined(
        stream.choice(("Model", "MLP", "Net")),
        _class("nnx.Module", [], init, call, "rngs: nnx.Rngs"),
    )
    return Module(block, (batch, inside), (batch, out))
