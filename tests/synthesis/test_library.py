"""Programs of flax, equinox and optax: each form traces as it is typed, and runs finite."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jax_ir_pairs.synthesis.families import family, library
from jax_ir_pairs.synthesis.growth import Form
from tests.synthesis.test_neural import grown, written
from tests.synthesis.tracing import drafts, only, run, shown, traced_as_built

for name in library.REQUIRES:
    pytest.importorskip(name, reason="the programs need jax-ir-pairs[library]")


@pytest.mark.filterwarnings("ignore")  # what the libraries deprecate is not ours
@pytest.mark.parametrize("form", library.FORMS, ids=lambda form: form.grow.__name__.strip("_"))
def test_a_form_types_as_jax_does_and_stays_finite(form: Form) -> None:
    for seed in range(4):
        entry = grown(form, seed, 6 + 4 * seed)
        program = written(entry, seed)
        traced_as_built(program, entry, seed)
        if seed < 2:
            for value in run(program, seed):
                finite = value.dtype.kind not in "fc" or np.isfinite(value).all()
                assert finite, shown(program, seed)
    jax.clear_caches()


def test_sources_name_the_libraries() -> None:
    sources = [draft.program().python for _, draft in drafts(60, only("library"))]
    for line in ("import optax", "import equinox as eqx", "from flax import nnx",
                 "from flax import linen as nn"):  # fmt: skip
        assert sum(line in source for source in sources) >= 3, line


def test_the_family_itself_imports_none_of_them() -> None:
    assert family("library") is library.FAMILY
    paths = [Path(library.__file__), *(Path(library.__file__).parents[1] / "modules").glob("*.py")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                text = ast.unparse(node)
                assert not any(f" {name}" in text for name in library.REQUIRES), f"{path}: {text}"
    assert "jax" in sys.modules
