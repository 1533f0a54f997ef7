"""Graph networks: messages along edges, gathered at nodes."""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.synthesis.constructs.layers import dense
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.types import Aval


@dataclass(frozen=True, slots=True)
class Edges:
    """The two ends of each edge, and the number of nodes."""

    senders: Var
    receivers: Var
    nodes: int

    @property
    def count(self) -> int:
        """Number of edges."""
        return self.senders.aval.shape[0]


def _gathered(net: Net, values: Var, edges: Edges, ids: Var, way: str = "sum") -> Var:
    pooled = net.let("segment_sum", values, ids, num_segments=edges.nodes)
    if way == "sum":
        return pooled
    ones = net.let("array_ones_like", ids, dtype=net.dtype)
    counts = net.let("segment_sum", ones, ids, num_segments=edges.nodes, role="degree")
    counts = net.let("maximum", counts, Literal(1.0))
    column = part_of(net.scope, counts, slice(None), None)
    return net.sure("div", pooled, column, bounds=values.bounds)


def message_passing(net: Net, nodes: Var, edges: Edges) -> Var:
    """A message for each edge by a network, summed or averaged at its receiver, and an update."""
    features, way = nodes.aval.shape[-1], net.stream.choice(("sum", "mean"))
    units = min(32, net.scope.side())

    def build(inner: Net, nodes: Var, senders: Var, receivers: Var) -> Var:
        sent = inner.let("gather", nodes, senders, role="sent")
        received = inner.let("gather", nodes, receivers, role="received")
        both = inner.let("concatenate", (sent, received), axis=-1)
        messages = inner.act(dense.linear(inner, both, units, "w_msg"), "relu")
        pooled = _gathered(inner, messages, edges, receivers, way)
        joined = inner.let("concatenate", (nodes, pooled), axis=-1)
        return inner.act(dense.linear(inner, joined, features, "w_upd"), "relu")

    out: Var = net.call("message_passing", build, nodes=nodes, senders=edges.senders,
                        receivers=edges.receivers)  # fmt: skip
    return net.let("add", nodes, out) if net.chance(0.5) else out


def convolve(net: Net, nodes: Var, edges: Edges) -> Var:
    """A graph convolution with the symmetric normalization of degrees."""
    units = min(32, net.scope.side())

    def build(inner: Net, nodes: Var, senders: Var, receivers: Var) -> Var:
        ones = inner.let("array_ones_like", senders, dtype=inner.dtype)
        roots = []
        for ids in (senders, receivers):
            degree = inner.let("segment_sum", ones, ids, num_segments=edges.nodes)
            least = inner.let("maximum", degree, Literal(1.0))
            roots.append(inner.sure("rsqrt", least, bounds=(0, 1)))
        h = dense.linear(inner, nodes, units, "w", bias=False)
        h = inner.let("mul", h, part_of(inner.scope, roots[0], slice(None), None))
        pooled = _gathered(inner, inner.let("gather", h, senders), edges, receivers)
        pooled = inner.let("mul", pooled, part_of(inner.scope, roots[1], slice(None), None))
        return inner.act(pooled, "relu")

    out: Var = net.call("graph_conv", build, nodes=nodes, senders=edges.senders,
                        receivers=edges.receivers)  # fmt: skip
    return out


def attend(net: Net, nodes: Var, edges: Edges) -> Var:
    """Attention over the edges of each receiver, as in GAT."""
    units = min(32, net.scope.side())

    def build(inner: Net, nodes: Var, senders: Var, receivers: Var) -> Var:
        h = inner.let("matmul", nodes, inner.weight("w", nodes.aval.shape[-1], units), role="h")
        sent = inner.let("gather", h, senders)
        toward = inner.let(
            "gather", inner.let("matmul", h, inner.weight("a_dst", units)), receivers
        )
        score = inner.let("add", inner.let("matmul", sent, inner.weight("a_src", units)), toward)
        score = inner.let("clip", inner.act(score, "leaky_relu"), low=-10.0, high=10.0)
        weight = inner.sure("exp", score, bounds=(0.0, 3e4))
        total = inner.let("segment_sum", weight, receivers, num_segments=edges.nodes)
        below = inner.let("add", inner.let("gather", total, receivers), Literal(1e-6))
        alpha = inner.sure("div", weight, below, bounds=(0, 1), role="alpha")
        scaled = inner.let("mul", part_of(inner.scope, alpha, slice(None), None), sent)
        return inner.act(_gathered(inner, scaled, edges, receivers), "elu")

    out: Var = net.call(net.stream.choice(("gat_layer", "graph_attention")), build, nodes=nodes,
                        senders=edges.senders, receivers=edges.receivers)  # fmt: skip
    return out


def adjacency(net: Net, nodes: Var, matrix: Var) -> Var:
    """A graph convolution with a dense adjacency matrix, normalized by its rows."""
    units = min(32, net.scope.side())

    def build(inner: Net, nodes: Var, adj: Var) -> Var:
        eye = inner.let("eye", n=adj.aval.shape[0])
        eye = inner.let("astype", eye, dtype=inner.dtype) if inner.typed else eye
        loops = inner.let("add", inner.let("abs", adj), eye, role="a_hat")
        degree = inner.let("sum", loops, axis=-1, keepdims=True)
        mean = inner.sure("div", loops, degree, bounds=(0, 1))
        h = inner.let("matmul", mean, nodes)
        return inner.act(dense.linear(inner, h, units, "w"), "relu")

    out: Var = net.call("gcn_layer", build, nodes=nodes, adj=matrix)
    return out


def pooled(net: Net, nodes: Var, graphs: Var | None, count: int) -> Var:
    """Gives one vector a graph: the mean of its nodes, or of all nodes."""
    if graphs is None:
        return net.let("mean", nodes, axis=0, keepdims=True)
    return net.let("segment_sum", nodes, graphs, num_segments=count)


def inputs(net: Net, nodes: int, count: int) -> Edges:
    """Gives edges as inputs of the entry point."""
    senders, receivers = (
        net.scope.input(Aval("i32", (count,)), role, (0, 3)) for role in ("senders", "receivers")
    )
    return Edges(senders, receivers, nodes)
