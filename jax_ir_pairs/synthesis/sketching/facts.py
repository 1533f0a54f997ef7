"""What a program's source has: transformations, and what is held out of training."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from jax_ir_pairs.synthesis.held_out import INSIDE, Kind
from jax_ir_pairs.synthesis.sketching.choices import KEPT, Choice, Segment
from jax_ir_pairs.synthesis.sketching.source import Item
from jax_ir_pairs.synthesis.sketching.text import Text

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.sketching.draft import SketchDraft

_TRANSFORMS = (
    "vmap", "grad", "value_and_grad", "jacfwd", "jacrev", "hessian", "jvp", "vjp", "linearize",
    "checkpoint", "jit", "custom_jvp", "custom_vjp", "shard_map", "pmap", "linear_transpose",
)  # fmt: skip
_NAMES = {f"jax.{name}": name for name in _TRANSFORMS} | {
    f"jax.lax.{name}": name
    for name in ("scan", "map", "fori_loop", "while_loop", "cond", "switch", "associative_scan")
}
_NAMES |= {f"{module}{name}": name for module in ("eqx.filter_", "nnx.") for name in _TRANSFORMS}
_NAMES |= {"jax.remat": "checkpoint", "jax.experimental.shard_map.shard_map": "shard_map"}
_PARTIAL = {"functools.partial", "partial"}
_OPS = frozenset(
    {"acosh", "arccosh", "argmin", "bitwise_count", "clz", "cumlogsumexp", "cumprod",
     "population_count", "squareplus"}
)  # fmt: skip
"""Names in JAX of the ops that are held out, and of others that trace to their primitives."""


_Path = tuple[str, ...]
"""Names of the functions around, from outside in, and of the function itself."""


@dataclass
class _Scope:
    """What a function of the source applies and calls, each with what is around it there."""

    kinds: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    calls: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


@dataclass(frozen=True)
class Facts:
    """What is read off a program's source."""

    transforms: tuple[str, ...]
    """Distinct, in order from outside in."""
    held_out: Kind


_Scopes = dict[_Path, _Scope]


def facts(draft: SketchDraft) -> Facts:
    """Gives the facts of a program."""
    drawing = draft.drawing
    scopes: _Scopes = {}
    held_out_op = False
    for item in drawing.order:
        of_item, has_op = _of_item(item, tuple(_ways(item.segment, draft.outcomes)))
        scopes |= of_item
        held_out_op |= has_op
    fillers = {item.name: drawing.functions(item) for item in drawing.order}
    found: dict[str, None] = {}
    seen: set[tuple[_Path, frozenset[str]]] = set()
    entries = [step.sketch.name for step in draft.story.steps] or [draft.entry.name]
    walks = [_walk((e,), frozenset(), scopes, fillers, found, seen) for e in entries]
    both: Kind = "both" if held_out_op else "compositions"
    kind: Kind = both if any(walks) else "ops" if held_out_op else "none"
    return Facts(tuple(name for name in found if name in _TRANSFORMS), kind)


@lru_cache(maxsize=1 << 15)
def _of_item(item: Item, taken: tuple[int, ...]) -> tuple[_Scopes, bool]:
    """Gives what an item has by the ways that are taken, and whether it has a held-out op.

    Numbers decide nothing here, so programs that differ in them share what is read.
    """
    text = Text(item, dict(_outcomes(item.segment, iter(taken))))
    text.choices(item.segment)
    tree = ast.parse(text.result())
    scopes: _Scopes = {(): _Scope()}
    _read(tree.body[0], (), scopes, ())
    for node in tree.body[1:]:
        # What belongs to an item, such as a rule of a primitive, is of its scope.
        scope = scopes.setdefault((item.name,), _Scope())
        _read(node, (item.name,), scopes, ())
        if isinstance(node, ast.FunctionDef):
            scope.calls.append(((), node.name))
    held_out = any(_is_held_out(node) for node in ast.walk(tree))
    return scopes, held_out


def _is_held_out(node: ast.AST) -> bool:
    """Tells whether a node names an op that is held out; NumPy's are constants of a program."""
    match node:
        case ast.Attribute(value=ast.Name(id="np")):
            return False
        case ast.Attribute(attr=name):
            return name in _OPS
    return False


