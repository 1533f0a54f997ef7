from __future__ import annotations

import functools

import jax

from jax_ir_pairs import example_inputs


def test_the_function_stays_what_it_is_with_its_examples_in_order() -> None:
    def f(x: int) -> int:
        return x + 1

    decorated = example_inputs("f32[8]")(example_inputs({"w": "f32[2]"}, "i32[]")(f))
    assert decorated is f
    assert decorated(1) == 2
    assert vars(f)["example_inputs"] == (("f32[8]",), ({"w": "f32[2]"}, "i32[]"))


def test_jitted_and_wrapped_functions_take_it_too() -> None:
    jitted = example_inputs("f32[8]")(jax.jit(lambda x: x))
    assert vars(jitted)["example_inputs"] == (("f32[8]",),)

    @functools.wraps(jitted)
    def wrapper(x: object) -> object:
        return jitted(x)

    assert vars(example_inputs("f32[4]")(wrapper))["example_inputs"] == (("f32[4]",), ("f32[8]",))
