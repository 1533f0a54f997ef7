"""What a person writes about code: docstrings, comments, annotations."""

from __future__ import annotations

from jax_ir_pairs.synthesis.graph import Call, Function, Var, vars_in
from jax_ir_pairs.synthesis.render.names import RESERVED
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, Record, Tree

_WHAT = {
    "scan": "a scan over the leading axis",
    "while_loop": "a loop that runs while its condition holds",
    "fori_loop": "a fixed number of update steps",
    "cond": "a branch on a condition",
    "switch": "a branch by index",
    "map": "a map over the rows",
    "softmax": "a softmax",
    "log_softmax": "log-probabilities",
    "logsumexp": "a log-sum-exp",
    "matmul": "a matrix product",
    "einsum": "a tensor contraction",
    "conv": "a convolution",
    "sort": "a sort",
    "argsort": "an ordering",
    "cumsum": "running sums",
    "mean": "averages",
    "var": "the variance",
    "norm": "a norm",
    "one_hot": "one-hot vectors",
    "segment_sum": "sums over segments",
    "gather": "a lookup of rows",
    "take": "a lookup",
    "where": "a masked selection",
    "jvp": "a forward-mode derivative",
    "vjp": "a vector-Jacobian product",
    "linearize": "a linear approximation",
    "cholesky": "a Cholesky factor",
    "solve": "the solution of a linear system",
    "qr": "a QR decomposition",
    "svd": "a singular value decomposition",
    "eigh": "eigenvalues and eigenvectors",
    "fft": "a Fourier transform",
    "rfft": "a real Fourier transform",
    "tree_map": "an update of every leaf",
    "psum": "a sum over the devices",
    "pmean": "an average over the devices",
    "all_gather": "the parts of all devices",
    "all_to_all": "an exchange between the devices",
    "ppermute": "a shift between the devices",
    "shard_map": "per-device results",
}
"""What a call of an op gives, as a docstring names it."""

_COMMENTS = {
    "softmax": ("normalize to probabilities", "attention weights", "softmax"),
    "matmul": ("project", "linear map", "mix features"),
    "einsum": ("contract", "pairwise products"),
    "mean": ("average", "reduce"),
    "sum": ("aggregate", "reduce"),
    "where": ("mask out the rest", "select"),
    "clip": ("keep it in range", "clip"),
    "reshape": ("flatten", "regroup the axes"),
    "transpose": ("reorder the axes",),
    "swapaxes": ("swap axes",),
    "cumsum": ("running total",),
    "sort": ("in ascending order",),
    "argsort": ("rank",),
    "exp": ("back from log space",),
    "log": ("to log space",),
    "sub": ("center", "residual", "difference"),
    "one_hot": ("one-hot targets",),
    "gather": ("look up rows",),
    "take": ("look up",),
    "concatenate": ("join",),
    "stack": ("stack along a new axis",),
    "norm": ("magnitude",),
    "logsumexp": ("stable log-sum-exp",),
    "var": ("spread",),
    "scan": ("step through the sequence", "unroll over time"),
    "fori_loop": ("iterate", "run the updates"),
    "while_loop": ("iterate until the test fails",),
    "cond": ("pick a branch",),
    "tree_map": ("update every leaf",),
    "psum": ("sum over devices", "all-reduce"),
    "pmean": ("average over devices", "sync across replicas"),
    "pmax": ("global maximum",),
    "all_gather": ("gather the shards", "all-gather"),
    "psum_scatter": ("reduce-scatter",),
    "all_to_all": ("exchange blocks", "all-to-all"),
    "ppermute": ("pass it on", "send to the neighbour"),
    "axis_index": ("which shard this is",),
    "segment_sum": ("pool by segment",),
    "astype": ("change precision", "cast"),
    "tanh": ("squash",),
    "sigmoid": ("gate",),
    "dynamic_slice": ("current window",),
    "at": ("write in place",),
}

