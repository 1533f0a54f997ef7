"""What is refused of Python by its syntax tree, before it runs. Imports no JAX.

In the child all the same, since a syntax tree can be made to end the process that parses it.
"""

from __future__ import annotations

import ast
import re
from typing import Final

MAX_DEPTH: Final = 120
"""Nodes in nodes."""

_MODULES: Final = frozenset(
    """
    jax jax.ad_checkpoint jax.custom_batching jax.custom_derivatives jax.dtypes
    jax.example_libraries jax.experimental jax.experimental.layout jax.experimental.mesh_utils
    jax.experimental.ode jax.experimental.pallas jax.experimental.sparse
    jax.experimental.xla_metadata jax.export jax.extend jax.extend.core jax.flatten_util
    jax.image jax.interpreters jax.interpreters.ad jax.interpreters.batching
    jax.interpreters.mlir jax.lax jax.lax.linalg jax.nn jax.nn.initializers jax.numpy
    jax.numpy.fft jax.numpy.linalg jax.ops jax.random jax.scipy jax.sharding jax.stages jax.tree
    jax.tree_util jax.typing numpy numpy.linalg numpy.typing math cmath __future__ abc
    collections collections.abc dataclasses enum functools itertools numbers operator typing
    flax flax.linen flax.struct optax equinox
    """.split()  # noqa: SIM905
)
"""What may be imported, beside what is below these: JAX, NumPy and mathematics; what writes
programs down, as `dataclasses`; and the libraries that programs of the data set may use."""

_BELOW: Final = ("jax.scipy.", "jax.experimental.sparse.", "jax.experimental.pallas.")

_NAMES: Final = frozenset(
    """
    breakpoint compile copyright credits delattr dir eval exec exit getattr globals help hasattr
    input license locals memoryview open quit setattr vars __import__ __builtins__ __loader__
    """.split()  # noqa: SIM905
)
_ATTRIBUTES: Final = frozenset(
    """
    buffer_callback io_callback pure_callback host_callback callback debug ffi dlpack extend_ffi
    profiler monitoring distributed clear_caches clear_backends live_arrays
    load loads save savez savez_compressed savetxt loadtxt genfromtxt fromfile tofile memmap
    open_memmap DataSource ctypeslib ctypes ctypes_data lib f2py distutils testing show_config
    from_dlpack frombuffer fromregex dump dumps attrgetter methodcaller sys os builtins inspect
    gi_frame gi_code cr_frame cr_code ag_frame ag_code tb_frame tb_next f_back f_globals f_locals
    f_builtins f_code f_trace func_globals co_code mro
    as_text compiler_ir compile_and_load runtime_executable
    register_custom_call_target register_custom_call_as_batch_partitioner
    register_ffi_target register_ffi_type infeed outfeed
    format_map _src abstractmethods
    """.split()  # noqa: SIM905
)
"""Of any object: callbacks, files, pointers, frames, and modules that lead elsewhere."""
_PRIVATE: Final = re.compile(r"_[A-Za-z]|__")
_OF_CLASSES: Final = re.compile(
    r"__(?:init|call|post_init|add|radd|sub|rsub|mul|rmul|matmul|rmatmul|neg|pow|truediv|len|iter"
    r"|getitem|eq|ne|lt|le|gt|ge|hash|repr|str|bool|enter|exit|contains|next)__"
)
_SETTINGS: Final = frozenset(
    {"jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion"}
)


def python_refusal(source: str, entry_point: str) -> str:
    """Gives why a program is refused, in one sentence, or nothing where it may run.

    Raises SyntaxError, ValueError, RecursionError or MemoryError where it is no Python.
    """
    tree = ast.parse(source)
    if (depth := _depth(tree)) > MAX_DEPTH:
        return f"The answer nests syntax {depth} deep; at most {MAX_DEPTH} are run."
    defined = _defined(tree)
    if entry_point not in defined:
        return f"The answer defines no function {entry_point!r}."
    modules = _imported_names(tree)
    for node in ast.walk(tree):
        if problem := _problem(node, modules):
            return f"The answer {problem} (line {getattr(node, 'lineno', 1)})."
    return ""


def _problem(node: ast.AST, modules: set[str]) -> str:
    match node:
        case ast.Import():
            names = [alias.name for alias in node.names]
            return next((f"imports {n}" for n in names if not _may_import(n)), "")
        case ast.ImportFrom():
            return _import_from(node)
        case ast.Global():
            return "has `global`"
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "is asynchronous"
        case ast.Name() if node.id in _NAMES or node.id.startswith("__"):
            return f"names {node.id}"
        case ast.FunctionDef() if node.name.startswith("__"):
            return "" if _OF_CLASSES.fullmatch(node.name) else f"defines {node.name}"
        case ast.Attribute():
            return _attribute(node, modules)
        case ast.Call():
            return _call(node)
        case ast.Constant(value=str(text)) if "__" in text and "{" in text:
            return "has a format that looks into objects"
        case ast.ExceptHandler(type=None):
            return "catches everything"
        case _:
            return ""


def _may_import(module: str) -> bool:
    return module in _MODULES or (module.startswith(_BELOW) and "._" not in module)


def _import_from(node: ast.ImportFrom) -> str:
    module = node.module or ""
    if node.level or not _may_import(module):
        return f"imports {'.' * node.level}{module}"
    for alias in node.names:
        name = alias.name
        if name == "*" or name in _ATTRIBUTES or _PRIVATE.match(name):
            if module == "__future__":
                continue
            return f"imports {name} from {module}"
        if module in {"jax.experimental", "jax.extend"} and not _may_import(f"{module}.{name}"):
            return f"imports {module}.{name}"
    return ""


def _attribute(node: ast.Attribute, modules: set[str]) -> str:
    name = node.attr
    if isinstance(node.ctx, ast.Store | ast.Del) and _root(node) in modules:
        return f"assigns to {ast.unparse(node)[:60]}"
    owner = node.value
    if isinstance(owner, ast.Name) and owner.id == "self":
        return f"reads {name}" if name.startswith("__") else ""
    if isinstance(owner, ast.Call) and name == "__init__":  # super().__init__()
        return ""
    if name in _ATTRIBUTES or _PRIVATE.match(name):
        # A named tuple's own methods have an underscore, for their fields to have none.
        return "" if name in {"_replace", "_asdict", "_fields"} else f"reads {name}"
    if isinstance(owner, ast.Attribute) and owner.attr in {"experimental", "extend"}:
        module = f"jax.{owner.attr}.{name}"
        return "" if _may_import(module) else f"reads {module}"
    return ""


def _call(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id="type") if len(node.args) != 1 or node.keywords:
            return "makes a class with type()"
        case ast.Attribute(attr="update", value=ast.Attribute(attr="config")):
            name = node.args[0] if node.args else None
            if not (isinstance(name, ast.Constant) and name.value in _SETTINGS):
                return "changes a setting of JAX"
    return ""


def _root(node: ast.expr) -> str:
    """Gives the name that a chain of attributes and items starts with, or nothing."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _imported_names(tree: ast.Module) -> set[str]:
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _defined(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(t.id for t in targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _depth(tree: ast.AST) -> int:
    deepest = 0
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += ((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest
