"""Line maps of programs whose answer a person can write down, and of drawn ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from jax_ir_pairs.config import family_names, load_config
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import Extraction, ExtractionProcess
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import LIMITS, program

LEVELS = ("jaxpr", "stablehlo", "hlo", "optimized_hlo")


@pytest.fixture(scope="module")
def process() -> Iterator[ExtractionProcess]:
    with ExtractionProcess(LIMITS) as process:
        yield process


def sources(extraction: Extraction, level: str, pattern: str) -> list[list[int]]:
    """Gives the lines of Python of each line of a level that `pattern` is found in."""
    lines = getattr(extraction, level).split("\n")
    return [
        [entry.python for entry in extraction.line_map if number in getattr(entry, level)]
        for number, line in enumerate(lines, start=1)
        if re.search(pattern, line)
    ]


def line_of(asked: Program, text: str) -> int:
    """Gives the one line of the source that has `text`."""
    [number] = [n for n, line in enumerate(asked.python.split("\n"), start=1) if text in line]
    return number


def test_each_line_of_straight_code(process: ExtractionProcess) -> None:
    asked = program(
        "def f(x, y):\n    a = jnp.sin(x)\n    b = jnp.tanh(y)\n\n    c = a - b\n"
        "    return jnp.sort(c)",
        *("f32[64]", "f32[64]"),
    )
    sin, tanh = line_of(asked, "jnp.sin"), line_of(asked, "jnp.tanh")
    subtract, sort = line_of(asked, "a - b"), line_of(asked, "jnp.sort")
    assert (sin, tanh, subtract, sort) == (9, 10, 12, 13)
    found = process.extract(asked)
    for level, opcodes in {
        "jaxpr": (" sin ", " tanh ", " sub ", r" sort\["),
        "stablehlo": ("stablehlo.sine", "stablehlo.tanh", "stablehlo.subtract", "stablehlo.sort"),
        "hlo": (r" sine\(", r" tanh\(", r" subtract\(", r" sort\("),
        "optimized_hlo": (r" sine\(", r" tanh\(", r" subtract\(", r" sort\("),
    }.items():
        for opcode, line in zip(opcodes, (sin, tanh, subtract, sort), strict=True):
            assert sources(found, level, opcode) == [[line]], (level, opcode)
    # What is fused comes from all of its lines.
    assert sources(found, "optimized_hlo", r" fusion\(") == [[sin, tanh, subtract]]
    comparisons = sources(found, "stablehlo", "stablehlo.compare")
    assert comparisons == [[sort]] * len(comparisons)
    for level in LEVELS:
        headers = sources(found, level, r"^module|func\.func|^HloModule| parameter\(|^\}")
        assert headers == [[]] * len(headers), level


def test_a_function_of_ones_own_has_its_own_lines(process: ExtractionProcess) -> None:
    asked = program(
        "def norm(v):\n    return jnp.sqrt(v)\n\n\n"
        "def f(x):\n    a = norm(x)\n    b = jnp.cos(a)\n    return norm(b)",
        "f32[8]",
    )
    found = process.extract(asked)
    sqrt, cos = line_of(asked, "jnp.sqrt"), line_of(asked, "jnp.cos")
    for level in LEVELS:
        assert sources(found, level, r"sqrt[ (]") == [[sqrt], [sqrt]], level
        assert sources(found, level, r"= cos |\.cosine|cosine\(") == [[cos]], level


def test_a_function_of_jaxs_own_has_all_lines_that_call_it(process: ExtractionProcess) -> None:
    asked = program(
        "def f(x):\n    y = jnp.where(x > 0, x, 1.0)\n    z = jnp.cos(y)\n"
        "    return jnp.where(z > 0, z, 1.0)",
        "f32[8]",
    )
    found = process.extract(asked)
    first, last = line_of(asked, "y = "), line_of(asked, "return")
    assert sources(found, "jaxpr", "= select_n ") == [[first, last]]
    assert sources(found, "jaxpr", "jaxpr=_where") == [[first], [last]]
    assert sources(found, "stablehlo", "stablehlo.select ") == [[first, last]]
    assert sources(found, "stablehlo", "call @_where") == [[first], [last]]
    assert sources(found, "hlo", r" select\(") == [[first, last]]
    # Inlined, each copy is of its own call.
    assert sorted(sources(found, "optimized_hlo", r" select\(")) == [[first], [last]]


def test_bodies_of_loops_and_derivatives(process: ExtractionProcess) -> None:
    asked = program(
        "def step(c, x):\n    c = c * x\n    return c, jnp.sin(c)\n\n\n"
        "def loss(c, xs):\n    last, ys = lax.scan(step, c, xs)\n    return jnp.sum(ys)\n\n\n"
        "def f(c, xs):\n    return jax.grad(loss)(c, xs)",
        *("f32[8]", "f32[10,8]"),
    )
    found = process.extract(asked)
    product, sine = line_of(asked, "c * x"), line_of(asked, "jnp.sin")
    scan = line_of(asked, "lax.scan")
    assert sources(found, "jaxpr", r"= (sin|cos) ") == [[sine]] * len(
        re.findall("= (?:sin|cos) ", found.jaxpr)
    )
    assert [scan] in sources(found, "jaxpr", r"= scan\[")
    assert [product] in sources(found, "jaxpr", r"= mul ")
    whiles = sources(found, "stablehlo", r"stablehlo\.while")
    assert whiles == [[scan]] * len(whiles)
    assert len(whiles) == 2
    assert sources(found, "stablehlo", r"^    cond \{|^    \} do \{") == [[scan]] * 4
    assert sources(found, "hlo", r" while\(") == [[scan], [scan]]
    cosines = sources(found, "optimized_hlo", r" cosine\(")
    assert cosines
    assert cosines == [[sine]] * len(cosines)


def test_what_another_file_does_is_of_the_line_that_calls_it(process: ExtractionProcess) -> None:
    asked = program(
        "source = 'def layer(v):\\n    return jnp.tanh(jnp.cos(v))'\n"
        "library = {'jnp': jnp}\nexec(compile(source, 'layer.py', 'exec'), library)\n\n\n"
        "def f(x):\n    y = x + 1\n    return library['layer'](y)",
        "f32[8]",
    )
    found = process.extract(asked)
    call = line_of(asked, "return library")
    for level in LEVELS:
        assert sources(found, level, r"= cos |\.cosine|cosine\(") == [[call]], level
        assert sources(found, level, r"= tanh |\.tanh|tanh\(") == [[call]], level


def test_a_jaxpr_whose_parameter_prints_as_several_lines(process: ExtractionProcess) -> None:
    asked = program(
        "def f(a, b):\n    x = lax.custom_linear_solve(lambda v: a * v, b, lambda m, v: v / a,"
        " lambda m, v: v / a)\n    return jnp.cos(x)",
        *("f32[8]", "f32[8]"),
    )
    found = process.extract(asked)
    assert sources(found, "jaxpr", "= cos ") == [[line_of(asked, "jnp.cos")]]
    assert sources(found, "jaxpr", "= custom_linear_solve") == [[line_of(asked, "x = ")]]


def test_a_comment_moves_the_lines_and_nothing_else(process: ExtractionProcess) -> None:
    asked = program("def f(x):\n    return jnp.sin(x) + 1", "f32[8]")
    moved = replace(asked, python="# one more line\n" + asked.python)
    before, after = process.extract(asked), process.extract(moved)
    assert replace(after, line_map=()) == replace(before, line_map=())
    assert [replace(entry, python=entry.python + 1) for entry in before.line_map] == [
        *after.line_map
    ]


_NO_PLACE = re.compile(r" (parameter|constant|tuple|get-tuple-element|copy)\(")
_COUNTED = {
    "jaxpr": re.compile(r"\s+(?:[\w.]+:\S+ )*[\w.]+:\S+ = "),
    "stablehlo": re.compile(r"\s*(?:%\S+ = (?!stablehlo.constant)|(?:func\.)?call )"),
    "hlo": re.compile(r"  (?:ROOT )?[\w.-]+ = "),
    "optimized_hlo": re.compile(r"  (?:ROOT )?%[\w.-]+ = "),
}


@pytest.fixture(scope="module")
def drawn(process: ExtractionProcess) -> list[tuple[Program, Extraction]]:
    """Six programs of each family of the standard mix, as far as they compile."""
    recipe = load_config("hlo-10k").recipe
    found = []
    for family in sorted(name for name in family_names() if recipe.families.get(name)):
        one = recipe.model_copy(update={"families": {family: 1.0}, "sketches": {}})
        for seed in range(6):
            asked = draw(one, seed).program()
            try:
                found.append((asked, process.extract(asked)))
            except Rejected as rejected:  # such as what JAX 0.10 refuses
                print(f"{family} {seed}: {rejected}")
    assert len(found) > 40
    return found


def test_every_line_that_is_named_exists(drawn: list[tuple[Program, Extraction]]) -> None:
    for asked, found in drawn:
        pythons = [entry.python for entry in found.line_map]
        assert pythons == sorted(set(pythons)), asked.python
        assert set(pythons) <= set(range(1, asked.python.count("\n") + 1)), asked.python
        for level in LEVELS:
            text = getattr(found, level)
            for entry in found.line_map:
                numbers = list(getattr(entry, level))
                assert numbers == sorted(set(numbers)), (level, asked.python)
                assert not numbers or (numbers[0] >= 1 and numbers[-1] <= text.count("\n"))


@pytest.mark.parametrize("level", LEVELS)
def test_nearly_every_instruction_has_a_line(
    level: str, drawn: list[tuple[Program, Extraction]]
) -> None:
    counted = mapped = 0
    for _, found in drawn:
        lines = {number for entry in found.line_map for number in getattr(entry, level)}
        for number, line in enumerate(getattr(found, level).split("\n"), start=1):
            if _COUNTED[level].match(line) and not ("hlo" in level and _NO_PLACE.search(line)):
                counted += 1
                mapped += number in lines
    assert counted > 1000
    assert mapped / counted > 0.98
