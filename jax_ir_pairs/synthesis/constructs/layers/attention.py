"""Attention: of one or several heads, over itself or a memory, masked, biased, cached."""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.synthesis.constructs.layers import positions
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.types import Aval

_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Heads:
    """How a layer attends: its heads, the ways to mask and to place tokens."""

    count: int
    groups: int
    width: int
    causal: bool
    place: str
    way: str

    @staticmethod
    def draw(net: Net, features: int, *, causal: bool | None = None) -> Heads:
        """Gives heads that divide the features."""
        counts = [n for n in (2, 2, 4, 4, 8) if features % n == 0 and features > n]
        if not counts:
            raise IllTyped("features that make no heads")
        stream = net.stream
        count = stream.choice(counts)
        groups = (
            stream.choice([n for n in (1, 2, 4) if count % n == 0]) if stream.chance(0.3) else 1
        )
        place = stream.choice(("", "", "", "rotary", "alibi", "relative"))
        way = stream.choice(("project", "split", "split", "fused", "library", "transposed"))
        wanted = stream.chance(0.4) if causal is None else causal
        return Heads(count, groups, features // count, wanted, place, way)


def simple(net: Net, x: Var) -> Var:
    """Self-attention of one head over [batch, time, features] or [time, features]."""
    if x.aval.rank not in (2, 3):
        raise IllTyped("attention needs rank 2 or 3")
    features, time = x.aval.shape[-1], x.aval.shape[-2]
    units = features if net.chance(0.6) else min(64, net.scope.side())
    batch = "b" * (x.aval.rank == 3)
    causal, output = net.chance(0.4), net.chance(0.6)

    def build(inner: Net, x: Var) -> Var:
        q, k, v = (
            inner.let("matmul", x, inner.weight(f"w{name}", features, units), role=name)
            for name in "qkv"
        )
        scores = inner.let("einsum", q, k, pattern=f"{batch}qd,{batch}kd->{batch}qk", role="scores")
        scores = inner.let("div", scores, Literal(round(units**0.5, 4)))
        if causal:
            mask = inner.let("causal_mask", n=time, role="mask")
            scores = inner.let("where", mask, scores, Literal(inner.stream.choice((-1e4, -1e9))))
        weights = inner.sure("softmax", scores, axis=-1, bounds=(0, 1))
        out = inner.let("einsum", weights, v, pattern=f"{batch}qk,{batch}kd->{batch}qd")
        if output or units != features:
            out = inner.let("matmul", out, inner.weight("wo", units, features))
        return out

    out: Var = net.inline_or_call("attention", build, "attn", x=x)
    return net.let("add", x, out) if net.chance(0.6) else out


def _project(net: Net, x: Var, heads: int, width: int, name: str, way: str) -> Var:
    """Gives [batch, time, heads, width]."""
    features = x.aval.shape[-1]
    if way == "project":
        w = net.weight(f"w{name}", features, heads, width)
        return net.let("einsum", x, w, pattern="btd,dhk->bthk", role=name)
    y = net.let("matmul", x, net.weight(f"w{name}", features, heads * width))
    if net.chance(0.2):
        y = net.let("add", y, net.weight(f"b{name}", heads * width))
    return net.let("reshape", y, shape=(*x.aval.shape[:-1], heads, width), role=name)


def _queries(net: Net, x: Var, memory: Var, heads: Heads) -> tuple[Var, Var, Var]:
    inner = heads.count // heads.groups
    if heads.way == "fused" and memory is x and heads.groups == 1:
        features = x.aval.shape[-1]
        qkv = net.let("matmul", x, net.weight("w_qkv", features, 3 * features), role="qkv")
        split = net.scope.let_all("split", qkv, sections=3, axis=-1, roles=("q", "k", "v"))
        shape = (*x.aval.shape[:-1], heads.count, heads.width)
        q, k, v = (net.let("reshape", part, shape=shape, role=part.role) for part in split)
        return q, k, v
    way = "project" if heads.way == "project" else "split"
    q = _project(net, x, heads.count, heads.width, "q", way)
    k, v = (_project(net, memory, inner, heads.width, name, way) for name in "kv")
    return q, k, v


def _repeated(net: Net, k: Var, heads: Heads) -> Var:
    """Gives keys or values once for each query head of their group."""
    if heads.groups == 1:
        return k
    return net.let("repeat", k, repeats=heads.groups, axis=2, role=k.role)


def _masked(net: Net, scores: Var, mask: Var | None, causal: bool) -> Var:
    fill = Literal(net.stream.choice((-1e4, -1e9, -1e9)))
    if causal:
        own = net.let("causal_mask", n=scores.aval.shape[-1], role="causal")
        if mask is not None:
            own = net.let("logical_and", own, mask, role="mask")
        return net.let("where", own, scores, fill)
    return scores if mask is None else net.let("where", mask, scores, fill)


def attend(net: Net, q: Var, k: Var, v: Var, heads: Heads, mask: Var | None = None) -> Var:
    """Gives what heads [batch, time, heads, width] attend to; `mask` is [batch, 1, 1, time]."""
    if heads.place == "rotary":
        q, k = positions.rotary(net, q, k)
    time, memory = q.aval.shape[1], k.aval.shape[1]
    causal = heads.causal and time == memory
    if heads.way == "library" and heads.place in ("", "rotary"):
        operands = [q, k, v]
        name = "dot_product_attention"
        if mask is not None:
            operands, name = [*operands, mask], "dot_product_attention_masked"
        params = {"is_causal": True} if causal else {}
        out = Var(q.type, v.bounds)
        net.scope.bind(name, tuple(operands), params, out)
        return out
    scale = Literal(round(heads.width**-0.5, 4))
    if heads.groups > 1 and net.chance(0.5):
        return _grouped(net, q, k, v, heads, scale, mask)
    k, v = _repeated(net, k, heads), _repeated(net, v, heads)
    if heads.way == "transposed":
        q, k, v = (net.let("transpose", x, axes=(0, 2, 1, 3), role=x.role) for x in (q, k, v))
        turned = net.let("swapaxes", k, axis1=-1, axis2=-2)
        scores = net.let("einsum", q, turned, pattern="bhqd,bhdk->bhqk", role="scores")
    else:
        scores = net.let("einsum", q, k, pattern="bqhd,bkhd->bhqk", role="scores")
    scores = net.let("mul", scores, scale)
    if time == memory and heads.place in ("alibi", "relative"):
        way = positions.alibi if heads.place == "alibi" else positions.relative_bias
        scores = net.let("add", scores, way(net, heads.count, time))
    scores = _masked(net, scores, mask, causal)
    if net.dtype != net.scope.float_dtype and net.chance(0.6):
        wide = net.let("astype", scores, dtype=net.scope.float_dtype)
        weights = net.sure("softmax", wide, axis=-1, bounds=(0, 1))
        weights = net.let("astype", weights, dtype=net.dtype, role="attn")
    else:
        weights = net.sure("softmax", scores, axis=-1, bounds=(0, 1), role="attn")
    if heads.way == "transposed":
        out = net.let("einsum", weights, v, pattern="bhqk,bhkd->bhqd")
        return net.let("transpose", out, axes=(0, 2, 1, 3))
    return net.let("einsum", weights, v, pattern="bhqk,bkhd->bqhd")


def _grouped(
    net: Net, q: Var, k: Var, v: Var, heads: Heads, scale: Literal, mask: Var | None
) -> Var:
    """Grouped queries without a copy of the keys."""
    batch, time = q.aval.shape[:2]
    shape = (batch, time, heads.count // heads.groups, heads.groups, heads.width)
    q = net.let("reshape", q, shape=shape, role="q")
    scores = net.let("einsum", q, k, pattern="bqngd,bknd->bngqk", role="scores")
    scores = net.let("mul", scores, scale)
    if mask is not None:
        mask = net.let("expand_dims", mask, axis=1)
    scores = _masked(net, scores, mask, heads.causal and time == k.aval.shape[1])
    weights = net.sure("softmax", scores, axis=-1, bounds=(0, 1), role="attn")
    out = net.let("einsum", weights, v, pattern="bngqk,bknd->bqngd")
    return net.let("reshape", out, shape=(batch, time, heads.count, heads.width))


def merge(net: Net, out: Var, features: int) -> Var:
    """Gives the output projection of heads [batch, time, heads, width]."""
    *lead, count, width = out.aval.shape
    if net.chance(0.3):
        w = net.weight("wo", count, width, features)
        return net.let("einsum", out, w, pattern="bthk,hkd->btd")
    flat = net.let("reshape", out, shape=(*lead, count * width))
    return net.let("matmul", flat, net.weight("wo", count * width, features))


def multi_head(
    net: Net, x: Var, heads: Heads, memory: Var | None = None, mask: Var | None = None
) -> Var:
    """Multi-head attention over [batch, time, features], over itself or over a memory."""
    if x.aval.rank != 3:
        raise IllTyped("multi-head attention needs rank 3")
    arguments = {"x": x}
    if memory is not None:
        arguments["memory"] = memory
    if mask is not None:
        arguments["mask"] = mask

    def build(inner: Net, x: Var, memory: Var | None = None, mask: Var | None = None) -> Var:
        q, k, v = _queries(inner, x, x if memory is None else memory, heads)
        return merge(inner, attend(inner, q, k, v, heads, mask), x.aval.shape[-1])

    names = ("attention", "multi_head_attention", "self_attention", "mha")
    role = "cross_attention" if memory is not None else net.stream.choice(names)
    key = "cross" if memory is not None else "attn"
    out: Var = net.call(role, build, key, **arguments)
    return out


def attention(net: Net, x: Var) -> Var:
    """Self-attention with a residual connection, of one head or of several."""
    if x.aval.rank == 2 or net.chance(0.3):
        return simple(net, x)
    y = multi_head(net, x, Heads.draw(net, x.aval.shape[-1]))
    return net.let("add", x, y) if net.chance(0.7) else y


def padding_mask(net: Net, tokens: Var) -> Var:
    """Gives [batch, 1, 1, time], true where a token is not padding."""
    mask = net.let("not_equal", tokens, Literal(0))
    return part_of(net.scope, mask, _ALL, None, None, _ALL, role="mask")


def length_mask(net: Net, lengths: Var, time: int) -> Var:
    """Gives [batch, 1, 1, time], true below the length of each sequence."""
    mask = net.let("length_mask", lengths, n=time)
    return part_of(net.scope, mask, _ALL, None, None, _ALL, role="mask")


def cached(net: Net, x: Var, k_cache: Var, v_cache: Var, index: Var) -> tuple[Var, Var, Var]:
    """One decoding step: attends with the caches that it writes keys and values into."""
    _, time, inner, width = k_cache.aval.shape
    features = x.aval.shape[-1]
    count = features // width
    heads = Heads(count, count // inner, width, False, "", "split")

    def build(net: Net, x: Var, k_cache: Var, v_cache: Var, index: Var) -> tuple[Var, Var, Var]:
        q, k, v = _queries(net, x, x, heads)
        caches = []
        nd = net.chance(0.5)
        for cache, new in ((k_cache, k), (v_cache, v)):
            if nd:
                starts = (Literal(0), index, Literal(0), Literal(0))
                caches.append(net.let("dynamic_update_slice_nd", cache, new, starts,
                                      role=cache.role))  # fmt: skip
            else:
                caches.append(net.let("dynamic_update_slice", cache, new, index, axis=1,
                                      role=cache.role))  # fmt: skip
        k, v = (_repeated(net, cache, heads) for cache in caches)
        scores = net.let("einsum", q, k, pattern="bqhd,bkhd->bhqk", role="scores")
        scores = net.let("mul", scores, Literal(round(width**-0.5, 4)))
        seen = net.let("less_equal", net.let("arange", n=time), index, role="mask")
        scores = net.let("where", seen, scores, Literal(-1e9))
        weights = net.sure("softmax", scores, axis=-1, bounds=(0, 1), role="attn")
        out = net.let("einsum", weights, v, pattern="bhqk,bkhd->bqhd")
        return merge(net, out, features), caches[0], caches[1]

    found: tuple[Var, Var, Var] = net.call(
        net.stream.choice(("decode_attention", "cached_attention")), build, "attn",
        x=x, k_cache=k_cache, v_cache=v_cache, index=index,
    )  # fmt: skip
    return found


def latent(net: Net, x: Var, count: int) -> Var:
    """Learned queries that attend to `x`: attention pooling of [batch, time, features]."""
    batch, _, features = x.aval.shape
    units = min(features, 32)

    def build(inner: Net, x: Var) -> Var:
        q = inner.let("mul", inner.weight("queries", count, units), Literal(0.1))
        k = inner.let("matmul", x, inner.weight("wk", features, units), role="k")
        scores = inner.let("einsum", q, k, pattern="qd,bkd->bqk", role="scores")
        weights = inner.sure("softmax", scores, axis=-1, bounds=(0, 1))
        return inner.let("einsum", weights, x, pattern="bqk,bkd->bqd")

    out: Var = net.call("attention_pool", build, x=x)
    assert out.type == Aval(net.dtype, (batch, count, features))
    return out
