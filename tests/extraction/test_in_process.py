from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ir_pairs import extract
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.extraction import ExtractionProcess
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.targets import TARGETS
from tests.extraction.hand_written import LIMITS, PROGRAMS
from tests.extraction.targets.test_compilation import installed

ABSTRACT = jax.ShapeDtypeStruct((8, 4), jnp.float32)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Holds each test against the configuration, environment and cores that it began with."""

    def state() -> list[Any]:
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
        variables = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        return [dict(jax.config.values), variables, cores]

    before = state()
    yield
    assert state() == before


def _binders(jaxpr: str) -> list[str]:
    binders = jaxpr.partition("; ")[2].partition(". let")[0]
    return [binder.partition(":")[2] for binder in binders.split()]


def test_in_surroundings_like_the_child_the_texts_are_the_childs() -> None:
    names = ["simple", "scan", "custom_jvp", "key", "constant", "indexing"]
    with ExtractionProcess(LIMITS) as process:
        for name in names:
            program = PROGRAMS[name]
            function = load(program.python, program.entry_point)
            jax.clear_caches()
            ours = extract(function, *abstract_arguments(program.inputs))
            assert ours.peak_memory_bytes  # which the child, without machine code, does not tell
            assert replace(ours, peak_memory_bytes=None) == process.extract(program), name


class Pair(NamedTuple):
    left: Any
    right: Any


def test_arguments_of_every_kind() -> None:
    def f(a: Any, b: Any, *, key: Any, scale: Any) -> Any:
        return a.left @ a.right["w"] + b, jax.random.key_data(key) * scale

    arguments = {
        "abstract": (ABSTRACT, jax.ShapeDtypeStruct((4, 2), jnp.float32)),
        "array": (jnp.ones((8, 4)), jnp.ones((4, 2))),
        "numpy": (np.ones((8, 4), np.float32), np.ones((4, 2), np.float32)),
    }
    texts = set()
    for left, right in arguments.values():
        found = extract(f, Pair(left, {"w": right}), 1.0, key=jax.random.key(0), scale=np.int32(3))
        assert _binders(found.jaxpr) == ["f32[8,4]", "f32[4,2]", "f32[]", "key<fry>[]", "i32[]"]
        texts.add(str(found))
    assert len(texts) == 1


def test_the_weak_type_of_a_scalar_stays() -> None:
    assert _binders(extract(lambda x, y: x + y, jnp.asarray(1.0), 2).jaxpr) == ["f32[]", "i32[]"]
    assert "f16" in extract(lambda x, y: x * y, jnp.ones(3, jnp.float16), 2.0).jaxpr
    weak = jnp.asarray(2.0) if jax.typeof(jnp.asarray(2.0)).weak_type else jnp.exp(2.0)
    assert jax.typeof(weak).weak_type
    result = extract(lambda x, y: x * y, jnp.ones(3, jnp.float16), weak).jaxpr
    assert ":f16[3] = mul" in result


def test_where_an_array_lies_does_not_matter() -> None:
    def f(x: jax.Array) -> jax.Array:
        return jnp.tanh(x)

    far = jax.device_put(jnp.ones((8, 4)), jax.devices()[3])
    assert extract(f, far) == extract(f, ABSTRACT)
    assert extract(lambda x: x @ far, jnp.ones((2, 8))).num_devices == 1


def test_what_jit_says_holds() -> None:
    @functools.partial(jax.jit, static_argnames=("axis", "mode"), donate_argnums=0)
    def f(x: jax.Array, axis: tuple[int, ...], *, mode: str) -> jax.Array:
        return x * 2 if mode == "double" else x.sum(axis)

    found = extract(f, ABSTRACT, (0, 1), mode="double")
    assert _binders(found.jaxpr) == ["f32[8,4]"]
    assert "input_output_alias={ {}: (0, {}" in found.optimized_hlo
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a buffer that is donated for nothing
        assert "reduce_sum[axes=(0, 1)" in extract(f, ABSTRACT, axis=(0, 1), mode="sum").jaxpr


def test_shardings_hold() -> None:
    mesh = jax.make_mesh((4,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("i"))

    def f(x: jax.Array) -> jax.Array:
        return x.sum(axis=0)

    found = [
        extract(jax.jit(f, in_shardings=rows), ABSTRACT),
        extract(f, jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=rows)),
        extract(f, jax.device_put(jnp.ones((8, 4)), rows)),
    ]
    for extraction in found:
        assert extraction.num_devices == 4
        assert "all-reduce" in extraction.optimized_hlo


def test_methods_and_callables() -> None:
    class Net:
        def __init__(self) -> None:
            self.w = jnp.ones((4, 2))

        def __call__(self, x: jax.Array) -> jax.Array:
            return x @ self.w

        def apply(self, x: jax.Array) -> jax.Array:
            return self(x)

    assert extract(Net(), ABSTRACT).primitives == ("dot_general",)
    assert extract(Net().apply, ABSTRACT).stablehlo.startswith("module @jit_apply ")
    assert extract(jnp.tanh, ABSTRACT).primitives == ("tanh",)


def test_the_configuration_of_the_caller_holds_and_stays() -> None:
    with jax.enable_x64(True):
        wide = extract(jnp.sin, np.ones(3))
    assert "f64[3]" in wide.jaxpr
    assert "f32[3]" in extract(jnp.sin, np.ones(3)).jaxpr


def test_the_caches_of_the_caller_stay() -> None:
    traced = []

    @jax.jit
    def f(x: jax.Array) -> jax.Array:
        traced.append(x)
        return x + 1

    f(jnp.ones(3))
    extract(jnp.cos, jnp.ones(3))
    extract(f, jnp.ones(3))
    f(jnp.ones(3))
    assert f._cache_size() == 1  # type: ignore[attr-defined]
    assert len(traced) <= 2  # the one of `extract` may be its own


def test_errors_are_those_of_jax_and_of_the_function() -> None:
    with pytest.raises(TypeError, match="dot_general requires contracting dimensions") as error:
        extract(lambda x: x @ x, ABSTRACT)
    files = [Path(frame.path).name for frame in error.traceback]
    assert files[:3] == ["test_in_process.py", "in_process.py", "test_in_process.py"]
    with pytest.raises(jax.errors.TracerBoolConversionError):
        extract(lambda x: 1 if x.sum() > 0 else 2, ABSTRACT)
    with pytest.raises(Exception, match="nowhere"):
        extract(lambda x: jax.ffi.ffi_call("nowhere", x)(x), ABSTRACT)

    def stopped(x: jax.Array) -> jax.Array:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(stopped, ABSTRACT)


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (("cpu", "gpu"), "There is no target 'gpu'; there are cpu, tpu-v4"),
        (("tpu-v5e",), "targets must be 'cpu', which"),
        (("cpu", "cpu"), "targets must be 'cpu', which"),
        ("cpu", r"targets must be a sequence of names, such as \('cpu', 'cpu'\)"),
    ],
)
def test_targets_that_cannot_be(targets: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        extract(jnp.sin, ABSTRACT, targets=targets)


@pytest.mark.skipif(not TARGETS["tpu-v5e"].missing(), reason="the extra tpu is installed")
def test_a_target_that_is_not_installed() -> None:
    with pytest.raises(UsageError, match="this installation lacks libtpu: pip install"):
        extract(jnp.sin, ABSTRACT, targets=("cpu", "tpu-v5e"))


@pytest.mark.parametrize("target", ["tpu-v5e", "cuda-h100"])
def test_further_targets(target: str) -> None:
    installed(target)
    alone = extract(jnp.sin, ABSTRACT)
    found = extract(jnp.sin, ABSTRACT, targets=("cpu", target))
    assert replace(found, further=()) == alone
    [levels] = found.further
    assert levels.refusal is None
    assert levels.optimized_hlo is not None
    assert levels.optimized_hlo.startswith("HloModule jit_sin")
    assert levels.optimized_hlo != found.optimized_hlo
    assert f"# optimized_hlo for {target}\nHloModule" in str(found)


def test_a_function_of_several_devices_is_refused_by_further_targets() -> None:
    installed("tpu-v5e")
    mesh = jax.make_mesh((4,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("i"))
    found = extract(jax.jit(jnp.sin, in_shardings=rows), ABSTRACT, targets=("cpu", "tpu-v5e"))
    [levels] = found.further
    assert levels.refusal is not None
    assert "`jax-ir-pairs extract FILE.py` compiles it" in levels.refusal[1]
    assert "# optimized_hlo for tpu-v5e\nrefused, trace-error: " in str(found)


def test_lines_are_those_of_the_file_that_has_the_function() -> None:
    def layer(x: jax.Array, n: int) -> jax.Array:
        return jnp.sin(x) + n

    sine = layer.__code__.co_firstlineno + 1
    for fn in (functools.partial(layer, n=2), jax.jit(functools.partial(layer, n=2))):
        # A constant may be of the line that calls `extract`.
        first, *_ = extract(fn, ABSTRACT).line_map
        assert (first.python, first.jaxpr) == (sine, (2, 3))
    first, *_ = extract(jax.jit(layer, static_argnums=1), ABSTRACT, 2).line_map
    assert (first.python, first.jaxpr) == (sine, (2, 3))
