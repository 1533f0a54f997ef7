"""Tokens: embedded, read out to logits, with tied weights or without."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers import dense, normalization, positions, transformer
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.constructs.layers.recurrent import recurrent
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.ops.indexing import part_of


def embed(net: Net, tokens: Var, vocab: int, features: int, name: str = "embed") -> tuple[Var, Var]:
    """Gives embeddings [..., features] of tokens, and the table."""
    table = net.weight(name, vocab, features)
    way = net.stream.choice(("gather", "gather", "take", "one_hot"))
    if way == "one_hot":
        hot = net.let("one_hot", tokens, num_classes=vocab, **net.typed)
        x = net.let("matmul", hot, table, role="x")
    elif way == "take":
        x = net.let("take", table, tokens, axis=0, role="x")
    else:
        x = net.let("gather", table, tokens, role="x")
    if net.chance(0.2):
        x = net.let("mul", x, Literal(round(features**0.5, 4)))
    return x, table


def logits(net: Net, h: Var, vocab: int, table: Var | None) -> Var:
    """Gives logits [..., vocab], by the table of the embedding where weights are tied."""
    if table is None:
        return dense.linear(net, h, vocab, "w_out", bias=False)
    scaled = net.let("mul", h, Literal(round(h.aval.shape[-1] ** -0.5, 4)))
    if net.chance(0.5):
        letters = "bt"[: h.aval.rank - 1]
        return net.let("einsum", scaled, table, pattern=f"{letters}d,vd->{letters}v")
    return net.let("matmul", scaled, net.let("matrix_transpose", table))


def language_model(
    net: Net, tokens: Var, vocab: int, features: int, depth: int, *, mask: Var | None = None
) -> Var:
    """Gives logits [batch, time, vocab] of the next token."""
    x, table = embed(net, tokens, vocab, features)
    way = net.stream.weighted(("transformer", "recurrent"), (5, 1))
    if way == "recurrent":
        steps = net.let("swapaxes", x, axis1=0, axis2=1)
        h = recurrent_tower(net, steps, features)
        h = net.let("swapaxes", h, axis1=0, axis2=1)
    else:
        if net.chance(0.6):
            x = positions.positions(net, x)
        h = transformer.tower(net, x, depth, causal=True, mask=mask)
    if net.chance(0.3):
        h = normalization.rms_norm(net, h)
    return logits(net, h, vocab, table if net.chance(0.5) else None)


def recurrent_tower(net: Net, x: Var, features: int) -> Var:
    """Recurrent layers over [time, batch, features] that give the same features again."""
    h = _whole(net, x)
    return dense.linear(net, h, features, "w_proj") if h.aval.shape[-1] != features else h


def _whole(net: Net, x: Var) -> Var:
    h = recurrent(net, x, both=False)
    if h.aval.rank == x.aval.rank:
        return h
    # The last state alone is added to every step.
    return net.let("add", dense.linear(net, x, h.aval.shape[-1], "w_skip"), h)


def shifted(net: Net, tokens: Var) -> tuple[Var, Var]:
    """Gives the tokens that a model reads, and those that it predicts."""
    read = part_of(net.scope, tokens, slice(None), slice(None, -1), role="inputs")
    return read, part_of(net.scope, tokens, slice(None), slice(1, None), role="targets")
