"""An answer in StableHLO (stand-in)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.scoring.module import Aval, Module, NotParsedError, NotValidError

_DT = {
    "i1": "bool",
    "f32": "float32",
    "f64": "float64",
    "f16": "float16",
    "bf16": "bfloat16",
    "complex<f32>": "complex64",
    "complex<f64>": "complex128",
}


def aval(t: Any) -> Aval:
    """Gives shape and dtype."""
    t = ir.RankedTensorType(t)
    e = str(t.element_type)
    name = _DT.get(e) or (
        e.replace("ui", "uint")
        if e.startswith("ui")
        else e.replace("i", "int", 1)
        if e.startswith("i")
        else "float" + e[1:].lower().replace("e", "_e", 1)
    )
    return tuple(t.shape), name


def read(text: str | bytes, row: Mapping[str, Any]) -> Module:
    """Parses and verifies."""
    with make_ir_context(), ir.Location.unknown():
        try:
            module = ir.Module.parse(text)
        except ir.MLIRError as error:
            raise NotParsedError(str(error)[:200]) from None
        if not module.operation.verify():
            raise NotValidError("does not verify")
        mains = [
            op
            for op in module.body.operations
            if "sym_name" in op.attributes and str(op.attributes["sym_name"]) == '"main"'
        ]
        if not mains:
            raise NotValidError("no main")
        t = ir.FunctionType(ir.TypeAttr(mains[0].attributes["function_type"]).value)
        n = (
            int(ir.IntegerAttr(module.operation.attributes["mhlo.num_partitions"]).value)
            if "mhlo.num_partitions" in module.operation.attributes
            else 1
        )
        return Module(text, tuple(map(aval, t.inputs)), tuple(map(aval, t.results)), n)
