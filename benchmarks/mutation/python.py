"""A Python program: what can be mutated in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import accumulate

from mutation.edit import Edit, Mutations
from mutation.numbers import others

_BINARY: Mapping[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult, ast.Sub),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Add,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr, ast.BitXor),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitOr, ast.BitAnd),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.MatMult: (ast.Mult,),
}
_COMPARISONS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
_COMMUTATIVE = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "sin": ("cos",),
    "cos": ("sin",),
    "tan": ("tanh",),
    "tanh": ("sin", "arctan"),
    "arctan": ("tanh",),
    "exp": ("expm1",),
    "expm1": ("exp",),
    "log1p": ("abs",),
    "sqrt": ("square",),
    "square": ("abs", "sin"),
    "abs": ("square", "negative"),
    "negative": ("abs",),
    "sign": ("abs",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "add": ("subtract", "multiply"),
    "subtract": ("add",),
    "multiply": ("add",),
    "divide": ("multiply",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "greater": ("less",),
    "less": ("greater",),
    "ones": ("zeros",),
    "zeros": ("ones",),
    "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",),
    "triu": ("tril",),
    "tril": ("triu",),
    "sigmoid": ("tanh", "softplus"),
    "softplus": ("sigmoid",),
    "relu": ("gelu", "elu"),
    "gelu": ("relu",),
    "silu": ("relu",),
    "elu": ("relu",),
    "softmax": ("log_softmax",),
    "log_softmax": ("softmax",),
    "soft_sign": ("relu6",),
}
_REDUCTIONS = ("sum", "mean", "max", "min", "prod")
_CUMULATIVE = ("cumsum", "cumprod", "cummax", "cummin")
_UNARY = {
    *("sin", "cos", "tan", "tanh", "arctan", "exp", "expm1", "log1p", "sqrt", "square", "abs"),
    *("negative", "sign", "floor", "ceil", "sigmoid", "softplus", "relu", "gelu", "silu", "elu"),
    *("softmax", "log_softmax", "soft_sign", "flip", "selu", "celu", "rsqrt", "log", "erf"),
}
_LOOPS = {"fori_loop": 2, "range": 3}
"""How many of the first arguments are bounds."""


class _Program:
    """A program's tree, and where its nodes are in the text."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self._lines = text.splitlines(keepends=True)
        self._starts = list(accumulate(map(len, self._lines), initial=0))
        # Where what an f-string has in it lies is not known before Python 3.12.
        inside = {
            id(node)
            for string in ast.walk(self.tree)
            if isinstance(string, ast.JoinedStr)
            for node in ast.walk(string)
        }
        self.nodes = [node for node in ast.walk(self.tree) if id(node) not in inside]

    def edit(self, node: ast.expr, becomes: ast.expr) -> Edit:
        """Gives the edit that makes an expression another one."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._place(node.lineno, node.col_offset)
        end = self._place(node.end_lineno, node.end_col_offset)
        written = ast.unparse(becomes)
        simple = isinstance(becomes, (ast.Name, ast.Constant, ast.Attribute, ast.Call))
        return Edit(start, end, written if simple else f"({written})")

    def _place(self, line: int, column: int) -> int:
        """Gives a place in characters; the tree counts bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


Others = Callable[[ast.AST], Iterable[tuple[ast.expr, ast.expr]]]
"""Gives what in a node can become what."""


def _edits(others: Others, text: str) -> Iterator[Edit]:
    program = _Program(text)
    for node in program.nodes:
        for old, new in others(node):
            yield program.edit(old, new)


def _operation(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.BinOp):
        for kind in _BINARY.get(type(node.op), ()):
            yield node, ast.BinOp(node.left, kind(), node.right)
    if isinstance(node, ast.Attribute):
        for name in _FUNCTIONS.get(node.attr, ()):
            yield node, ast.Attribute(node.value, name)


