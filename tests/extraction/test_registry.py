from __future__ import annotations

import jaxlib._hlo as _hlo
import numpy as np
import pytest

from jax_ir_pairs.extraction import registry


@pytest.fixture(scope="module")
def primitives() -> list[str]:
    return registry.primitives()


def test_primitives_are_those_that_the_cpu_can_lower(primitives: list[str]) -> None:
    assert {"add", "scan", "cholesky", "shard_map", "pallas_call"} <= set(primitives)
    assert "bcoo_todense" in primitives
    assert "cudnn_fusion" not in primitives
    assert primitives == sorted(set(primitives))


def test_ops_are_of_the_three_dialects() -> None:
    ops = registry.stablehlo_ops()
    assert {"stablehlo.add", "chlo.erf", "sdy.mesh"} <= set(ops)
    assert {name.partition(".")[0] for name in ops} == {"stablehlo", "chlo", "sdy"}


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("kAdd", "add"),
        ("kGetTupleElement", "get-tuple-element"),
        ("kRngGetAndUpdateState", "rng-get-and-update-state"),
        ("kAtan2", "atan2"),
        ("kCos", "cosine"),
        ("kTopK", "topk"),
    ],
)
def test_opcodes_have_the_text_of_hlo(member: str, text: str) -> None:
    assert registry.opcode_text(member) == text
    assert text in registry.hlo_opcodes()


@pytest.mark.parametrize("opcode", sorted(set(registry._OPCODE_TEXT.values()) - {"topk"}))
def test_the_parser_of_hlo_takes_the_text(opcode: str) -> None:
    assert opcode in registry.hlo_opcodes()
    dtype = "s32" if opcode in {"count-leading-zeros", "popcnt"} else "f32"
    lines = [
        "HloModule m",
        "ENTRY e {",
        f"  x = {dtype}[4] parameter(0)",
        f"  ROOT y = {dtype}[4] {opcode}(x)",
        "}",
    ]
    module = _hlo.hlo_module_from_text("\n".join(lines))
    assert f" {opcode}(" in module.to_string()


def test_dtypes_are_those_of_jax_numpy() -> None:
    dtypes = registry.dtypes()
    assert {"bool", "float32", "bfloat16", "complex128", "int4", "float8_e4m3fn"} <= set(dtypes)
    assert "object" not in dtypes
    assert np.dtype(np.float64).name in dtypes
