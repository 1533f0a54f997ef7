"""The decorator by which a function says what it can be called with."""

# It is imported by modules that are read as a whole, and so imports nothing itself.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def example_inputs(*inputs: "Any") -> "Callable[[Decorated], Decorated]":
    """Says that a function can be traced with `inputs`, one for each positional argument.

    Each is an aval or a tree of avals: `@example_inputs("f32[8,16]", {"w": "f32[16,4]"})`. Given
    several times it is several examples. The function stays what it is, with the examples in its
    attribute `example_inputs`. `jax-ir-pairs build --functions FILE.py` reads them from the source,
    without running it, so they are written out: strings, dicts, lists and tuples.
    """

    def decorate(function: "Decorated") -> "Decorated":
        earlier = getattr(function, "example_inputs", ())
        function.example_inputs = (inputs, *earlier)  # type: ignore[attr-defined]
        return function

    return decorate
