"""Mixtures of experts: routing, dispatch, and the loss that spreads the load."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of


def experts(net: Net, x: Var, *, loss: bool = False) -> tuple[Var, ...]:
    """A mixture of experts over tokens; with `loss`, how unevenly they are used too."""
    features = x.aval.shape[-1]
    count, k = net.stream.choice((2, 4, 4, 8)), net.stream.choice((1, 2, 2))
    units = min(32, features * 2)
    if x.aval.size * count > 16384:
        raise IllTyped("too many tokens for experts")
    soft, renormalized, name = (
        net.chance(0.25),
        net.chance(0.6),
        net.stream.choice(("gelu", "silu")),
    )

    def build(inner: Net, x: Var) -> tuple[Var, ...]:
        tokens = x
        if x.aval.rank > 2:
            tokens = inner.let("reshape", x, shape=(x.aval.size // features, features))
        logits = inner.let("matmul", tokens, inner.weight("router", features, count))
        probs = inner.sure("softmax", logits, axis=-1, bounds=(0, 1), role="probs")
        gates = probs
        if not soft:
            top, index = inner.scope.let_all("lax_top_k", probs, k=k, roles=("top", "index"))
            if renormalized and k > 1:
                total = inner.let("sum", top, axis=-1, keepdims=True)
                top = inner.sure("div", top, total, bounds=(0, 1), role="top")
            chosen = inner.let("one_hot", index, num_classes=count, role="dispatch", **inner.typed)
            weighted = inner.let("mul", chosen, part_of(inner.scope, top, Ellipsis, None))
            gates = inner.let("sum", weighted, axis=1, role="gates")
        w_in, w_out = inner.weight("w1", count, features, units), inner.weight(
            "w2", count, units, features)  # fmt: skip
        if inner.chance(0.5) or soft:
            h = inner.act(inner.let("einsum", tokens, w_in, pattern="nd,edf->nef"), name)
            each = inner.let("einsum", h, w_out, pattern="nef,efd->ned")
            y = inner.let("einsum", gates, each, pattern="ne,ned->nd")
        else:
            sent = inner.let("einsum", gates, tokens, pattern="ne,nd->end", role="expert_in")
            h = inner.act(inner.let("einsum", sent, w_in, pattern="end,edf->enf"), name)
            each = inner.let("einsum", h, w_out, pattern="enf,efd->end")
            y = inner.let("sum", each, axis=0)
        if x.aval.rank > 2:
            y = inner.let("reshape", y, shape=x.aval.shape)
        if not loss:
            return (y,)
        used = inner.let("mean", gates, axis=0, role="load")
        importance = inner.let("mean", probs, axis=0, role="importance")
        balance = inner.let("sum", inner.let("mul", used, importance))
        return y, inner.let("mul", balance, Literal(float(count)), role="aux_loss")

    def single(inner: Net, x: Var) -> Var:
        return build(inner, x)[0]

    role = net.stream.choice(("moe", "mixture_of_experts", "moe_layer"))
    if loss:
        found: tuple[Var, ...] = net.call(role, build, "moe", x=x)
        return found
    return (net.call(role, single, "moe", x=x),)


def mixture(net: Net, x: Var) -> Var:
    """A mixture of experts with a residual connection."""
    (y,) = experts(net, x)
    return net.let("add", x, y)
