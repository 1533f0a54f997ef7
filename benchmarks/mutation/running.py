"""What a text gives when it is run, by plain means and none of the verifier's. In the child."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import ml_dtypes
import numpy as np
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.extraction.execution import Executable, stablehlo_of
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.quality.inputs import physical, unwrapped, wrapped

_CALLBACK = re.compile(r"custom_call @\w*callback")

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Running:
    """A text that can be run."""

    inputs: Sequence[Any]
    """Avals, flat."""
    outputs: Sequence[tuple[tuple[int, ...], Any]] | None
    """Shapes and dtypes, where they are known before it is run."""
    run: Callable[[Sequence[Array]], list[Array]]


def running(level: str, text: str, row: Mapping[str, Any]) -> Running:
    """Gives a text of a level in a form that runs; raises what it may for one that is invalid."""
    # Whatever an earlier program asked for; a Python program asks for itself.
    jax.config.update("jax_enable_x64", False)
    if level == "python":
        return _of_python(text, row)
    stablehlo = _MODULES[level](text, row)
    # Only StableHLO's text says how its inputs lie on several devices.
    if level != "stablehlo" and row["num_devices"] > 1:
        raise ValueError("is of several devices")
    return _of_module(stablehlo, row["num_devices"])


def _of_python(text: str, row: Mapping[str, Any]) -> Running:
    function = load(text, row["entry_point"])
    avals, tree = jax.tree.flatten(abstract_arguments(row["inputs"]))
    outputs = jax.tree.leaves(jax.eval_shape(function, *jax.tree.unflatten(tree, avals)))

    def run(values: Sequence[Array]) -> list[Array]:
        flat = [wrapped(value, aval.dtype) for value, aval in zip(values, avals, strict=True)]
        results = function(*jax.tree.unflatten(tree, flat))
        return [unwrapped(result) for result in jax.tree.leaves(results)]

    return Running(avals, [physical(aval) for aval in outputs], run)


def _of_module(stablehlo: str | bytes, num_devices: int) -> Running:
    with make_ir_context():
        module = ir.Module.parse(stablehlo)
        if _CALLBACK.search(str(module)):
            raise ValueError("calls into the process that lowered it")
        [main] = [op for op in module.body.operations if _symbol(op) == "main"]
        kind = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
        inputs = [_aval(each) for each in kind.inputs]
        outputs = [(aval.shape, aval.dtype) for aval in map(_aval, kind.results)]
    jax.config.update("jax_enable_x64", True)  # for the arguments to stay as they are
    shapes = [shape for shape, _ in outputs]
    executable = Executable(stablehlo, num_devices)
    return Running(inputs, outputs, lambda values: executable(values, shapes))


def _symbol(op: Any) -> str | None:
    attributes = op.operation.attributes
    return ir.StringAttr(attributes["sym_name"]).value if "sym_name" in attributes else None


def _aval(kind: Any) -> jax.ShapeDtypeStruct:
    tensor = ir.RankedTensorType(kind)
    return jax.ShapeDtypeStruct(tuple(tensor.shape), _dtype(str(tensor.element_type)))


def _dtype(name: str) -> np.dtype[Any]:
    if name == "i1":
        return np.dtype(np.bool_)
    if name.startswith("complex"):
        return np.dtype(np.complex64 if "f32" in name else np.complex128)
    for short, long in (("ui", "uint"), ("bf", "bfloat"), ("f", "float"), ("i", "int")):
        if name.startswith(short):
            size, exponent, rest = name.removeprefix(short).partition("E")
            full = f"{long}{size}" + (f"_e{rest}".lower() if exponent else "")
            return np.dtype(getattr(ml_dtypes, full, None) or full)
    raise ValueError(f"{name} is not known")


def _read(language: str) -> Callable[[str, Mapping[str, Any]], str | bytes]:
    def read(text: str, row: Mapping[str, Any]) -> str | bytes:
        # That which reads what no public tool runs; what it gives is run and compared here.
        reader = importlib.import_module(f"jax_ir_pairs.scoring.languages.{language}")
        stablehlo: str | bytes = reader.read(text, row).stablehlo
        return stablehlo

    return read


_MODULES: Mapping[str, Callable[[str, Mapping[str, Any]], str | bytes]] = {
    "jaxpr": _read("jaxpr"),
    "stablehlo": lambda text, row: text,
    "hlo": lambda text, row: stablehlo_of(text),
    "optimized_hlo": _read("optimized_hlo"),
}
