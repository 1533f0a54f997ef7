from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from likeness import corpus, packages
from likeness.corpus import by_package, laid_out
from likeness.units import Unit

UNIT = Unit(
    "optax",
    "optax/losses.py",
    "f",
    "def f(x):\n  return jnp.sum( x )\n",
    "from typing import B\nimport jax.numpy as jnp\nfrom typing import A\n\n\n"
    "def f(x: A, y: B):\n  return jnp.sum( x )\n",
    self_contained=True,
)


def test_units_are_laid_out_as_programs_of_a_build() -> None:
    [found] = laid_out([UNIT])
    assert found.alone == "def f(x):\n    return jnp.sum(x)\n"
    assert found.program == (
        "from typing import A, B\n\nimport jax.numpy as jnp\n\n\n"
        "def f(x: A, y: B):\n    return jnp.sum(x)\n"
    )


def test_units_that_are_kept_are_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "_version", lambda: "made-up")
    other = Unit("rlax", "rlax/f.py", "g", "", "", self_contained=False)
    lines = (f"{json.dumps(asdict(unit))}\n" for unit in (UNIT, other))
    (tmp_path / "units-made-up.jsonl").write_text("".join(lines))
    found = corpus.load(tmp_path)
    assert found.seen == (UNIT,)
    assert found.held_out == (other,)
    assert by_package(found.all) == {"optax": [UNIT], "rlax": [other]}


def test_what_an_author_sees_is_not_held_out() -> None:
    assert not packages.SEEN.keys() & packages.HELD_OUT.keys()
    assert len(packages.HELD_OUT) >= 5


def test_tests_and_the_inside_of_jax_are_not_measured(tmp_path: Path) -> None:
    place = packages.place_of(tmp_path, "jax", "1.0")
    for path in ("jax/_src/nn/functions.py", "jax/_src/core.py", "jax/_src/nn/functions_test.py"):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text("x = 1\n")
    found = packages.sources(tmp_path, {"jax": "1.0"})
    assert [source.path for source in found] == ["jax/_src/nn/functions.py"]
