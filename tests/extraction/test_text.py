from __future__ import annotations

import pytest

from jax_ir_pairs.extraction.text import (
    with_one_newline,
    with_plain_scalars,
    with_sorted_backend_configs,
    without_machine,
    without_pointers,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("policy=<function dots at 0x7f00aB12>", "policy=<function dots>"),
        ("policy=<function dots at 0xXXXXXXXXX>", "policy=<function dots>"),
        ("f at /home/me/.venv/lib/python3.11/a-b.py:12", "f at a-b.py:12"),
        ('"/tmp/program.py", line 3', '"program.py", line 3'),
        ("dense<0xFF800000>, a / b, x/y.py", "dense<0xFF800000>, a / b, x/y.py"),
    ],
)
def test_addresses_and_folders_go(text: str, expected: str) -> None:
    assert without_machine(text) == expected


def test_pointers_of_a_module_go() -> None:
    stablehlo = r"""
    %0 = stablehlo.custom_call @InspectSharding(%x) {backend_config = " \FC\22\\\7F\00\00", has}
    %1 = stablehlo.custom_call @other(%0) {backend_config = "kept"}"""
    assert without_pointers(stablehlo) == stablehlo.replace(r" \FC\22\\\7F\00\00", "")
    hlo = r'''
    a = f32[8] custom-call(x), custom_call_target="InspectSharding", backend_config=" \374u\"\\177"
    b = f32[8] custom-call(a), custom_call_target="other", backend_config="kept"'''
    assert without_pointers(hlo) == hlo.replace(r', backend_config=" \374u\"\\177"', "")


def test_numpy_scalars_print_as_those_of_python() -> None:
    jaxpr = "axes=(0, np.int64(-1)) p=np.float32(0.5) s=np.True_ f=np.foo(1)"
    assert with_plain_scalars(jaxpr) == "axes=(0, -1) p=0.5 s=True f=np.foo(1)"


@pytest.mark.parametrize("text", ["a\n\nb", "a\n\nb\n", "\na\n\nb\n\n\n"])
def test_one_newline_ends_a_text(text: str) -> None:
    assert with_one_newline(text) == "a\n\nb\n"


def test_backend_configs_are_sorted_at_any_depth() -> None:
    hlo = 'x(), backend_config={"b":[],"a":{"d":"}","c":1}}, y\nz(), backend_config={"e":"2"}\n'
    assert with_sorted_backend_configs(hlo) == (
        'x(), backend_config={"a":{"c":1,"d":"}"},"b":[]}, y\nz(), backend_config={"e":"2"}\n'
    )


@pytest.mark.parametrize("config", ["{uplo = 76 : ui8}", '"text"', "{}", "12"])
def test_other_backend_configs_stay(config: str) -> None:
    hlo = f"x(), backend_config={config}\n"
    assert with_sorted_backend_configs(hlo) == hlo
