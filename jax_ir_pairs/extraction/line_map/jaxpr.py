"""The lines of a jaxpr: each equation has the Python stack under which it was traced."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from jax_ir_pairs.extraction.counting import all_jaxprs, jaxprs_in
from jax_ir_pairs.extraction.line_map.inheritance import NOWHERE, Lines, with_inherited


def text_and_lines(jaxpr: Any, file_name: str) -> tuple[str, list[Lines]]:
    """Gives `str(jaxpr)`, and for each line of it the lines of `file_name` that it comes from.

    An equation of a function that JAX itself has jitted, such as `jnp.where`, comes from the lines
    that call the function.
    """
    source_map: list[list[tuple[int, int, Any]]] = []
    text: str = jaxpr.pretty_print(use_color=False, source_map=source_map)
    own: dict[int, Lines] = {}
    home: dict[int, int] = {}
    callers: dict[int, list[int]] = defaultdict(list)
    by_traceback: dict[int, list[int]] = defaultdict(list)
    jaxprs = all_jaxprs(jaxpr)
    for inner in jaxprs:
        for eqn in inner.eqns:
            traceback = eqn.source_info.traceback
            own[id(eqn)] = _innermost(traceback, file_name)
            home[id(eqn)] = id(inner)
            by_traceback[id(traceback)].append(id(eqn))
            for called in jaxprs_in(eqn.params):
                callers[id(called)].append(id(eqn))
    lines = with_inherited(own, lambda eqn: callers[home[eqn]])
    found: list[Lines] = []
    place = 0
    for sources in source_map:
        sourced = (lines[eqn] for _, _, source in sources for eqn in by_traceback[id(source)])
        # What the printer takes for one line has several where a parameter's text is of several.
        end = text.find("\n", max([place, *(place + column for _, column, _ in sources)]))
        end = len(text) if end < 0 else end
        found += [NOWHERE.union(*sourced)] * (1 + text.count("\n", place, end))
        place = end + 1
    return text, found


def _innermost(traceback: Any, file_name: str) -> Lines:
    if traceback is not None:
        for frame in traceback.frames:
            if frame.file_name == file_name:
                return frozenset({frame.line_num})
    return NOWHERE
