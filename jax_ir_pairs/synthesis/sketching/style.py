"""The hand that a program is written in: drawn once, and never what the program means."""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.synthesis.render.style import Dialect
from jax_ir_pairs.synthesis.stream import Stream


@dataclass(frozen=True, slots=True)
class Style:
    """The habits of one program."""

    annotations: str
    """What array parameters are annotated with, or nothing."""
    docs: str
    """The convention of docstrings: `none`, `line`, `google` or `numpy`."""
    comments: bool
    methods: str
    """`x.sum()` (`on`), `jnp.sum(x)` (`off`), or as the sketch has it."""
    squares: str
    """`x ** 2` (`power`), `jnp.square(x)` (`function`), or as the sketch has it."""
    guards: str
    """How arguments are checked: `raise`, `assert`, or not at all."""
    module_doc: bool
    jitted: bool
    private: bool
    """Whether functions that the entry point calls have an underscore before their names."""
    renaming: float
    """How many of the names that have a usual other one take it."""
    dialect: Dialect

    @classmethod
    def draw(cls, stream: Stream) -> Style:
        """Gives the style of one program."""
        choice = stream.choice
        return cls(
            annotations=choice(("", "", "", "jax.Array", "jnp.ndarray", "jax.Array")),
            docs=choice(("none", "none", "none", "line", "line", "line", "google", "numpy")),
            comments=stream.chance(0.5),
            methods=choice(("", "", "on", "off")),
            squares=choice(("", "power", "power", "function")),
            guards=choice(("",) * 6 + ("raise", "raise", "assert")),
            module_doc=stream.chance(0.3),
            jitted=stream.chance(0.15),
            private=stream.chance(0.2),
            renaming=choice((0.0, 0.3, 0.6)),
            dialect=Dialect(
                bare_transforms=stream.chance(0.12),
                long_jnp=False,
                long_lax=stream.chance(0.6),
                nn=stream.chance(0.1),
                random=choice(("jax.random",) * 7 + ("random", "jr")),
                tree_util=stream.chance(0.1),
            ),
        )
