"""Names for variables and functions."""

from __future__ import annotations

import builtins
import keyword

from jax_ir_pairs.synthesis.stream import Stream

RESERVED = frozenset({"jax", "jnp", "lax", *keyword.kwlist, *dir(builtins)}) - {"input", "next"}

_BY_OP = {
    "matmul": ("h", "out", "hidden", "proj"),
    "einsum": ("out", "prod", "mixed"),
    "vdot": ("dot", "energy"),
    "outer": ("outer",),
    "sum": ("total", "s"),
    "mean": ("mean", "mu", "avg"),
    "var": ("var",),
    "std": ("std",),
    "max": ("peak", "top"),
    "min": ("low", "floor"),
    "norm": ("norm",),
    "softmax": ("probs", "weights", "attn"),
    "log_softmax": ("log_probs",),
    "logsumexp": ("lse",),
    "argmax": ("best", "pred"),
    "argmin": ("idx",),
    "argsort": ("order",),
    "sort": ("ordered",),
    "exp": ("e", "exps"),
    "sigmoid": ("gate", "p"),
    "relu": ("act", "h"),
    "gelu": ("act", "h"),
    "silu": ("act", "h"),
    "tanh": ("t", "h"),
    "cumsum": ("acc", "csum"),
    "where": ("masked", "out", "y"),
    "clip": ("clipped",),
    "one_hot": ("onehot", "targets"),
    "gather": ("rows", "picked"),
    "take": ("picked", "taken"),
    "getitem": ("part", "head", "v"),
    "concatenate": ("joined", "cat"),
    "stack": ("stacked",),
    "reshape": ("flat", "grouped", "r"),
    "square": ("sq",),
    "diff": ("delta",),
    "segment_sum": ("pooled",),
    "arange": ("pos", "steps"),
    "linspace": ("grid",),
    "sub": ("diff", "err", "d"),
    "fori_loop": ("out", "state"),
    "while_loop": ("out", "state"),
    "scan": ("out", "carry"),
    "cond": ("out", "branch"),
    "apply": ("out", "res", "y"),
}

_LETTERS = tuple("abcdgpqrstuvyz")


class Names:
    """Gives each variable and function a name that is free where it is seen."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._letters = stream.shuffled(_LETTERS)
        self._locals: set[str] = set()
        self._functions: set[str] = set()

    def function(self, role: str) -> str:
        """Gives a name for a function of the module: one that no local variable hides."""
        name = self._free(role, self._locals | self._functions)
        self._functions.add(name)
        return name

    def local(self, role: str, op: str, taken: set[str]) -> str:
        """Gives a name after the role, else after the op, else a letter; adds it to `taken`."""
        taken_here = taken | self._functions
        if role:
            name = role
        elif op in _BY_OP and self._stream.chance(0.75):
            name = self._stream.choice(_BY_OP[op])
        else:
            free = [letter for letter in self._letters if letter not in taken_here]
            name = free[0] if free else "tmp"
        name = self._free(name, taken_here)
        taken.add(name)
        self._locals.add(name)
        return name

    def _free(self, base: str, taken: set[str]) -> str:
        name, number = base, 2
        while name in taken or name in RESERVED:
            name = f"{base}_{number}" if base[-1].isdigit() else f"{base}{number}"
            number += 1
        return name
