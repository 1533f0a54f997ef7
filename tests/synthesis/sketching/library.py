"""Libraries of sketches that a test writes itself."""

from __future__ import annotations

from textwrap import dedent

from jax_ir_pairs.synthesis.render.style import Dialect
from jax_ir_pairs.synthesis.sketching.draft import SketchDraft, draw_from
from jax_ir_pairs.synthesis.sketching.library import Library
from jax_ir_pairs.synthesis.sketching.source import Sketch, read_file
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.writing import write
from jax_ir_pairs.synthesis.stream import Stream

PLAIN = Style(
    hints=None,
    docs="none",
    comments=False,
    methods="",
    squares="",
    guards="keep",
    inlining=0.0,
    objects="",
    module_doc=False,
    jitted=False,
    private=False,
    renaming=0.0,
    dialect=Dialect(long_lax=True),
)


def library_of(*texts: str) -> Library:
    """Gives the library of files with these texts."""
    files = [read_file("theme", f"file{n}", dedent(text)) for n, text in enumerate(texts)]
    items = [item for file in files for item in file.items.values()]
    return Library({item.name: item for item in items if isinstance(item, Sketch)})


def draft_of(library: Library, name: str, seed: int = 0, *, alone: bool = True) -> SketchDraft:
    """Gives a program that begins with a sketch."""
    stream = Stream("test", seed)
    return draw_from(library, library.sketches[name], stream, Stream("style", seed), alone=alone)


def plainly(draft: SketchDraft) -> str:
    """Gives a program as its sketches have it, without remarks."""
    return write(draft, PLAIN, Stream("plain")).source


def sources(library: Library, name: str, count: int = 40) -> set[str]:
    """Gives the programs of a sketch by several seeds, written plainly, without flags."""
    drafts = [draft_of(library, name, seed) for seed in range(count)]
    return {plainly(draft) for draft in drafts if not draft.drawing.flags}


def flagged(library: Library, name: str, count: int = 40) -> set[str]:
    """Gives those of the programs of a sketch in which an option stays."""
    drafts = [draft_of(library, name, seed) for seed in range(count)]
    return {plainly(draft) for draft in drafts if draft.drawing.flags}
