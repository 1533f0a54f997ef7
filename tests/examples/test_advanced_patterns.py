from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import advanced_patterns as example
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import read_a_jaxpr

# Devices are made before JAX first touches one, so what needs 8 of them runs in its own process.
ON_8_DEVICES = """
import json
import sys

sys.path.insert(0, sys.argv[1])

import advanced_patterns as example
import jax
import numpy as np

jax.config.update("jax_num_cpu_devices", example.NUM_DEVICES)
devices = jax.devices("cpu")
results = {}
for make in (example.pmap_centering, example.shard_map_centering):
    pattern = make(devices)
    results[make.__name__] = {
        "jaxpr": pattern.jaxpr,
        "value": np.asarray(pattern.value).tolist(),
        "devices": sorted(device.id for device in pattern.value.devices()),
    }
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def on_8_devices(pytestconfig: pytest.Config) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-W", "error", "-c", ON_8_DEVICES]
    examples = str(pytestconfig.rootpath / "examples")
    run = subprocess.run([*command, examples], check=True, capture_output=True, text=True)
    results: dict[str, dict[str, Any]] = json.loads(run.stdout)
    return results


@pytest.mark.parametrize("name", ["pmap_centering", "shard_map_centering"])
def test_eight_devices_agree_on_one_mean(
    on_8_devices: dict[str, dict[str, Any]], name: str
) -> None:
    result = on_8_devices[name]
    assert len(result["devices"]) == 8
    np.testing.assert_allclose(result["value"], np.arange(32.0).reshape(8, 4) - 15.5)
    assert "shard_map[" in result["jaxpr"]
    assert "psum" in result["jaxpr"]
    assert "Mesh('devices': 8" in result["jaxpr"]
    assert "f32[1,4]" in result["jaxpr"]  # the block of one device


@pytest.mark.parametrize(
    "make",
    [
        example.vmap_all_pairs,
        example.scan_moving_average,
        example.while_loop_gcd,
        example.primitive_evaluated,
        example.primitive_differentiated,
        example.primitive_batched,
    ],
)
def test_each_pattern_equals_its_numpy_reference(make: Callable[[], example.Pattern]) -> None:
    pattern = make()
    assert pattern.value.shape == pattern.reference.shape
    np.testing.assert_allclose(pattern.value, pattern.reference, rtol=1e-5, atol=1e-5)


def test_vmap_makes_one_matrix_product() -> None:
    jaxpr = example.vmap_all_pairs().jaxpr
    assert jaxpr.count("dot_general[") == 1
    assert "scan" not in jaxpr
    assert "while" not in jaxpr


def test_scan_traces_its_body_once() -> None:
    short, long = example.scan_moving_average(4).jaxpr, example.scan_moving_average(40).jaxpr
    assert "length=4\n" in short
    assert short.replace("4]", "40]").replace("length=4\n", "length=40\n") == long


def test_while_loop_runs_until_the_data_say_so() -> None:
    pattern = example.while_loop_gcd()
    assert "while[" in pattern.jaxpr
    assert pattern.value.tolist() == [6, 1, 21]


def test_while_loop_has_no_reverse_mode() -> None:
    def halve(x: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda y: y > 1, lambda y: y / 2, x)

    with pytest.raises(ValueError, match="Reverse-mode differentiation does not work"):
        jax.grad(halve)(8.0)
    _, slope = jax.jvp(halve, (8.0,), (1.0,))
    assert slope == 0.125


def test_the_primitive_is_one_equation_with_its_coefficients() -> None:
    jaxpr = jax.make_jaxpr(example.cubic)(jnp.ones(4)).jaxpr
    (equation,) = jaxpr.eqns
    assert equation.primitive is example.polynomial_p
    assert equation.params == {"coefficients": example.COEFFICIENTS}
    assert read_a_jaxpr.signature(equation) == "polynomial: f32[4] -> f32[4]"


def test_abstract_evaluation_refuses_integers() -> None:
    with pytest.raises(TypeError, match="polynomial takes floating-point numbers, not int32"):
        jax.eval_shape(example.cubic, jnp.arange(3))


def test_lowering_is_horners_rule() -> None:
    text = jax.jit(example.cubic).lower(jnp.ones(3)).as_text()
    assert text.count("stablehlo.multiply") == text.count("stablehlo.add") == 3
    assert "custom_call" not in text


@pytest.mark.parametrize("apply", [example.cubic, jax.jit(example.cubic)], ids=["eager", "jit"])
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_the_primitive_keeps_shape_and_dtype(
    apply: Callable[[jax.Array], jax.Array], dtype: Any
) -> None:
    result = apply(jnp.full((2, 3), 2, dtype))
    assert (result.shape, result.dtype) == ((2, 3), dtype)
    np.testing.assert_array_equal(np.asarray(result, np.float32), np.full((2, 3), 5.0))


@pytest.mark.parametrize("x", [-1.25, 0.0, 0.5, 2.0])
def test_derivatives_agree_with_finite_differences(x: float) -> None:
    step = 1e-2

    def numeric(f: Callable[[float], Any]) -> float:
        return float((f(x + step) - f(x - step)) / (2 * step))

    def exact(y: float) -> float:
        return float(np.polyval(example.COEFFICIENTS, y))

    _, forward = jax.jvp(example.cubic, (x,), (1.0,))
    reverse = jax.grad(example.cubic)(x)
    np.testing.assert_allclose(forward, numeric(exact), atol=1e-3)
    np.testing.assert_allclose(reverse, forward)
    second = jax.grad(jax.grad(example.cubic))(x)
    np.testing.assert_allclose(second, 12 * x - 6, rtol=1e-5)


def test_the_derivative_of_a_constant_is_zero() -> None:
    assert jax.grad(lambda x: example.polynomial(x, [3.0]))(2.0) == 0.0


@pytest.mark.parametrize("axis", [0, 1])
def test_batching_equals_a_python_loop(axis: int) -> None:
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    batched = jax.vmap(example.cubic, in_axes=axis, out_axes=axis)(x)
    rows = [example.cubic(row) for row in np.moveaxis(x, axis, 0)]
    np.testing.assert_allclose(batched, np.stack(rows, axis=axis), rtol=1e-6)
    jaxpr = jax.make_jaxpr(jax.vmap(example.cubic, in_axes=axis, out_axes=axis))(x)
    assert read_a_jaxpr.primitives(jaxpr.jaxpr)["polynomial"] == 1