def _outcomes(segment: Segment, taken: Iterator[int]) -> Iterator[tuple[Choice, int]]:
    """Gives the outcome of each choice that is left, where [`_ways`][] gave these."""
    for choice in segment.choices:
        way = next(taken) if choice.alternatives else 0
        yield choice, way
        if choice.alternatives:
            yield from _outcomes(choice.alternatives[way], taken)


def _ways(segment: Segment, outcomes: Mapping[Choice, int | str]) -> Iterator[int]:
    """Gives which alternatives are taken in a segment, in order."""
    for choice in segment.choices:
        if choice.alternatives:
            # A flag is what it is by default.
            outcome = int(outcomes[choice])
            way = outcome % KEPT if choice.kind == "maybe" else outcome
            yield way
            yield from _ways(choice.alternatives[way], outcomes)


def _read(node: ast.AST, path: _Path, scopes: dict[_Path, _Scope], around: tuple[str, ...]) -> None:
    """Adds what a piece of source has to the scope that it is in."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            inner = (*path, name)
            scopes.setdefault(inner, _Scope())
            own = tuple(kind for decorator in node.decorator_list for kind in _kinds_in(decorator))
            scopes[inner].kinds += [((), kind) for kind in own]
            if isinstance(node, ast.ClassDef):  # whoever makes an object calls its methods
                methods = (part.name for part in node.body if isinstance(part, ast.FunctionDef))
                scopes[inner].calls += [((), method) for method in methods]
            for part in ast.iter_child_nodes(node):
                if part not in node.decorator_list:
                    _read(part, inner, scopes, own)
            return
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_function(value):
            scopes.setdefault((*path, name), _Scope())
            _read(value, (*path, name), scopes, ())
            return
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr))):
            if attr in {"defvjp", "defjvp", "defjvps"} and (*path, name) in scopes:
                path = (*path, name)
        case ast.Call() if (kind := _kind(node)) is not None:
            scopes[path].kinds.append((around, kind))
            for part in (*node.args, *(keyword.value for keyword in node.keywords)):
                _read(part, path, scopes, (*around, kind))
            return
        case ast.Attribute() if (dotted := _dotted(node)) in _NAMES:
            scopes[path].kinds.append((around, _NAMES[dotted]))
            return
        case ast.Name(id=name, ctx=ast.Load()):
            scopes[path].calls.append((around, name))
            return
    for part in ast.iter_child_nodes(node):
        _read(part, path, scopes, around)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _kind(node: ast.Call) -> str | None:
    """Gives the transformation that a call applies; `partial(jax.jit, ...)` applies its first."""
    name = _dotted(node.func)
    if name in _PARTIAL and node.args:
        name = _dotted(node.args[0])
    return _NAMES.get(name)


def _kinds_in(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and (name := _dotted(part)) in _NAMES:
            yield _NAMES[name]


def _is_function(value: ast.expr) -> bool:
    """Tells whether a value that gets a name is a function, as far as its text tells."""
    if isinstance(value, ast.Call):
        return _kind(value) in _TRANSFORMS or _dotted(value.func) in _PARTIAL
    return isinstance(value, ast.Lambda)


def _walk(
    path: _Path,
    banned: frozenset[str],
    scopes: _Scopes,
    fillers: Mapping[str, Mapping[str, str]],
    found: dict[str, None],
    seen: set[tuple[_Path, frozenset[str]]],
) -> bool:
    """Adds the names that a function applies, and tells whether a held-out composition is there.

    `banned` are the names that complete one where the function is called.
    """
    if (path, banned) in seen:
        return False
    seen.add((path, banned))
    held = False
    for around, kind in scopes[path].kinds:
        found.setdefault(kind)
        held |= kind in _banned(banned, around)
    for around, name in scopes[path].calls:
        known = fillers.get(path[0], {}).get(name, name)
        ends = range(len(path), -1, -1)
        callee = next((p for end in ends if (p := (*path[:end], known)) in scopes), None)
        if callee is not None:
            held |= _walk(callee, _banned(banned, around), scopes, fillers, found, seen)
    return held


def _banned(banned: frozenset[str], around: tuple[str, ...]) -> frozenset[str]:
    return banned.union(*(INSIDE.get(kind, frozenset()) for kind in around))
