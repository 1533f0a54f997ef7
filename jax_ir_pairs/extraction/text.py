"""Canonical text: what each level's printer gives, less every trace of machine and process.

The rules are few, and the same for all levels: no address, no path, no version of a library that
is not the compiler's, constants whole where the level prints them, and one newline at the end.
"""

from __future__ import annotations

import json
import re

# `<function f at 0x7f…>`; newer versions of JAX mask the digits, but not their number.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-FX]+")
# An absolute path of a Python file, down to its name.
_PATH = re.compile(r"(?<![\w.])/(?:[^\s\"'<>:,()/]+/)*(?=[^\s\"'<>:,()/]+\.py\b)")
# How NumPy's scalars print depends on its version: `np.int64(1)` or `1`.
_NUMPY_SCALAR = re.compile(r"\bnp\.(?:u?int|float)\d+\(([^()]*)\)|\bnp\.(True|False)_\b")
# What `jax.debug.inspect_array_sharding` hands XLA: two addresses, of a function and of its data.
_INSPECTION = "InspectSharding"
_INSPECTED_STABLEHLO = re.compile(rf'(@{_INSPECTION}\(.*?backend_config = )"(?:[^"\\]|\\.)*"')
_INSPECTED_HLO = re.compile(rf'("{_INSPECTION}".*?), backend_config="(?:[^"\\]|\\.)*"')
_BACKEND_CONFIG = "backend_config="
_DECODER = json.JSONDecoder()


def without_machine(text: str) -> str:
    """Takes the addresses of objects and the folders of Python files out of `text`."""
    return _PATH.sub("", _ADDRESS.sub("", text))


def without_pointers(module: str) -> str:
    """Takes the addresses that a module of StableHLO or HLO holds out of its text."""
    if _INSPECTION not in module:
        return module
    return _INSPECTED_HLO.sub(r"\1", _INSPECTED_STABLEHLO.sub(r'\1""', module))


def with_plain_scalars(jaxpr: str) -> str:
    """Prints NumPy's scalars in the parameters of a jaxpr as Python's."""
    return _NUMPY_SCALAR.sub(lambda match: match[1] or match[2], jaxpr)


def with_one_newline(text: str) -> str:
    """Gives `text` with no blank line at its start and one newline at its end."""
    return text.strip("\n") + "\n"


def module_text(printed: str) -> str:
    """Gives the canonical text of a module of StableHLO or HLO, as it is printed."""
    return with_one_newline(without_pointers(printed))


def with_sorted_backend_configs(hlo: str) -> str:
    """Sorts the keys of each `backend_config={…}` of an HLO text, as `Compiled.as_text` does.

    Printing with options of one's own leaves them in the order of a hash table. A config that is
    not JSON stays as it is.
    """
    before, *rest = hlo.split(_BACKEND_CONFIG)
    return before + "".join(_BACKEND_CONFIG + _with_sorted_keys(part) for part in rest)


def _with_sorted_keys(text: str) -> str:
    try:
        config, end = _DECODER.raw_decode(text)
    except ValueError:
        return text
    if not isinstance(config, dict):
        return text
    ordered = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return ordered + text[end:]
