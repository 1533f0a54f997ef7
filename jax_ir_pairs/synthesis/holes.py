"""What a sketch leaves open: functions that stand in its source, and that nothing ever calls.

A sketch is a function of a file in `sketches/`. That file is ordinary JAX code, read as text: the
program that is drawn from it has something else in the place of each of these calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def sketch(
    *,
    takes: Mapping[str, Any],
    gives: Any = None,
    sizes: Mapping[str, tuple[int, int] | set[int]] | None = None,
    dtypes: str = "f32",
    also: tuple[str, ...] = (),
    weight: float = 1.0,
    entry: bool = True,
    fills: bool = True,
) -> Callable[[F], F]:
    """Marks a function as a sketch; the first line of its docstring says what it is for.

    Args:
        takes: The type of each parameter that is an array or a tree of them, `"signal f[n]"`; see
            `sketching/types.py`. One whose name ends in `?` may stay at its default.
        gives: The types of what it returns, where other sketches may go on with it.
        sizes: The least and the greatest value of a symbol in the types, or a set of values.
        dtypes: What `f` may stand for.
        also: Other first lines of its docstring.
        weight: How often it is drawn, beside others of its theme.
        entry: Whether it may be a program by itself.
        fills: Whether it may fill a hole, where it may be differentiated or batched.
    """
    raise AssertionError("a sketch is read, not run")


def one_of(*ways: T) -> T:
    """Stands for one of the expressions."""
    raise AssertionError("a sketch is read, not run")


def maybe(option: str, probability: float = 0.5) -> bool:
    """Stands for a choice, `if maybe("bias"):`; the same option of a file is chosen once."""
    raise AssertionError("a sketch is read, not run")


def number(low: float, high: float) -> float:
    """Stands for a number with one or two digits that count, each magnitude as likely."""
    raise AssertionError("a sketch is read, not run")


def integer(low: int, high: int) -> int:
    """Stands for an integer, both ends included."""
    raise AssertionError("a sketch is read, not run")


def size(symbol: str) -> int:
    """Stands for the value of a symbol, or of an expression of symbols, of the types."""
    raise AssertionError("a sketch is read, not run")


def nested(interface: str) -> Callable[..., Any]:
    """Stands for another sketch that fits `(params: P, x: features f[b, d]) -> logits f[b, c]`."""
    raise AssertionError("a sketch is read, not run")
