"""The hand that a program is written in: drawn once, and never what the program means."""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.synthesis.render.style import Dialect
from jax_ir_pairs.synthesis.stream import Stream


@dataclass(frozen=True, slots=True)
class Hints:
    """The annotations of one program."""

    array: str
    """Of a parameter that is an array."""
    result: str
    """Of a result that is one."""
    optional: str
    """Of what may be `None`: `{} | None`."""
    tree: str
    """Of a tree of arrays: `dict[str, {}]`, or one word for all."""

    @classmethod
    def draw(cls, stream: Stream) -> Hints:
        """Gives the annotations of one program."""
        array, result = stream.weighted(
            [("jax.Array", "jax.Array"), ("jnp.ndarray", "jnp.ndarray"),
             ("jax.typing.ArrayLike", "jax.Array"), ("Array", "Array")],
            [4, 3, 2, 1],
        )  # fmt: skip
        return cls(
            array,
            result,
            stream.choice(("{} | None", "Optional[{}]")),
            stream.choice(("dict[str, {}]", "dict", "Any", "Any", "Dict[str, {}]")),
        )


@dataclass(frozen=True, slots=True)
class Style:
    """The habits of one program."""

    hints: Hints | None
    """How parameters are annotated, if at all."""
    docs: str
    """The convention of docstrings: `none`, `line`, `google` or `numpy`."""
    comments: bool
    methods: str
    """`x.sum()` (`on`), `jnp.sum(x)` (`off`), or as the sketch has it."""
    squares: str
    """`x ** 2` (`power`), `jnp.square(x)` (`function`), or as the sketch has it."""
    guards: str
    """Checks of arguments: those of the sketches (`keep`), none (`drop`), or also `raise` or
    `assert` where a sketch has none."""
    inlining: float
    """How many of the numbers that are defaults of parameters stand in the body instead."""
    objects: str
    """Whether a sketch's numbers are fields of an object: of a `dataclass`, of a class with an
    `__init__` (`init`), or not at all."""
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
            hints=Hints.draw(stream) if stream.chance(0.76) else None,
            docs=choice(("none",) * 4 + ("line",) * 6 + ("google",) * 4 + ("numpy",) * 2),
            comments=stream.chance(0.75),
            methods=choice(("", "", "on", "off")),
            squares=choice(("", "power", "power", "function")),
            guards=choice(("keep",) * 11 + ("drop",) * 7 + ("raise", "assert")),
            inlining=choice((0.5, 1.0, 1.0, 1.0)),
            objects=choice(("",) * 6 + ("dataclass", "dataclass", "init", "init")),
            module_doc=stream.chance(0.05),
            jitted=stream.chance(0.15),
            private=stream.chance(0.2),
            renaming=choice((0.0, 0.3, 0.6)),
            dialect=Dialect(
                bare_transforms=stream.chance(0.12),
                long_jnp=False,
                long_lax=stream.chance(0.6),
                nn=stream.chance(0.1),
                random=choice(("jax.random",) * 7 + ("random", "jr")),
                tree_util=stream.chance(0.35),
            ),
        )