_SHAPED = frozenset(
    {"matmul", "einsum", "reshape", "transpose", "swapaxes", "concatenate", "stack", "expand_dims",
     "conv", "gather", "mean", "sum", "outer", "broadcast_to"}
)  # fmt: skip


def summary(function: Function) -> str:
    """Gives one sentence on what the function computes, or nothing where little can be said."""
    found: dict[str, None] = {}
    for call in function.body:
        if (what := _WHAT.get(call.op.name)) is not None:
            found[what] = None
    *most, last = list(found)[:3] or [""]
    if len(", ".join([*most, last])) > 60:
        most, last = [], next(iter(found))
    parts = [", ".join(most), last] if most else [last]
    return f"Compute {' and '.join(parts)}." if found else ""


def docstring(function: Function, names: list[str], arguments: bool) -> list[str]:
    """Gives the lines of a docstring, without indentation."""
    text = function.doc or summary(function)
    if not text:
        return []
    if not arguments or not names:
        return [f'"""{text}"""']
    lines = [f'"""{text}', "", "Args:"]
    lines += [
        f"    {name}: {_described(var.type)}."
        for name, var in zip(names, function.params, strict=True)
    ]
    returns = [var.type for var in vars_in(function.result)]
    if len(returns) == 1:
        lines += ["", "Returns:", f"    {_described(returns[0]).capitalize()}."]
    return [*lines, '"""']


def _described(type: Tree) -> str:
    if isinstance(type, Aval):
        kind = "boolean array" if type.dtype == "bool" else "array"
        return f"{kind} of shape {type.shape}" if type.rank else "scalar"
    if isinstance(type, Record):
        return "dict of arrays" if type.cls is None else "state"
    return "tuple of arrays" if isinstance(type, tuple) else "function"


def annotation(type: Tree) -> str:
    """Gives the annotation of a parameter, or nothing for what has no short one."""
    if isinstance(type, Aval):
        return type.dtype if type.dtype in ("int", "float") else "jax.Array"
    if isinstance(type, Record):
        return "dict" if type.cls is None else ""
    return "tuple" if isinstance(type, tuple) else ""


def result_annotation(function: Function) -> str:
    """Gives the annotation of the result: ` -> jax.Array`, or nothing."""
    if isinstance(function.result, Var):
        text = annotation(function.result.type)
        return f" -> {text}" if text else ""
    return " -> tuple" if isinstance(function.result, tuple) else ""


def comment(call: Call, stream: Stream) -> str:
    """Gives a comment to stand above a statement, or nothing."""
    texts = _COMMENTS.get(call.op.name)
    return stream.choice(texts) if texts else ""


def shape_comment(call: Call) -> str:
    """Gives the shape that a statement's result has, where people note it."""
    if call.op.name not in _SHAPED or not isinstance(call.outs, Var):
        return ""
    type = call.outs.type
    return f"[{', '.join(map(str, type.shape))}]" if isinstance(type, Aval) and type.rank else ""


_DEFAULTS = {
    "upper": "num_steps",
    "axis": "axis",
    "num_classes": "num_classes",
    "num_segments": "num_segments",
    "k": "k",
    "repeats": "repeats",
    "shift": "shift",
}
"""Parameters that become arguments with a default, by their name in the call."""


def default_argument(function: Function, taken: set[str]) -> tuple[Call, str, str, int] | None:
    """Gives a call, the key of one of its parameters, a name for it and its value."""
    for call in function.body:
        for key, value in call.params.items():
            name = _DEFAULTS.get(key)
            plain = isinstance(value, int) and not isinstance(value, bool)
            if name and plain and name not in taken and name not in RESERVED:
                return call, key, name, value
    return None


def constant_name(op: str, value: float) -> str:
    """Gives the name that a number gets as a constant of the module, or nothing."""
    if not isinstance(value, float):
        return ""
    if op in ("add", "maximum") and 0 < value <= 1e-4:
        return "EPS"
    if op == "mul" and value in (0.9, 0.95, 0.99, 0.999):
        return "DECAY"
    return "RATE" if op == "mul" and value in (0.1, 0.01, 0.001) else ""
