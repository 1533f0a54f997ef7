"""Primitives that are not bound as they print: one row each.

Those that call are run in place; loops and branches go through `jax.lax`, which knows what each
version of JAX wants to be told of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import lax

from jax_ir_pairs.scoring.jaxpr_text import Atom, Binder, Equation, Jaxpr
from jax_ir_pairs.scoring.module import NotRunnableError, NotValidError

if TYPE_CHECKING:
    from jax_ir_pairs.scoring.jaxpr_binding.binding import Binding

Rule = Callable[["Binding", Equation, Sequence[Any]], Sequence[Any]]


def _jaxpr(equation: Equation, key: str) -> Jaxpr:
    value = equation.param(key)
    if value is None or len(value.parts) != 1:
        raise NotValidError(f"has no jaxpr {key}")
    return value.jaxprs[0]


def _text(equation: Equation, key: str) -> str:
    value = equation.param(key)
    if value is None:
        raise NotValidError(f"has no {key}")
    return value.text


def _int(equation: Equation, key: str) -> int:
    text = _text(equation, key)
    if not re.fullmatch(r"\d{1,18}", text):
        raise NotValidError(f"has no number as {key}")
    return int(text)


def _flag(equation: Equation, key: str) -> bool:
    return _text(equation, key) == "True"


def _call(key: str) -> Rule:
    def rule(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
        return binding.run(_jaxpr(equation, key), operands)

    return rule


def _identity(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    return operands


def _device_put(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    if set(re.findall(r"\w+", _text(equation, "devices"))) != {"None"}:
        raise NotRunnableError("puts values on a device")
    return operands


def _of_the_row(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    raise NotRunnableError("what it does is not in the text")


def _nothing(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    return ()


def _scan(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    body = _jaxpr(equation, "jaxpr")
    if equation.param("num_consts") is not None:
        consts, carried = _int(equation, "num_consts"), _int(equation, "num_carry")
    else:
        consts, carried, rows = leaves(_text(equation, "ft_in"))[:3]
        if consts + carried + rows != len(operands):
            raise NotValidError(f"{len(operands)} operands are not those of ft_in")
    fixed, init = operands[:consts], operands[consts : consts + carried]

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        results = binding.run(body, [*fixed, *carry, *x])
        return tuple(results[:carried]), tuple(results[carried:])

    last, stacked = lax.scan(
        step,
        tuple(init),
        tuple(operands[consts + carried :]),
        length=_int(equation, "length"),
        reverse=_flag(equation, "reverse"),
    )
    return (*last, *stacked)


_ABSENT = re.compile(r"RightsOnly\(Left\(None\)\)|LeftsOnly\(Right\(None\)\)")
_TREE = "tree=PyTreeDef("
_TOKEN = re.compile(r"tree=PyTreeDef\(|[(\[{]|[)\]}]|\w+|\*|,")


def leaves(text: str) -> list[int]:
    """Gives how many leaves each part has of a tree that is printed without its leaves.

    As a tuple, `((), (None,), (None, None))`, whose parts may be printed the other way: with the
    shape after the leaves, `Pytree(vals=[None], tree=PyTreeDef((([], []), ([], [*]), ())))`.
    """
    if text.startswith("Pytree("):
        mark, text = "*", text.partition(_TREE)[2]
    else:
        mark, text = "None", _ABSENT.sub("", text)
    counts = [0]
    depth, hidden = 0, -1  # how deep the shape of a part begins, which is passed over
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[-1] in "([{":
            if token == _TREE and hidden < 0:
                hidden = depth
            depth += 1
        elif token in ")]}":
            depth -= 1
            if depth <= 0:
                break
            if depth == hidden:
                hidden = -1
        elif token == "," and depth == 1:
            counts.append(0)
        elif token == mark and hidden < 0:
            counts[-1] += 1
    return counts


def _binders(jaxpr: Jaxpr, atoms: Sequence[Atom]) -> list[Binder]:
    return [b for eqn in jaxpr.equations for b in eqn.binders if b.name in atoms]


def _while(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    condition, body = _jaxpr(equation, "cond_jaxpr"), _jaxpr(equation, "body_jaxpr")
    ours, theirs = _int(equation, "cond_nconsts"), _int(equation, "body_nconsts")
    of_condition, of_body = operands[:ours], operands[ours : ours + theirs]
    if any(binder.type != "bool[]" for binder in _binders(condition, condition.results)):
        # Of a vectorized loop, which `jax.lax` makes and does not take.
        return binding.bind(equation, operands)
    results: Sequence[Any] = lax.while_loop(
        lambda carry: binding.run(condition, [*of_condition, *carry])[0],
        lambda carry: tuple(binding.run(body, [*of_body, *carry])),
        tuple(operands[ours + theirs :]),
    )
    return results


def _cond(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    value = equation.param("branches")
    if value is None or not value.parts or not operands:
        raise NotValidError("has no branches")
    index, *arguments = operands
    if (platforms := equation.param("branches_platforms")) is not None and platforms.text != "None":
        names = re.findall(r"None|\((?:'\w+',? ?)*\)", platforms.text[1:-1])
        here = [place for place, name in enumerate(names) if name == "None" or "'cpu'" in name]
        return binding.run(value.jaxprs[here[0]], arguments)
    branches = [lambda jaxpr=jaxpr: tuple(binding.run(jaxpr, arguments)) for jaxpr in value.jaxprs]
    if len(branches) == 1:
        return branches[0]()
    if jax.typeof(index).dtype == np.bool_:
        results: Sequence[Any] = lax.cond(index, branches[1], branches[0])
    else:
        results = lax.switch(index, branches)
    return results


def _linear_solve(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    value = equation.param("jaxprs")
    lengths = {k: int(n) for k, n in re.findall(r"(\w+)=(\d+)", _text(equation, "const_lengths"))}
    if value is None or "solve" not in lengths:
        raise NotValidError("has no jaxprs")
    names = [name for name, _ in re.findall(r"(\w+)=(\0)", value.text)]
    solve = value.jaxprs[names.index("solve")]
    before = sum(n for k, n in list(lengths.items())[: list(lengths).index("solve")])
    given = operands[before : before + lengths["solve"]]
    return binding.run(solve, [*given, *operands[sum(lengths.values()) :]])


def _shard_map(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    def of(key: str) -> Any:
        value = equation.param(key)
        if value is None:
            raise NotRunnableError(f"has no {key}")
        return binding.param(equation, key, value)

    axes = "newly_manual_axes" if equation.param("newly_manual_axes") else "manual_axes"
    body = _jaxpr(equation, "jaxpr")
    results: Sequence[Any] = jax.shard_map(
        lambda *arguments: tuple(binding.run(body, arguments)),
        mesh=of("mesh"),
        in_specs=tuple(of("in_specs")),
        out_specs=tuple(of("out_specs")),
        axis_names=set(of(axes)),
        check_vma=_flag(equation, "check_vma"),
    )(*operands)
    return results


def _index(equation: Equation, names: Sequence[Any]) -> Any:
    text = _text(equation, "index")
    if text == "[...]":
        return ...
    if text.count("[") != 1:
        raise NotRunnableError("goes through more than one index")
    rest = iter(names)
    items: list[Any] = []
    for item in text[1:-1].split(","):
        if item == "\0":
            items.append(next(rest))
        elif re.fullmatch(r"-?\d{1,18}", item):
            items.append(int(item))
        elif match := re.fullmatch(r"(\d{0,18}):(\d{0,18})", item):
            items.append(slice(*(int(n) if n else None for n in match.groups())))
        elif item:
            raise NotRunnableError(f"has an index {item!r} that is not known here")
    return tuple(items)


def _get(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    return [operands[0][_index(equation, operands[1:])]]


def _swap(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    reference, value, *names = operands
    index = _index(equation, names)
    results = [reference[index]] if equation.binders else []
    reference[index] = value
    return results


def _add(binding: Binding, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    reference, value, *names = operands
    index = _index(equation, names)
    reference[index] = reference[index] + value
    return ()


RULES = MappingProxyType[str, Rule](
    {
        "addupdate": _add,
        "checkpoint": _call("jaxpr"),
        "closed_call": _call("call_jaxpr"),
        "cond": _cond,
        "core_call": _call("call_jaxpr"),
        "custom_jvp_call": _call("call_jaxpr"),
        "custom_linear_solve": _linear_solve,
        "custom_vjp_call": _call("call_jaxpr"),
        "custom_vmap_call": _call("call"),
        "debug_callback": _nothing,
        "debug_print": _nothing,
        "device_put": _device_put,
        "ffi_call": _of_the_row,
        "get": _get,
        "jit": _call("jaxpr"),
        "layout_constraint": _identity,
        "name": _identity,
        "pjit": _call("jaxpr"),
        "remat2": _call("jaxpr"),
        "reshard": _of_the_row,
        "scan": _scan,
        "shard_map": _shard_map,
        "swap": _swap,
        "while": _while,
        "xla_metadata_value": _identity,
    }
)
"""What a primitive does here, by the name that it prints."""
