"""Two ways to write the same, `x.sum()` and `jnp.sum(x)`: edits towards that of a style."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from jax_ir_pairs.synthesis.sketching.choices import hole_call
from jax_ir_pairs.synthesis.sketching.source import Item
from jax_ir_pairs.synthesis.sketching.style import Style
from jax_ir_pairs.synthesis.sketching.text import Edit

_METHODS = frozenset(
    {"sum", "mean", "max", "min", "argmax", "argmin", "var", "std", "prod", "any", "all", "cumsum",
     "clip"}
)  # fmt: skip
_MODULES = frozenset(
    {"jnp", "jax", "lax", "np", "math", "nn", "random", "optax", "nnx", "eqx", "self"}
)


def spelling(item: Item, style: Style) -> Iterator[Edit]:
    """Gives the edits that write an item's expressions in a style."""
    if not (style.methods or style.squares):
        return
    for node in item.nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="jnp"), attr=name), args=[first, *_]
            ):
                if name in _METHODS and style.methods == "on" and _is_plain(first):
                    # What becomes a power needs parentheses before a method.
                    if not (style.squares == "power" and _is_square(first)):
                        yield from _as_method(item, node, first, name)
                elif name in _METHODS and style.squares == "function":
                    yield from _as_square(item, first)
                elif name == "square" and style.squares == "power" and len(node.args) == 1:
                    yield from _as_power(item, node, first)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)):
                is_method = name in _METHODS and _is_array(owner) and _reduces(node, name)
                if is_method and style.methods == "off":
                    yield from _as_function(item, node, owner, name)


def _reduces(node: ast.Call, name: str) -> bool:
    """Tells whether a call is no update of a part: `ref.max(x)`, where `ref` is `x.at[i]`."""
    axes = (argument for argument in node.args if not hole_call(argument))
    return name == "clip" or not any(
        isinstance(part, ast.Name | ast.Call) for axis in axes for part in ast.walk(axis)
    )


def _is_square(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "square"
    )


def _as_square(item: Item, node: ast.expr) -> Iterator[Edit]:
    """Writes a power as a function: inside of a reduction, where it is of an array."""
    match node:
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=2)):
            start, end = item.file.span(node)
            inner, after = item.file.span(left)
            yield start, inner, "jnp.square("
            yield after, end, ")"


def _is_plain(node: ast.expr) -> bool:
    """Tells whether a method can be written behind an expression as it stands."""
    if hole_call(node) or isinstance(node, ast.Starred):
        return False
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)


def _is_array(node: ast.expr) -> bool:
    """Tells whether what a method is called on is an array rather than a module or an object."""
    if not _is_plain(node) or isinstance(node, ast.Attribute):
        return False
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        return node.value.attr != "at"  # what follows is an update
    return not (isinstance(node, ast.Name) and node.id in _MODULES)


def _as_method(item: Item, node: ast.Call, first: ast.expr, name: str) -> Iterator[Edit]:
    start, end = item.file.span(node)
    inner, after = item.file.span(first)
    yield start, inner, ""
    rest = [*node.args[1:], *(k.value for k in node.keywords)]
    if rest:
        following = item.file.text[after:end]
        gap = len(following) - len(following.lstrip(", \n"))
        yield after, after + gap, f".{name}("
    else:
        yield after, end, f".{name}()"


def _as_function(item: Item, node: ast.Call, owner: ast.expr, name: str) -> Iterator[Edit]:
    start, end = item.file.span(node)
    _, after = item.file.span(owner)
    opening = item.file.text.index("(", after) + 1
    yield start, start, f"jnp.{name}("
    rest = node.args or node.keywords
    yield after, opening, ", " if rest else ""
    del end


def _as_power(item: Item, node: ast.Call, first: ast.expr) -> Iterator[Edit]:
    start, end = item.file.span(node)
    inner, after = item.file.span(first)
    plain = _is_plain(first) and not isinstance(first, ast.Starred)
    loose = _binds_tighter(item, start, end)
    yield start, inner, ("(" if loose else "") + ("" if plain else "(")
    yield after, end, ("" if plain else ")") + " ** 2" + (")" if loose else "")


def _binds_tighter(item: Item, start: int, end: int) -> bool:
    """Tells whether what stands around takes hold of its neighbour before a power does."""
    text = item.file.text
    return text[end : end + 1] in {".", "["} or text[end:].startswith(" **")
