"""Fresh names at random."""

from __future__ import annotations

import keyword
import string
from collections.abc import Iterable
from random import Random

_TAKEN = {"let", "nan", "inf", "root", "entry", "main", "true", "false", "none", *keyword.kwlist}


def fresh(names: Iterable[str], rng: Random) -> dict[str, str]:
    """Gives another name, of letters, for each of `names`: none twice, none of `names`."""
    old = list(dict.fromkeys(names))
    taken = {*old, *_TAKEN}
    table = {}
    for name in old:
        new = name
        while new in taken:
            new = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 6)))
        taken.add(new)
        table[name] = new
    return table
