from __future__ import annotations

import ast

import pytest

from jax_ir_pairs.synthesis.functions import read_module
from jax_ir_pairs.synthesis.functions.source import source_of
from tests.synthesis.functions.modules import LAYERS

HEAD = '''\
"""My layers."""

import jax
import jax.numpy as jnp

SCALE = 2.0


def _norm(x):
    return x / jnp.linalg.norm(x)
'''
LAYER = '''

def layer(x, params):
    """Dense."""
    return _norm(x) @ params["w"] + params["b"] * SCALE
'''
MODEL = """

# Two of them.
@jax.jit
def model(x, params):
    return layer(layer(x, params), params)
"""
ADD = """

def add(x, *rest):
    return x + sum(rest)
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [("layer", HEAD + LAYER), ("model", HEAD + LAYER + MODEL), ("add", HEAD + ADD)],
)
def test_the_decorators_their_import_and_functions_of_other_rows_go(
    name: str, expected: str
) -> None:
    assert source_of(read_module(LAYERS), name) == expected


@pytest.mark.parametrize(
    ("imports", "rest"),
    [
        ("import jax_ir_pairs\n", ""),
        ("import jax_ir_pairs, jax\n", "import jax_ir_pairs, jax\n"),
        ("import jax; import jax_ir_pairs\n", "import jax; import jax_ir_pairs\n"),
        ("import jax_ir_pairs\n\nN = jax_ir_pairs.__version__\n",) * 2,
    ],
)
def test_an_import_with_other_uses_stays(imports: str, rest: str) -> None:
    body = "\n\n@jax_ir_pairs.example_inputs('f32[2]')\ndef f(x):\n    return x\n"
    left = source_of(read_module(imports + body), "f")
    assert left == (rest + "\n\ndef f(x):\n    return x\n").lstrip("\n")
    ast.parse(left)
