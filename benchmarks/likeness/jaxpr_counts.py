"""What is counted in the text of a jaxpr: components, equations, primitives, dtypes, sides."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from jax_ir_pairs.inspect.jaxpr_text import Equation, avals, def_use_pairs, equations

_NAME = re.compile(r"(?<![\w.:<])[a-z]+(?![\w:.(=])")
_SIDES = re.compile(r"\[([\d,]+)\]")
_SIDE = 128


@lru_cache(maxsize=1 << 14)
def parsed(text: str) -> tuple[Equation, ...]:
    """Gives the equations of a jaxpr's text, nested ones included."""
    return tuple(equations(text))


def primitives(text: str) -> list[str]:
    """Gives the primitives of a jaxpr's text in order, nested ones included."""
    return [equation.primitive for equation in parsed(text)]


def components(text: str) -> int:
    """Gives the number of heaps that the outputs fall into, of which two share no data.

    Outputs share data where equations connect them, in whichever direction, and where both use the
    same argument. Outputs that are literals count as nothing.
    """
    heap: dict[str, str] = {}
    for equation in parsed(text):
        names = [name for name in (*equation.outputs, *equation.inputs) if name != "_"]
        for name in names[1:]:
            heap[_root(heap, name)] = _root(heap, names[0])
    outputs = text[text.rfind("in (") + len("in (") :]
    return len({_root(heap, name) for name in _NAME.findall(outputs)})


def _root(heap: dict[str, str], name: str) -> str:
    while heap.get(name, name) != name:
        heap[name] = heap.get(heap[name], heap[name])
        name = heap[name]
    return name


def largest_side(inputs: str) -> int:
    """Gives the largest side of the arguments in the JSON of a row."""
    found = (int(side) for sides in _SIDES.findall(inputs) for side in sides.split(",") if side)
    return max(found, default=0)


def has_large_side(inputs: str) -> bool:
    """Tells whether an argument has a side that models have."""
    return largest_side(inputs) >= _SIDE


def dtypes(text: str) -> set[str]:
    """Gives the dtypes that occur in a jaxpr's text."""
    return {"key" if dtype.startswith("key<") else dtype for dtype, _ in avals(text)}


def quantile(values: Sequence[int], share: float) -> int:
    """Gives the value that `share` of all are below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def bigram_shares(texts: Iterable[str]) -> dict[tuple[str, str], float]:
    """Gives the share of jaxprs in which the second primitive reads what the first makes."""
    found: Counter[tuple[str, str]] = Counter()
    number = 0
    for text in texts:
        found.update(def_use_pairs(text))
        number += 1
    return {pair: count / number for pair, count in found.items()}


def most_apart(
    more: dict[tuple[str, str], float], less: dict[tuple[str, str], float], count: int = 20
) -> list[tuple[tuple[str, str], float, float]]:
    """Gives the pairs that are the most over-represented in `more`, with the shares of both.

    They are ordered by the share times the logarithm of how many times the other it is, so that
    neither what is rare nor what is common in both comes first.
    """
    found = [(pair, share, less.get(pair, 0.0)) for pair, share in more.items()]
    found.sort(key=lambda each: -each[1] * math.log((each[1] + 0.002) / (each[2] + 0.002)))
    return found[:count]
