"""The module around the definitions: which imports they need, and where those stand."""

from __future__ import annotations

import re

from jax_ir_pairs.synthesis.render.layout import statement
from jax_ir_pairs.synthesis.render.style import TRANSFORMS

_STANDARD, _INSTALLED = 0, 1
_REMARKS = re.compile(r'''"""[\s\S]*?"""|(?m:#.*$)''')
_IMPORTS = tuple(
    (section, re.compile(pattern), line)
    for section, pattern, line in (
        (_STANDARD, r"\bdataclasses\.", "import dataclasses"),
        (_STANDARD, r"(?<![\w.])dataclass\b", "from dataclasses import dataclass"),
        (_STANDARD, r"\bfunctools\.", "import functools"),
        (_STANDARD, r"(?<![\w.])itertools\.", "import itertools"),
        (_STANDARD, r"(?<![\w.])math\.", "import math"),
        (_STANDARD, r"(?<![\w.])operator\.", "import operator"),
        *(
            (_STANDARD, rf"\b{name}\b", f"from collections.abc import {name}")
            for name in ("Callable", "Hashable", "Iterable", "Iterator", "Mapping", "Sequence")
        ),
        *(
            (_STANDARD, rf"(?<![\w.]){name}\b", f"from typing import {name}")
            for name in (
                "Any",
                "Dict",
                "Generic",
                "Literal",
                "Optional",
                "Protocol",
                "TypeVar",
                "Union",
            )
        ),
        (_INSTALLED, r"(?<![\w.])Array\b", "from jax import Array"),
        (_INSTALLED, r"(?<![\w.])ArrayLike\b", "from jax.typing import ArrayLike"),
        (_STANDARD, r"(?<![\w.])partial\(", "from functools import partial"),
        (_STANDARD, r"\bNamedTuple\b", "from typing import NamedTuple"),
        (_INSTALLED, r"\beqx\.", "import equinox as eqx"),
        (_INSTALLED, r"(?<![\w.])nn\.[A-Z]", "from flax import linen as nn"),
        (_INSTALLED, r"(?<![\w.])struct\.", "from flax import struct"),
        (_INSTALLED, r"(?<![\w.])train_state\.", "from flax.training import train_state"),
        (_INSTALLED, r"(?<![\w.])traverse_util\.", "from flax import traverse_util"),
        (_INSTALLED, r"\bnnx\.", "from flax import nnx"),
        (_INSTALLED, r"\boptax\.", "import optax"),
        (_INSTALLED, r"\bjax\.", "import jax"),
        (_INSTALLED, r"\bjnp\.", "import jax.numpy as jnp"),
        (_INSTALLED, r"\bnp\.", "import numpy as np"),
        (_INSTALLED, r"(?<![\w.])lax\.", "from jax import lax"),
        (_INSTALLED, r"\bcheckpoint_name\(", "from jax.ad_checkpoint import checkpoint_name"),
        (_INSTALLED, r"\blinear_call\(", "from jax.custom_derivatives import linear_call"),
        (_INSTALLED, r"\bravel_pytree\(", "from jax.flatten_util import ravel_pytree"),
        (_INSTALLED, r"(?s)\A(?!.*(?<![\w.])nn\.[A-Z]).*(?<![\w.])nn\.", "from jax import nn"),
        (_INSTALLED, r"(?<![\w.])random\.", "from jax import random"),
        (_INSTALLED, r"(?<![\w.])jr\.", "import jax.random as jr"),
        *(
            (_INSTALLED, rf"(?<![\w.\"]){name}(?=[(),\n])", f"from jax import {name}")
            for name in TRANSFORMS
        ),
        (_INSTALLED, r"(?<![\w.])export\.", "from jax import export"),
        (_INSTALLED, r"(?<![\w.])sparse\.", "from jax.experimental import sparse"),
        (_INSTALLED, r"\bcheckify\.", "from jax.experimental import checkify"),
        (_INSTALLED, r"\bio_callback\(", "from jax.experimental import io_callback"),
        (_INSTALLED, r"\bpl\.", "from jax.experimental import pallas as pl"),
        (
            _INSTALLED,
            r"\bcustom_partitioning\b",
            "from jax.experimental.custom_partitioning import custom_partitioning",
        ),
        (_INSTALLED, r"\bspsolve\(", "from jax.experimental.sparse.linalg import spsolve"),
        (_INSTALLED, r"\bthreefry_2x32\(", "from jax.extend.random import threefry_2x32"),
        (_INSTALLED, r"\bodeint\(", "from jax.experimental.ode import odeint"),
        (_INSTALLED, r"\bminimize\(", "from jax.scipy.optimize import minimize"),
        (_INSTALLED, r"\bLayout\(", "from jax.experimental.layout import Layout"),
        (
            _INSTALLED,
            r"\bwith_layout_constraint\(",
            "from jax.experimental.layout import with_layout_constraint",
        ),
        (
            _INSTALLED,
            r"\bset_xla_metadata\(",
            "from jax.experimental.xla_metadata import set_xla_metadata",
        ),
        (_INSTALLED, r"\bPrimitive\(", "from jax.extend.core import Primitive"),
        (_INSTALLED, r"\b(ad|batching|mlir)\.", "from jax.interpreters import ad, batching, mlir"),
        (
            _INSTALLED,
            r"\bmesh_utils\.",
            "from jax.experimental import mesh_utils",
        ),
        (_INSTALLED, r"\bAxisType\.", "from jax.sharding import AxisType"),
        (_INSTALLED, r"\bMesh\(", "from jax.sharding import Mesh"),
        (_INSTALLED, r"\bNamedSharding\(", "from jax.sharding import NamedSharding"),
        (_INSTALLED, r"\bP\(", "from jax.sharding import PartitionSpec as P"),
    )
)


def module(
    definitions: list[list[str]], *, x64: bool = False, variables: frozenset[str] = frozenset()
) -> str:
    """Gives the module of these top-level definitions, under the imports that they need.

    The names of `variables` are no imports.
    """
    body = "\n\n\n".join("\n".join(lines) for lines in definitions) + "\n"
    switch = 'jax.config.update("jax_enable_x64", True)\n' if x64 else ""
    found: dict[int, list[str]] = {}
    code = _REMARKS.sub("", switch + body)
    for section, pattern, line in _IMPORTS:
        if line.rpartition(" ")[2] not in variables and pattern.search(code):
            found.setdefault(section, []).append(line)
    sections = ["\n".join(_sorted(lines)) + "\n" for _, lines in sorted(found.items())]
    head = "\n".join([*sections, switch] if switch else sections)
    return head + "\n\n" + body if head else body


def _sorted(lines: list[str]) -> list[str]:
    """Gives import lines in order, with the names of one module on one line."""
    names: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("from "):
            module_name, _, name = line.removeprefix("from ").partition(" import ")
            names.setdefault(module_name, []).append(name)
    joined = []
    for module_name, members in sorted(names.items()):
        joined += statement(f"from {module_name} import ", ", ".join(sorted(members)), 0)
    return sorted(line for line in lines if line.startswith("import ")) + joined
