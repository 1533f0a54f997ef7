from __future__ import annotations

from likeness.packages import Source
from likeness.units import units

FILE = '''\
import functools
import jax
import jax.numpy as jnp
from made_up.other import elsewhere

SCALE = 2.0
UNUSED = 3.0


def helper(x):
    """Scale."""
    return SCALE * jnp.abs(x)


@functools.partial(jax.jit, static_argnums=1)
def entry(x, n):
    y = helper(x)
    return y * n


def not_jax(x):
    y = x
    return y


def unresolved(x):
    y = jnp.abs(x)
    return elsewhere(y)


class Layer:
    def __call__(self, x):
        y = helper(x)
        return jnp.sum(y)
'''


def _units(text: str) -> dict[str, tuple[str, bool]]:
    found = units([Source("made-up", "made_up/file.py", text)])
    return {unit.name: (unit.program, unit.self_contained) for unit in found}


def test_a_program_has_what_the_function_needs_and_no_more() -> None:
    program, contained = _units(FILE)["entry"]
    namespace: dict[str, object] = {}
    exec(program, namespace)
    assert {"helper", "entry", "SCALE"} <= namespace.keys()
    assert "UNUSED" not in program
    assert "made_up" not in program
    assert program.index("def helper") < program.index("@functools")
    assert contained


def test_units_are_what_uses_jax_and_is_no_part_of_another() -> None:
    assert set(_units(FILE)) == {"entry", "unresolved", "Layer.__call__"}


def test_what_needs_other_files_or_a_class_is_not_self_contained() -> None:
    found = _units(FILE)
    assert not found["unresolved"][1]
    assert not found["Layer.__call__"][1]
    assert found["Layer.__call__"][0].startswith("import jax.numpy as jnp\n")


def test_private_modules_of_jax_are_not_at_hand() -> None:
    text = "from jax._src import core\n\n\ndef f(x):\n    y = x\n    return core.add(y)\n"
    assert _units(text)["f"][1] is False


def test_a_name_that_nothing_binds_is_seen() -> None:
    text = "import jax\n\n\ndef f(x):\n    y = jax.nn.relu(x)\n    return nowhere(y)\n"
    assert _units(text)["f"][1] is False


def test_a_file_without_jax_or_that_cannot_be_parsed_has_no_units() -> None:
    assert _units("def f(x):\n    y = x\n    return y\n") == {}
    assert _units("import jax\nprint 'Python 2'\n") == {}
