"""Traces real functions with arguments that are guessed; it runs in a process of its own.

Reads lines of JSON, each a unit, and writes a line with the jaxpr of each function in it that
traces, the function itself and those that it needs. Keys, sizes and rates among the arguments are
guessed by their names, and the others tried as arrays of a few shapes, first all alike and then
drawn at random. Arguments that have defaults keep them.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import os
import random
import re
import resource
import signal
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

_TRIALS = 25
_SECONDS = 2.0  # of CPU time, for all guesses at a function
_MEMORY = 4 << 30  # bytes; some functions make arrays as large as a guessed argument says
_LONGEST = 400_000
_SHAPES = ((32, 64), (64,), (), (8, 32, 64), (48, 48), (8, 16, 16, 32), (5, 48, 48))
_DTYPES = (jnp.float32,) * 5 + (jnp.int32, jnp.bool_)
_KEY = re.compile(r"key|rng|seed|prng", re.IGNORECASE)
_SIZE = re.compile(r"^(n|k|m|axis|dim|order|degree)$|^(num|n)_|_(size|dim|dims|steps|iter)$")
_RATE = re.compile(
    r"eps|alpha|beta|gamma|lambda|scale|rate|temperature|^t$|^lr$|tol|decay|discount"
)


class _TooLong(BaseException):  # no function catches it
    pass


def main() -> None:
    """Traces the units that come in."""
    signal.signal(signal.SIGPROF, _stop)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what functions print is no answer
    known: set[tuple[str, str]] = set()
    for line in sys.stdin:
        unit = json.loads(line)
        for name, function in _functions(unit).items():
            if (unit["path"], name) not in known:
                known.add((unit["path"], name))
                text = _traced(function, zlib.crc32(name.encode()))
                if text and len(text) <= _LONGEST:
                    found = {"package": unit["package"], "name": name, "jaxpr": text}
                    print(json.dumps(found), file=out, flush=True)


def _functions(unit: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    """Gives the functions of a unit's program, none where it does not run."""
    module = unit["path"].removesuffix(".py").replace("/", ".")
    namespace = {"__name__": module, "__package__": module.rpartition(".")[0]}
    with _limited():
        exec(unit["program"], namespace)
        names = [node.name for node in ast.parse(unit["program"]).body if hasattr(node, "args")]
        functions = {name: inspect.unwrap(namespace[name]) for name in names}
        return {name: of for name, of in functions.items() if inspect.isfunction(of)}
    return {}


def _traced(function: Callable[..., Any], seed: int) -> str | None:
    """Gives the jaxpr of a function, nothing where no guess traces."""
    with _limited():
        for arguments in _guesses(function, seed):
            with contextlib.suppress(Exception):
                if text := _jaxpr(function, arguments):
                    return text
    return None


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Ends what is within after its time, and lets whatever it raises be."""
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    except (Exception, SystemExit, _TooLong):
        pass
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _jaxpr(function: Callable[..., Any], arguments: dict[str, Any]) -> str | None:
    arrays = {name: of for name, of in arguments.items() if not isinstance(of, (int, float))}
    static = {name: of for name, of in arguments.items() if name not in arrays}
    names, avals = tuple(arrays), tuple(arrays.values())

    def entry(*values: Any) -> Any:
        return function(**dict(zip(names, values, strict=True)), **static)

    jaxpr = jax.jit(entry).trace(*avals).jaxpr
    if not jaxpr.jaxpr.eqns or not jaxpr.jaxpr.outvars:
        return None
    return str(jaxpr.pretty_print(use_color=False))


def _guesses(function: Callable[..., Any], seed: int) -> Iterator[dict[str, Any]]:
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if any(parameter.kind is parameter.POSITIONAL_ONLY for parameter in parameters):
        return
    names = [parameter.name for parameter in parameters]
    for shape in _SHAPES:
        yield _filled(names, [jax.ShapeDtypeStruct(shape, jnp.float32)] * len(names))
    rng = random.Random(seed)
    for _ in range(_TRIALS):
        avals = [jax.ShapeDtypeStruct(rng.choice(_SHAPES), rng.choice(_DTYPES)) for _ in names]
        yield _filled(names, avals)


def _filled(names: Sequence[str], avals: Sequence[Any]) -> dict[str, Any]:
    return {name: _by_name(name, aval) for name, aval in zip(names, avals, strict=True)}


def _by_name(name: str, aval: Any) -> Any:
    if _KEY.search(name):
        return jax.eval_shape(lambda: jax.random.key(0))
    if _SIZE.search(name):
        return 1 if name == "axis" else 4
    if _RATE.search(name):
        return jax.ShapeDtypeStruct((), jnp.float32)
    return aval


def _stop(*_: object) -> None:
    raise _TooLong


if __name__ == "__main__":
    main()
