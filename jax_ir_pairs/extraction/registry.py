"""What the installed JAX knows: primitives, StableHLO ops, HLO opcodes, dtypes.

The one place that reads the private registries of lowering rules, since no public function lists
the primitives. Run as `python -m jax_ir_pairs.extraction.registry` it prints one JSON object; the
driver, which never imports JAX, reads it in `inspect/coverage_reasons.py`.
"""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import jax.numpy as jnp
import jaxlib._hlo as _hlo
import numpy as np
from jax._src.interpreters import mlir

from jax_ir_pairs.extraction.environment import versions

# Primitives are registered by the module that defines them; JAX imports most, but not these.
_REGISTERING_MODULES = (
    "jax.experimental.buffer_callback",
    "jax.experimental.checkify",
    "jax.experimental.compute_on",
    "jax.experimental.custom_partitioning",
    "jax.experimental.fused",
    "jax.experimental.hijax",
    "jax.experimental.io_callback",
    "jax.experimental.layout",
    "jax.experimental.multihost_utils",
    "jax.experimental.pallas",
    "jax.experimental.rnn",
    "jax.experimental.shard_map",
    "jax.experimental.sparse",
    "jax.experimental.sparse.linalg",
    "jax.experimental.xla_metadata",
    "jax.export",
    "jax.ffi",
    "jax.lax.linalg",
    "jax.nn",
    "jax.random",
    "jax.scipy",
    "jax.scipy.linalg",
    "jax.scipy.special",
)
_DIALECTS = ("stablehlo", "chlo", "sdy")
_OPCODE_TEXT = {
    "clz": "count-leading-zeros",
    "cos": "cosine",
    "exp": "exponential",
    "expm1": "exponential-minus-one",
    "log1p": "log-plus-one",
    "optimization-barrier": "opt-barrier",
    "population-count": "popcnt",
    "sin": "sine",
    "top-k": "topk",
}
"""Opcodes whose text is not their name in kebab case."""


def registry() -> dict[str, Any]:
    """Gives sorted names: `primitives`, `stablehlo_ops`, `hlo_opcodes`, `dtypes`, and `versions`.

    Primitives are those with a lowering for the CPU; dtypes are those of `jax.numpy`.
    """
    return {
        "primitives": primitives(),
        "stablehlo_ops": stablehlo_ops(),
        "hlo_opcodes": hlo_opcodes(),
        "dtypes": dtypes(),
        "versions": dict(zip(("jax", "jaxlib"), versions(), strict=True)),
    }


def primitives() -> list[str]:
    """Gives the primitives with a lowering for every platform or for the CPU."""
    for module in _REGISTERING_MODULES:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:  # of another version of JAX
            continue
    return sorted(primitives_by_name())


def primitives_by_name() -> dict[str, Any]:
    """Gives the primitives with a lowering that the modules imported so far have registered."""
    lowerings: Any = mlir._lowerings
    on_cpu: Any = mlir._platform_specific_lowerings["cpu"]
    return {primitive.name: primitive for primitive in (*on_cpu, *lowerings)}


def stablehlo_ops() -> list[str]:
    """Gives the operations of the dialects that a lowered module can be made of."""
    modules = [importlib.import_module(f"jaxlib.mlir.dialects.{name}") for name in _DIALECTS]
    names = (getattr(value, "OPERATION_NAME", None) for m in modules for value in vars(m).values())
    return sorted({name for name in names if isinstance(name, str)})


def hlo_opcodes() -> list[str]:
    """Gives the opcodes as HLO's text has them, such as `get-tuple-element`."""
    members = (name for name in dir(_hlo.HloOpcode) if re.match("k[A-Z]", name))
    return sorted(opcode_text(name) for name in members)


def opcode_text(member: str) -> str:
    """Gives the text of an opcode: `add-dependency` for `kAddDependency`."""
    kebab = re.sub("(?<!^)(?=[A-Z])", "-", member[1:]).lower()
    return _OPCODE_TEXT.get(kebab, kebab)


def dtypes() -> list[str]:
    """Gives the dtypes of `jax.numpy`, as NumPy names them."""
    found = set()
    for name in dir(jnp):
        # jax.numpy's scalar types carry their dtype; its functions and NumPy's classes do not.
        dtype = getattr(getattr(jnp, name), "dtype", None)
        if isinstance(dtype, np.dtype):
            found.add(dtype.name)
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps(registry()))
