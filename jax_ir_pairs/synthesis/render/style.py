"""The hand that a program is written in: drawn once for each program, and never its meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jax_ir_pairs.synthesis.stream import Stream

TRANSFORMS = (
    "checkpoint", "custom_jvp", "custom_vjp", "grad", "hessian", "jacfwd", "jacrev", "jit", "jvp",
    "linearize", "pmap", "value_and_grad", "vjp", "vmap",
)  # fmt: skip
"""What files import from `jax` by name."""

_TRANSFORM = re.compile(rf"\bjax\.({'|'.join(TRANSFORMS)})\b(?!\.)")
_JNP = re.compile(r"\bjnp\.")
_LAX = re.compile(r"(?<![\w.])lax\.")
_NN = re.compile(r"\bjax\.nn\.(?!initializers)")
_RANDOM = re.compile(r"\bjax\.random\.")
_TREE = re.compile(r"\bjax\.tree\.(map|leaves|reduce|flatten|unflatten|structure)\b")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which of the usual names of JAX's modules and functions a file uses."""

    bare_transforms: bool = False
    long_jnp: bool = False
    long_lax: bool = False
    nn: bool = False
    random: str = "jax.random"
    tree_util: bool = False

    def __call__(self, text: str) -> str:
        """Gives source that is written with `jnp`, `lax` and `jax.…` in this dialect."""
        if self.bare_transforms:
            text = _TRANSFORM.sub(r"\1", text)
        if self.tree_util:
            text = _TREE.sub(r"jax.tree_util.tree_\1", text)
        if self.long_lax:
            text = _LAX.sub("jax.lax.", text)
        if self.nn:
            text = _NN.sub("nn.", text)
        if self.random != "jax.random":
            text = _RANDOM.sub(f"{self.random}.", text)
        return _JNP.sub("jax.numpy.", text) if self.long_jnp else text


@dataclass(frozen=True, slots=True)
class Style:
    """How likely each habit shows in one program."""

    inlining: float
    lambdas: float
    hoisting: float
    rebinding: float
    returning: float
    hints: float
    shapes: float
    constants: float
    defaults: float
    jitted: bool
    wordy: bool
    dialect: Dialect

    @classmethod
    def draw(cls, stream: Stream) -> Style:
        """Gives the style of one program."""
        choice = stream.choice
        dialect = Dialect(
            bare_transforms=stream.chance(0.12),
            long_jnp=stream.chance(0.04),
            long_lax=stream.chance(0.3),
            nn=stream.chance(0.12),
            random=choice(("jax.random",) * 6 + ("random", "jr")),
            tree_util=stream.chance(0.15),
        )
        return cls(
            inlining=choice((0.15, 0.5, 0.5, 0.8)),
            lambdas=choice((0.2, 0.6, 0.9)),
            hoisting=choice((0.3, 0.8)),
            rebinding=choice((0.0, 0.0, 0.3, 0.7)),
            returning=choice((0.4, 0.9)),
            hints=choice((0.0, 0.0, 0.0, 0.5, 1.0)),
            shapes=choice((0.0, 0.0, 0.0, 0.0, 0.5)),
            constants=choice((0.0, 0.0, 0.0, 0.6)),
            defaults=choice((0.0, 0.0, 0.5)),
            jitted=stream.chance(0.2),
            wordy=stream.chance(0.6),
            dialect=dialect,
        )
