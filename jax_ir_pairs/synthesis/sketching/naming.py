"""Names: the usual other ones of a variable, of which a program takes some."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Mapping

from jax_ir_pairs.synthesis.sketching.source import Item
from jax_ir_pairs.synthesis.stream import Stream

_OTHERS: dict[str, str] = {
    "acc": "total accum", "action": "act", "actions": "acts", "alpha": "coef",
    "attention": "attn weights", "batch": "examples minibatch",
    "batch_size": "n_batch num_examples", "beta": "coef", "bias": "b", "carry": "state",
    "centered": "xc deviations", "coords": "positions xy", "cost": "objective", "count": "num",
    "counts": "hist num", "cov": "covariance sigma", "delta": "diff", "dist": "distances d",
    "distances": "dists", "dt": "step_size h", "dx": "spacing h", "eps": "epsilon tol",
    "epsilon": "eps", "error": "err", "factor": "scale coef", "features": "feats",
    "filtered": "smoothed", "frequencies": "freqs", "gamma": "discount", "grad": "g gradient",
    "grads": "gradients g", "hidden": "h", "idx": "index indices", "index": "idx i",
    "indices": "idx", "init": "initial", "initial": "init x0", "kernel": "filt",
    "key": "rng rng_key prng_key", "keys": "rngs subkeys", "labels": "y", "layer": "block lyr",
    "learning_rate": "lr step_size", "length": "n size", "log_probs": "logp log_p",
    "logits": "scores out", "loss": "value loss_value", "mask": "valid keep", "mean": "mu avg",
    "momentum": "mom", "mu": "mean", "noise": "eps perturbation", "norm": "length magnitude",
    "normalized": "normed x_hat", "num_heads": "n_heads heads",
    "num_iters": "steps n_iter max_iter", "num_steps": "n_steps steps", "out": "output result",
    "output": "out y", "params": "weights theta", "points": "x coords", "pos": "positions",
    "positions": "pos", "prediction": "pred y_hat", "predictions": "preds y_pred",
    "probabilities": "probs p", "probs": "p probabilities", "rate": "r lr", "residual": "res r",
    "result": "out res", "rewards": "reward", "samples": "draws xs", "scale": "gain",
    "scaled": "y x_scaled", "scores": "logits sim", "seed_key": "key", "seq_len": "t length",
    "sigma": "std", "signal": "x wave samples", "spectrum": "freq fx", "squared": "sq x2",
    "state": "carry", "states": "xs history", "step_size": "lr eta", "subkey": "sub_key k",
    "target": "y goal", "targets": "y", "temperature": "temp tau", "time": "t", "times": "ts",
    "tokens": "ids token_ids", "total": "acc", "update": "delta step", "updates": "deltas",
    "values": "vals v", "var": "variance", "variance": "var", "velocity": "vel v", "weight": "w",
    "weights": "w", "width": "w size", "window": "win taps", "x": "inputs", "xs": "inputs seq",
    "ys": "outputs outs",
}  # fmt: skip
_RESERVED = frozenset(keyword.kwlist) | frozenset(
    {"jax", "jnp", "lax", "np", "nn", "random", "jr", "functools", "partial", "math", "sum", "max",
     "min", "abs", "len", "range", "zip", "map", "all", "any", "sorted", "list", "dict", "tuple",
     "set", "int", "float", "bool", "str", "print", "type", "next", "iter", "round", "pow",
     "sketch", "self", "cls", "jit", "grad", "vmap", "vjp", "jvp", "hessian", "checkpoint"}
)  # fmt: skip


def drawn_names(
    stream: Stream, items: Iterable[Item], taken: set[str], share: float
) -> Mapping[str, str]:
    """Gives new names for some variables of items that share their names; adds them to `taken`."""
    items = list(items)
    functions = [item for item in items if not isinstance(item.node, ast.ClassDef)]
    bound: set[str] = set().union(*(item.bound for item in functions))
    bound -= set().union(*(item.spelled_out for item in items))
    found: dict[str, str] = {}
    for name in sorted(bound & _OTHERS.keys()):
        others = [o for o in _OTHERS[name].split() if o not in taken and o not in _RESERVED]
        if others and stream.chance(share):
            found[name] = stream.choice(others)
            taken.add(found[name])
    return found
