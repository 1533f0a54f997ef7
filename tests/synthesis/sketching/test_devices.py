"""Sketches on several devices: sizes out of a set, names of axes, one mesh in a program."""

from __future__ import annotations

import dataclasses
import re

from jax_ir_pairs.synthesis.sketching.fit import Unfit
from jax_ir_pairs.synthesis.sketching.writing import write
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval
from tests.synthesis.sketching.library import PLAIN, draft_of, library_of, plainly, sources

FIRST = """
import jax

mesh = jax.make_mesh((size("k"),), (AXIS,))
AXIS = one_of("data", "i")


@sketch(takes={"x": "series f[k*n]"}, gives="series f[k*n]", sizes={"k": {2, 8}, "n": (1, 3)})
def total(x):
    '''Add up.'''
    add = lambda part: part + jax.lax.psum(part, AXIS)
    return jax.shard_map(add, mesh=mesh, in_specs=P(AXIS), out_specs=P(AXIS))(x)
"""
SECOND = FIRST.replace("mesh", "other_mesh").replace("AXIS", "NAME").replace("total", "sum_up")
OUTER = """
inner = nested("(x: series f[n]) -> series f[n]")


@sketch(takes={"x": "series f[n]"}, gives="series f[n]")
def outer(x):
    '''Go on.'''
    return jax.pmap(inner)(x)
"""


def test_a_size_is_one_of_a_set_and_shared_with_the_mesh() -> None:
    library = library_of(FIRST)
    counts = set()
    for seed in range(20):
        draft = draft_of(library, "total", seed)
        (x,) = draft.inputs
        assert isinstance(x, Aval)
        (count,) = re.findall(r"make_mesh\(\((\d+),\)", plainly(draft))
        assert x.shape[0] % int(count) == 0
        counts.add(int(count))
    assert counts == {2, 8}


def test_a_text_stands_where_it_is_read_or_has_a_name() -> None:
    library = library_of(FIRST)
    draft = draft_of(library, "total")
    assert re.search(r'AXIS = "(data|i)"', plainly(draft))
    inlined = write(draft, dataclasses.replace(PLAIN, inlining=1.0), Stream("plain")).source
    assert "AXIS" not in inlined
    assert re.search(r'lax\.psum\(part, "(data|i)"\)', inlined)


def test_a_program_has_one_mesh() -> None:
    library = library_of(FIRST, SECOND)
    for seed in range(20):
        source = plainly(draft_of(library, "total", seed, alone=False))
        assert source.count("make_mesh") == 1
    refused = 0
    for seed in range(5):
        try:
            draft_of(library_of(FIRST, OUTER), "outer", seed)
        except Unfit:
            refused += 1
    assert refused == 5


def test_a_slice_has_no_space_before_a_number() -> None:
    text = """
@sketch(takes={"x": "f[n]"}, gives="f[n]")
def f(x):
    '''Do it.'''
    return x[: size("n")]
"""
    assert all(re.search(r"x\[:\d+\]", source) for source in sources(library_of(text), "f", 5))
