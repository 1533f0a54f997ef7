"""Arguments of a function, as they are given on a command line."""

from __future__ import annotations

import json
import re
from typing import Any

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.extraction.user_function import Argument
from jax_ir_pairs.synthesis.functions import check_avals

_NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_NOT_A_VALUE = (
    "write an aval such as f32[8,16], a JSON tree of avals such as "
    '\'{"w": "f32[16,4]"}\', or a JSON value such as 3, true or \'"relu"\''
)


def parse_argument(text: str) -> Argument:
    """Gives the argument in the text of one `--input`.

    `NAME=…` gives it by name. `f32[8,16]` is an aval, and a JSON object or a list of avals a tree
    of them: what is traced. Other JSON is a static value, which the program is made for: a number,
    a boolean, null, a string in its quotes, or a list of numbers, which becomes a tuple.

    **Raises:** [`UsageError`][] that shows the text and says what it can be.
    """
    name, content = match.groups() if (match := _NAMED.fullmatch(text)) else (None, text)
    try:
        value = json.loads(content)
    except ValueError:
        # An aval needs no quotes; what starts like JSON was meant to be some.
        if content.strip().startswith(("{", '"')) or not re.match(r"\s*[a-z]", content):
            raise UsageError(f"--input {text!r}: is no JSON; {_NOT_A_VALUE}.") from None
        return Argument(_avals(text, content.strip()), name=name)
    if _is_plain(value):
        return Argument(value, is_static=True, name=name)
    return Argument(_avals(text, value), name=name)


def _avals(text: str, tree: Any) -> Any:
    try:
        check_avals(tree)
    except ValueError as error:
        hint = ""
        if isinstance(tree, str) and tree.isidentifier():
            hint = f"; a string is written {json.dumps(tree)!r}, with its quotes"
        raise UsageError(f"--input {text!r}: {error}{hint}.") from None
    return tree


def _is_plain(value: Any) -> bool:
    """Says whether JSON is a static value: a lone string is, but one in a list is an aval."""
    if isinstance(value, list):
        return all(_is_plain(item) and not isinstance(item, str) for item in value)
    return not isinstance(value, dict)


def check_names(arguments: list[Argument]) -> None:
    """Raises [`UsageError`][] where a name is given twice."""
    names = [argument.name for argument in arguments if argument.name is not None]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"--input {twice[0]}=… is given twice.")