def _constant(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        kind = "f64" if isinstance(node.value, float) else "i64"
        for number in others(repr(node.value), kind):
            yield node, ast.Constant(ast.literal_eval(number))


def _operand_order(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.BinOp) and not isinstance(node.op, _COMMUTATIVE):
        yield node, ast.BinOp(node.right, node.op, node.left)
    if isinstance(node, ast.Call) and len(node.args) >= 2 and not _is_select(node):
        first, second, *rest = node.args
        if isinstance(first, ast.Name) and isinstance(second, ast.Name):
            yield node, ast.Call(node.func, [second, first, *rest], node.keywords)


def _select(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Call) and _is_select(node) and len(node.args) == 3:
        which, first, second = node.args
        yield node, ast.Call(node.func, [which, second, first], node.keywords)


def _direction(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in _COMPARISONS.get(type(node.ops[0]), ()):
            yield node, ast.Compare(node.left, [kind()], node.comparators)


def _dropped_term(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
        yield node, node.left
        yield node, node.right


def _dropped_operation(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Call) and _name(node.func) in _UNARY and node.args:
        yield node, node.args[0]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node, node.operand


def _reduction(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Attribute):
        for kinds in (_REDUCTIONS, _CUMULATIVE):
            if node.attr in kinds:
                for other in kinds:
                    yield node, ast.Attribute(node.value, other)


def _axis(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.keyword) and node.arg in {"axis", "dimension", "in_axes"}:
        match node.value:
            case ast.Constant(value=int(axis)) if not isinstance(axis, bool):
                yield node.value, ast.Constant(1 - axis if axis in {0, 1} else axis - 1)
            case ast.UnaryOp(operand=ast.Constant(value=int(axis))):
                yield node.value, ast.Constant(-axis - 1 if axis > 1 else -2)


def _flag(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.keyword(value=ast.Constant(value=bool(flag)) as constant):
            yield constant, ast.Constant(not flag)


def _loop_bound(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    bounds: list[ast.expr] = []
    if isinstance(node, ast.Call):
        bounds += node.args[: _LOOPS.get(_name(node.func), 0)]
        bounds += [keyword.value for keyword in node.keywords if keyword.arg == "length"]
    for bound in bounds:
        for step in (ast.Add(), ast.Sub()):
            yield bound, ast.BinOp(bound, step, ast.Constant(1))


def _subscript(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Another place taken: an index, or a slice that starts one later."""
    if not isinstance(node, ast.Subscript):
        return
    for index in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
        match index:
            case ast.Constant(value=int(place)):
                yield index, ast.Constant(place + 1 if place < 1 else place - 1)
            case ast.UnaryOp(operand=ast.Constant(value=int())):
                yield index, ast.Constant(0)
            case ast.Slice(lower=None, upper=None, step=None):
                pass
            case ast.Name():
                yield index, ast.BinOp(index, ast.Sub(), ast.Constant(1))


def _other_name(text: str) -> Iterator[Edit]:
    """Another variable of the same function."""
    program = _Program(text)
    for function in program.nodes:
        if not isinstance(function, ast.FunctionDef):
            continue
        known = [argument.arg for argument in function.args.args]
        for statement in function.body:
            if isinstance(statement, ast.FunctionDef):
                continue
            used = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
            for node in used:
                if isinstance(node.ctx, ast.Load) and node.id in known:
                    for name in {*known[-3:], *known[:1]} - {node.id}:
                        yield program.edit(node, ast.Name(name))
            known += [n.id for n in used if isinstance(n.ctx, ast.Store) and n.id not in known]


def _name(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _is_select(call: ast.Call) -> bool:
    return _name(call.func) in {"where", "select"}


MUTATIONS: Mutations = {
    "operation": partial(_edits, _operation),
    "constant": partial(_edits, _constant),
    "operand order": partial(_edits, _operand_order),
    "other operand": _other_name,
    "dropped term": partial(_edits, _dropped_term),
    "dropped operation": partial(_edits, _dropped_operation),
    "select": partial(_edits, _select),
    "direction": partial(_edits, _direction),
    "axis": partial(_edits, _axis),
    "flag": partial(_edits, _flag),
    "reduction": partial(_edits, _reduction),
    "bounds": partial(_edits, _subscript),
    "loop bound": partial(_edits, _loop_bound),
}
